"""Views: some images of a pack under a name of their own, without a copy of their pixels."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from zoo_core import UsageError

from ..files import atomic_folder, sha256, write_json
from .pack import LABELS, Pack, open_pack


def view_key(pack: Pack, why: Mapping[str, Any]) -> str:
    """Names the content of a view of `pack` whose images are chosen by `why`."""
    return hashlib.sha256(json.dumps({"view": pack.key, **why}, sort_keys=True).encode()).hexdigest()


def write_view(pack: Pack, folder: str | Path, images: Tensor, why: Mapping[str, Any]) -> Pack:
    """Write a pack that holds the given images of `pack` and no pixels: it reads them from there.

    The folder may be moved together with the pack's, if both lie side by side, and is useless without it.

    Args:
        pack: may itself be a view.
        folder: the new folder; one that exists is replaced if it is a view.
        images: int64 [n], numbers of images of `pack`, at least one.
        why: plain data about how they were chosen; becomes part of `pack.json` and of the key.

    Raises:
        UsageError: no image is left, or the folder is something else.
        ZooError: it cannot be written.
    """
    folder = Path(folder)
    if not len(images):
        raise UsageError("a view needs at least one image")
    if folder.exists() and "view" not in _info(folder):
        raise UsageError(f"{folder} exists and is no view of a pack", hint="choose another folder: --out DIR")
    tables = {"image": images if pack.index is None else pack.index[images]}
    tables |= {"record": pack.records[images], "side": pack.sides[images]}
    if pack.labels is not None:
        tables["labels"] = pack.labels[images]
    for name, columns in (("attributes", pack.attributes), ("boxes", pack.boxes)):
        if columns:
            tables[name] = torch.stack([column[images] for column in columns.values()], dim=1)
    origin = pack.info.get("view") or {"key": pack.key}
    files = pack.files.resolve()
    beside = files.parent == folder.resolve().parent
    with atomic_folder(folder, replace=True) as new:
        save_file({name: table.contiguous() for name, table in tables.items()}, new / LABELS)
        info = {
            **pack.info,
            "key": view_key(pack, why),
            "count": len(images),
            "labels": {"file": LABELS, "sha256": sha256(new / LABELS)},
            "view": {"path": os.path.join("..", files.name) if beside else str(files), "key": origin["key"]},
            "chosen": [*pack.info.get("chosen", []), dict(why)],
        }
        write_json(new / "pack.json", info)
    return open_pack(folder)


def _info(folder: Path) -> dict[str, Any]:
    try:
        info = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return info if isinstance(info, dict) else {}
