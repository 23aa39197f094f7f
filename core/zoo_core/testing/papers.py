"""Checks of papers: whether every claim says what it must, plans within every profile, and judges as it promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..papers import PROFILES, VERDICTS, Bench, Claim, Course, Point, Training, Verdict, Work
from ..records import Paper
from ..registries import load_claim
from ..words import plural
from .subjects import Failed, require

JUDGED = VERDICTS[:3]  # what a claim's own rule can say; that it was not tried is said for it


class PlanBench(Bench):
    """A bench on which nothing can be done but planning.

    Args:
        at_hand: whether the data of any dataset are at hand, or none but those that are drawn.
    """

    def __init__(self, profile: str, *, at_hand: bool) -> None:
        self.profile, self.at_hand = profile, at_hand
        self.folder, self.device, self.report = Path("reproduction"), "cpu", None

    def train(self, training: Training) -> Path:
        raise Failed("plan trains, expected it to compute nothing")

    def follow(self, training: Training, points: int = 1) -> Course:
        raise Failed("plan trains, expected it to compute nothing")

    def measure(self, model: Any, training: Training) -> Point:
        raise Failed("plan measures, expected it to compute nothing")

    def pack(self, training: Training) -> Any:
        raise Failed("plan reads images, expected it to compute nothing")

    def find_data(self, dataset: str) -> str | None:
        return "data" if self.at_hand else "" if dataset in ("faces", "drawings") else None

    def remember(self, key: str, measure: Callable[[], Any]) -> Any:
        raise Failed("plan measures, expected it to compute nothing")

    def picture(self, name: str, image: Any, *, columns: int | None = None) -> Path:
        raise Failed("plan draws, expected it to compute nothing")


def says_what_it_claims(paper: Paper) -> str:
    """Every claim can be imported, and says in words what is claimed, what the paper has, and when it holds."""
    for name, claim in _claims(paper):
        for attribute in ("title", "statement", "paper", "criterion"):
            value = getattr(claim, attribute)
            told = isinstance(value, str) and bool(value.strip())
            require(told, f"claim {name}: {attribute} is {value!r}, expected words")
        require(not isinstance(claim.needs, str), f"claim {name}: needs is {claim.needs!r}, expected a list of datasets")
    return plural(len(paper.claims), "claim")


def plans(paper: Paper) -> None:
    """Every claim plans something in every profile, with and without data, and computes nothing by that."""
    for name, claim in _claims(paper):
        for profile in PROFILES:
            for at_hand in (False, True):
                if claim.needs and not at_hand:
                    continue
                planned = claim.plan(PlanBench(profile, at_hand=at_hand))
                fine = planned and all(isinstance(step, Training | Work) for step in planned)
                require(bool(fine), f"claim {name}: plan in {profile!r} gives {planned!r}, expected Training and Work")


def judges(paper: Paper) -> None:
    """The rule of every claim says of each of its examples what stands there, and it can say all three."""
    for name, claim in _claims(paper):
        lacking = [kind for kind in JUDGED if kind not in claim.examples]
        require(not lacking, f"claim {name}: examples has no facts for {', '.join(lacking)}")
        for kind, facts in claim.examples.items():
            kept = json.loads(json.dumps(facts))
            require(kept == dict(facts), f"claim {name}: the facts of {kind!r} are no plain data: JSON gives back {kept!r}")
            found = claim.judge(kept)
            fine = isinstance(found, Verdict) and found.kind == kind and bool(found.why)
            require(fine, f"claim {name}: judges its example of {kind!r} as {found!r}")
            words = claim.ours(kept)
            require(isinstance(words, str) and bool(words), f"claim {name}: ours({kind!r}) is {words!r}, expected words")


def _claims(paper: Paper) -> list[tuple[str, Claim]]:
    return [(name, load_claim(target, f"claim {name!r}")) for name, target in paper.claims.items()]


CHECKS = (says_what_it_claims, plans, judges)
