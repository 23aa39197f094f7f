"""How fast the training step is, against the plain PyTorch loop and against what the machine's matrix products reach.

    python benchmarks/train_speed.py --recipe dcgan --batch 128 [--precision fp32] [--json]

Each side is a process of its own, and they take turns; the medians over the rounds are compared. The plain loop is that of
`plain_loop.py`: float32, NCHW, unfused Adam. Keys of the JSON object on the last line:

- `ratio`: the plain loop's seconds for a step divided by ours;
- `cpu_ratio`: the same with seconds of the processor, which a busy machine disturbs less (with `--threads 1`: threads that
  wait for each other count as busy);
- `peak_share`: the operations that a step needs, divided by its time and by the rate of this machine's best square matrix
  product in the same precision and clock; `cpu_peak_share` likewise;
- `whole_share`: the speed of the whole `zoo train` (pack, moving average, log, and, at the default intervals, sample grids
  and checkpoints) divided by that of our bare step; `cpu_whole_share` likewise;
- `others`: the share of the processors' work meanwhile that was not this benchmark's. Where it is not small, repeat, or look
  at the processor's seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import plain_loop
import torch
from PIL import Image

SIDES = ("plain", "ours")
WARM_UP = 3
"""Steps after which a new training has the memory that it needs."""

CLOCKS = {"": "wall", "cpu_": "cpu"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="dcgan")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16; of our side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="steps of each side in a round")
    parser.add_argument("--threads", type=int, help="of torch; all that there are by default")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--no-whole", action="store_true", help="leave out the whole zoo train")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    parser.add_argument("--serve", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given)
        return
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    before, ticks = plain_loop.load(), plain_loop.shares()
    times: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        random_pictures(Path(scratch) / "pictures", 4 * given.batch, given.size)
        sides = {side: Side(side, scratch) for side in SIDES}
        warm_up = {side: process.ask("step") for side, process in sides.items()}
        asked = [("plain", "step"), ("ours", "step"), *([] if given.no_whole else [("ours", "whole")]), ("ours", "peak")]
        for number in range(given.rounds):
            for side, what in asked:
                name = side if what == "step" else what
                times.setdefault(name, []).append(sides[side].ask(what))
            say(f"round {number + 1}: " + ", ".join(f"{name} {1000 * t[-1]['wall']:.0f} ms" for name, t in times.items()))
        facts = sides["ours"].ask("facts")
        for process in sides.values():
            process.end()
    after = plain_loop.shares()
    result: dict[str, Any] = {}
    for prefix, clock in CLOCKS.items():
        result |= {prefix + key: value for key, value in compared(times, facts, given, clock).items()}
    result |= {
        "recipe": given.recipe,
        "batch": given.batch,
        "size": given.size,
        "compile": given.compile,
        **{key: facts[key] for key in ("precision", "threads", "torch")},
        "gflop_per_image": round(facts["needed"] / 1e9, 4),
        "warm_up_s": round(warm_up["ours"]["wall"], 2),
        "rounds": given.rounds,
        "seconds": {name: [round(value["wall"], 4) for value in values] for name, values in times.items()},
        "cpu_seconds": {name: [round(value["cpu"], 4) for value in values] for name, values in times.items()},
        "load_before": before,
        "load_after": plain_loop.load(),
        "others": plain_loop.others(ticks, after),
    }
    print(json.dumps(result))


def compared(
    times: dict[str, list[dict[str, float]]], facts: dict[str, Any], given: argparse.Namespace, clock: str
) -> dict[str, Any]:
    """Ratios by one of the clocks."""
    median = {name: statistics.median(value[clock] for value in values) for name, values in times.items()}
    peak = facts["product"] / median["peak"]
    found: dict[str, Any] = {
        "ratio": round(median["plain"] / median["ours"], 3),
        "peak_share": round(facts["needed"] * given.batch / median["ours"] / peak, 3),
        "peak_gflops": round(peak / 1e9, 1),
        "images_per_s": {
            name: round(given.batch / median[name], 2) for name in ("plain", "ours", "whole") if name in median
        },
    }
    if "whole" in median:
        # What a step of the whole costs, with its share of a grid each 10,000 images and of a checkpoint each five minutes.
        step = median["whole"] + facts[f"grid_{clock}"] * given.batch / facts["samples_every"]
        step *= 1 + facts[f"checkpoint_{clock}"] / (60 * facts["checkpoint_minutes"])
        found["whole_share"] = round(median["ours"] / step, 3)
    return found


class Side:
    """A process that does what it is asked, one thing at a time."""

    def __init__(self, side: str, scratch: str) -> None:
        command = [sys.executable, __file__, *sys.argv[1:], "--serve", side, "--scratch", scratch]
        environment = {**os.environ, "ZOO_CACHE": os.path.join(scratch, "cache")}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, what: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"a side has ended while it was asked for: {what}")
        return json.loads(answer)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve(given: argparse.Namespace) -> None:
    """Answer questions on standard input, each with a line of JSON."""
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    config = plain_loop.configured(given.recipe, given.batch, given.size)
    answers: dict[str, Callable[[], Any]]
    if given.serve == "plain":
        plain = plain_loop.PlainLoop(config)
        answers = {"step": lambda: timed(plain.step, given.steps)}
    else:
        answers = ours(given, config)
    from zoo.allocator import keep_freed_memory_during

    with nullcontext() if given.serve == "plain" else keep_freed_memory_during():  # as `zoo train` does
        for line in sys.stdin:
            print(json.dumps(answers[line.strip()]()), flush=True)


def ours(given: argparse.Namespace, config: Any) -> dict[str, Callable[[], Any]]:
    """What our side can be asked for."""
    from zoo.devices import Runtime, check_device, resolve_precision
    from zoo.training.engine import Engine
    from zoo.training.speed import DTYPES, flop_per_image, random_minibatch
    from zoo.training.state import State

    device = check_device("cpu")
    precision = resolve_precision(given.precision, device)
    runtime = Runtime(device, precision)
    state = State.create(config, runtime)
    engine = Engine(config, state, runtime, compile=given.compile)
    minibatch = random_minibatch(config, state, device)
    side, number = 2048, iter(range(1000))
    a, b = (torch.randn(side, side).to(DTYPES[precision]) for _ in range(2))

    def step() -> None:
        engine.step(minibatch)
        state.step += 1

    def peak() -> dict[str, float]:
        torch.mm(a, b)
        readings = [timed(lambda: torch.mm(a, b), 1) for _ in range(5)]
        return {clock: min(reading[clock] for reading in readings) for clock in CLOCKS.values()}

    def facts() -> dict[str, Any]:
        return {
            "needed": flop_per_image(config),
            "product": 2 * side**3,
            "precision": precision,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "samples_every": config.training.samples_every,
            "checkpoint_minutes": config.training.checkpoint_minutes,
            **({} if given.no_whole else interludes(state, runtime, given.scratch)),
        }

    return {
        "step": lambda: timed(step, given.steps),
        "whole": lambda: whole(given, given.scratch / f"run{next(number)}", precision),
        "peak": peak,
        "facts": facts,
    }


def timed(step: Callable[[], object], count: int) -> dict[str, float]:
    """Seconds of one of `count` steps, by both clocks."""
    begun, worked = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
    return {"wall": (time.perf_counter() - begun) / count, "cpu": (time.process_time() - worked) / count}


def whole(given: argparse.Namespace, out: Path, precision: str) -> dict[str, float]:
    """Seconds of a step of `zoo train`, from what it says of its progress; the first `WARM_UP` are not counted."""
    import zoo
    from zoo.training import callbacks

    heard = Heard()
    before, callbacks.TICK = callbacks.TICK, 0.0  # progress at each step
    try:
        zoo.train(
            given.recipe,
            dataset="folder",
            data=given.scratch / "pictures",
            size=given.size,
            batch=given.batch,
            images=given.batch * (WARM_UP + given.steps),
            out=out,
            device="cpu",
            precision=precision,
            compile=given.compile,
            options={"training.log_every": 1},
            report=heard.reporter(),
            workers=1,
        )
    finally:
        callbacks.TICK = before
    first, last = heard.at[given.batch * WARM_UP], heard.at[given.batch * (WARM_UP + given.steps)]
    return {clock: (last[clock] - first[clock]) / given.steps for clock in CLOCKS.values()}


class Heard:
    """Notes when each step of a training was done, by both clocks."""

    def __init__(self) -> None:
        self.at: dict[float, dict[str, float]] = {}

    def reporter(self) -> Any:
        from contextlib import contextmanager

        from zoo.progress import Reporter, Task

        heard = self

        class Noting(Task):
            def update(self, done: float, **values: str) -> None:
                heard.at.setdefault(done, {"wall": time.perf_counter(), "cpu": time.process_time()})

        class Listening(Reporter):
            @contextmanager
            def task(self, label: str, total: float | None = None, unit: str = "") -> Any:
                yield Noting() if label == "training" else Task()

        return Listening()


def interludes(state: Any, runtime: Any, folder: Path) -> dict[str, float]:
    """Seconds that one sample grid and one checkpoint take, by both clocks."""
    from zoo.models.grids import grid_picture
    from zoo.models.model import Model
    from zoo.training.callbacks import SAMPLES, save_samples
    from zoo.training.state import save_checkpoint

    def draw() -> None:
        save_samples(grid_picture(Model(state.inference_copy(), None).sample(SAMPLES)), folder / "samples", 0)

    drawn = timed(draw, 1)
    saved = timed(lambda: save_checkpoint(folder / "checkpoints", state, runtime, 2), 1)
    found = {f"grid_{clock}": drawn[clock] for clock in CLOCKS.values()}
    return found | {f"checkpoint_{clock}": saved[clock] for clock in CLOCKS.values()}


def random_pictures(folder: Path, count: int, size: int) -> Path:
    """A folder of pictures of noise: what they show does not matter for speed."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(folder / f"{number:05d}.png", compress_level=0)
    return folder


class cache:
    """A cache of packs of its own, in a folder that is thrown away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        self.before = os.environ.get("ZOO_CACHE")
        os.environ["ZOO_CACHE"] = str(self.folder / "cache")

    def __exit__(self, *error: object) -> None:
        if self.before is None:
            del os.environ["ZOO_CACHE"]
        else:
            os.environ["ZOO_CACHE"] = self.before


if __name__ == "__main__":
    main()
