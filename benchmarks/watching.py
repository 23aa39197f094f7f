"""What watching costs: the same training with and without, one after the other in turn.

    python benchmarks/watching.py                                                  # minutes
    python benchmarks/watching.py --images 256 --size 16 --width 4 --every 64 --limit 40 --rounds 1

Keys of the JSON object on the last line: `ratio`, the wall time with watching over that without, the median over the rounds;
`share`, what the run's own record says that it cost; `looks`, how often it measured, `spacing`, how far apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import zoo
from zoo.progress import SILENT
from zoo.runs.run import read_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan")
    parser.add_argument("--images", type=int, default=80_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--limit", type=int, default=5000, help="pictures")
    parser.add_argument("--every", type=int, help="images between two looks; by default as 3 %% of the time allows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    ratios: list[float] = []
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(given.rounds):
            took = {}
            for watched in (True, False) if number % 2 else (False, True):
                begun, folder = time.monotonic(), Path(scratch) / f"{number}-{watched}"
                train(given, folder, watched=watched)
                took[watched] = time.monotonic() - begun
                if watched:
                    records.append(read_run(folder).watch)
            ratios.append(took[True] / took[False])
            if not given.json:
                print(f"round {number + 1}: {took[False]:.1f} s without, {took[True]:.1f} s with", file=sys.stderr)
    found = {"ratio": round(median(ratios), 4), "ratios": [round(ratio, 4) for ratio in ratios]}
    found |= {"share": max(record["share"] for record in records), "looks": records[0]["looks"]}
    settings = {key: getattr(given, key) for key in ("recipe", "images", "size", "width")}
    print(json.dumps({**found, "spacing": records[0]["spacing"], **settings, "torch": torch.__version__}))


def train(given: argparse.Namespace, folder: Path, *, watched: bool) -> None:
    options = {"generator.width": given.width, "discriminator.width": given.width, "dataset.limit": given.limit}
    choices = {"images": given.images, "size": given.size, "device": given.device, "options": options, "out": folder}
    how: dict[str, Any] = {"evaluate_every": given.every} if watched else {"watch": False}
    zoo.train(given.recipe, dataset="faces", report=SILENT, **choices, **how)


if __name__ == "__main__":
    main()
