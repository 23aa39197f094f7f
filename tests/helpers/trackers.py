"""Trackers for tests, and what real ones have written, read back."""

from __future__ import annotations

import json
import random
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from zoo_core import Tracker, ZooError


class Remembering(Tracker):
    """Keeps what all of its kind were told, and draws random numbers, as some do for names."""

    told: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, *, folder: Path, images: int, config: Any, project: str = "", loud: bool = False) -> None:
        super().__init__(folder=folder, images=images, config=config)
        self.told.append(("open", images, config["recipe"]["name"], project, loud))
        self.look, self.trouble = "to see it: look", "half of it" if loud else ""

    def scalars(self, values: Any, images: int) -> None:
        random.random()
        np.random.rand()
        torch.rand(1)
        self.told.append(("scalars", images, dict(values)))

    def picture(self, name: str, image: Any, images: int) -> None:
        self.told.append(("picture", images, tuple(image.shape)))

    def text(self, name: str, text: str, images: int) -> None:
        self.told.append(("text", images, name, text))

    def close(self) -> None:
        self.told.append(("close",))


class Failing(Remembering):
    """Fails at one of its calls."""

    def __init__(self, *, folder: Path, images: int, config: Any, at: str = "scalars") -> None:
        super().__init__(folder=folder, images=images, config=config)
        self.at = at
        self._fail("open")

    def scalars(self, values: Any, images: int) -> None:
        self._fail("scalars")

    def picture(self, name: str, image: Any, images: int) -> None:
        self._fail("picture")

    def close(self) -> None:
        self._fail("close")

    def _fail(self, call: str) -> None:
        random.random()
        if call == self.at:
            raise (ZooError if call == "open" else RuntimeError)(f"no room at {call}")


class Missing(Remembering):
    requires = "no_such_module"
    extra = "acme-trackers[much]"


def wandb_runs(folder: Path) -> list[list[Any]]:
    """Return the records of each offline sitting that wandb has written below a run folder, oldest first."""
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda file: file.stat().st_mtime)
    return [list(_wandb_records(file.read_bytes())) for file in files]


def wandb_rows(records: list[Any]) -> list[dict[str, Any]]:
    """Return what was logged, row by row."""
    histories = [record.history for record in records if record.WhichOneof("record_type") == "history"]
    return [{i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in history.item} for history in histories]


def _wandb_records(data: bytes) -> Iterator[Any]:
    """Read wandb's log: a header of 7 bytes, then LevelDB's format of blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2 as protocol

    at, whole = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            record = protocol.Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def trackio_rows(folder: Path, project: str, table: str = "metrics") -> list[dict[str, Any]]:
    """Return the rows of a table of a project that trackio keeps in `folder`."""
    with sqlite3.connect(folder / f"{project}.db") as base:
        base.row_factory = sqlite3.Row
        return [dict(row) for row in base.execute(f"SELECT * FROM {table} ORDER BY id")]
