"""Spoil packs and views of packs: each gives the pictures that it gave, or is refused with one clear error.

    python benchmarks/fuzz/image_packs.py [--tries N] [--seed S] [--only N] [--json]

Half of the changes leave the checksums as they were: where `verify` then finds nothing, all pictures and labels must be the
same. What is called: open, read all, list, inspect, train. The last line of standard output is one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from harness import Difference, Target, Try, give_away, main, set_up
from mutating import change_bytes, change_file, change_header, change_json, change_tensors, change_text, spoilable

set_up()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

import zoo  # noqa: E402
from zoo.files import sha256  # noqa: E402
from zoo.packs import PackRequest, build_pack, open_pack  # noqa: E402
from zoo.packs.pack import write_view  # noqa: E402
from zoo.progress import Reporter  # noqa: E402


def prepare(folder: Path) -> dict[str, Any]:
    """Build a pack with two classes, a pack of faces with attributes and boxes, and a view; returns what each holds."""
    os.environ["ZOO_CACHE"] = str(folder / "built")
    rng = np.random.default_rng(0)
    for i in range(12):
        file = folder / "pictures" / ("cat" if i < 6 else "dog") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(file)
    plain = build_pack(PackRequest("folder", data=folder / "pictures", size=8), workers=0, report=Reporter())
    faces = build_pack(PackRequest("faces", size=16, options={"count": 8}), workers=0, report=Reporter())
    packs = folder / "cache" / "packs"
    for name, pack in (("plain", plain), ("faces", faces)):
        shutil.copytree(pack.path, packs / name)
    write_view(open_pack(packs / "plain"), packs / "view", torch.tensor([1, 3, 9]), {"why": "fuzzing"})
    known = {}
    for name in ("plain", "faces", "view"):
        pack = open_pack(packs / name)
        known[name] = [pack.gather(torch.arange(len(pack))), pack.labels, pack.attributes, pack.boxes]
    give_away(folder)
    return known


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    return one is None and other is None if one is None or other is None else torch.equal(one, other)


def redo_checksums(folder: Path) -> None:
    if not spoilable([folder / "pack.json"]):
        return
    try:
        info = json.loads((folder / "pack.json").read_bytes())
        for entry in (*info["shards"], info["labels"]):
            if spoilable([folder / entry["file"]]):
                entry["sha256"] = sha256(folder / entry["file"])
        (folder / "pack.json").write_text(json.dumps(info))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
        pass


def attempt(folder: Path, draw: random.Random, known: dict[str, Any]) -> Try:
    name, redo, hows = draw.choice(("plain", "faces", "view")), draw.random() < 0.5, []
    place = folder / "packs" / name
    spoiled = place if name != "view" or draw.random() < 0.7 else folder / "packs" / "plain"
    for _ in range(draw.choice((1, 1, 1, 2))):
        files = spoilable(spoiled.iterdir())
        file = draw.choice([*files, spoiled / "pack.json"] if (spoiled / "pack.json") in files else files or [spoiled])
        if not file.is_file():
            break
        if draw.random() < 0.15:
            hows.append(change_file(file, draw))
            continue
        data = file.read_bytes()
        if file.suffix == ".safetensors":
            changed, how = draw.choice((change_header, change_tensors, change_bytes))(data, draw)
        else:
            try:
                value, how = change_json(json.loads(data), draw)
                changed = json.dumps(value).encode("utf-8", "surrogatepass")
                if draw.random() < 0.25:
                    changed, how = change_text(data, draw)
            except (ValueError, RecursionError):
                changed, how = change_text(data, draw)
        file.write_bytes(changed)
        hows.append(f"{file.name}: {how}")
    if redo:
        redo_checksums(spoiled)
    what = draw.choice(("read", "read", "read", "list", "repr", "workers"))

    def act() -> None:
        os.environ["ZOO_CACHE"] = str(folder)
        if what == "list":
            [stored.to_json() for stored in zoo.list_packs()]
            return
        pack = open_pack(place)
        if what == "repr":
            repr(pack)
            pack._repr_html_()
        pack.verify()
        found = [pack.gather(torch.arange(len(pack))), pack.labels, pack.attributes, pack.boxes]
        if pack.labels is not None and len(pack) and not 0 <= int(pack.labels.max()) + 1 <= len(pack.info["classes"]):
            raise Difference("labels that no class has")
        if not redo and "pack.json" not in "".join(hows) and not all(map(equal, found, known[name])):
            raise Difference("other pictures or labels, and verify finds nothing")

    return Try(f"{what} {name}{' (checksums redone)' if redo else ''}: {'; '.join(hows)}", act)


TARGET = Target("packs", prepare, attempt, fresh="cache")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=200))
