"""Two processes of one thread each against one process of two threads, both whole `zoo train` runs on the CPU (gloo).

    python benchmarks/scaling.py --recipe dcgan --batch 128 [--json]

Both sides take turns and have the same minibatch in all. Keys of the JSON object on the last line:

- `efficiency`: images per second of the two processes divided by those of the one;
- `gradients`: greatest difference of their gradients, as Adam keeps them, after the first step of a recipe without batch
  normalization (`--exact`), in units of each tensor's greatest number;
- `difference`: the same of their weights after five steps. Adam turns the rounding of a gradient near zero into a whole
  step of that weight, so there is something to compare it with:
- `rounding`: the same between the one process and itself when it takes the minibatch in as many pieces, one after the other;
- `exchange_mb`: what each process sends in each step, the gradients of both networks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import plain_loop
from safetensors.torch import load_file
from train_speed import random_pictures

from zoo.runs.checkpoints import checkpoints
from zoo.runs.run import read_log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--exact", default="dcgan-nobn", help="recipe whose weights are compared")
    parser.add_argument("--set", action="append", default=[], help="for both sides, as zoo train takes it")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    before, ticks = plain_loop.load(), plain_loop.shares()
    speeds: dict[str, list[float]] = {"one": [], "several": []}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        pictures = random_pictures(place / "pictures", 4 * given.batch, given.size)
        for number in range(given.rounds):
            for side, processes in (("one", 1), ("several", given.processes)):
                run = place / f"{side}{number}"
                train(given, run, pictures, given.recipe, given.steps + 1, processes)
                lines = [line for line in read_log(run / "metrics.jsonl") if "images_per_s" in line]
                speeds[side].append(statistics.median(line["images_per_s"] for line in lines[1:]))
                if not given.json:
                    print(f"{side}: {speeds[side][-1]:.1f} images/s")
        pieces = f"training.accumulate={given.processes}"
        for steps in (1, 5):
            train(given, place / f"one-{steps}", pictures, given.exact, steps, 1)
            train(given, place / f"several-{steps}", pictures, given.exact, steps, given.processes)
        train(given, place / "pieces-5", pictures, given.exact, 5, 1, pieces)
        exact = {
            "gradients": difference(*(tensors(place / f"{side}-1", "optimizers") for side in ("one", "several"))),
            "difference": difference(*(tensors(place / f"{side}-5", "networks") for side in ("one", "several"))),
            "rounding": difference(*(tensors(place / f"{side}-5", "networks") for side in ("one", "pieces"))),
        }
    median = {side: statistics.median(values) for side, values in speeds.items()}
    after = plain_loop.shares()
    config = plain_loop.configured(given.recipe, given.batch, given.size, **dict(word.split("=") for word in given.set))
    numbers = sum(p.numel() for network in config.build_networks().values() for p in network.parameters())
    result: dict[str, Any] = {
        "efficiency": round(median["several"] / median["one"], 3),
        **exact,
        "exchange_mb": round(4 * numbers / 1e6, 1),
        "recipe": given.recipe,
        "exact": given.exact,
        "batch": given.batch,
        "size": given.size,
        "processes": given.processes,
        "images_per_s": {side: round(value, 2) for side, value in median.items()},
        "readings": {side: [round(value, 2) for value in values] for side, values in speeds.items()},
        "rounds": given.rounds,
        "load_before": before,
        "load_after": plain_loop.load(),
        "others": plain_loop.others(ticks, after),
    }
    print(json.dumps(result))


def train(
    given: argparse.Namespace, out: Path, pictures: Path, recipe: str, steps: int, processes: int, *settings: str
) -> None:
    """`zoo train` in so many processes, which share the threads that one has (one of one thread with `settings`)."""
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [*launch, "-m", "zoo_cli", "train", recipe, "--dataset", "folder", "--data", str(pictures)]
    command += ["--size", str(given.size), "--batch", str(given.batch), "--images", str(steps * given.batch)]
    command += ["--out", str(out), "--device", "cpu", "--precision", "fp32", "--set", "training.log_every=1"]
    for setting in (*given.set, *settings):
        command += ["--set", setting]
    threads = 1 if settings else given.processes // processes
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "ZOO_CACHE": str(out.parent / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=out.parent)
    if done.returncode:
        sys.exit(done.stderr)


def tensors(run: Path, name: str) -> dict[str, Any]:
    """The weights of a run's newest checkpoint, or its optimizers' mean gradients."""
    found = load_file(checkpoints(run / "checkpoints")[-1] / f"{name}.safetensors")
    return {key: tensor for key, tensor in found.items() if name != "optimizers" or key.endswith(".exp_avg")}


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The greatest difference of any tensor, divided by the greatest number in it."""
    greatest = 0.0
    for key, tensor in one.items():
        if tensor.is_floating_point():
            scale = max(float(tensor.abs().max()), 1e-12)
            greatest = max(greatest, float((tensor - other[key]).abs().max()) / scale)
    return float(f"{greatest:.3g}")


if __name__ == "__main__":
    main()
