"""`metrics.jsonl` of a run folder: readings of the losses and measures, one line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo_core import ZooError

from ..files import atomic_file


def cut_log(path: Path, reading: int, step: int) -> list[dict[str, Any]]:
    """Keep readings up to step `reading` and measures up to `step`, and return them; final measures go.

    A line that a killed process left half-written goes too.
    """
    if not path.exists():
        return []

    def stays(line: dict[str, Any]) -> bool:
        return bool(line["step"] <= (reading if "images_per_s" in line else step)) and not line.get("final")

    kept = [line for line in read_log(path) if stays(line)]
    with atomic_file(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    return kept


def read_log(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a `metrics.jsonl`; raises `ZooError` where it cannot be read.

    Every line has "step", "images", "epoch" and "seconds". Readings have losses and "images_per_s", measures have
    "diversity" or the name of an evaluation, and a training that could not go on says why under "stopped". "signs" names the
    kinds of warnings (`zoo.training.health`) that there were.
    """
    lines = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror}") from error
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            lines.append(value)
    return lines
