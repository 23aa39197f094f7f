"""How far an analysis can be believed: whether the rest of a picture stays, and whether the classifier is right.

Both are judged as every number is that says whether something worked; see `reports.numbers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..reports.numbers import Verdict, judge
from .attribute_classifier import AttributeClassifier, measure_preservation
from .samples import mean_of, round_values


@dataclass(frozen=True)
class Accuracy:
    """How often a classifier is right about attributes, on images that it has not learned from."""

    right: Mapping[str, float]  # attribute → proportion
    guessing: Mapping[str, float]  # and what naming the commonest value would get

    @classmethod
    def of(cls, classifier: AttributeClassifier, names: Iterable[str]) -> Accuracy:
        """Return that of some attributes, of those that were measured."""
        known = [name for name in dict.fromkeys(names) if name in classifier.accuracy]
        return cls(*({name: each[name] for name in known} for each in (classifier.accuracy, classifier.majority)))

    def verdict(self, name: str) -> Verdict:
        """Whether the classifier can be believed about an attribute."""
        return judge(self.right[name], self.guessing[name], 1.0)

    def __str__(self) -> str:
        each = [
            f"{name} {value:.1%} (guessing: {self.guessing[name]:.1%}; {self.verdict(name)})"
            for name, value in self.right.items()
        ]
        return ", ".join(each)


@dataclass(frozen=True)
class Preservation:
    """How much of the rest of a picture stays: attribute → proportion of samples whose most probable value is the same."""

    kept: Mapping[str, float]  # of all attributes but those that should change
    random: Mapping[str, float]  # the same after as large a change at random
    unrelated: Mapping[str, float]  # the same of two different samples: what is kept where nothing is

    @property
    def verdict(self) -> Verdict | None:
        """Whether the rest stays, None where there is no other attribute."""
        kept, unrelated = mean_of(self.kept), mean_of(self.unrelated)
        return judge(kept, unrelated, 1.0) if kept is not None and unrelated is not None else None

    def describe(self, what: str) -> str:
        """Return it in words; `what` is random: maps or directions."""
        if not self.kept:
            return "the labels name no other attribute"
        of = [mean_of(each) for each in (self.kept, self.random, self.unrelated)]
        return f"{of[0]:.1%} (random {what}: {of[1]:.1%}; unrelated samples: {of[2]:.1%}): {self.verdict}"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        means = {"kept_mean": self.kept, "kept_random_mean": self.random, "kept_unrelated_mean": self.unrelated}
        return {"kept": round_values(self.kept), **{name: mean_of(each) for name, each in means.items()}}


def compare_preservation(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], random: Mapping[str, Tensor], changed: set[str]
) -> Preservation:
    """Return how many of the attributes outside of `changed` stay, beside a random change, and beside other samples.

    Args:
        before, after, random: as of `measure_preservation`; `random` is after the random change.
    """
    others = {name: p.roll(1, 0) for name, p in before.items()}
    return Preservation(*(measure_preservation(before, each, changed) for each in (after, random, others)))
