"""Papers: what a paper claims, each claim with the rule that says whether it holds here. Imports no torch.

A claim is one class. It says beforehand what it will train and measure (`plan`) and how it will be judged (`criterion`);
`measure` gathers facts, plain data that a file keeps; `judge` is a function of the facts alone. So a verdict can be tested
without any training, and nobody can bend it afterwards.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

Kind = Literal["holds", "does not hold here", "cannot tell", "not tried"]
VERDICTS: tuple[Kind, ...] = get_args(Kind)

PROFILES = {
    "seconds": "half a minute on one core, for tests: sizes at which nothing can be concluded",
    "minutes": "ten minutes on two cores, on images that are drawn",
    "hour": "an hour on two cores, on images that are drawn",
    "gpu": "a quarter of an hour on one GPU",
    "full": "the sizes of the paper, on its own kinds of data: days on one GPU",
}
"""How much is spent on a reproduction."""

Facts = Mapping[str, Any]
"""What was measured: plain data, as JSON gives it back."""


@dataclass(frozen=True)
class Verdict:
    """What came of a claim, and why in one sentence with the numbers that decided."""

    kind: Kind
    why: str

    def __post_init__(self) -> None:
        if self.kind not in VERDICTS:
            raise ValueError(f"{self.kind!r} is no verdict: {', '.join(VERDICTS)}")


@dataclass(frozen=True)
class Training:
    """One training, by all that makes it what it is. Claims that ask for equal ones share it.

    Args:
        recipe, dataset: registry names.
        images: the budget, in real images shown.
        seed, size, batch, limit, options: as `zoo.train` takes them; None for the recipe's own.
    """

    recipe: str
    dataset: str = "faces"
    images: int = 20_000
    seed: int = 0
    size: int | None = None
    batch: int | None = None
    limit: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its run folder, the same wherever it is asked for."""
        told = json.dumps({**asdict(self), "options": dict(self.options)}, sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        return f"{self.recipe}-{self.dataset}-seed-{self.seed}-{digest}".replace(":", "@")

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Work:
    """Something besides trainings that a claim does, and about how many seconds it takes: on two CPU cores, or on a GPU in
    the profiles of one.
    """

    words: str
    seconds: float


@dataclass(frozen=True)
class Point:
    """What a model was worth at one moment of its training; see `zoo compare` for the measures.

    Args:
        images, seconds: real images shown until then, and seconds of training; 0 for a model that has no such history.
        distance: the Fréchet distance of scattering features between its samples and the data.
        floor: the same between two halves of the data: no better can be expected.
        diversity, nearest: mean distance of two samples, and median distance of a sample to the nearest other one, each as a
            share of what it is among real images.
        collapsed: whether samples are nearly all alike, or repeat a few pictures.
    """

    images: int
    seconds: float
    distance: float
    floor: float
    diversity: float
    nearest: float
    collapsed: bool


@dataclass(frozen=True)
class Course:
    """A training with what was measured on its way, as far as it came; `diverged` is what was said when it did."""

    run: Path
    points: Sequence[Point] = ()
    diverged: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture that `Bench.picture` has kept, by the name that it had there."""

    name: str
    alt: str  # what a screen reader says
    caption: str = ""


@dataclass(frozen=True)
class Estimates:
    """Values by name, each with its interval, None where it is not known: one below the other on one axis."""

    title: str
    values: Mapping[str, tuple[float, tuple[float, float] | None]]
    x: str  # what the values are


@dataclass(frozen=True)
class Lines:
    """Curves by name, as points (x, y) in order of x."""

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    x: str
    y: str


@dataclass(frozen=True)
class Table:
    """Rows of numbers and words under a head."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]


Shown = Figure | Estimates | Lines | Table


class Bench(ABC):
    """What a claim may use: trainings that are shared, memory that outlives an interruption, data that are at hand.

    Args:
        profile: one of `PROFILES`.
        folder: of the reproduction; `commands` are typed in it.
        device: "cpu", "cuda": what trains and measures.
        report: hears of progress: hand it to functions of `zoo` as `report=bench.report`.
    """

    profile: str
    folder: Path
    device: str
    report: Any

    @abstractmethod
    def train(self, training: Training) -> Path:
        """Return the run folder of a training that is done, which is a MODEL; raises `TrainingError` where it diverged.

        The model is that of the last checkpoint: nothing watches the training, nothing rescues it.
        """

    @abstractmethod
    def follow(self, training: Training, points: int = 1) -> Course:
        """Train, and measure at `points` equal steps of the budget. That it diverges is a result, and no error."""

    @abstractmethod
    def measure(self, model: Any, training: Training) -> Point:
        """Return what a `zoo.Model` is worth beside the images of a training, whatever it was trained on, if at all."""

    @abstractmethod
    def pack(self, training: Training) -> Any:
        """Return the images that a training has, a `zoo.Pack`, with attributes and labels where the dataset has some."""

    @abstractmethod
    def find_data(self, dataset: str) -> str | None:
        """Return where the data of a dataset lie, "" for one that is drawn by itself, None where they are not at hand."""

    @abstractmethod
    def remember(self, key: str, measure: Callable[[], Any]) -> Any:
        """Return what `measure` returns, plain data, or what it returned when this claim asked for `key` before."""

    @abstractmethod
    def picture(self, name: str, image: Any, *, columns: int | None = None) -> Path:
        """Keep a picture of this claim under a name ("samples"), for a `Figure`; returns its file.

        Args:
            image: a PIL picture, or images [N, C, S, S] in [−1, 1], of which a grid is made, `columns` in a row.
        """

    def choose(self, **sizes: Any) -> Any:
        """Return the value for this profile; one that is not named takes that of the one before it.

        bench.choose(seconds=500, minutes=6_000, hour=50_000)
        """
        found = None
        for profile in PROFILES:
            found = sizes.get(profile, found)
            if profile == self.profile:
                break
        return found


class Claim(ABC):
    """One claim of a paper. `zoo` is imported in its methods alone.

    Attributes:
        title: a few words, a heading.
        statement: what is claimed, in one sentence.
        paper: the paper's own figure, and where it stands ("82.8 % (table 1)").
        criterion: the rule, in words: when it holds, when it does not hold here, when that cannot be told.
        needs: datasets that must be at hand; where one is not, the claim is not tried.
        examples: verdict → facts that lead to it: for the conformance checks, which try `judge` on them.
    """

    title: ClassVar[str]
    statement: ClassVar[str]
    paper: ClassVar[str]
    criterion: ClassVar[str]
    needs: ClassVar[Sequence[str]] = ()
    examples: ClassVar[Mapping[str, Facts]]

    @abstractmethod
    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        """Return all that `measure` is going to do, for the bench's profile and the data at hand. Computes nothing."""

    @abstractmethod
    def measure(self, bench: Bench) -> Facts:
        """Train and measure; return plain data. Interrupted, it is called again: `train` and `remember` are quick then."""

    @abstractmethod
    def judge(self, facts: Facts) -> Verdict:
        """Return the verdict: a pure function of the facts, by the rule of `criterion`."""

    @abstractmethod
    def ours(self, facts: Facts) -> str:
        """Return our figure in a few words, to stand beside the paper's."""

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        """Return what the page shows: pictures, intervals, curves, tables."""
        return ()

    def commands(self, facts: Facts) -> Sequence[str]:
        """Return what to type, in the folder of the reproduction, to measure the same by hand, besides the trainings."""
        return ()
