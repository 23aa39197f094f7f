"""The ways in which training steps can be taken on a machine, each measured by itself: as they are, with compiled networks,
captured as CUDA graphs.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..devices import Runtime, synchronize
from ..packs import to_images
from ..randomness import generator_for
from ..runs.config import RunConfig
from .batches import Minibatch
from .engine import Engine
from .feed import Feed
from .graphs import RARE, WARM_UP, StaticSteps, can_capture, make_graphs
from .state import State


@dataclass(frozen=True)
class Way:
    """How fast the same steps are in one of the ways in which they can be taken.

    Args:
        peak_memory_mb: most that a GPU's allocator held meanwhile; None on a CPU.
        kernels, kernels_ms: of one step on a GPU, and how long they take, laid end to end; on a CPU torch's operators. None
            for compiled networks on a CPU, whose operators are not torch's.
        warm_up_s: seconds of the first steps, which are not counted: they compile and capture.
        problem: why there are no numbers; "" where there are.
    """

    name: str  # "eager", "captured" as a CUDA graph, "compiled" networks, or "captured, compiled"
    ms_per_step: float = 0.0
    images_per_s: float = 0.0
    peak_share: float = 0.0
    peak_memory_mb: float | None = None
    kernels: int | None = None
    kernels_ms: float | None = None
    warm_up_s: float = 0.0
    problem: str = ""


def choose_ways(runtime: Runtime, compile: bool, graphs: bool) -> list[str]:
    """Return the ways in which steps can be taken here, that of `zoo train` first, and that of its --compile last."""
    captured = graphs and can_capture(runtime)
    return [
        *(["captured"] if captured else []),
        "eager",
        *(["compiled"] if compile else []),
        *(["captured, compiled"] if compile and captured else []),
    ]


class StillFeed(Feed):
    """A feed whose minibatch is always the same."""

    def __init__(self, minibatch: Minibatch) -> None:
        self.minibatch, self.waiting = minibatch, None  # no thread prepares anything

    def advance(self, position: int, step: int) -> None:
        """Nothing has to be moved."""

    def read(self) -> Minibatch:
        """Return the minibatch."""
        return self.minibatch


def make_step(name: str, config: RunConfig, runtime: Runtime) -> tuple[Callable[[], None], int, StaticSteps | None]:
    """Return what takes the next step in one of the ways, from a fresh state; how many steps are a cycle; and what captures
    them, which tells `report` where it cannot.
    """
    state = State.create(config, runtime)
    engine = Engine(config, state, runtime, compile="compiled" in name)
    minibatch = random_minibatch(config, state, runtime.device)
    if runtime.static and engine.scheduled:
        minibatch = minibatch._replace(rates=torch.tensor(engine.rates(0), device=runtime.device))
    captured = "captured" in name
    graphs = make_graphs(runtime, compiled="compiled" in name) if captured else None
    steps = StaticSteps(engine, StillFeed(minibatch), graphs) if captured else None

    def step() -> None:
        if steps is not None:
            steps.step()
        else:
            engine.step(minibatch)
        state.step += 1

    return step, engine.cycle, steps


def measure_way(
    name: str,
    config: RunConfig,
    runtime: Runtime,
    rounds: int,
    steps: int,
    peak_seconds: float,
    told: Callable[[float], object] = lambda done: None,
    done: int = 0,
) -> Way:
    """Measure one of the ways; `peak_seconds` are those of an image at the peak. `told` hears of each reading."""
    where = runtime.device
    if where.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(where)
    step, cycle, captures = make_step(name, config, runtime)

    def run(count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            step()
        synchronize(where)
        return time.perf_counter() - begun

    warm_up = run(cycle)
    if captures is not None:
        for _ in range(RARE * (WARM_UP + 1)):  # until all kinds of steps are captured, rare penalties too
            if captures.graphs is None or captures.seen.keys() <= captures.captured.keys():
                break
            warm_up += run(1)
        if captures.graphs is None:
            return Way(name, warm_up_s=warm_up, problem=captures.refusal)
    count = -(-steps // cycle) * cycle
    readings = []
    for number in range(rounds):
        readings.append(run(count) / count)
        told(done + number + 1)
    seconds, batch = statistics.median(readings), config.training.batch
    memory = torch.cuda.max_memory_allocated(where) / 1e6 if where.type == "cuda" else None
    kernels, busy = (None, None) if where.type != "cuda" and "compiled" in name else count_kernels(run, cycle, where)
    if captures is not None:
        captures.close()
    return Way(
        name,
        ms_per_step=1000 * seconds,
        images_per_s=batch / seconds,
        peak_share=peak_seconds * batch / seconds,
        peak_memory_mb=memory,
        kernels=kernels,
        kernels_ms=busy,
        warm_up_s=warm_up,
    )


def count_kernels(run: Callable[[int], object], steps: int, device: torch.device) -> tuple[int | None, float | None]:
    """Return how many kernels a step is, and how many milliseconds they take laid end to end, as means over `steps`.

    On a CPU they are torch's operators. None where the profiler hears of none, for drivers may forbid it.
    """
    if device.type == "cuda":
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA]) as heard:
            run(steps)
        events: list[Any] = [event for event in heard.events() or () if event.device_type.name == "CUDA"]
        kernels = [event for event in events if not getattr(event, "is_user_annotation", False)]
        times = [kernel.time_range.elapsed_us() / 1000 for kernel in kernels]
    else:
        with _Operators() as watch:
            run(steps)
        times = watch.times
    return (round(len(times) / steps), sum(times) / steps) if times else (None, None)


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Times torch's operators as they come, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.times: list[float] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        begun = time.perf_counter()
        out = function(*args, **(kwargs or {}))
        self.times.append(1000 * (time.perf_counter() - begun))
        return out


def random_minibatch(config: RunConfig, state: State, device: torch.device, n: int | None = None) -> Minibatch:
    """Random images, labels and latents of a configuration's shapes, the same each time; `n` of them, else a minibatch."""
    assert config.image is not None
    image, n, rng = config.image, n or config.training.batch, generator_for(0, "bench")
    shape = (n, image.size, image.size, image.channels)
    real = to_images(torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng)).to(device)
    labels = torch.randint(0, image.num_classes, (n,), generator=rng).to(device) if image.num_classes else None
    return Minibatch(real, labels, state.generator.sample_latent(n, rng).to(device))
