"""Everything about training that a person with a GPU should measure once.

    python benchmarks/gpu.py [--recipe dcgan] [--batch 128] [--out gpu.json]

Throughput of the training step in float32, bf16 and compiled bf16 with its share of the GPU's matrix-product peak, peak
memory, whether two deterministic trainings of one seed are equal and whether a resumed one equals an undisturbed one, and,
with several GPUs, the speed of data-parallel training on all of them. Prints one JSON object, on the last line. `--device
cpu` tries the script itself where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from kill_resume import fingerprint
from train_speed import cache, random_pictures

import zoo
from zoo.devices import resolve_precision
from zoo.progress import Reporter
from zoo.runs.run import read_log
from zoo_core import ZooError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50, help="steps of each round")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, help="also write the JSON there")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no CUDA GPU here; to try the script itself: --device cpu --size 16 --batch 8 --steps 2")
    gpus = torch.cuda.device_count()
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if gpus else "cpu",
        "gpus": gpus,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "recipe": given.recipe,
        "batch": given.batch,
        "size": given.size,
        "speed": {},
    }
    with tempfile.TemporaryDirectory() as scratch, cache(Path(scratch)):
        place = Path(scratch)
        pictures = random_pictures(place / "pictures", max(4, 2 * gpus) * given.batch, given.size)
        for name, precision, compile in (("fp32", "fp32", False), ("bf16", "bf16", False), ("bf16-compiled", "bf16", True)):
            result["speed"][name] = measured(given, precision, compile)
            say(f"{name}: {result['speed'][name]}")
        result["whole_images_per_s"] = whole(given, place, pictures)
        say(f"whole zoo train: {result['whole_images_per_s']} images/s")
        result |= exactness(given, place, pictures)
        say(f"deterministic: {result['deterministic']}, resumed: {result['resumed']}")
        if gpus > 1:
            result["processes"] = several(given, place, pictures, gpus)
            say(f"{gpus} processes: {result['processes']}")
    line = json.dumps(result)
    if given.out:
        given.out.write_text(line + "\n", encoding="utf-8")
    print(line)


def measured(given: argparse.Namespace, precision: str, compile: bool) -> dict[str, Any]:
    """What `zoo.bench` says, with the peak of the GPU's memory; or why it cannot."""
    if given.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        found = zoo.bench(
            given.recipe,
            size=given.size,
            batch=given.batch,
            precision=precision,
            device=given.device,
            compile=compile,
            rounds=given.rounds,
            steps=given.steps,
        )
    except (ZooError, RuntimeError) as error:
        return {"error": str(error).splitlines()[0]}
    keys = ("images_per_s", "ms_per_step", "flops", "peak_flops", "peak_share", "warm_up_s")
    said = {key: float(f"{getattr(found, key):.5g}") for key in keys}
    if given.device == "cuda":
        said["peak_memory_mb"] = round(torch.cuda.max_memory_allocated() / 1e6)
    return said


def settings(given: argparse.Namespace, pictures: Path, steps: int, **more: Any) -> dict[str, Any]:
    """Arguments of `zoo.train`."""
    where = torch.device(given.device)
    return {
        "dataset": "folder",
        "data": pictures,
        "size": given.size,
        "batch": given.batch,
        "images": given.batch * steps,
        "device": given.device,
        "precision": resolve_precision("auto", where),
        "report": Reporter(),
        **more,
    }


def whole(given: argparse.Namespace, place: Path, pictures: Path) -> float:
    """Images per second of `zoo train`, from its own log."""
    run = zoo.train(given.recipe, **settings(given, pictures, 4 * given.steps, out=place / "whole"))
    lines = [line for line in read_log(run.path / "metrics.jsonl") if "images_per_s" in line]
    return round(statistics.median(line["images_per_s"] for line in lines[1:] or lines), 1)


def exactness(given: argparse.Namespace, place: Path, pictures: Path) -> dict[str, bool | str]:
    """Whether two deterministic trainings of one seed are equal, and one that was resumed too."""
    try:
        runs = [place / f"deterministic{i}" for i in range(3)]
        for run in runs[:2]:
            zoo.train(given.recipe, **settings(given, pictures, 10, out=run, deterministic=True))
        zoo.train(given.recipe, **settings(given, pictures, 4, out=runs[2], deterministic=True))
        more = {"images": 10 * given.batch, "device": given.device, "report": Reporter(), "deterministic": True}
        zoo.train(resume=runs[2], **more)
    except ZooError as error:
        return {"deterministic": error.message, "resumed": error.message}
    first, second, resumed = (weights(run) for run in runs)
    return {"deterministic": first == second, "resumed": first == resumed}


def weights(run: Path) -> dict[str, str]:
    """Checksums of what a run's checkpoint holds."""
    return {key: value for key, value in fingerprint(run).items() if key.startswith("checkpoints/")}


def several(given: argparse.Namespace, place: Path, pictures: Path, gpus: int) -> dict[str, Any]:
    """Images per second of all GPUs together, each with a minibatch of its own size, and their efficiency."""
    speeds = {}
    for processes in (1, gpus):
        out = place / f"processes{processes}"
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        batch = given.batch * processes
        command = [*launch, "-m", "zoo_cli", "train", given.recipe, "--dataset", "folder", "--data", str(pictures)]
        command += ["--size", str(given.size), "--batch", str(batch), "--images", str(4 * given.steps * batch)]
        command += ["--out", str(out)]
        done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
        if done.returncode:
            return {"error": done.stderr.splitlines()[-1] if done.stderr else "no words"}
        lines = [line for line in read_log(out / "metrics.jsonl") if "images_per_s" in line]
        speeds[processes] = statistics.median(line["images_per_s"] for line in lines[1:] or lines)
    efficiency = speeds[gpus] / (gpus * speeds[1])
    return {"images_per_s": {str(k): round(v, 1) for k, v in speeds.items()}, "efficiency": round(efficiency, 3)}


if __name__ == "__main__":
    main()
