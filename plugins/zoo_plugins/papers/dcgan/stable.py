"""Claim: DCGANs train stably in most settings (sections 1 and 3), where plain GANs and broken guidelines do not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Table, Training, Verdict, Work
from zoo_core.intervals import apart, share_interval
from zoo_core.papers import Shown

from .trainings import (
    LEARNED,
    describe_course,
    drawn_images,
    is_healthy,
    learning_rate,
    random_distance,
    say_share,
)

DCGAN, PLAIN = "dcgan", "mlp-gan"
GUIDELINES = ("dcgan-nobn", "dcgan-fc", "dcgan-maxpool", "dcgan-allbn", "dcgan-relu", "dcgan-beta09")  # each broken
_MANY, _FEW = [True] * 19 + [False], [False] * 18 + [True] * 2


class StableTraining(Claim):
    """How many trainings end well, of settings that are drawn by lot, the same ones for every recipe."""

    title: ClassVar[str] = "Stable training"
    statement: ClassVar[str] = "The architecture of DCGAN makes training stable in most settings."
    paper: ClassVar[str] = "said, not measured: “stable to train in most settings” (section 1)"
    criterion: ClassVar[str] = (
        "Settings (rate, batch, width of the networks, length and distribution of the latents, seed) are drawn by lot, the "
        "same for DCGAN and for the plain GAN of fully connected layers. A training ends well if it has neither diverged "
        f"nor collapsed and its distance to the data is at most {LEARNED:g} of that of random weights. Holds if the exact "
        "95 % interval of DCGAN's share of good ends lies above 1/2 and above the plain GAN's. Does not hold here if it "
        "lies below 1/2, or below the plain GAN's. Else it cannot be told."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        "holds": {"healthy": {DCGAN: _MANY, PLAIN: _FEW}},
        "does not hold here": {"healthy": {DCGAN: _FEW, PLAIN: _FEW}},
        "cannot tell": {"healthy": {DCGAN: _MANY, PLAIN: _MANY}},
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        trainings = [training for recipe in _recipes(bench) for training in draw_settings(bench, recipe)]
        seconds = bench.choose(seconds=0.4, minutes=0.7, hour=2.0, gpu=0.4) * len(trainings)
        return [*trainings, Work(f"{len(trainings)} measurements", seconds)]

    def measure(self, bench: Bench) -> Facts:
        first = draw_settings(bench, DCGAN)[0]
        chance = float(bench.remember("random", lambda: random_distance(bench, first)))
        courses: dict[str, list[dict[str, Any]]] = {recipe: [] for recipe in _recipes(bench)}
        for number in range(len(draw_settings(bench, DCGAN))):  # every recipe with a setting, then with the next
            for recipe, found in courses.items():
                found.append(describe_course(bench.follow(draw_settings(bench, recipe)[number])))
        settings = [describe_setting(training) for training in draw_settings(bench, DCGAN)]
        healthy = {recipe: [is_healthy(course, chance) for course in found] for recipe, found in courses.items()}
        return {"random": chance, "settings": settings, "healthy": healthy, "courses": courses}

    def judge(self, facts: Facts) -> Verdict:
        healthy: dict[str, list[bool]] = facts["healthy"]
        ours, plain = (share_interval(sum(healthy[name]), len(healthy[name])) for name in (DCGAN, PLAIN))
        told = f"{say_share(healthy[DCGAN])} DCGANs end well, {say_share(healthy[PLAIN])} plain GANs"
        if ours[0] > 0.5 and apart(ours, plain) > 0:
            return Verdict("holds", f"{told}: the interval {ours[0]:.0%} to {ours[1]:.0%} is above 1/2 and above theirs")
        if ours[1] < 0.5 or apart(ours, plain) < 0:
            return Verdict("does not hold here", f"{told}: the interval is {ours[0]:.0%} to {ours[1]:.0%}")
        return Verdict("cannot tell", f"{told}: intervals {ours[0]:.0%} to {ours[1]:.0%}, {plain[0]:.0%} to {plain[1]:.0%}")

    def ours(self, facts: Facts) -> str:
        return ", ".join(f"{name} {say_share(found)}" for name, found in facts["healthy"].items())

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        healthy: dict[str, list[bool]] = facts["healthy"]
        values = {name: (sum(found) / len(found), share_interval(sum(found), len(found))) for name, found in healthy.items()}
        rows = [
            [number, setting, *(say_end(courses[number - 1], good[number - 1]) for courses, good in _pairs(facts))]
            for number, setting in enumerate(facts["settings"], 1)
        ]
        return [
            Estimates("Share of trainings that end well", values, "share, with its exact 95 % interval"),
            Table(f"Every setting: how it ended; random weights {facts['random']:.3g}", ["", "setting", *healthy], rows),
        ]


def _pairs(facts: Facts) -> list[tuple[list[Any], list[bool]]]:
    return [(facts["courses"][name], facts["healthy"][name]) for name in facts["healthy"]]


def _recipes(bench: Bench) -> tuple[str, ...]:
    broken = bench.choose(seconds=0, hour=3, gpu=2, full=len(GUIDELINES))
    return (DCGAN, PLAIN, *GUIDELINES[:broken])


def draw_settings(bench: Bench, recipe: str) -> list[Training]:
    """Return the trainings of a recipe in all settings, which are the same for every recipe, drawn by lot once for all."""
    lot, rate = random.Random(0), learning_rate(bench)
    wide = bench.choose(seconds=(8, 16), minutes=(12, 16, 24), gpu=(32, 64, 128))
    found = []
    for number in range(bench.choose(seconds=2, minutes=20, full=60)):
        options = {
            "optimizer.lr": rate * lot.choice((0.5, 1.0, 2.0)),
            "generator.latent_dim": lot.choice((32, 64, 100)),
            "training.latent": lot.choice(("normal", "uniform")),
        }
        width, batch = lot.choice(wide), lot.choice((32, 64, 128) if rate < 4e-4 else (16, 32))
        if recipe != PLAIN:
            options |= {"generator.width": width, "discriminator.width": width}
        elif rate > 2e-4:  # as narrow as the others; else its own widths
            options |= {"generator.width": 16 * width, "discriminator.width": 4 * width}
        found.append(
            Training(
                recipe,
                images=bench.choose(seconds=640, minutes=4_000, hour=20_000, gpu=20_000, full=500_000),
                size=bench.choose(seconds=16, minutes=32, full=64),
                batch=batch,
                seed=number,
                options={**options, **drawn_images(bench)},
            )
        )
    return found


def describe_setting(training: Training) -> str:
    """Return a setting in a line."""
    told = training.options
    width = f"width {told['generator.width']}, " if "generator.width" in told else ""
    latents = f"{told['generator.latent_dim']} {told['training.latent']} latents"
    return f"rate {told['optimizer.lr']:.0e}, batch {training.batch}, {width}{latents}"


def say_end(course: Mapping[str, Any], good: bool) -> str:
    """Return how a training ended, in a few words."""
    if course["diverged"]:
        return "diverged"
    last = course["points"][-1]
    return f"{'well' if good else 'collapsed' if last['collapsed'] else 'learned little'} ({last['distance']:.3g})"
