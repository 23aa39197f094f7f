"""How fast packs are built and read, against torchvision's ImageFolder, Resize, CenterCrop and DataLoader in the same run.

    python benchmarks/pack_speed.py --data DIR [--json]

DIR has `imagenet/train/<wnid>/*.JPEG` (photographs, full size) and `faces/<class>/*.jpg` (small pictures). Both sides take
turns, and the ratios are of their medians:

- `build_ratio`: one pass of torchvision's loader over the photographs, with as many workers as this machine has cores and
  bytes as its result, against a build of the pack from nothing, worker processes and checksums included.
- `small_ratio`: the same with the small pictures.
- `read_ratio`: a pass of that loader that gives normalized float batches, against a shuffled pass through the pack.
- `bound_share`, `small_bound_share`: how much of each build is what nobody can leave out, reading the files and undoing
  JPEG's entropy coding (decoding at 1/8 of the scale does that and little more).
- `difference`: how pixels differ from those decoded at full scale, of 255: mean over the photographs, and of the worst one.

Where there are few pictures they are taken several times over (under other names): a real dataset is large, and
starting processes, half a second, is not what is to be measured. `--photographs 0 --small 0` takes each once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

import zoo
from zoo.packs import decode, to_images
from zoo_core import FileDataset, Record

BATCH, BOUND_CHUNK = 128, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photographs", type=int, default=6000, help="at least so many, under other names")
    parser.add_argument("--small", type=int, default=39_000, help="at least so many small pictures, under other names")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    workers = max(1, len(os.sched_getaffinity(0)))
    torch.set_num_threads(workers)
    result: dict[str, Any] = {"size": given.size, "workers": workers, "rounds": given.rounds, "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as scratch:
        photographs = _linked(given.data / "imagenet" / "train", Path(scratch) / "photographs", given.photographs)
        small = _linked(given.data / "faces", Path(scratch) / "small", given.small)
        result |= _build(photographs, given.size, given.rounds, workers, "photographs", say)
        bound = _bound(photographs, workers)
        result["bound_share"] = round(bound / result["photographs"]["pack_seconds"], 3)
        say(f"reading and entropy decoding alone: {bound:.2f} s, {result['bound_share']:.0%} of the build")
        found = _build(small, given.size, given.rounds, workers, "small", say)
        result["small_ratio"], result["small"] = found["build_ratio"], found["small"]
        bound = _bound(small, workers)
        result["small_bound_share"] = round(bound / result["small"]["pack_seconds"], 3)
        say(f"reading and entropy decoding alone: {bound:.2f} s, {result['small_bound_share']:.0%} of the build")
        result |= _read(small, given.size, given.rounds, workers, say)
        result["difference"] = _difference(photographs, given.size)
        say(
            "decoding at reduced scale changes pixels by {mean:.2f} of 255, in the worst photograph by {worst:.2f}".format(
                **result["difference"]
            )
        )
    result["load_after"] = os.getloadavg()
    print(json.dumps(result))


def _linked(source: Path, target: Path, least: int) -> Path:
    """A folder of every picture that can be read, repeated until there are `least`."""
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not paths:
        sys.exit(f"no JPEG files in {source}")
    good = []
    for path in paths:
        try:
            Image.open(path).load()
            good.append(path)
        except OSError:
            pass  # torchvision would stop there
    for turn in range(max(1, -(-least // len(good)))):
        for path in good:
            link = target / path.parent.name / f"{turn}-{path.name}"
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, link)
            except OSError:  # another disk
                shutil.copy(path, link)
    return target


def _build(folder: Path, size: int, rounds: int, workers: int, name: str, say: Callable[[str], None]) -> dict[str, Any]:
    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
    theirs, ours, count = [], [], 0
    for _ in range(rounds):
        start = time.perf_counter()
        loader = DataLoader(ImageFolder(str(folder), transforms.Compose(steps)), batch_size=BATCH, num_workers=workers)
        count = sum(len(batch) for batch, _ in loader)
        theirs.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as cache:
            os.environ["ZOO_CACHE"] = cache
            start = time.perf_counter()
            pack = zoo.build_pack(zoo.PackRequest("folder", data=folder, size=size), workers=workers)
            ours.append(time.perf_counter() - start)
            assert len(pack) == count
    found = _compared(theirs, ours, count, "pack")
    speeds = f"loader {found['loader']:,.0f}/s, build {found['pack']:,.0f}/s"
    say(f"{name}: {count:,} pictures; {speeds}: {found['ratio']:.2f} times")
    return {"build_ratio": found["ratio"], name: found}


def _read(folder: Path, size: int, rounds: int, workers: int, say: Callable[[str], None]) -> dict[str, Any]:
    steps = [
        transforms.Resize(size),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.5] * 3),
    ]
    theirs, ours, count = [], [], 0
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ZOO_CACHE"] = cache
        pack = zoo.build_pack(zoo.PackRequest("folder", data=folder, size=size, channels=3), workers=workers)
        for _ in range(rounds):
            start = time.perf_counter()
            dataset = ImageFolder(str(folder), transforms.Compose(steps))
            loader = DataLoader(dataset, batch_size=BATCH, num_workers=workers, shuffle=True)
            count = sum(len(batch) for batch, _ in loader)
            theirs.append(time.perf_counter() - start)
            start = time.perf_counter()
            order = torch.randperm(len(pack))
            assert sum(len(to_images(pack.gather(part))) for part in order.split(BATCH)) == count
            ours.append(time.perf_counter() - start)
    found = _compared(theirs, ours, count, "pack")
    say(f"reading: loader {found['loader']:,.0f}/s, pack {found['pack']:,.0f}/s: {found['ratio']:.1f} times")
    return {"read_ratio": found["ratio"], "read": found}


def _compared(theirs: list[float], ours: list[float], count: int, name: str) -> dict[str, Any]:
    a, b = statistics.median(theirs), statistics.median(ours)
    return {
        "count": count,
        "ratio": round(a / b, 3),
        "loader": round(count / a, 1),
        name: round(count / b, 1),
        "loader_seconds": round(a, 3),
        f"{name}_seconds": round(b, 3),
        "ratios": [round(x / y, 3) for x, y in zip(theirs, ours, strict=True)],
    }


def _bound(folder: Path, workers: int) -> float:
    """Seconds in which as many processes read every file and undo its entropy coding, once they have started."""
    paths = sorted(map(str, folder.rglob("*.*")))
    chunks = [paths[i : i + BOUND_CHUNK] for i in range(0, len(paths), BOUND_CHUNK)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_entropy, [chunks[0]] * workers))
        start = time.perf_counter()
        list(pool.map(_entropy, chunks))
        return time.perf_counter() - start


def _entropy(paths: list[str]) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.draft(None, (1, 1))
            image.load()


def _difference(folder: Path, size: int) -> dict[str, float]:
    dataset = FileDataset(data=str(folder))
    records = [record for record in dataset.listing().records if Path(record.key).name.startswith("0-")]
    differences = []
    for record in records:
        reduced = _pixels(dataset, record, size)
        before, decode.REDUCED = decode.REDUCED, 1 << 30
        whole = _pixels(dataset, record, size)
        decode.REDUCED = before
        differences.append(float(np.abs(whole.astype(float) - reduced).mean()))
    return {"mean": round(statistics.mean(differences), 3), "worst": round(max(differences), 3)}


def _pixels(dataset: FileDataset, record: Record, size: int) -> np.ndarray:
    found = decode.decode_one(dataset, record, size, 3)
    assert not isinstance(found, str), found
    return found.pixels


if __name__ == "__main__":
    main()
