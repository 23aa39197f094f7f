"""Claim: one epoch is enough to draw, and five draw better without memorizing (section 4.1, figures 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Facts, Figure, Lines, Table, Training, Verdict, Work
from zoo_core.intervals import mean_interval
from zoo_core.papers import Shown

from .trainings import LEARNED, NARROW, describe_course, drawn_images, random_distance

EPOCHS = 5


class OneEpochAgainstFive(Claim):
    """Distances to the data after one pass over it and after five, and how near samples are to training images then."""

    title: ClassVar[str] = "One epoch against five"
    statement: ClassVar[str] = (
        "After one epoch, samples are plausible already, and cannot have been memorized; after five they are better, and "
        "still underfit rather than overfit."
    )
    paper: ClassVar[str] = "shown, not measured: bedrooms after one and after five epochs (section 4.1, figures 2 and 3)"
    criterion: ClassVar[str] = (
        f"Holds if after one epoch the distance to the data is below {LEARNED:g} of that of random weights in every seed, "
        "the 95 % interval over seeds of the mean logarithm of the distance after five epochs over that after one lies "
        "below 0, after five epochs the distance is still above that of two halves of the data, and neither model copies "
        "(zoo neighbors). Does not hold here if one copies, or that interval lies above 0. Else it cannot be told."
    )
    examples: ClassVar[Mapping[str, Facts]]

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        trainings = list_trainings(bench)
        seconds = bench.choose(seconds=0.4, minutes=0.7, hour=2.0, gpu=0.4) * EPOCHS * len(trainings)
        return [
            *trainings,
            first_epoch(bench),
            Work(f"{EPOCHS * len(trainings)} measurements", seconds),
            Work("neighbors after one epoch and after five", bench.choose(seconds=3.0, minutes=8.0, hour=30.0, gpu=10.0)),
        ]

    def measure(self, bench: Bench) -> Facts:
        trainings = list_trainings(bench)
        chance = float(bench.remember("random", lambda: random_distance(bench, trainings[0])))
        found = [bench.follow(training, EPOCHS) for training in trainings]
        floor = min((course.points[0].floor for course in found if course.points), default=0.0)
        runs = {"one epoch": bench.train(first_epoch(bench)), "five epochs": found[0].run}
        copies = {}
        for name, run in runs.items():
            if name == "five epochs" and found[0].diverged:
                continue
            key = name.replace(" ", "-")
            copies[name] = bench.remember(key, partial(look_for_copies, bench, run, key))
        courses = [describe_course(course) for course in found]
        told = {"random": chance, "floor": floor, "courses": courses, "copies": copies}
        return {**told, "runs": {name: run.name for name, run in runs.items()}}

    def judge(self, facts: Facts) -> Verdict:
        whole = [c["points"] for c in facts["courses"] if len(c["points"]) == EPOCHS]
        copying = [name for name, found in facts["copies"].items() if found["copies"]]
        if copying:
            share = max(max(facts["copies"][name][f"share_{space}"] for space in ("pixels", "features")) for name in copying)
            why = f"after {' and '.join(copying)} it copies training images: {share:.0%} of the samples are too near to one"
            return Verdict("does not hold here", why)
        if len(whole) < len(facts["courses"]) or len(whole) < 2:
            return Verdict("cannot tell", f"{len(whole)} of {len(facts['courses'])} trainings came to their end")
        first, last = ([points[at]["distance"] for points in whole] for at in (0, -1))
        span = mean_interval([math.log(b / a) for a, b in zip(first, last, strict=True)])
        assert span is not None
        told = f"distance {_mean(first):.3g} after one epoch, {_mean(last):.3g} after five, halves of the data"
        told = f"{told} {facts['floor']:.3g}, random weights {facts['random']:.3g}; nothing is copied"
        if span[0] > 0:
            return Verdict("does not hold here", told)
        fine = max(first) <= LEARNED * facts["random"] and span[1] < 0 and min(last) > facts["floor"]
        return Verdict("holds" if fine else "cannot tell", told)

    def ours(self, facts: Facts) -> str:
        first, last = (
            [c["points"][at]["distance"] for c in facts["courses"] if len(c["points"]) == EPOCHS] for at in (0, -1)
        )
        return f"distance {_mean(first):.3g}, then {_mean(last):.3g}" if first else "none came to its end"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        lines = {
            f"seed {seed}": [(float(epoch), point["distance"]) for epoch, point in enumerate(course["points"], 1)]
            for seed, course in enumerate(facts["courses"])
        }
        copies = facts["copies"]
        rows = [[name, found["share_pixels"], found["share_features"]] for name, found in copies.items()]
        near = "Share of samples nearer to a training image than 99 % of others are"
        return [
            *(Figure(f"{name.replace(' ', '-')}-samples", f"samples after {name}", f"After {name}") for name in copies),
            Lines("Distance to the data", lines, "epochs", "distance"),
            Table(near, ["after", "in pixels", "in features"], rows),
        ]

    def commands(self, facts: Facts) -> Sequence[str]:
        return [f"zoo neighbors runs/{run}" for run in facts.get("runs", {}).values()]


def list_trainings(bench: Bench) -> list[Training]:
    """Return the trainings of five epochs, one for each seed."""
    return [_training(bench, EPOCHS, seed) for seed in range(bench.choose(seconds=2, minutes=3, full=5))]


def first_epoch(bench: Bench) -> Training:
    """Return the training of one epoch whose model is looked at."""
    return _training(bench, 1, 0)


def _training(bench: Bench, epochs: int, seed: int) -> Training:
    count = bench.choose(seconds=600, minutes=4_000, hour=10_000)
    return Training(
        "dcgan",
        images=epochs * count,
        size=bench.choose(seconds=16, minutes=32, gpu=64),
        batch=bench.choose(seconds=32, gpu=128),
        seed=seed,
        options={**bench.choose(seconds=NARROW, gpu={}), **drawn_images(bench)},
    )


def look_for_copies(bench: Bench, run: Any, key: str) -> dict[str, Any]:
    """Return what `zoo neighbors` says of a run; keep a picture of its samples."""
    import zoo

    samples = bench.choose(seconds=100, minutes=500, hour=1000)
    found = zoo.neighbors(run, samples=samples, device=bench.device, write=False, report=bench.report)
    model = zoo.load(run, device=bench.device)
    bench.picture(f"{key}-samples", model.sample(36), columns=6)
    shares = {f"share_{space}": found.metrics[f"memorized_share_{space}"] for space in ("pixels", "features")}
    return {"copies": bool(found.details["copies"]), **shares}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _example(first: Sequence[float], last: Sequence[float], *, copies: bool = False) -> dict[str, Any]:
    def course(one: float, five: float) -> dict[str, Any]:
        points = [
            {"images": 4000 * n, "distance": d, "diversity": 0.8, "nearest": 0.9, "collapsed": False}
            for n, d in enumerate((one, five, five, five, five), 1)
        ]
        return {"run": "", "points": points, "diverged": ""}

    found = {"copies": copies, "share_pixels": 0.2 if copies else 0.01, "share_features": 0.01}
    told = {"random": 28.0, "floor": 0.3, "copies": {"one epoch": {**found, "copies": False}, "five epochs": found}}
    return {**told, "courses": [course(a, b) for a, b in zip(first, last, strict=True)], "runs": {}}


OneEpochAgainstFive.examples = {
    "holds": _example([9.0, 9.5, 9.2], [3.0, 3.2, 2.9]),
    "does not hold here": _example([9.0, 9.5, 9.2], [3.0, 3.2, 2.9], copies=True),
    "cannot tell": _example([9.0, 9.5, 9.2], [3.0, 20.0, 9.0]),
}
