"""Spoil what else is read again: configurations, reproductions, comparisons, leaderboards, kept indexes of tars.

    python benchmarks/fuzz/other_files.py [--tries N] [--seed S] [--only N] [--json]

Each is read, or refused with one clear error. The last line of standard output is one JSON object.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Target, Try, give_away, main, set_up
from mutating import change_bytes, change_file, change_json, change_text, spoilable

set_up()
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import numpy as np  # noqa: E402
import yaml  # noqa: E402
from PIL import Image  # noqa: E402

import zoo  # noqa: E402
from helpers import claims  # noqa: E402
from helpers.boards import make_board  # noqa: E402
from zoo.leaderboard.pages import save_page  # noqa: E402
from zoo.leaderboard.summary import read_leaderboard  # noqa: E402
from zoo.progress import SILENT  # noqa: E402
from zoo_core import registry  # noqa: E402
from zoo_plugins.datasets.archives import tars  # noqa: E402

TINY = {"generator.width": 4, "generator.latent_dim": 4, "discriminator.width": 4}
CPU: dict[str, Any] = {"device": "cpu", "precision": "fp32", "report": SILENT}
GIVEN = {"good": claims.Good, "trained": claims.Trained, "walked": claims.Walked}
PICTURES = (".png",)


def prepare(folder: Path) -> dict[str, Path]:
    os.environ["ZOO_CACHE"] = str(folder / "cache")
    pictures, place = folder / "pictures", folder / "files"
    pictures.mkdir()
    for i in range(24):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(pictures / f"{i}.png")
    data: dict[str, Any] = {"dataset": "folder", "data": pictures, "size": 16, "batch": 8}
    planned = zoo.plan("dcgan", images=64, options=TINY, device="cpu", precision="fp32", **data).to_json()
    planned = json.loads(json.dumps(planned))
    typed = {"recipe": "dcgan", "dataset": "faces", "size": 32, "images": 400, "seed": 3, "set": TINY, "watch": "scattering"}
    (place / "configurations").mkdir(parents=True)
    (place / "configurations" / "planned.json").write_text(json.dumps(planned))
    (place / "configurations" / "planned.yaml").write_text(yaml.safe_dump(planned))
    (place / "configurations" / "typed.yaml").write_text(
        yaml.safe_dump({**typed, "track": "tensorboard", "threads": "auto"})
    )
    make_board(place / "board", {"dcgan": [10.0, 11.0], "sngan": [12.0, None]})
    (place / "board" / "samples").mkdir()
    (pictures / "0.png").rename(place / "board" / "samples" / "dcgan--faces--seed-0.png")
    reproduce(place / "reproduced")
    compare(place / "compared", pictures)
    with tarfile.open(folder / "pictures.tar", "w") as archive:
        for path in [*sorted(pictures.iterdir()), folder / "cache" / "notes.txt"]:
            archive.addfile(tarfile.TarInfo(f"some/{path.name}"), io.BytesIO())
    tars.INDEXED = 1
    tars.tar_members(folder / "pictures.tar")
    (folder / "cache" / "indexes").rename(place / "indexes")
    give_away(folder)
    return {"pictures": pictures, "tar": folder / "pictures.tar", "indexes": folder / "cache" / "indexes"}


def reproduce(folder: Path) -> None:
    with registry.add(claims.plugin(**GIVEN)):
        zoo.reproduce("claims", out=folder, profile="seconds", **CPU)


def compare(folder: Path, pictures: Path) -> None:
    data: dict[str, Any] = {"dataset": "folder", "data": pictures, "size": 16, "batch": 8}
    zoo.compare(["dcgan"], out=folder, images=32, seeds=1, samples=16, points=2, options=TINY, workers=0, **data, **CPU)


def spoil(file: Path, draw: random.Random) -> str:
    """Change one file; return how."""
    if draw.random() < 0.1:
        return change_file(file, draw)
    data = file.read_bytes()
    if file.suffix in PICTURES:
        changed, how = change_bytes(data, draw)
    else:
        squeezed = file.suffix == ".gz" and draw.random() < 0.9
        text = gzip.decompress(data) if squeezed else data
        if draw.random() < 0.8 and (squeezed or file.suffix != ".gz"):
            read, write = (yaml.safe_load, yaml.safe_dump) if file.suffix == ".yaml" else (json.loads, json.dumps)
            value, how = change_json(read(text), draw)
            try:
                changed = write(value).encode("utf-8", "surrogatepass")
            except RecursionError:
                changed, how = b"[" * 5000, "deep"
        else:
            changed, how = change_text(text, draw)
        changed = gzip.compress(changed) if squeezed else changed
    file.write_bytes(changed)
    return f"{file.name}: {how}"


def attempt(folder: Path, draw: random.Random, known: dict[str, Path]) -> Try:
    kind = draw.choice(("configurations", "configurations", "board", "board", "reproduced", "compared", "indexes"))
    place = folder / kind
    files = [file for file in spoilable(place.rglob("*")) if not {"runs", "checkpoints", ".lock"} & {*file.parts}]
    if kind == "reproduced" and draw.random() < 0.6:  # then what claims remember is read
        for file in (place / "claims").iterdir():
            file.unlink()
        files = [file for file in files if file.parent.name != "claims"]
    file = draw.choice([file for file in files if file.suffix in (".json", ".yaml", ".gz", *PICTURES)])
    how = spoil(file, draw)
    acts: dict[str, Callable[[], object]] = {
        "configurations": lambda: zoo.plan(**zoo.read_config(file)).to_json(),
        "board": lambda: save_page(read_leaderboard(place), folder / "board.html"),
        "reproduced": lambda: reproduce(place),
        "compared": lambda: compare(place, known["pictures"]),
        "indexes": lambda: read_index(place, known),
    }
    return Try(f"{kind}: {how}", acts[kind])


def read_index(place: Path, known: dict[str, Path]) -> None:
    if not known["indexes"].exists():
        known["indexes"].symlink_to(place)
    tars.tar_members(known["tar"]).listing()


TARGET = Target("other files", prepare, attempt, fresh="files")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=200))
