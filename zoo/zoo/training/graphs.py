"""A whole training step as one CUDA graph: captured once for each kind of step, and replayed.

A small network's step is a thousand kernels, and launching them takes a CPU several times as long as a GPU needs to compute
them. A graph is launched as one. NVIDIA, "CUDA C++ Programming Guide", section on CUDA graphs; torch.cuda.CUDAGraph.
"""

from __future__ import annotations

import gc
import random
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ..devices import Runtime
from ..progress import Reporter
from .engine import Engine
from .feed import Feed

WARM_UP = 4  # steps of each kind that are taken as they are before it is captured; the last of them is watched
AHEAD, GROUP = 4, 8  # how far the host may be ahead of the device: so many groups of so many steps

Work = Callable[[], None]


class Graphs(Protocol):
    """What captures and replays device work."""

    def warm_up(self, work: Work) -> None:
        """Run work as it is, where it does not disturb a capture that follows."""

    def watch(self, work: Work) -> str:
        """Run work as it is; return what in it a replay could not repeat, "" for nothing."""

    def capture(self, work: Work) -> Work:
        """Capture work without computing anything; return what replays it."""


class CudaGraphs:
    """Captures on a GPU. All graphs share a memory pool: nothing that a step leaves behind lies in it.

    Args:
        compiled: whether networks are compiled; while each operation is watched they would be computed otherwise.
    """

    def __init__(self, device: torch.device, *, compiled: bool = False) -> None:
        self.compiled = compiled
        self.device, self.side = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool: Any = None

    def warm_up(self, work: Work) -> None:
        self.side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.side):
            work()
        torch.cuda.current_stream(self.device).wait_stream(self.side)

    def watch(self, work: Work) -> str:
        from zoo_core.testing.placement import HostTraffic

        mode = torch.cuda.get_sync_debug_mode()
        traffic = HostTraffic(self.device.type)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                with nullcontext() if self.compiled else traffic:
                    self.warm_up(work)
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        waits = [w for w in heard if "synchronizing CUDA operation" in str(w.message)]
        return traffic.found or (f"it waits for the device ({waits[0].filename}:{waits[0].lineno})" if waits else "")

    def capture(self, work: Work) -> Work:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        torch.cuda.synchronize(self.device)
        try:
            # Another thread prepares minibatches in pinned memory meanwhile, which a global capture would not allow.
            with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
                work()
        except BaseException:
            torch.cuda.set_stream(stream)  # a capture that cannot be ended leaves its own
            self._recover()
            raise
        self.pool = self.pool or graph.pool()
        return graph.replay

    def _recover(self) -> None:
        """After a capture that failed, random numbers are to be drawn again, and its memory is to be free."""
        generator = torch.cuda.default_generators[self.device.index or 0]
        with suppress(RuntimeError):
            generator.graphsafe_set_state(generator.clone_state())
        gc.collect()
        with suppress(RuntimeError):
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class Captured:
    """A step that can be replayed, and what the host counts in it: optimizer steps by role, and recorded values by name."""

    replay: Work
    updates: dict[str, int]
    counts: dict[str, int]


