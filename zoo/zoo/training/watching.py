"""A training measures itself now and then: when, at what cost, and what the measurements say.

When is a matter of images, never of the clock: every N images, and N follows from operations that are counted
(`choose_every`), the same on every machine. Only where that proves too dear here, by the clock, does N double, and that is
written into `run.json` before it holds (`spacing`, pairs of "from so many images" and N): a run that is killed and resumed
keeps to what it has written, so that it finds the same best checkpoints, and a rescue the same way back.

How many images a budget of minutes is, only the clock knows: no look is due until the pace of some seconds says that one
fits (`Watch.settle`), and what follows from that is written down before it holds too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..models.flops import count_flops
from ..models.model import STATISTICS
from ..progress import Reporter
from ..runs.config import RunConfig
from ..runs.evaluation import Evaluation
from ..runs.run import RunRecord
from .forecast import LOOK, WARM
from .health import COLLAPSED, EARLY, FALLEN, NEVER
from .planning import Plan
from .state import State

SHARE = 0.03  # most of the time of training and watching together
AIM = 0.02  # what is chosen by counting, which leaves room for real images, the end, and what was not counted
LOOKS, EXTRA = 6, 2.6  # so many looks are watched at AIM; beside them come real images, the last look and the report
SURE = 0.8  # share of the images that a pace promises within minutes, which are counted on: it may slow down
UNWATCHED = f"not watched: to measure it would take more than {SHARE:.0%} of so short a training"
WORSE = 1.5  # times the best distance, at which a fall of the diversity is a collapse


@dataclass
class Watch:
    """What measures a training, how often, and what that has cost so far.

    Args:
        evaluation: what measures.
        spacing: (from so many images, every so many), the last one that has begun counts. Empty: only the end is measured.
        paced: whether it doubles where the clock says that it is too dear.
        unsettled: the interval of a long training, where it is not known how many images the budget is; 0 where it is.
        mark: seconds and images from which the pace is taken that settles it.
        looks, seconds: taken so far, over all sittings.
        rescues: whether a collapse ends the training, so that it can be rescued.
    """

    evaluation: Evaluation
    spacing: list[tuple[int, int]] = field(default_factory=list)
    paced: bool = False
    unsettled: int = 0
    mark: tuple[float, int] | None = None
    looks: int = 0
    seconds: float = 0.0
    rescues: bool = False

    def every(self, images: int) -> int | None:
        """Return the interval that holds after so many images; None where nothing is due."""
        return next((every for since, every in reversed(self.spacing) if since <= images), None)

    def due(self, before: int, now: int) -> bool:
        """Return whether a look is due among the images after `before` up to `now`."""
        every = self.every(before)
        return every is not None and before // every != now // every

    def settle(self, begun: float, seconds: float, images: int, total: float) -> bool:
        """Choose the interval of a budget of minutes once the pace of `LOOK` seconds says that a look is worth its time.

        Args:
            begun, seconds: of training, when this sitting began and now. images: shown so far. total: seconds of the budget.

        Returns:
            Whether it was chosen, which must be written down before it holds.
        """
        if not self.unsettled or seconds < begun + WARM:
            return False
        since, before = self.mark = self.mark or (seconds, images)
        if seconds <= since or seconds < since + LOOK:
            return False
        pace = (images - before) / (seconds - since)
        every = fit(self.unsettled, images + SURE * pace * max(total - seconds, 0.0))
        self.mark = seconds, images  # where none fits, the next seconds may be faster: the first ones often are not
        if every is None:
            return False
        self.unsettled = 0
        self.spacing.append((images, every))
        return True

    def count(self, seconds: float, trained: float, done: float, total: float, images: int) -> bool:
        """Count a look that took so many seconds; space the following ones out where they would cost more than 3 % of all.

        Args:
            trained: seconds of training so far. done, total: how much of the budget that is. images: shown so far.

        Returns:
            Whether the spacing changed, which must be written down before it holds.
        """
        self.looks, self.seconds = self.looks + 1, self.seconds + seconds
        every = self.every(images)
        if not self.paced or every is None or done <= 0 or images <= self.spacing[-1][0]:  # written already, before a kill
            return False
        chosen = space_out(every, seconds, self.seconds, trained, images, total / done)
        if chosen == every:
            return False
        self.spacing.append((images, chosen))
        return True

    def to_json(self, trained: float) -> dict[str, Any]:
        """Plain data, for `run.json`."""
        evaluation, whole = self.evaluation, self.seconds + trained
        return {
            "metric": evaluation.title or None,
            "name": evaluation.name,
            "samples": evaluation.samples,
            "every": evaluation.every,
            "spacing": [list(pair) for pair in self.spacing],
            "paced": self.paced,
            "looks": self.looks,
            "seconds": round(self.seconds, 3),
            "share": round(self.seconds / whole, 5) if whole else 0.0,
        }

    @classmethod
    def begin(cls, evaluation: Evaluation, stored: Mapping[str, Any], *, rescues: bool) -> Watch:
        """Make a watch that goes on with what `run.json` says; another measure or a given interval begins anew."""
        same = stored.get("name") == evaluation.name
        watch = cls(evaluation, paced=evaluation.every is None, rescues=rescues)
        if same:
            watch.looks, watch.seconds = int(stored["looks"]), float(stored["seconds"])
        if evaluation.every is not None:
            watch.spacing = [(0, evaluation.every)]
        elif same:
            watch.spacing = [(int(since), int(every)) for since, every in stored["spacing"]]
            watch.paced = bool(stored["paced"])
        return watch


def space_out(every: int, look: float, spent: float, trained: float, images: int, whole: float) -> int:
    """Return the interval, or its least double, at which a training ends having spent at most `SHARE` of its time on looks.

    Args:
        look: seconds of one. spent: of all so far. trained: of training so far, for `images`; the whole will take `whole`
            times as many.
    """
    total, left = trained * whole, images * (whole - 1)
    while every < left and spent + look * (left / every + 2) > SHARE * (total + spent):
        every *= 2
    return every


def choose_every(config: RunConfig, state: State, evaluation: Evaluation, total: float | None) -> int | None:
    """Return how many images lie between two looks that take `AIM` of a training's time, by counted operations.

    A training is taken to cost three passes through each network for an image, and through a discriminator six. `total` are
    the budget's images, None for minutes. None where the budget is too small for a look.
    """
    if evaluation.cost is None or config.image is None:
        return None
    image, latent = config.image, state.generator.latent_dim
    labels = torch.zeros(2, dtype=torch.int64) if image.num_classes else None
    draw = count_flops(state.generator, lambda network: network(torch.zeros(2, latent), labels)) / 2
    pictures = torch.zeros(2, *image.shape)
    judge = 0.0
    if "discriminator" in state.networks:
        judge = count_flops(state.networks["discriminator"], lambda network: network(pictures, labels)) / 2
    samples, each, once = evaluation.cost(image)
    look = samples * (draw + each) + STATISTICS * draw + once
    step = 3 * draw + 6 * (judge or draw)
    if not step:  # nothing could be counted
        return None
    every = max(1, math.ceil(look / (AIM * step)))
    return every if total is None else fit(every, total)


def fit(every: int, total: float) -> int | None:
    """Return an interval for a budget of `total` images, given the one of a long training: twice that for a short one, as
    what comes once weighs more there, and None where not even one look is worth its time.
    """
    if total >= LOOKS * every:
        return every
    return 2 * every if (1 + EXTRA) * AIM * every <= SHARE * total else None


def open_watch(plan: Plan, report: Reporter) -> Evaluation:
    """Return what watches a training, as the plan names it; raises `UsageError` for a name or number that cannot be."""
    from ..metrics.measuring import watch  # heavy, and not every training is watched

    return watch(plan.config, plan.evaluate_every, metric=plan.watch or "", device=plan.device, report=report)


def begin_watch(
    plan: Plan,
    config: RunConfig,
    state: State,
    evaluation: Evaluation | None,
    before: RunRecord | None,
    count: int,
    report: Reporter,
) -> Watch | None:
    """Return what watches a training and how often, as was written down before; None where nothing does."""
    if evaluation is None:
        return None
    done = len(before.interventions) if before is not None else 0
    watch = Watch.begin(evaluation, before.watch if before is not None else {}, rescues=done < len(plan.rescue))
    if not watch.spacing and watch.paced:
        minutes = plan.budget.kind == "minutes"
        every = choose_every(config, state, evaluation, None if minutes else plan.budget.total(count))
        if every is None:
            report.note(UNWATCHED)
        elif minutes:
            watch.unsettled = every
        else:
            watch.spacing.append((0, every))
    return watch


def find_collapse(name: str, lines: Sequence[Mapping[str, Any]], *, lower_is_better: bool) -> str:
    """Say why the last of a training's looks is a collapse; "" where it is none.

    The diversity and the distance must say so together: samples fell to less than half of their diversity and are alike now,
    and the distance is half as large again as at best. Or they were hardly different from each other at the last two looks,
    late enough, and no nearer to real images than at the first.

    Args:
        lines: of all looks of this sitting and those before, each with "diversity", "images" and the measure `name`.
    """
    found = [(float(line["diversity"]), float(line[name]), int(line["images"])) for line in lines if name in line]
    if len(found) < 2:
        return ""
    diversity, value, images = found[-1]
    highest, values = max(d for d, _, _ in found), [v for _, v, _ in found]
    best = min(values) if lower_is_better else max(values)
    worse = value > WORSE * best if lower_is_better else value < best / WORSE
    if diversity < COLLAPSED and diversity < FALLEN * highest and worse:
        return f"it collapsed: diversity {diversity:.2f} after {highest:.2f}, {name} {value:.4g} after {best:.4g}"
    first = values[0]
    no_nearer = value >= 0.9 * first if lower_is_better else value <= first / 0.9
    if images >= EARLY and diversity < NEVER and found[-2][0] < NEVER and no_nearer:
        return f"it draws one picture: diversity {diversity:.2f}, {name} {value:.4g} after {first:.4g} at first"
    return ""
