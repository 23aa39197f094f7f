"""Run folders: what they are called, where they are found, and whether somebody trains in one. Imports no torch."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import UsageError

from ..files import Place
from ..locks import is_locked, lock_folder

if TYPE_CHECKING:
    from filelock import FileLock

RUNS = Path("runs")
"""Where runs lie unless somebody says otherwise."""

_MADE = re.compile(r"-\d+-[0-9a-f]{6}$")  # how names end that `name_run` gave: pixels, configuration
_ANYTHING = ("folder", "hub", "faces")  # datasets that read whatever they are given: what that is, its name tells


def is_run(folder: Path) -> bool:
    """Return whether `folder` is a run folder."""
    try:
        return (folder / "run.json").is_file()
    except (OSError, ValueError):  # a name that no file can have; whoever writes there says so
        return False


def is_training(folder: Path) -> bool:
    """Return whether a process trains in a run folder now, as far as this machine knows."""
    return is_locked(folder)


def lock_run(folder: Path) -> FileLock:
    """Take the run folder for this process; raises `UsageError` when another one has it."""
    return lock_folder(folder, "training")


def checkpoints(folder: Path) -> list[Path]:
    """Return all checkpoints below `folder`, oldest first."""
    return sorted((path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name)), key=step_of)


def step_of(path: Path) -> int:
    """Return the step that a checkpoint's name tells."""
    return int(path.name.removeprefix("step-"))


def name_run(recipe: str, dataset: str, data: str | None, size: int, identity: Mapping[str, Any]) -> str:
    """Return what a run folder is called that nobody named: "dcgan-faces-64-1a2b3c".

    Args:
        recipe: its name.
        dataset, data: what it is trained on; a dataset that reads whatever it is given is called as its data.
        size: height and width of the images.
        identity: all that the run is; equal identities, equal names.
    """
    pictures = dataset
    if data is not None and dataset in _ANYTHING:
        given = Path(data).name
        pictures = re.sub(r"[^\w.]+", "-", re.sub(r"(\.\w{2,4}){1,2}$", "", given)).strip("-.")[:32] or dataset
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"{recipe}-{pictures}-{size}-{digest[:6]}"


def find_run(where: Place) -> Path:
    """Return the run folder that `where` means: what lies there, else the only run whose name begins so and goes on as
    `name_run` says; `where` itself if there is none. Raises `UsageError` if there are several.
    """
    place = Path(where).expanduser()
    try:
        if place.exists() or not place.name or not place.parent.is_dir():
            return place
        found = [path for path in sorted(place.parent.glob(f"{glob.escape(place.name)}*")) if is_run(path)]
    except (OSError, ValueError):  # a name that no file can have
        return place
    found = [path for path in found if _MADE.search(path.name)]
    if len(found) > 1:
        names = ", ".join(shlex.quote(str(path)) for path in found[:5]) + (", …" if len(found) > 5 else "")
        newest = max(found, key=lambda path: (path / "run.json").stat().st_mtime)
        hint = f"the newest is {shlex.quote(str(newest))}; type more of it; what each of them is: zoo runs"
        raise UsageError(f"{place} begins the names of {len(found)} runs: {names}", hint=hint)
    return found[0] if found else place