class StaticSteps:
    """Takes training steps whose minibatches come from a feed; those of a kind that `graphs` has captured are replayed.

    A kind is which phases are due. Its first steps are taken as they are, and train as any other. A kind that cannot be
    captured goes on so, and the reason is said once.

    Args:
        graphs: what captures; None takes all steps as they are.
    """

    def __init__(self, engine: Engine, feed: Feed, graphs: Graphs | None, report: Reporter | None = None) -> None:
        self.engine, self.feed, self.graphs, self.report = engine, feed, graphs, report or Reporter()
        self.seen: dict[frozenset[str], int] = {}
        self.captured: dict[frozenset[str], Captured | None] = {}  # None for a kind that cannot be

    def step(self) -> None:
        """Take the next step; the caller counts it."""
        state = self.engine.state
        self.feed.advance(state.images, state.step)
        kind = frozenset(phase.name for phase in self.engine.due())
        if kind not in self.captured:
            if self.graphs is None:
                self.captured[kind] = None
            elif not self._warm_up(kind, self.graphs):
                return
        found = self.captured[kind]
        if found is None:
            self._work()
            return
        found.replay()
        for role, count in found.updates.items():
            state.updates[role] = state.updates.get(role, 0) + count
        for name, count in found.counts.items():
            state.meter.counts[name] += count

    def _work(self) -> None:
        self.engine.step(self.feed.read())

    def _warm_up(self, kind: frozenset[str], graphs: Graphs) -> bool:
        """Take one of the first steps of a kind, or capture it after them; return whether the step is still to be taken."""
        number = self.seen[kind] = self.seen.get(kind, 0) + 1
        if number < WARM_UP:
            graphs.warm_up(self._work)
        elif number == WARM_UP:
            self.feed.settle()
            drawn = host_random_state(self.engine.runtime.device)
            why = graphs.watch(self._work)
            if not why and drawn != host_random_state(self.engine.runtime.device):
                why = "it draws random numbers on the host (random, numpy.random, or torch's on the CPU)"
            if why:
                self._give_up(kind, why)
        else:
            self._capture(kind, graphs)
            return True
        return False

    def _capture(self, kind: frozenset[str], graphs: Graphs) -> None:
        from zoo_core.testing.placement import innermost

        state, why, replay = self.engine.state, "", None
        updates, counts = dict(state.updates), dict(state.meter.counts)
        try:
            replay = graphs.capture(self._work)
        except torch.OutOfMemoryError:
            why = "there is not enough memory for it"
        except RuntimeError as error:
            why = f"{type(error).__name__}: {str(error).splitlines()[0]} ({innermost(error.__traceback__)})"
        finally:
            new_updates = {role: n - updates.get(role, 0) for role, n in state.updates.items()}
            new_counts = {name: n - counts.get(name, 0) for name, n in state.meter.counts.items()}
            state.updates, state.meter.counts = updates, counts | dict.fromkeys(state.meter.counts.keys() - counts.keys(), 0)
            state.meter.pending.clear()
            for optimizer in state.optimizers.values():
                optimizer.zero_grad(set_to_none=True)
        failed = self.engine.runtime.greatest(float(replay is None))[0]  # all processes alike
        if replay is None or failed:
            self._give_up(kind, why or "another process cannot capture it")
            return
        self.captured[kind] = Captured(replay, *({k: n for k, n in new.items() if n} for new in (new_updates, new_counts)))

    def _give_up(self, kind: frozenset[str], why: str) -> None:
        if None not in self.captured.values():
            self.report.note(f"steps are not captured as a CUDA graph, which is slower: {why}")
        self.captured[kind] = None


def host_random_state(device: torch.device) -> int:
    """Return a number that changes when somebody draws from the host's global random generators."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    own = () if device.type == "cpu" else (torch.get_rng_state().numpy().tobytes(),)
    return hash((random.getstate(), kind, np.asarray(keys).tobytes(), *rest, *own))


def graphs_for(runtime: Runtime, *, compiled: bool = False) -> Graphs | None:
    """Return what captures steps on the device of a training; None where nothing can: on CPUs, and in fp16, whose loss
    scaling leaves out steps.
    """
    captures = runtime.device.type == "cuda" and runtime.scaler is None
    return CudaGraphs(runtime.device, compiled=compiled) if captures else None


@contextmanager
def paced(device: torch.device) -> Iterator[Callable[[], None]]:
    """Yield what is to be called after each step: it keeps the host from hurrying far ahead of the device, so that clocks,
    budgets and Ctrl-C mean what they say. The device has always something to do meanwhile.
    """
    if device.type != "cuda":
        yield lambda: None
        return
    events: deque[Any] = deque()
    count = 0

    def after_step() -> None:
        nonlocal count
        count += 1
        if count % GROUP == 0:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(device))
            events.append(event)
            if len(events) > AHEAD:
                events.popleft().synchronize()

    yield after_step
