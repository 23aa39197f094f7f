"""How long to train: a budget of epochs, images or minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from zoo_core import UsageError

Kind = Literal["epochs", "images", "minutes"]


class Progress(Protocol):
    """How far a training is."""

    images: int
    seconds: float


@dataclass(frozen=True)
class Budget:
    """How long to train, counted from the beginning of the run: epochs of the data, real images shown, or minutes."""

    kind: Kind
    amount: float

    def __post_init__(self) -> None:
        if not 0 < self.amount < float("inf"):
            hint = f"for example: --{self.kind} 10"
            raise UsageError(f"--{self.kind} must be more than 0, not {self.amount:g}", hint=hint)

    @classmethod
    def choose(cls, given: Mapping[Kind, float | None], default: Budget) -> Budget:
        """Return the one budget that was given, else `default`; raises `UsageError` for more than one."""
        named = [(kind, amount) for kind, amount in given.items() if amount is not None]
        if len(named) > 1:
            flags = [f"--{kind}" for kind, _ in named]
            raise UsageError(f"{' and '.join(flags)} are budgets; give one of them", hint=f"for example only {flags[0]}")
        return cls(*named[0]) if named else default

    def total(self, count: int) -> float:
        """Return the budget in its progress unit: images, or seconds. `count`: images in the dataset."""
        return self.amount * {"epochs": count, "images": 1, "minutes": 60}[self.kind]

    @property
    def unit(self) -> str:
        """What `total` counts."""
        return "seconds" if self.kind == "minutes" else "images"

    def done(self, progress: Progress) -> float:
        """Return how much of `total` is used up."""
        return progress.seconds if self.kind == "minutes" else progress.images

    def spent(self, progress: Progress, count: int) -> bool:
        """Return whether to stop."""
        return self.done(progress) >= self.total(count)

    @property
    def words(self) -> list[str]:
        """How a command says it."""
        return [f"--{self.kind}", f"{self.amount:g}" if self.amount < 1e6 else f"{self.amount:.0f}"]

    def __str__(self) -> str:
        return f"{self.amount:,.10g} {self.kind.removesuffix('s') if self.amount == 1 else self.kind}"
