"""A run's checkpoint as a model folder, with the run's curves and what was measured of it."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import torch

from zoo_core import UsageError

from ..loading import load
from ..models.card import METRICS
from ..models.config import check_publishable, note_choice
from ..models.curves import save_curves
from ..models.folder import rewrite_card, write_model
from ..models.model import Model, ModelLike
from ..names import run_not_found
from ..progress import Reporter
from ..runs.folders import find_run, is_run
from ..runs.run import read_log


def write_model_folder(
    model: ModelLike,
    folder: Path,
    *,
    raw: bool = False,
    dtype: torch.dtype | None = None,
    last: bool = False,
    at: int | None = None,
    report: Reporter | None = None,
) -> Path:
    """Write the model folder of a run, or of a model in memory; raises as `export` does."""
    if isinstance(model, Model):
        loaded = load(model, raw=raw, last=last, at=at)
        check_publishable(loaded.config)
        return write_model(loaded, folder, dtype=dtype)
    place = find_run(model)
    if not is_run(place):
        typed = shlex.quote(os.fspath(model))
        if is_run(folder):
            hint = f"the run comes first: zoo export {shlex.quote(str(folder))} {typed}"
            raise UsageError(f"{os.fspath(model)} is no run folder, and {folder} is one", hint=hint)
        copy = f"to have a copy of it: zoo pull {typed} --to {shlex.quote(str(folder))}"
        raise run_not_found(os.fspath(model), instead=copy)
    loaded = load(place, raw=raw, last=last, at=at)
    check_publishable(loaded.config)
    note_choice(loaded.config, report or Reporter())
    written = write_model(loaded, folder, dtype=dtype)
    _carry(place, written, measured=not raw and not last and at is None)
    return written


def _carry(run: Path, folder: Path, *, measured: bool) -> None:
    """Put a run's curves, and what was `measured` of its model, into the folder that was made of it."""
    if measured and (run / "model" / METRICS).is_file():
        shutil.copyfile(run / "model" / METRICS, folder / METRICS)
    if (log := run / "metrics.jsonl").is_file():
        save_curves(read_log(log), folder / "curves.png")
    rewrite_card(folder)
