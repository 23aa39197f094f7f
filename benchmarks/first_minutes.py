"""How long a new training keeps people waiting: for a forecast, the first grid and the first checkpoint.

    python benchmarks/first_minutes.py [--recipes dcgan,dcgan-paper] [--size 64] [--json]

Each recipe is trained in a process of its own on a few drawn faces, which are packed before, until all of that has come, and
then interrupted. Seconds are wall-clock seconds from the start of the process. Keys of the JSON object on the last line:

- `recipes`: name → seconds until it had `begun` (imports, pack, networks), until the `forecast`, the first `grid` and the
  first `checkpoint`, and how many `images` the grid took;
- `within`: whether every first grid and checkpoint came within `limit` seconds; `load`: processes that waited meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIMIT = 60.0
PATIENCE = 600.0
COMMAND = [sys.executable, "-m", "zoo_cli", "train"]
BUDGET = ["--images", "250000"]  # of the faces that a recipe is usually trained on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="dcgan,dcgan-paper,wgan-gp,sngan,lapgan,bigan")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=256, help="drawn faces")
    parser.add_argument("--set", action="append", default=[], help="as zoo train has it")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    options = [word for text in given.set for word in ("--set", text)]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ZOO_CACHE"] = str(Path(scratch) / "cache")
        data = ["--dataset", "faces", "--set", f"dataset.count={given.count}", "--size", str(given.size)]
        pack = ["zoo_cli", "data", "build", "faces", "--set", f"dataset.count={given.count}", "--size", str(given.size)]
        subprocess.run([sys.executable, "-m", *pack], check=True, capture_output=True)
        for recipe in given.recipes.split(","):
            found[recipe] = watch([*COMMAND, recipe, *data, *options, *BUDGET], Path(scratch) / recipe)
            if not given.json:
                print(f"{recipe}: {found[recipe]}")
    seconds = [row[key] for row in found.values() for key in ("grid", "checkpoint")]
    result = {"recipes": found, "limit": LIMIT, "within": max(seconds) <= LIMIT}
    result |= {"cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    print(json.dumps(result))


def watch(command: list[str], run: Path) -> dict[str, Any]:
    """Train until the first grid and checkpoint are there; returns when what came."""
    started, times = time.monotonic(), dict[str, Any]()
    log = run.with_suffix(".log")
    marks = {
        "begun": lambda: (run / "run.json").exists(),
        "forecast": lambda: " images/s, " in log.read_text(encoding="utf-8"),
        "grid": lambda: any((run / "samples").glob("[0-9]*.png")),
        "checkpoint": lambda: any((run / "checkpoints").glob("step-*")),
    }
    with open(log, "w", encoding="utf-8") as errors:
        process = subprocess.Popen([*command, "--out", str(run)], stdout=subprocess.DEVNULL, stderr=errors)
        while len(times) < len(marks) and process.poll() is None and time.monotonic() - started < PATIENCE:
            times |= {
                key: round(time.monotonic() - started, 1)
                for key, is_there in marks.items()
                if key not in times and is_there()
            }
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait()
    if not {"grid", "checkpoint"} <= set(times):
        sys.exit(f"{' '.join(command)} came to nothing:\n{log.read_text(encoding='utf-8')}")
    return {**times, "images": min(int(file.stem) for file in (run / "samples").glob("[0-9]*.png"))}


if __name__ == "__main__":
    main()
