"""What the sittings of one run must know of each other to record in one place: a small JSON file in the run folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def recall(file: Path) -> dict[str, str]:
    """Return what an earlier sitting kept in `file`; {} where there was none, or the file is damaged."""
    try:
        if not file.is_file():  # a named pipe would keep us waiting
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if whole else {}


def keep(file: Path, facts: Mapping[str, str]) -> None:
    """Write `facts` into `file`, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".unfinished-{file.name}")
    temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, file)
