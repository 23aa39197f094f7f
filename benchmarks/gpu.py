"""Everything about training that a person with a GPU should measure once, in about four minutes.

    python benchmarks/gpu.py [--out gpu.json] [--seconds 240] [--data FOLDER]

Parts, the most important first; what the time does not suffice for is left out and named:

- `table`: steps at batch 32, 128 and 512: the tutorials' loop (`plain_loop.py`: NCHW, torch's defaults, losses read at each
  step), ours as they are, and ours captured as a CUDA graph; milliseconds, images/s, the share of the best bf16 matrix
  product, peak memory, kernels;
- `job`: `zoo train dcgan --dataset faces` (250,000 images) in a process of its own, from start to finished model; drawing
  the faces comes before and is not counted;
- `whole`: `zoo train` at batch 128, beside its own bare captured step;
- `exactness`: with --deterministic, whether 120 captured steps equal 120 that are not, tensor by tensor, and whether a run
  that was interrupted after 60 and resumed equals them;
- `evaluate`: seconds of `zoo evaluate`;
- `recipes`: images/s of a short training of each recipe at 32×32, batch 64, and whether its steps were captured;
- `compiled`: the table's first batch with compiled networks, as they are and captured;
- `processes`: with several GPUs, the speed of data-parallel training on all of them.

Prints one JSON object, on the last line: what was measured, `goals` and whether each is reached, `failed` with reasons, and
`left_out`. `--device cpu --size 16 --batch 8 --steps 2` tries the script itself where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gpu_parts as parts
import torch
from gpu_parts import Bench, shorten
from train_speed import cache

from zoo.devices import name_device
from zoo_core.words import name_error

GOALS = {  # name → goal, least
    "whole against tutorials, batch 32": (8.0, 5.5),
    "whole against tutorials, batch 128": (5.0, 3.3),
    "whole against bare, batch 32": (0.95, 0.85),
    "whole against bare, batch 128": (0.95, 0.85),
    "job, seconds": (20.0, 30.0),
    "captured equals eager": (1.0, 1.0),
    "resumed equals undisturbed": (1.0, 1.0),
    "peak memory against eager": (1.2, 1.5),
}
LOWER_IS_BETTER = ("job, seconds", "peak memory against eager")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan", help="of all parts but `recipes`")
    parser.add_argument("--batch", type=int, help="one minibatch instead of 32, 128 and 512")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5, help="readings of the table, whose median counts")
    parser.add_argument("--steps", type=int, default=40, help="steps of each reading")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", type=Path, help="a folder of pictures for the trainings, instead of drawn faces")
    parser.add_argument("--recipes", help="names with commas between, instead of all")
    parser.add_argument("--parts", help="names with commas between, instead of all")
    parser.add_argument("--seconds", type=float, default=240, help="for everything")
    parser.add_argument("--out", type=Path, help="also write the JSON there, after each part")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    parser.add_argument("--serve", choices=sorted(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no CUDA GPU here; to try the script itself: --device cpu --size 16 --batch 8 --steps 2")
    chosen = given.parts.split(",") if given.parts else list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        sys.exit(f"there is no part {unknown[0]!r}; valid: {', '.join(PARTS)}")
    if given.serve:
        print(json.dumps(PARTS[given.serve][0](Bench(given, given.scratch))))
        return
    begun, say = time.monotonic(), (lambda text: None) if given.json else print
    gpus = torch.cuda.device_count() if given.device == "cuda" else 0
    home = os.environ.get("ZOO_CACHE")
    with tempfile.TemporaryDirectory() as scratch, cache(Path(scratch)):
        bench = Bench(given, Path(scratch), home)
        bench.result = {
            "device": name_device(bench.device),
            "gpus": gpus,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "recipe": given.recipe,
            "size": given.size,
            "precision": bench.precision,
            "failed": {},
            "left_out": {},
            "seconds": {},
        }
        for name in chosen:
            work, needs, limit = PARTS[name]
            left = given.seconds - (time.monotonic() - begun)
            if name == "processes" and gpus < 2:
                bench.result["left_out"][name] = "there are not several GPUs"
                continue
            if left < needs:
                bench.result["left_out"][name] = f"{max(0, left):.0f} s were left, and it needs about {needs}"
                continue
            since = time.monotonic()
            try:
                with at_most(min(limit, left)):
                    bench.result[name] = work(bench)
            except Exception as error:  # whatever it is, the other parts are worth measuring
                bench.result["failed"][name] = name_error(error)
            bench.result["seconds"][name] = round(time.monotonic() - since, 1)
            bench.result["goals"] = judge(bench)
            say(f"{name}: {json.dumps(bench.result.get(name, bench.result['failed'].get(name)))}")
            if given.out:
                given.out.write_text(json.dumps(bench.result) + "\n", encoding="utf-8")
    bench.result["seconds"]["all"] = round(time.monotonic() - begun, 1)
    line = json.dumps(bench.result)
    if given.out:
        given.out.write_text(line + "\n", encoding="utf-8")
    print(line)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End what takes longer, where the system has alarms."""

    def end(number: int, frame: object) -> None:
        raise TimeoutError(f"it took longer than {seconds:.0f} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(0.01, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(bench: Bench) -> dict[str, dict[str, Any]]:
    """What was aimed at, what came of it, and whether the goal or the least is reached; None for what was not measured."""
    result, values = bench.result, dict[str, float | None](dict.fromkeys(GOALS))
    for name in ("job", "whole"):
        run = result.get(name) or {}
        for side, way in (("tutorials", "tutorials"), ("bare", "captured")):
            row, goal = bench.find(run.get("batch", 0), way), f"whole against {side}, batch {run.get('batch')}"
            if row and goal in values:
                values[goal] = run["median_images_per_s"] / row["images_per_s"]
    if result.get("job", {}).get("images", 0) >= parts.MAIN_JOB:
        values["job, seconds"] = result["job"]["seconds"]
    if (exact := result.get("exactness")) and exact["captured"]:
        values["captured equals eager"] = float(exact["eager"]["equal"])
        values["resumed equals undisturbed"] = float(exact["resumed"]["equal"])
    pairs = [[bench.find(batch, way).get("peak_memory_mb") for way in ("captured", "eager")] for batch in bench.batches]
    if ratios := [one / other for one, other in pairs if one and other]:
        values["peak memory against eager"] = max(ratios)
    return {name: verdict(name, value) for name, value in values.items()}


def verdict(name: str, value: float | None) -> dict[str, Any]:
    """A goal, and whether it is reached."""
    goal, least = GOALS[name]
    if value is None:
        return {"value": None, "goal": goal, "least": least, "reached": None}
    sign = -1 if name in LOWER_IS_BETTER else 1
    reached = "goal" if sign * value >= sign * goal else "least" if sign * value >= sign * least else "no"
    return {"value": shorten(value), "goal": goal, "least": least, "reached": reached}


PARTS: dict[str, tuple[Callable[[Bench], Any], int, int]] = {  # what does it, seconds that it needs, and most that it gets
    "table": (parts.table, 10, 70),
    "job": (parts.job, 15, 90),
    "whole": (parts.whole, 12, 45),
    "exactness": (parts.exactness, 12, 60),
    "evaluate": (parts.evaluate, 5, 40),
    "recipes": (parts.recipes, 15, 110),
    "compiled": (parts.compiled, 30, 90),
    "processes": (parts.processes, 25, 60),
}


if __name__ == "__main__":
    main()
