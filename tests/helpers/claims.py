"""Claims of a paper that nobody wrote: what they do is quick, and some of it goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Lines, Paper, Plugin, Table, Training, Verdict, Work
from zoo_core.papers import Shown

TINY = {"generator.width": 4, "generator.latent_dim": 4, "discriminator.width": 4, "dataset.count": 24}
TRAINING = Training("dcgan", images=64, size=16, batch=8, options=TINY)
MEASURED: list[str] = []
"""Keys of what was measured and not remembered, in order."""


class Good(Claim):
    """Larger than 1, of numbers that it is told."""

    title: ClassVar[str] = "A good claim"
    statement: ClassVar[str] = "It is large."
    paper: ClassVar[str] = "3 (table 1)"
    criterion: ClassVar[str] = "Holds above 1, does not hold here below, cannot be told at 1."
    examples: ClassVar[Mapping[str, Facts]] = {
        "holds": {"value": 2},
        "does not hold here": {"value": 0},
        "cannot tell": {"value": 1},
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        return [Work("counting", 0.1)]

    def measure(self, bench: Bench) -> Facts:
        def count() -> int:
            MEASURED.append("count")
            return 2

        bench.picture("square", Image.new("RGB", (8, 8), (200, 90, 40)))
        return {"value": bench.remember("count", count)}

    def judge(self, facts: Facts) -> Verdict:
        value = facts["value"]
        return Verdict("holds" if value > 1 else "cannot tell" if value == 1 else "does not hold here", f"it is {value}")

    def ours(self, facts: Facts) -> str:
        return str(facts["value"])

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        return [
            Figure("square", "an orange square", "A square"),
            Estimates("Numbers", {"ours": (2.0, (1.5, 2.5)), "theirs": (3.0, None)}, "how large"),
            Lines("A curve", {"ours": [(1.0, 2.0), (2.0, 3.0)]}, "time", "size"),
            Table("Words", ["name", "value"], [["one", 1], ["two", 2.5]]),
        ]

    def commands(self, facts: Facts) -> Sequence[str]:
        return ["zoo list"]


class Changed(Good):
    """The same claim some versions later: it remembers something else under the same key."""

    def measure(self, bench: Bench) -> Facts:
        return {"value": bench.remember("count", lambda: {"share": 2})["share"]}


class Trained(Good):
    """Asks for the shared training, and measures it once."""

    title: ClassVar[str] = "A training"

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        return [TRAINING]

    def measure(self, bench: Bench) -> Facts:
        point = bench.follow(TRAINING).points[0]
        return {"value": 2, "images": point.images}


class Walked(Trained):
    """Asks for the same training, and looks at it."""

    def measure(self, bench: Bench) -> Facts:
        return {"value": 0, "run": bench.train(TRAINING).name, "images": len(bench.pack(TRAINING))}


class Failing(Good):
    """Raises in the middle, as long as it is told to."""

    title: ClassVar[str] = "A failing claim"
    broken: ClassVar[bool] = True

    def measure(self, bench: Bench) -> Facts:
        if self.broken:
            raise RuntimeError("the <b>dice</b> fell off the table")
        return {"value": 1}


class Needy(Good):
    """Needs data that are nowhere."""

    title: ClassVar[str] = "A needy claim"
    needs: ClassVar[Sequence[str]] = ("cifar10",)


class Unfair(Good):
    """A rule that says of its examples what it must not."""

    def judge(self, facts: Facts) -> Verdict:
        return Verdict("holds", "it always does")


class Hasty(Good):
    """Measures while it plans."""

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        bench.train(TRAINING)
        return [TRAINING]


class Mute(Good):
    """Does not say how it is judged."""

    criterion: ClassVar[str] = " "


def paper(**claims: type[Any]) -> Paper:
    """A paper of some of these claims."""
    targets = {name: f"{__name__}:{claim.__name__}" for name, claim in claims.items()}
    return Paper("What nobody claims", targets, authors="Nobody 2025", url="https://example.org")


def plugin(**claims: type[Any]) -> Plugin:
    """A plugin with that paper, "claims"."""
    return Plugin(papers={"claims": paper(**claims)})
