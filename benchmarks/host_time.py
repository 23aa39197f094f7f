"""What a step of a training costs the host beside launching it, where a GPU replays steps as graphs.

    python benchmarks/host_time.py [--images 200000] [--json]

A whole `zoo.train` whose steps are "captured" and replayed as nothing at all, on the CPU: what is left is the loop, what it
counts, the minibatches' numbers (a thread prepares them), readings and progress. Keys of the JSON object on the last line:

- `us_per_step`: microseconds of a step, median over the rounds;
- `small_operations`: the same in units of one small operation of torch (adding 1 to a number, in the same run): what a step
  costs beside what one launched operation does. A step of `dcgan` is a thousand operations;
- `others`: the share of the processors' work meanwhile that was not this benchmark's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import plain_loop
import torch
from train_speed import cache, random_pictures

import zoo
from zoo.devices import Runtime, start_runtime
from zoo.progress import Reporter
from zoo.training.callbacks import LEAST, Callbacks
from zoo.training.graphs import WARM_UP

SMALL = {"generator.width": 4, "discriminator.width": 4, "training.samples_every": 10**9, "training.checkpoint_minutes": 1e6}


class Nothing:
    """Takes the first steps as they are, and replays nothing."""

    def __init__(self) -> None:
        self.began = 0.0

    def warm_up(self, work: Callable[[], None]) -> None:
        work()

    def watch(self, work: Callable[[], None]) -> str:
        work()
        return ""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        work()
        self.began = time.perf_counter()
        return lambda: None

    def close(self) -> None:
        pass


class RareReadings(Callbacks):
    """Reads losses as rarely as on a GPU."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.least = LEAST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ticks, steps, operations = plain_loop.shares(), [], []
    with tempfile.TemporaryDirectory() as scratch, cache(Path(scratch)):
        pictures = random_pictures(Path(scratch) / "pictures", 4 * given.batch, 64)
        for number in range(given.rounds):
            steps.append(step_time(pictures, Path(scratch) / f"run{number}", given))
            operations.append(operation_time())
            if not given.json:
                print(f"round {number + 1}: {1e6 * steps[-1]:.1f} us a step, {1e6 * operations[-1]:.2f} us an operation")
    step, operation = statistics.median(steps), statistics.median(operations)
    result = {
        "us_per_step": round(1e6 * step, 1),
        "small_operations": round(step / operation, 1),
        "us_per_operation": round(1e6 * operation, 2),
        "batch": given.batch,
        "readings_us": [round(1e6 * value, 1) for value in steps],
        "torch": torch.__version__,
        "others": plain_loop.others(ticks, plain_loop.shares()),
    }
    print(json.dumps(result))


def step_time(pictures: Path, out: Path, given: argparse.Namespace) -> float:
    """Seconds of a step of a whole training, from the last capture to the last step."""
    module: Any = importlib.import_module("zoo.training.train")
    nothing, end = Nothing(), [0.0]

    @contextmanager
    def start(device: torch.device, precision: str) -> Iterator[Runtime]:
        with start_runtime(device, precision) as runtime:
            yield replace(runtime, static=True)

    loop, opened = module._loop, module.open_feed

    @contextmanager
    def feed_of_resident_pictures(batches: Any, *given: Any) -> Iterator[Any]:
        batches.resident = batches.pack.gather(torch.arange(len(batches.pack)))
        with opened(batches, *given) as feed:
            yield feed

    def timed(*arguments: Any) -> Any:
        found = loop(*arguments)
        end[0] = time.perf_counter()
        return found

    patched: dict[str, Any] = {"start_runtime": start, "make_graphs": lambda *_, **__: nothing, "_loop": timed}
    patched["open_feed"], patched["Callbacks"] = feed_of_resident_pictures, RareReadings
    before = {name: getattr(module, name) for name in patched}
    vars(module).update(patched)
    try:
        choices: dict[str, Any] = {"dataset": "folder", "data": pictures, "size": 64, "batch": given.batch, "options": SMALL}
        run = zoo.train("dcgan", images=given.images, device="cpu", out=out, report=Reporter(), **choices)
    finally:
        vars(module).update(before)
    return (end[0] - nothing.began) / (run.steps - WARM_UP)


def operation_time(count: int = 100_000) -> float:
    """Seconds of one small operation of torch."""
    number = torch.zeros(())
    begun = time.perf_counter()
    for _ in range(count):
        number.add_(1)
    return (time.perf_counter() - begun) / count


if __name__ == "__main__":
    main()
