"""Work for long in one process: memory, open files, threads, temporary files and the cache must not grow.

    python benchmarks/soak.py [--trainings N] [--samples N] [--minutes M] [--json]

Three parts, each measured after a warm-up and at its end: N short trainings one after another; N samples drawn by the
function that the button of the demo's page calls; one training of M minutes. What may grow is named beside what did. The
last line of standard output is one JSON object; the exit code is 1 where something grew.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image

import zoo
from zoo.files import measure_folder
from zoo.progress import Reporter

MEGABYTE = 1 << 20
MOST = {"megabytes": 64.0, "files": 3, "threads": 3, "temporary": 0, "cache_megabytes": 1.0}
"""What each may grow by, from the end of the warm-up to the end: allocators keep some, and libraries open some late."""

OPTIONS = {"generator.width": 4, "generator.latent_dim": 4, "discriminator.width": 4, "training.batch": 8}
QUIET: dict[str, Any] = {"device": "cpu", "precision": "fp32", "threads": 1, "watch": False, "report": Reporter()}


@dataclass(frozen=True)
class Use:
    """What a process uses at one moment."""

    megabytes: float
    files: int
    threads: int
    temporary: int
    cache_megabytes: float

    @classmethod
    def now(cls, place: Path) -> Use:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            round(pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE, 1),
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            len([*(place / "temporary").rglob("*")]),
            round(measure_folder(place / "cache")[0] / MEGABYTE, 2),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trainings", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, own_places(Path(folder)) as place:
        found = {
            "trainings": repeat(lambda i: train(place, i), given.trainings, place),
            "samples": repeat(sampler(place), max(2, given.samples // 16), place),
            "minutes": watch(place, given.minutes) if given.minutes else None,
        }
    grown = {part: result["grown"] for part, result in found.items() if result and result["grown"]}
    if not given.json:
        for part, result in found.items():
            print(f"{part}: {result}")
    print(json.dumps({**found, "grown": grown, "may_grow": MOST}))
    return 1 if grown else 0


@contextmanager
def own_places(folder: Path) -> Iterator[Path]:
    """Keep pictures, cache and temporary files below one folder."""
    for name in ("cache", "temporary", "pictures"):
        (folder / name).mkdir()
    os.environ["ZOO_CACHE"], tempfile.tempdir = str(folder / "cache"), str(folder / "temporary")
    rng = np.random.default_rng(0)
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / "pictures" / f"{i}.png")
    try:
        yield folder
    finally:
        tempfile.tempdir = None


def repeat(act: Callable[[int], object], times: int, place: Path) -> dict[str, Any]:
    """Do something many times; return what a fifth of them, and all of them, left the process with."""
    warm, began = max(1, times // 5), time.monotonic()
    for i in range(warm):
        act(i)
    before = Use.now(place)
    for i in range(warm, times):
        act(i)
    return compare(before, Use.now(place), times, time.monotonic() - began)


def compare(before: Use, after: Use, times: int, seconds: float) -> dict[str, Any]:
    found = {key: round(getattr(after, key) - getattr(before, key), 2) for key in MOST}
    grown = {key: value for key, value in found.items() if value > MOST[key]}
    ends = {"warm": asdict(before), "end": asdict(after)}
    return {"times": times, "seconds": round(seconds, 1), **ends, "difference": found, "grown": grown}


def train(place: Path, number: int) -> zoo.Run:
    """One short training, into the same folder as the one before, whose name it takes over."""
    out = place / "runs" / str(number % 2)
    if out.exists():
        zoo.delete_run(out)
    data = {"dataset": "folder", "data": place / "pictures", "size": 16}
    return zoo.train("dcgan", **data, images=16, options=OPTIONS, out=out, **QUIET)


def sampler(place: Path) -> Callable[[int], object]:
    """Return what draws 16 samples of a seed by the demo's own page: the function that its button calls."""
    from zoo.demo.building import build_page
    from zoo.demo.subjects import open_subjects

    page = build_page(open_subjects(train(place, 0).path, "cpu"), threading.Event())
    draw = next(each.fn for each in page.fns.values() if getattr(each.fn, "__name__", "") == "sample")
    return lambda seed: draw(seed, 16, 1.0, 0)


def watch(place: Path, minutes: float) -> dict[str, Any]:
    """Train for so long; a thread looks when a fifth of the time has passed, and it is looked once more at the end."""
    uses: list[Use] = []
    timer = threading.Timer(minutes * 12, lambda: uses.append(Use.now(place)))
    timer.daemon = True
    timer.start()
    began = time.monotonic()
    more = {"training.checkpoint_minutes": max(0.05, minutes / 100), "training.samples_every": 4000}
    data = {"dataset": "folder", "data": place / "pictures", "size": 16}
    run = zoo.train("dcgan", **data, minutes=minutes, options={**OPTIONS, **more}, out=place / "long", **QUIET)
    timer.join()
    return compare(uses[0], Use.now(place), run.images, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
