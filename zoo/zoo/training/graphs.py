"""A whole training step as one CUDA graph: captured once for each kind of step, and replayed.

A small network's step is a thousand kernels, and launching them takes a CPU several times as long as a GPU needs to compute
them. A graph is launched as one. NVIDIA, "CUDA C++ Programming Guide", section on CUDA graphs; torch.cuda.CUDAGraph.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from zoo_core.words import name_error

from ..devices import Runtime
from ..progress import Reporter
from .engine import Engine
from .feed import Feed

WARM_UP = 4  # steps of each kind that are taken as they are before any is captured; the last of them is watched
RARE = 64  # kinds that do not come twice within so many steps are never captured
AHEAD, GROUP, SECONDS = 4, 8, 0.1  # how far the host may be ahead: so many groups of so many steps, or of so many seconds

NOT_CAPTURED = "steps are not captured as a CUDA graph, which is slower"

Work = Callable[[], None]


class Graphs(Protocol):
    """What captures and replays device work."""

    def warm_up(self, work: Work) -> None:
        """Run work as it is, where it does not disturb a capture that follows."""

    def watch(self, work: Work) -> str:
        """Run work as it is; return what in it a replay could not repeat, "" for nothing."""

    def capture(self, work: Work) -> Work:
        """Capture work without computing anything; return what replays it."""

    def close(self) -> None:
        """Let go of all that was captured, or of what was left of a capture that was broken off."""


class CudaGraphs:
    """Captures on a GPU. All graphs share a memory pool: nothing that a step leaves behind lies in it.

    Args:
        compiled: whether networks are compiled; while each operation is watched they would be computed otherwise.
    """

    def __init__(self, device: torch.device, *, compiled: bool = False) -> None:
        self.compiled = compiled
        self.device, self.side = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool: Any = torch.cuda.graph_pool_handle()
        self.is_broken = False  # whether a capture was broken off
        self.graphs: list[torch.cuda.CUDAGraph] = []

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
        for other in heard:
            if other not in waits:
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
        # What torch itself does otherwise while it is captured, as its SyncBatchNorm, is no wait.
        found = [w for w in waits if not w.filename.endswith(_NOT_WHEN_CAPTURED)]
        return traffic.found or (f"it waits for the device ({found[0].filename}:{found[0].lineno})" if found else "")

    def capture(self, work: Work) -> Work:
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        torch.cuda.synchronize(self.device)
        try:
            # Another thread prepares minibatches in pinned memory meanwhile, which a global capture would not allow.
            with torch.cuda.graph(graph, pool=self.pool, stream=self.side, capture_error_mode="thread_local"):
                work()
        except BaseException:
            torch.cuda.set_stream(stream)  # a capture that cannot be ended leaves its own
            self.is_broken = True
            raise
        self.graphs.append(graph)
        return graph.replay

    def close(self) -> None:
        """As the protocol says. Communicators of several processes can only be destroyed once no graph uses them."""
        with suppress(RuntimeError):
            torch.cuda.synchronize(self.device)
        for graph in self.graphs:
            graph.reset()
        self.graphs.clear()
        if self.is_broken:  # the generator may believe that it is being captured for ever
            number = self.device.index if self.device.index is not None else torch.cuda.current_device()
            generator = torch.cuda.default_generators[number]
            with suppress(RuntimeError):
                generator.graphsafe_set_state(generator.clone_state())
            gc.collect()
            with suppress(RuntimeError):
                torch.cuda.empty_cache()


_NOT_WHEN_CAPTURED = str(Path("torch", "nn", "modules", "_functions.py"))


@dataclass(frozen=True)
class Captured:
    """A step that can be replayed, and what the host counts in it: optimizer steps by role, and recorded values by name."""

    replay: Work
    updates: dict[str, int]
    counts: dict[str, int]


class StaticSteps:
    """Takes training steps whose minibatches come from a feed; those of a kind that `graphs` has captured are replayed.

    A kind is which phases are due. The first steps of each are taken as they are, and train as any other; once all kinds are
    warm, so that what the warm-up leaves free serves the captures, each is captured when it comes next. Where one cannot be,
    all steps are taken as they are, and the reason is said.

    Args:
        graphs: what captures; None takes all steps as they are.
        on_refusal: called when it turns out that steps cannot be captured; `refusal` then says why.
    """

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        graphs: Graphs | None,
        report: Reporter | None = None,
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine, self.feed, self.graphs, self.report = engine, feed, graphs, report or Reporter()
        self.on_refusal, self.refusal = on_refusal, ""
        often = Counter(map(engine.kind, range(RARE)))
        self.seen = {kind: 0 for kind, count in often.items() if count > 1}  # kinds to capture, and how many came of each
        self.captured: dict[frozenset[str], Captured] = {}

    def step(self) -> None:
        """Take the next step; the caller counts it."""
        state = self.engine.state
        self.feed.advance(state.images, state.step)
        kind = self.engine.kind(state.step)
        if self.graphs is None or kind not in self.seen:
            self._work()
            return
        if kind not in self.captured:
            if min(self.seen.values()) < WARM_UP:
                self._warm_up(kind, self.graphs)
                return
            self._capture(kind, self.graphs)
            if kind not in self.captured:
                self._work()
                return
        found = self.captured[kind]
        found.replay()
        for role, count in found.updates.items():
            state.updates[role] = state.updates.get(role, 0) + count
        for name, count in found.counts.items():
            state.meter.counts[name] += count

    def close(self) -> None:
        """Let go of what was captured."""
        self.captured.clear()
        if self.graphs is not None:
            self.graphs.close()

    def _work(self) -> None:
        self.engine.step(self.feed.read())

    def _warm_up(self, kind: frozenset[str], graphs: Graphs) -> None:
        """Take one of the first steps of a kind; the last of them is watched."""
        self.seen[kind] += 1
        if self.seen[kind] != WARM_UP:
            graphs.warm_up(self._work)
            return
        from zoo_core.testing.placement import read_host_random_states

        self.feed.settle()
        by_torch = self.engine.runtime.device.type != "cpu"  # whose generator is the device's own there
        drawn, kept = read_host_random_states(torch_too=by_torch), self._places()
        why = graphs.watch(self._work)
        if not why and drawn != read_host_random_states(torch_too=by_torch):
            why = "it draws random numbers on the host (random, numpy.random, or torch's on the CPU)"
        if not why and kept != self._places():
            why = "a network replaces a buffer or a parameter, instead of changing it in place"
        self._agree(why)

    def _places(self) -> list[tuple[int, int]]:
        """Where all parameters and buffers lie."""
        networks = self.engine.state.networks.values()
        return [(id(t), t.data_ptr()) for net in networks for t in (*net.parameters(), *net.buffers())]

    def _capture(self, kind: frozenset[str], graphs: Graphs) -> None:
        """Capture a step of a kind, which computes nothing; what the host counted meanwhile is what a replay adds."""
        from zoo_core.testing.placement import innermost

        state, why, replay = self.engine.state, "", None
        updates, counts = dict(state.updates), dict(state.meter.counts)
        try:
            replay = graphs.capture(self._work)
        except torch.OutOfMemoryError:
            why = "there is not enough memory for it"
        except RuntimeError as error:
            cause = error.__context__ or error  # of two, the second only says that there was a first
            why = f"{name_error(cause)} ({innermost(cause.__traceback__)})"
        finally:
            more = {role: n - updates.get(role, 0) for role, n in state.updates.items()}
            recorded = {name: n - counts.get(name, 0) for name, n in state.meter.counts.items()}
            state.updates, state.meter.counts = updates, {name: counts.get(name, 0) for name in state.meter.counts}
            state.meter.pending.clear()
            for optimizer in state.optimizers.values():
                optimizer.zero_grad(set_to_none=True)
        if self._agree(why) and replay is not None:
            self.captured[kind] = Captured(replay, *({k: n for k, n in new.items() if n} for new in (more, recorded)))

    def _agree(self, why: str) -> bool:
        """Go on capturing if no process has a reason not to; return whether that is so."""
        if not self.engine.runtime.greatest(float(bool(why)))[0]:
            return True
        self.refusal = why or "another process cannot"
        self.report.note(f"{NOT_CAPTURED}: {self.refusal}")
        self.on_refusal()
        graphs, self.graphs = self.graphs, None
        self.captured.clear()
        if graphs is not None:
            graphs.close()
        return False


def can_capture(runtime: Runtime) -> bool:
    """Return whether steps can be captured: not on CPUs, and not in fp16, whose loss scaling leaves out steps."""
    return runtime.device.type == "cuda" and runtime.scaler is None


def make_graphs(runtime: Runtime, *, compiled: bool = False) -> Graphs | None:
    """Return what captures steps on the device of a training; None where nothing can."""
    return CudaGraphs(runtime.device, compiled=compiled) if can_capture(runtime) else None


@contextmanager
def pace_host(device: torch.device) -> Iterator[Callable[[], None]]:
    """Yield what is to be called after each step: it keeps the host from hurrying far ahead of the device, so that clocks,
    budgets and Ctrl-C mean what they say. The device has always something to do meanwhile.
    """
    if device.type != "cuda":
        yield lambda: None
        return
    events: deque[Any] = deque()
    count, last = 0, time.monotonic()

    def after_step() -> None:
        nonlocal count, last
        count += 1
        if count % GROUP == 0 or time.monotonic() - last > SECONDS:
            last = time.monotonic()
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(device))
            events.append(event)
            if len(events) > AHEAD:
                events.popleft().synchronize()

    yield after_step
