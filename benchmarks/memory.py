"""Peak memory of a training process, against that of the plain PyTorch loop with the same networks and batch.

    python benchmarks/memory.py --recipe dcgan --batch 128 [--json]

Each reading is a process of its own that takes a few steps: the loop of `plain_loop.py`, our bare step, and the whole
`zoo train` on a pack. Peaks are of resident memory, of the whole process. Keys of the JSON object on the last line:

- `ratio`: peak of our bare step divided by the plain loop's;
- `whole_ratio`: the same of `zoo train`;
- `mb_per_image`: what each image of a minibatch adds, from the difference to a quarter of the batch.
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
from train_speed import random_pictures

SIDES = ("plain", "step", "whole")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16; of our side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    parser.add_argument("--one", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(reading(given)))
        return
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        pictures = random_pictures(Path(scratch) / "pictures", 2 * given.batch, given.size)
        environment = {**os.environ, "ZOO_CACHE": str(Path(scratch) / "cache")}
        for number in range(given.rounds + 1):
            for batch in (given.batch, given.batch // 4):
                for side in SIDES:
                    if number == 0 and side != "whole":  # the first round builds the pack
                        continue
                    command = [sys.executable, __file__, "--one", side, "--batch", str(batch), "--size", str(given.size)]
                    command += ["--recipe", given.recipe, "--precision", given.precision, "--data", str(pictures)]
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=scratch)
                    if number:
                        peak = json.loads(done.stdout.splitlines()[-1])["peak"]
                        found.setdefault((side, batch), []).append(peak)
                        if not given.json:
                            print(f"{side:>6}, batch {batch}: {peak / 1e6:.0f} MB")
    peaks = {key: statistics.median(values) for key, values in found.items()}
    less = given.batch // 4
    each = {side: (peaks[side, given.batch] - peaks[side, less]) / (given.batch - less) for side in SIDES}
    result: dict[str, Any] = {
        "ratio": round(peaks["step", given.batch] / peaks["plain", given.batch], 3),
        "whole_ratio": round(peaks["whole", given.batch] / peaks["plain", given.batch], 3),
        "mb_per_image": {side: round(value / 1e6, 2) for side, value in each.items()},
        "peak_mb": {side: round(peaks[side, given.batch] / 1e6) for side in SIDES},
        "recipe": given.recipe,
        "batch": given.batch,
        "size": given.size,
        "precision": given.precision,
        "rounds": given.rounds,
    }
    print(json.dumps(result))


def reading(given: argparse.Namespace) -> dict[str, float]:
    """The peak of this process after three steps of one side."""
    from load import peak

    import zoo
    from zoo.progress import Reporter

    if given.one == "whole":
        zoo.train(
            given.recipe,
            dataset="folder",
            data=given.data,
            size=given.size,
            batch=given.batch,
            images=3 * given.batch,
            out=Path(tempfile.mkdtemp()) / "run",
            device="cpu",
            precision=given.precision,
            report=Reporter(),
        )
        return {"peak": peak()}
    config = plain_loop.configured(given.recipe, given.batch, given.size)
    if given.one == "plain":
        plain = plain_loop.PlainLoop(config)
        for _ in range(3):
            plain.step()
        return {"peak": peak()}

    from zoo.allocator import keep_freed_memory_during
    from zoo.devices import Runtime, check_device, resolve_precision
    from zoo.training.engine import Engine
    from zoo.training.speed import random_minibatch
    from zoo.training.state import State

    device = check_device("cpu")
    runtime = Runtime(device, resolve_precision(given.precision, device))
    state = State.create(config, runtime)
    engine, minibatch = Engine(config, state, runtime), random_minibatch(config, state, device)
    with keep_freed_memory_during():
        for _ in range(3):
            engine.step(minibatch)
            state.step += 1
    return {"peak": peak()}


if __name__ == "__main__":
    main()
