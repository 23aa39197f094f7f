"""Trainings that several claims ask for, by profile, and when one has gone well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo_core import Bench, Course, Training

NARROW = {"generator.width": 16, "discriminator.width": 16, "optimizer.lr": 8e-4}
"""Networks that learn to draw faces of 32 × 32 pixels within a minute on a processor; so narrow ones take a higher rate."""

LEARNED = 0.75  # of the distance of random weights to the data, below which a generator has begun to learn


def main_training(bench: Bench, seed: int = 0) -> Training:
    """Return the DCGAN that is looked at: what most claims are about."""
    return Training(
        bench.choose(seconds="dcgan", full="dcgan-paper"),
        images=bench.choose(seconds=1_280, minutes=60_000, hour=400_000, gpu=250_000, full=8_750_000),
        size=bench.choose(seconds=16, minutes=32, gpu=64),
        seed=seed,
        options={**bench.choose(seconds=NARROW, gpu={}), **drawn_images(bench)},
    )


def drawn_images(bench: Bench) -> dict[str, Any]:
    """Return how many faces are drawn, an option of the dataset: drawing takes time, too."""
    count = bench.choose(seconds=600, minutes=4_000, hour=10_000)
    return {"dataset.count": count} if count < 10_000 else {}


def learning_rate(bench: Bench) -> float:
    """Return the rate that the networks of this profile take, where the paper's take 2e-4."""
    return float(bench.choose(seconds=NARROW["optimizer.lr"], gpu=2e-4))


def describe_course(course: Course) -> dict[str, Any]:
    """Return a course as plain data."""
    keys = ("images", "distance", "diversity", "nearest", "collapsed")
    points = [{key: getattr(point, key) for key in keys} for point in course.points]
    return {"run": course.run.name, "points": points, "diverged": course.diverged}


def is_healthy(course: Mapping[str, Any], random: float) -> bool:
    """Return whether a training ends well: it has neither diverged nor collapsed, and has begun to learn.

    Args:
        course: as `describe_course` gives it.
        random: distance to the data of generators with random weights.
    """
    if course["diverged"] or not course["points"]:
        return False
    last = course["points"][-1]
    return not last["collapsed"] and last["distance"] <= LEARNED * random


def final_distance(course: Mapping[str, Any], random: float) -> float:
    """Return the distance to the data at the end; that of random weights for a training that diverged."""
    return random if course["diverged"] or not course["points"] else float(course["points"][-1]["distance"])


def random_distance(bench: Bench, training: Training) -> float:
    """Return the distance to the data of a generator with the weights that a training begins with."""
    import zoo

    options = {key: value for key, value in training.options.items() if not key.startswith("dataset.")}
    model = zoo.create(training.recipe, size=training.size, seed=training.seed, options=options)
    return bench.measure(model.to(bench.device), training).distance


def say_share(found: Sequence[bool]) -> str:
    """Return "18 of 20"."""
    return f"{sum(found)} of {len(found)}"
