"""Claim: each of DCGAN's guidelines helps (section 3), measured by breaking one at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Lines, Table, Training, Verdict, Work
from zoo_core.intervals import mean_interval
from zoo_core.papers import Shown

from .trainings import (
    describe_course,
    drawn_images,
    final_distance,
    is_healthy,
    learning_rate,
    random_distance,
    say_share,
)

DCGAN = "dcgan"
BROKEN = {
    "dcgan-maxpool": "strides, not max pooling",
    "dcgan-avgpool": "strides, not average pooling",
    "dcgan-nobn": "batch normalization",
    "dcgan-allbn": "but not on all layers",
    "dcgan-fc": "no fully connected hidden layers",
    "dcgan-relu": "LeakyReLU in D",
    "dcgan-gap": "no global average pooling, which is more stable and slower",
    "dcgan-beta09": "Adam's β1 0.5, not 0.9",
    "dcgan-lr1e-3": "a fifth of Adam's usual rate",
}
"""Recipe that breaks a guideline → the guideline."""

BESIDE = {"dcgan-nobn-he": "batch normalization, where biases and the scale of weights make up for it"}
"""Shown too, and not counted: what of a guideline is worth something by itself."""

SLOWER = ("dcgan-gap",)  # of which the paper says that it converges more slowly; of all others, that it trains worse


class Guidelines(Claim):
    """Distances to the data with a guideline broken, over the distance with all of them kept: the same seeds in pairs."""

    title: ClassVar[str] = "Each guideline, broken"
    statement: ClassVar[str] = (
        "Each guideline helps: strided convolutions, batch normalization but not everywhere, no fully connected hidden "
        "layers, LeakyReLU in D, no global average pooling, β1 0.5 and a low rate."
    )
    paper: ClassVar[str] = (
        "said, not measured (sections 3 and 4); of global average pooling, that it “increased model stability but hurt "
        "convergence speed”"
    )
    criterion: ClassVar[str] = (
        "With each guideline broken, the distance to the data at the end is divided by DCGAN's with the same seed (for "
        "global average pooling: the distance after the first part of the training, as the paper speaks of its speed); a "
        "training that diverged counts as random weights. A guideline helps if the 95 % interval of the mean logarithm of "
        "that ratio over seeds lies above 0, and harms if it lies below. Holds if more than half of the guidelines help and "
        "none harms. Does not hold here if two or more harm, and more harm than help. Else it cannot be told."
    )
    examples: ClassVar[Mapping[str, Facts]]

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        trainings, points = list_trainings(bench), _points(bench)
        seconds = bench.choose(seconds=0.4, minutes=0.7, hour=2.0, gpu=0.4) * len(trainings) * points
        return [*trainings, Work(f"{len(trainings) * points} measurements", seconds)]

    def measure(self, bench: Bench) -> Facts:
        trainings = list_trainings(bench)
        chance = float(bench.remember("random", lambda: random_distance(bench, trainings[0])))
        courses: dict[str, list[dict[str, Any]]] = {}
        for training in trainings:
            courses.setdefault(training.recipe, []).append(describe_course(bench.follow(training, _points(bench))))
        return {"random": chance, "courses": courses}

    def judge(self, facts: Facts) -> Verdict:
        ratios = {recipe: compare_course(facts, recipe) for recipe in BROKEN if recipe in facts["courses"]}
        spans = {recipe: mean_interval(found) for recipe, found in ratios.items()}
        helps = [BROKEN[recipe] for recipe, span in spans.items() if span is not None and span[0] > 0]
        harms = [BROKEN[recipe] for recipe, span in spans.items() if span is not None and span[1] < 0]
        told = f"{len(helps)} of {len(spans)} guidelines help here"
        told += f" ({'; '.join(helps)})" if helps else ""
        told += f", {len(harms)} harm ({'; '.join(harms)})" if harms else ", none harms"
        if len(helps) > len(spans) / 2 and not harms:
            return Verdict("holds", told)
        return Verdict("does not hold here" if len(harms) > max(len(helps), 1) else "cannot tell", told)

    def ours(self, facts: Facts) -> str:
        verdict = self.judge(facts).why
        return verdict.partition(" (")[0]

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        courses, chance = facts["courses"], facts["random"]
        values: dict[str, tuple[float, tuple[float, float] | None]] = {}
        for recipe in courses:
            if recipe != DCGAN:
                found = compare_course(facts, recipe)
                span = mean_interval(found)
                inner = None if span is None else (math.exp(max(span[0], -5.0)), math.exp(min(span[1], 5.0)))
                values[recipe] = math.exp(sum(found) / len(found)), inner
        rows = []
        for recipe, found in courses.items():
            ends = say_share([is_healthy(course, chance) for course in found])
            rows.append([recipe, {**BROKEN, **BESIDE}.get(recipe, "all are kept"), ends, *_distances(found)])
        curves = {recipe: _mean_curve(found) for recipe, found in courses.items()}
        longest = max((c["points"] for found in courses.values() for c in found), key=len)
        head = ["recipe", "the guideline", "end well", *(f"at {point['images']:,}" for point in longest)]
        return [
            Estimates("Distance with a guideline broken over DCGAN's", values, "above 1 the guideline helps"),
            Lines("Distance to the data", curves, "real images shown", "distance"),
            Table(f"Distances to the data, means over {len(courses[DCGAN])} seeds; random weights {chance:.3g}", head, rows),
        ]


def _points(bench: Bench) -> int:
    return int(bench.choose(seconds=1, minutes=2, hour=4))


def list_trainings(bench: Bench) -> list[Training]:
    """Return all trainings: every recipe with the first seed, then with the next."""
    rate, width = learning_rate(bench), bench.choose(seconds=8, minutes=16, gpu=64, full=128)
    recipes = [*BROKEN, *BESIDE][: bench.choose(seconds=2, minutes=len(BROKEN) + len(BESIDE))]
    found = []
    for seed in range(bench.choose(seconds=2, minutes=3, gpu=3, full=5)):
        for recipe in (DCGAN, *recipes):
            options: dict[str, Any] = {"generator.width": width, "discriminator.width": width, **drawn_images(bench)}
            options["optimizer.lr"] = rate * (5 if recipe == "dcgan-lr1e-3" else 1)  # as 1e-3 is to 2e-4
            if recipe == "dcgan-fc":
                units = bench.choose(seconds=64, minutes=128, gpu=512, full=1024)
                options |= {"discriminator.hidden": units, "generator.hidden": units}
            found.append(
                Training(
                    recipe,
                    images=bench.choose(seconds=640, minutes=3_000, hour=40_000, gpu=30_000, full=500_000),
                    size=bench.choose(seconds=16, minutes=32, full=64),
                    batch=bench.choose(seconds=32, gpu=128),
                    seed=seed,
                    options=options,
                )
            )
    return found


def compare_course(facts: Facts, recipe: str) -> list[float]:
    """Return log(distance with the guideline broken / distance of DCGAN), a value for each seed that both have."""
    found = []
    for broken, kept in zip(facts["courses"][recipe], facts["courses"][DCGAN], strict=False):
        ends = [_distance(course, facts["random"], recipe) for course in (broken, kept)]
        found.append(math.log(max(ends[0], 1e-9) / max(ends[1], 1e-9)))
    return found


def _distance(course: Mapping[str, Any], chance: float, recipe: str) -> float:
    if recipe in SLOWER and len(course["points"]) > 1:
        return float(course["points"][0]["distance"])
    return final_distance(course, chance)


def _distances(courses: Sequence[Mapping[str, Any]]) -> list[float | str]:
    """Return the mean distance at each measurement, over the seeds that came so far."""
    columns = max(len(course["points"]) for course in courses)
    found: list[float | str] = []
    for column in range(columns):
        values = [course["points"][column]["distance"] for course in courses if len(course["points"]) > column]
        found.append(sum(values) / len(values))
    return found or ["diverged"]


def _mean_curve(courses: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    longest = max((course["points"] for course in courses), key=len)
    means = _distances(courses) if longest else []
    return [(float(point["images"]), float(mean)) for point, mean in zip(longest, means, strict=False)]


def _example(broken: Sequence[float]) -> dict[str, Any]:
    def course(distance: float) -> dict[str, Any]:
        point = {"images": 4000, "distance": distance, "diversity": 0.8, "nearest": 0.9, "collapsed": False}
        return {"run": "", "points": [point], "diverged": ""}

    others = {recipe: [course(distance) for distance in broken] for recipe in BROKEN}
    return {"random": 28.0, "courses": {DCGAN: [course(4.0), course(4.2), course(4.1)], **others}}


Guidelines.examples = {
    "holds": _example([8.0, 8.3, 8.1]),
    "does not hold here": _example([2.0, 2.2, 2.1]),
    "cannot tell": _example([3.0, 6.0, 4.1]),
}
