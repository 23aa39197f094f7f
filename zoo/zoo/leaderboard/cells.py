"""One cell: trained or gone on with, measured, and told."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from zoo_core import OptionError, TrainingError, ZooError
from zoo_core.words import name_error

from ..comparing.training import NamedReporter, has_diverged, train_to
from ..devices import name_device
from ..loading import load
from ..metrics.extractors import checksum
from ..models.grids import save_grid
from ..packs import Pack, build_pack
from ..progress import Reporter
from ..runs.checkpoints import newest_checkpoint
from ..runs.config import versions
from ..training.planning import Plan, resolve_pictures
from ..training.speed import flop_per_image
from .configuration import Cell
from .measuring import Measures
from .results import Result

SHOWN = 8  # samples in the picture of a row
_COUNTED: dict[str, float] = {}  # hash of a row → operations for each image


class StoppedError(Exception):
    """A signal ended the training of a cell; its run lies in its folder, and whoever comes next goes on with it."""


@dataclass
class Bench:
    """What cells that one process works at have in common."""

    measures: Measures
    report: Reporter
    workers: int | None = None
    packs: dict[str, Pack] = field(default_factory=dict)

    def pack(self, planned: Plan) -> Pack:
        """Return the pictures of a row, built once."""
        request = planned.config.request()
        key = repr(request)
        if key not in self.packs:
            self.packs[key] = build_pack(request, workers=self.workers, report=self.report)
        return self.packs[key]


def run_cell(cell: Cell, hash: str, planned: Plan, run: Path, bench: Bench, picture: Path) -> Result:
    """Train a cell in the folder `run`, or go on, and measure it. A recipe that fails is a result too.

    Samples of seed 0 go into the file `picture`.

    Raises:
        StoppedError: a signal ended it.
        ZooError: the disk is full or cannot be written.
    """

    def tell(state: Any, reason: str = "", **found: Any) -> Result:
        return Result(cell.recipe, cell.dataset, cell.seed, hash, state, reason, **found)

    try:
        pack = bench.pack(planned)
        try:
            config = resolve_pictures(planned.config, pack, planned.budget)
        except OptionError as error:  # a conditional recipe, and pictures without labels
            return tell("not applicable", error.message, pictures=pack.key)
        named = NamedReporter(bench.report, str(cell))
        trained = train_to(run, planned, cell.seed, planned.budget, report=named, workers=bench.workers)
        if trained is not None and not trained.finished:
            raise StoppedError(trained.signal or "an interruption")
        model, begun = load(run, device=str(planned.device)), time.monotonic()
        if cell.seed == 0:
            save_grid(model.sample(SHOWN), picture, columns=SHOWN)
        return tell(
            "done",
            metrics=bench.measures.measure(model, pack),
            absent=dict(bench.measures.absent),
            weights={role: checksum(network) for role, network in model.networks.items()},
            pictures=pack.key,
            **_costs(run),
            flop_per_image=_count(hash, lambda: flop_per_image(config)),
            parameters={role: sum(p.numel() for p in network.parameters()) for role, network in model.networks.items()},
            measuring_seconds=round(time.monotonic() - begun, 2),
            machine=_describe_machine(planned),
            versions=versions(),
        )
    except StoppedError:
        raise
    except TrainingError as error:
        return tell("diverged" if has_diverged(error) else "failed", error.message)
    except ZooError as error:
        if isinstance(error.__cause__, OSError):  # the next cell would meet the same disk
            raise
        return tell("failed", error.message)
    except Exception as error:  # of somebody's plugin; the other rows shall not suffer
        return tell("failed", name_error(error))


def _costs(run: Path) -> dict[str, Any]:
    """Return what a training has cost: images, seconds, images_per_s."""
    counters = newest_checkpoint(run / "checkpoints", Reporter())[1]
    images, seconds = int(counters["images"]), float(counters["seconds"])
    return {"images": images, "seconds": round(seconds, 2), "images_per_s": round(images / max(seconds, 1e-9), 1)}


def _count(key: str, count: Callable[[], float]) -> float:
    """Return the operations of a row's step, counted once by each process; 0 where they cannot be."""
    if key not in _COUNTED:
        try:
            _COUNTED[key] = count()
        except Exception:  # torch's counter does not know every layer of everybody's
            _COUNTED[key] = 0.0
    return _COUNTED[key]


def _describe_machine(planned: Plan) -> dict[str, Any]:
    described: dict[str, Any] = {"device": name_device(planned.device), "precision": planned.precision}
    if planned.device.type == "cpu":
        described |= {"instructions": torch.backends.cpu.get_cpu_capability(), "threads": planned.threads}
    return described
