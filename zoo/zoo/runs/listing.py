"""`zoo.list_runs` and `zoo.delete_run`: the runs that lie in a folder, and what became of them. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from zoo_core import UsageError, ZooError

from ..documents import parse_json, read_json, shorten_path
from ..files import measure_folder, remove_folder
from .budget import Budget
from .documents import LIMIT, read_run_document
from .folders import RUNS, checkpoints, find_run, is_run, is_training, lock_run

State = Literal["training", "finished", "interrupted", "diverged", "failed", "broken"]
Order = Literal["age", "name", "images", "distance", "size"]
_TAIL = 1 << 16  # bytes at the end of a log that surely hold its last line
_SIGNS = ("checkpoints", "metrics.jsonl", "samples")  # what a run that lost its run.json still has


@dataclass(frozen=True)
class RunSummary:
    """A run folder at a glance.

    Args:
        path: the folder.
        state: "training" now; "finished", its budget spent; "interrupted", to be gone on with; "diverged" or "failed", which
            could not go on; "broken", which cannot be read.
        problem: why, where it is one of the last three.
        recipe, dataset, data, size: what is trained, on what, where that lies, at how many pixels.
        images: real ones shown until its newest checkpoint; while it trains, until its last reading.
        minutes: of training, until then.
        budget: as it was given ("25 epochs").
        done: the share of the budget that is used up, None where that cannot be told.
        measure, best: name and value of its best evaluation, "" and None where nothing was measured.
        bytes: on disk.
        modified: when something was last written into it, seconds since 1970.
    """

    path: Path
    state: State
    problem: str = ""
    recipe: str = ""
    dataset: str = ""
    data: str | None = None
    size: int = 0
    images: int = 0
    minutes: float = 0.0
    budget: str = ""
    done: float | None = None
    measure: str = ""
    best: float | None = None
    bytes: int = 0
    modified: float = 0.0

    @property
    def age(self) -> float:
        """Seconds since something was written into it."""
        return max(0.0, time.time() - self.modified)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return {**asdict(self), "path": str(self.path)}


def list_runs(folder: str | Path | None = None, *, sort: Order = "age") -> list[RunSummary]:
    """Return the runs in a folder, also those that train now or cannot be read.

    Args:
        folder: that holds run folders, by default "runs"; a run folder itself; or that of a comparison.
        sort: newest first ("age"), by "name", most "images" first, least "distance" first, largest "size" first.

    Raises:
        UsageError: there is no such folder, or no such order.
        ZooError: it cannot be read.
    """
    if sort not in get_args(Order):
        raise UsageError(f"runs cannot be sorted by {sort!r}", hint=f"valid: {', '.join(get_args(Order))}")
    place = Path(folder).expanduser() if folder is not None else RUNS
    if not place.is_dir():
        if folder is None:
            return []
        place = find_run(place)  # raises where several are meant
        if not is_run(place):
            raise UsageError(f"there is no folder {str(folder)!r}", hint="zoo train makes run folders in runs/")
    try:
        below = sorted(place.iterdir()) if not is_run(place) else [place]
        if not any(map(_is_like_run, below)) and (place / "runs").is_dir():  # a comparison
            below = sorted((place / "runs").iterdir())
    except OSError as error:
        raise ZooError(f"{place} cannot be read: {error.strerror}") from error
    found = [summarize(path) for path in below if _is_like_run(path)]
    keys: dict[Order, Any] = {
        "age": lambda run: -run.modified,
        "name": lambda run: run.path.name,
        "images": lambda run: -run.images,
        "distance": lambda run: (run.best is None, run.measure, run.best),
        "size": lambda run: -run.bytes,
    }
    return sorted(found, key=keys[sort])


def summarize(folder: Path) -> RunSummary:
    """Return what a run folder says of itself; one that cannot be read is "broken", and says why."""
    size, modified = measure_folder(folder)
    common: dict[str, Any] = {"path": folder, "bytes": size, "modified": modified}
    try:
        told = read_run_document(folder)
    except ZooError as error:
        problem = error.message.removeprefix(shorten_path(folder / "run.json")).lstrip(": ")
        return RunSummary(state="broken", problem=f"run.json {problem}", **common)
    config, ((kind, amount),) = told["config"], told["budget"].items()
    budget, dataset = Budget(kind, amount), config["dataset"] or {}
    common |= {"recipe": config["recipe"]["name"], "budget": str(budget), "size": config["training"].get("size", 0)}
    common |= {"dataset": dataset.get("name", ""), "data": dataset.get("data")}
    count = config.get("facts", {}).get("count", 0)
    kept = checkpoints(folder / "checkpoints")
    saved, last, problem = _read_object(kept[-1] / "state.json") if kept else {}, _last_line(folder / "metrics.jsonl"), ""
    state: State = "interrupted"
    if is_training(folder):
        state = "training"
    elif stopped := str(last.get("stopped", "")):
        state, problem = ("diverged" if "diverged" in stopped else "failed"), stopped
    elif kept and not saved:
        state, problem = "broken", f"{kept[-1].name}/state.json is damaged"
    elif kept and _model_step(folder) == saved.get("step"):
        state = "finished"
    counters = last if state == "training" or not saved else saved
    images, seconds = (_number(counters, key) for key in ("images", "seconds"))
    total = budget.total(count) if count or kind != "epochs" else 0
    done = min(1.0, (seconds if kind == "minutes" else images) / total) if total else None
    measure, best = _best(folder, saved)
    return RunSummary(
        state=state,
        problem=problem,
        images=int(images),
        minutes=seconds / 60,
        done=done,
        measure=measure,
        best=best,
        **common,
    )


def delete_run(run: str | Path) -> RunSummary:
    """Delete a run folder with all that lies in it, and return what it was.

    Raises:
        UsageError: it is no run folder, or holds others; it is a link; or a process trains in it.
        ZooError: it cannot be deleted.
    """
    folder = Path(run).expanduser()
    check_deletable(folder)
    summary = summarize(folder)
    lock = lock_run(folder)
    try:
        remove_folder(folder)
    finally:
        lock.release()
    if folder.exists():
        raise ZooError(f"{folder} could not be deleted", hint="does somebody else own it, or have a file of it open?")
    return summary


def check_deletable(folder: Path) -> None:
    """Raise `UsageError` unless `folder` is a run folder, and nothing but one, in which nobody trains."""
    if not is_run(folder):
        meant = find_run(folder)
        hint = f"did you mean {meant}? To delete, the whole name is needed" if is_run(meant) else "to see all: zoo runs"
        raise UsageError(f"{folder} is no run folder: there is no run.json in it", hint=hint)
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link", hint=f"name the run folder itself: {folder.resolve()}")
    if others := [path.parent for path in folder.rglob("run.json") if path.parent != folder]:
        raise UsageError(f"{folder} holds other runs, such as {others[0]}", hint="delete or move those first")
    if is_training(folder):
        raise UsageError(
            f"a process is training in {folder}", hint="stop it first (Ctrl-C saves), or wait until it has ended"
        )


def _is_like_run(folder: Path) -> bool:
    if folder.name.startswith(".") or not folder.is_dir():
        return False
    return (folder / "run.json").exists() or sum((folder / sign).exists() for sign in _SIGNS) >= 2


def _model_step(folder: Path) -> object:
    """Return the step at which the training ended that left the model folder, whose own may be an earlier, better one."""
    provenance = _read_object(folder / "model" / "config.json").get("provenance")
    trained = provenance.get("trained", provenance) if isinstance(provenance, dict) else None
    return trained.get("step") if isinstance(trained, dict) else None


def _best(folder: Path, saved: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return name and value of the best evaluation, else of what `zoo evaluate` has found of the finished model."""
    best, metrics = saved.get("best"), _read_object(folder / "model" / "metrics.json").get("metrics")
    if isinstance(best, dict) and isinstance(best.get("value"), int | float):
        return str(best.get("name", "")), float(best["value"])
    for name, value in metrics.items() if isinstance(metrics, dict) else ():
        if isinstance(value, int | float):
            return str(name), float(value)
    return "", None


def _number(values: Mapping[str, Any], key: str) -> float:
    value = values.get(key, 0)
    return float(value) if isinstance(value, int | float) else 0.0


def _read_object(file: Path) -> dict[str, Any]:
    """Return what a JSON file holds, nothing where there is none or it is no object."""
    try:
        value = read_json(file, LIMIT, error=ZooError, finite=False)
    except ZooError:
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _last_line(file: Path) -> dict[str, Any]:
    """Return the last whole line of a `metrics.jsonl`, nothing where there is none."""
    try:
        with open(file, "rb") as stream:
            stream.seek(max(0, file.stat().st_size - _TAIL))
            lines: Sequence[bytes] = stream.read().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            value = parse_json(line, finite=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            return value
    return {}
