"""Periodic evaluation: a measure such as the Fréchet distance watches a training; the checkpoint with the best value stays.

zoo.train("dcgan", dataset="faces", evaluation=Evaluation("fid", measure, every=20_000))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from zoo_core import Generator, ImageSpec, UsageError


@dataclass(frozen=True)
class Evaluation:
    """What to measure while a training runs, and how often.

    Args:
        name: of the measure, as `metrics.jsonl` says it ("fid"); no name of a reading ("d_loss", "step", …).
        measure: hears a generator, a copy that it may change: moving average (raw weights where the recipe keeps none),
            batch-norm statistics estimated, evaluation mode, on the training's device; `generator.image` says what it
            draws. Returns a finite number. Called in the main process only, outside of the training's clock. It may draw
            random numbers: the global random states are put back.
        every: real images between two evaluations; there is one at the end of the budget too.
            None leaves it to what a measurement costs: at most 3 % of the training's time.
        lower_is_better: whether the best is the least, as it is for distances.
        title: how a command names the measure ("frechet:scattering").
        samples: in words, what is measured ("512 samples of seed 3 and 2,048 real images").
        confirm, confirmed: the same measure of other samples, by which the chosen checkpoint is reported, and those in
            words.
        cost: of images → (how many samples are drawn, floating-point operations for each of them besides drawing, and for
            all of them at once), by which `every` is chosen where it is None.
    """

    name: str
    measure: Callable[[Generator], float]
    every: int | None
    lower_is_better: bool = True
    title: str = ""
    samples: str = ""
    confirm: Callable[[Generator], float] | None = None
    confirmed: str = ""
    cost: Callable[[ImageSpec], tuple[int, float, float]] | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise UsageError(f"an evaluation every {self.every} images is impossible; the least is 1")


@dataclass(frozen=True)
class Best:
    """The best evaluation of a run so far: under which name, its value, and the step of its checkpoint."""

    name: str
    value: float
    step: int


def better(evaluation: Evaluation, value: float, step: int, best: Best | None) -> Best | None:
    """The best of what there was and a new value; ties, values that are no numbers and those of another measure do not
    count.
    """
    sign = 1 if evaluation.lower_is_better else -1
    stays = best is not None and best.name == evaluation.name and sign * value >= sign * best.value
    return best if stays or not math.isfinite(value) else Best(evaluation.name, value, step)
