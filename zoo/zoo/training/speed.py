"""How fast a recipe trains here: images per second, and how near that is to what the machine can do.

Operations are those of the convolutions and matrix products of one step, counted, not estimated, by running it on two
images under torch's counter. The share is that of the machine's own rate of large matrix products in the same precision,
measured in the same minute.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo_core import ImageSpec, UsageError

from ..allocator import keep_freed_memory_during
from ..devices import Runtime, check_device, name_device, resolve_precision, synchronize
from ..packs import to_images
from ..progress import Reporter
from ..randomness import generator_for
from ..runs.config import RunConfig
from .batches import Minibatch
from .calls import NetworkCall
from .engine import Engine
from .memory import refuse_too_large, translate_memory_errors
from .planning import check_compiler
from .state import State

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SIDES = (1024, 2048, 4096)  # of the square matrices whose products give the peak


@dataclass(frozen=True)
class Speed:
    """What `bench` measured.

    Args:
        rounds: readings whose median counts; each of `steps` steps.
        images_per_s, flop_per_image: of real images.
        flops, peak_flops: achieved operations a second, and those of matrix products, the best of three sizes.
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
    images_per_s: float
    ms_per_step: float
    flop_per_image: float
    flops: float
    peak_flops: float
    peak_share: float
    warm_up_s: float

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
    compile: bool = False,
    rounds: int = 5,
    steps: int = 2,
    report: Reporter | None = None,
) -> Speed:
    """Measure how fast the steps of a recipe are, on random images in memory.

    Args:
        recipe, size, channels, batch, options, precision, device, compile: as `zoo.train` takes them; color by default.
        rounds, steps: readings, and steps of each, rounded up to whole cycles of the recipe's schedule.

    Raises:
        UsageError: an argument is wrong. TrainingError: a minibatch does not fit into memory.
    """
    if rounds < 1 or steps < 1:
        raise UsageError(f"{rounds} rounds of {steps} steps are impossible; the least is 1 of 1")
    where = check_device(device)
    if compile:
        check_compiler(where)
    resolved = resolve_precision(precision, where)
    given = {key: value for key, value in (options or {}).items() if not key.startswith("dataset.")}
    config = RunConfig.resolve(recipe, size=size, channels=channels, batch=batch, options=given)
    image = ImageSpec(config.training.size, channels or 3, 10 if config.conditional else 0)
    config = config.with_image(image)
    runtime = Runtime(where, resolved, scaler=torch.amp.GradScaler(where.type) if resolved == "fp16" else None)
    refuse_too_large(config, runtime)
    told = (report or Reporter()).task("measuring", rounds + 2, "rounds")
    with keep_freed_memory_during(), told as task, translate_memory_errors(config, runtime):
        state = State.create(config, runtime)
        engine = Engine(config, state, runtime, compile=compile)
        steps = -(-steps // engine.cycle) * engine.cycle
        minibatch = random_minibatch(config, state, where)

        def run(count: int) -> float:
            begun = time.perf_counter()
            for _ in range(count):
                engine.step(minibatch)
                state.step += 1
            synchronize(where)
            return time.perf_counter() - begun

        warm = run(engine.cycle)
        readings = []
        for number in range(rounds):
            task.update(number + 1)
            readings.append(run(steps) / steps)
        task.update(rounds + 1)
        peak = matmul_peak(where, resolved)
    seconds, needed = statistics.median(readings), flop_per_image(config)
    rate = config.training.batch / seconds
    return Speed(
        recipe=config.recipe["name"],
        size=image.size,
        channels=image.channels,
        batch=config.training.batch,
        precision=resolved,
        device=name_device(where),
        threads=torch.get_num_threads(),
        compile=compile,
        rounds=rounds,
        steps=steps,
        images_per_s=rate,
        ms_per_step=1000 * seconds,
        flop_per_image=needed,
        flops=needed * rate,
        peak_flops=peak,
        peak_share=needed * rate / peak,
        warm_up_s=warm,
    )


def random_minibatch(config: RunConfig, state: State, device: torch.device, n: int | None = None) -> Minibatch:
    """Random images, labels and latents of a configuration's shapes, the same each time; `n` of them, else a minibatch."""
    assert config.image is not None
    image, n, rng = config.image, n or config.training.batch, generator_for(0, "bench")
    shape = (n, image.size, image.size, image.channels)
    real = to_images(torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng)).to(device)
    labels = torch.randint(0, image.num_classes, (n,), generator=rng).to(device) if image.num_classes else None
    return Minibatch(real, labels, state.generator.sample_latent(n, rng).to(device))


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
