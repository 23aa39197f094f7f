"""How fast a recipe trains here: images per second, and how near that is to what the machine can do.

Operations are those of the convolutions and matrix products of one step, counted, not estimated, by running it on two
images under torch's counter. The share is that of the machine's own rate of large matrix products in the same precision,
measured in the same minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo_core import ImageSpec, TrainingError, UsageError
from zoo_core.words import name_error

from ..allocator import keep_freed_memory_during
from ..devices import Runtime, check_device, name_device, synchronize
from ..progress import Reporter
from ..reports.displaying import Displayed
from ..runs.budget import Budget
from ..runs.config import RunConfig
from .calls import NetworkCall
from .control import reproducible
from .engine import Engine
from .memory import refuse_too_large, translate_memory_errors
from .planning import check_compiler
from .precisions import choose_precision
from .state import State
from .threads import Threads, check_threads, choose_threads
from .ways import Way, choose_ways, measure_way
from .ways import random_minibatch as random_minibatch

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SIDES = (1024, 2048, 4096)  # of the square matrices whose products give the peak
ENDLESS = Budget("minutes", 1e6)


@dataclass(frozen=True, repr=False)
class Speed(Displayed):
    """What `bench` measured.

    Args:
        way: the one that `zoo train` takes with the same choices, of which the numbers here are; all are in `ways`.
        rounds: readings whose median counts; each of `steps` steps.
        images_per_s, flop_per_image: of real images.
        flops, peak_flops: achieved operations a second, and those of matrix products, the best of up to three sizes.
        warm_up_s: seconds of the first steps, which are not counted; with `compile` they compile.
    """

    recipe: str
    size: int
    channels: int
    batch: int
    precision: str
    device: str
    threads: int
    compile: bool
    rounds: int
    steps: int
    way: str
    images_per_s: float
    ms_per_step: float
    flop_per_image: float
    flops: float
    peak_flops: float
    peak_share: float
    warm_up_s: float
    ways: tuple[Way, ...] = ()

    def _describe(self) -> str:
        speed = f"{self.images_per_s:,.1f} images/s, {self.ms_per_step:.1f} ms a step"
        return f"{self.recipe}: {speed}, {self.precision} on {self.device}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def bench(
    recipe: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    batch: int | None = None,
    options: Mapping[str, Any] | None = None,
    precision: str = "auto",
    device: str = "auto",
    compile: bool | None = None,
    graphs: bool = True,
    threads: int | str | None = None,
    rounds: int = 5,
    steps: int | None = None,
    report: Reporter | None = None,
) -> Speed:
    """Measure how fast the steps of a recipe are, on random images in memory, in each way in which they can be taken.

    Args:
        recipe, size, channels, batch, options, precision, device: as `zoo.train` takes them; color by default.
        compile: whether to measure compiled networks too; by default on GPUs.
        graphs: whether to measure steps that are captured as CUDA graphs, which is what `zoo.train` does on a GPU.
        threads: as `zoo.train` takes them; what "auto" chooses is chosen first.
        rounds, steps: readings, and steps of each, rounded up to whole cycles of the recipe's schedule; by default 2 steps,
            on a GPU 40.

    Raises:
        UsageError: an argument is wrong. TrainingError: a minibatch does not fit into memory.
    """
    where = check_device(device)
    steps = (40 if where.type == "cuda" else 2) if steps is None else steps
    if rounds < 1 or steps < 1:
        raise UsageError(f"{rounds} rounds of {steps} steps are impossible; the least is 1 of 1")
    if compile:
        check_compiler(where)
    asked = check_threads(threads)
    given = {key: value for key, value in (options or {}).items() if not key.startswith("dataset.")}
    config = RunConfig.resolve(recipe, size=size, channels=channels, batch=batch, options=given)
    image = ImageSpec(config.training.size, channels or 3, 10 if config.conditional else 0)
    config = config.with_image(image)
    resolved = choose_precision(precision, config, where)
    scaler = torch.amp.GradScaler(where.type) if resolved == "fp16" else None
    runtime = Runtime(where, resolved, scaler=scaler, static=where.type == "cuda")
    refuse_too_large(config, runtime)
    chosen = choose_ways(runtime, where.type == "cuda" if compile is None else compile, graphs)
    report = report or Reporter()
    told = report.task("measuring", len(chosen) * rounds + 1, "rounds")
    needed, found = flop_per_image(config), []
    choice = choose_threads(asked, None, ENDLESS, config.training.batch, runtime, report, keep=bool(compile))
    with keep_freed_memory_during(), reproducible(False, where), choice as used, told as task:
        _settle(used, config, runtime, report)
        peak = matmul_peak(where, resolved)
        for number, name in enumerate(chosen):
            begun = number * rounds + 1
            try:
                with translate_memory_errors(config, runtime):
                    found.append(measure_way(name, config, runtime, rounds, steps, needed / peak, task.update, begun))
            except TrainingError as error:
                if len(chosen) == 1:
                    raise
                found.append(Way(name, problem=error.message))
            except Exception as error:  # a compiler's, say: the other ways may do
                if "compiled" not in name:
                    raise
                found.append(Way(name, problem=name_error(error)))
    measured = [way for way in found if not way.problem]
    if not measured:
        raise TrainingError(found[0].problem)
    usual = measured[-1] if compile else measured[0]
    return Speed(
        recipe=config.recipe["name"],
        size=image.size,
        channels=image.channels,
        batch=config.training.batch,
        precision=resolved,
        device=name_device(where),
        threads=used.number or torch.get_num_threads(),
        compile="compiled" in usual.name,
        rounds=rounds,
        steps=steps,
        way=usual.name,
        images_per_s=usual.images_per_s,
        ms_per_step=usual.ms_per_step,
        flop_per_image=needed,
        flops=needed * usual.images_per_s,
        peak_flops=peak,
        peak_share=usual.peak_share,
        warm_up_s=usual.warm_up_s,
        ways=tuple(found),
    )


def _settle(threads: Threads, config: RunConfig, runtime: Runtime, report: Reporter) -> None:
    """Take steps until the number of threads would stay, where it is to be chosen."""
    if threads.chooser is None or threads.chooser.decided:
        return
    state = State.create(config, runtime)
    engine = Engine(config, state, runtime)
    minibatch = random_minibatch(config, state, runtime.device)

    def step() -> tuple[frozenset[str], float]:
        begun, kind = time.perf_counter(), engine.kind(state.step)
        engine.step(minibatch)
        state.step += 1
        return kind, time.perf_counter() - begun

    with translate_memory_errors(config, runtime):
        threads.choose_now(step, state, report)


def flop_per_image(config: RunConfig) -> float:
    """Operations of convolutions and matrix products that a step needs, for each real image, over the recipe's schedule."""
    small = replace(config, training=replace(config.training, accumulate=1, batch=2))
    runtime = Runtime(torch.device("cpu"))
    state = State.create(small, runtime)
    engine = Engine(small, state, runtime)
    for part in engine.parts.values():
        if isinstance(part, NetworkCall):
            part.fast = nullcontext  # torch's own convolutions, which the counter knows
    minibatch = random_minibatch(small, state, torch.device("cpu"))
    total = 0
    for _ in range(engine.cycle):
        with FlopCounterMode(display=False) as counter:
            engine.step(minibatch, penalties=False)  # they may be rare
        state.step += 1
        total += counter.get_total_flops()
    return total / (2 * engine.cycle)


def matmul_peak(device: torch.device, precision: str, seconds: float = 0.5) -> float:
    """Return the best rate of square matrix products here, in floating-point operations per second."""
    best = 0.0
    for side in SIDES:
        if best and 2 * side**3 > best * seconds:
            break  # one product would take longer
        a, b = (torch.randn(side, side, device=device, dtype=DTYPES[precision]) for _ in range(2))
        best = max(best, 2 * side**3 / fastest(partial(torch.mm, a, b, out=torch.empty_like(a)), device, seconds))
    return best


def fastest(work: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """Seconds of the fastest of as many repetitions as fit into `seconds`, at least 3."""
    work()
    synchronize(device)
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        begun = time.perf_counter()
        work()
        synchronize(device)
        times.append(time.perf_counter() - begun)
    return min(times)
