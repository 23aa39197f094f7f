"""A stand-in for CUDA graphs, on a CPU."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zoo.devices import Runtime, start_runtime
from zoo.training.engine import Engine
from zoo.training.feed import Feed
from zoo.training.graphs import StaticSteps

Work = Callable[[], None]


class Reexecuting:
    """Computes again instead of replaying, under what the host knew when it was captured.

    As on a GPU, capturing computes nothing: every tensor is put back. As there, a replay sees the host's numbers as they
    were at the capture (the step, the images shown, updates, learning rates), and changes none of them.
    """

    def __init__(self, engine: Engine, feed: Feed) -> None:
        self.engine, self.feed = engine, feed
        self.warm = self.watched = self.captures = self.replays = 0
        self.reason, self.closed = "", False

    def warm_up(self, work: Work) -> None:
        self.warm += 1
        work()

    def watch(self, work: Work) -> str:
        self.watched += 1
        work()
        return self.reason

    def capture(self, work: Work) -> Work:
        known = self._host()
        with self._restoring_tensors():
            work()
        self.captures += 1

        def replay() -> None:
            now = self._host()
            self._set_host(known)
            work()
            self._set_host(now)
            self.replays += 1

        return replay

    def close(self) -> None:
        self.closed = True

    def _host(self) -> dict[str, Any]:
        state = self.engine.state
        return {
            **{key: getattr(state, key) for key in ("step", "images", "seconds")},
            "updates": dict(state.updates),
            "counts": dict(state.meter.counts),
        }

    def _set_host(self, known: dict[str, Any]) -> None:
        state = self.engine.state
        for key in ("step", "images", "seconds"):
            setattr(state, key, known[key])
        state.updates, state.meter.counts = dict(known["updates"]), dict(known["counts"])

    @contextmanager
    def _restoring_tensors(self) -> Iterator[None]:
        held = [(tensor, tensor.detach().clone()) for tensor in self._tensors()]
        drawn = torch.get_rng_state()
        yield
        with torch.no_grad():
            for tensor, value in held:
                tensor.copy_(value)
        torch.set_rng_state(drawn)

    def _tensors(self) -> Iterator[Tensor]:
        state = self.engine.state
        for network in state.tensors().values():
            yield from network.parameters()
            yield from network.buffers()
        for optimizer in state.optimizers.values():
            for values in optimizer.state.values():
                yield from (value for value in values.values() if isinstance(value, Tensor))
            yield from (group["lr"] for group in optimizer.param_groups if isinstance(group["lr"], Tensor))
        for part in self.engine.parts.values():
            yield from part.weights.copies if getattr(part, "weights", None) is not None else ()
        yield from state.ages.values()
        yield from (state.meter.sums, self.feed.turn)


@contextmanager
def replayed_trainings() -> Iterator[list[Reexecuting]]:
    """Let trainings on the CPU take static steps, captured by stand-ins, which are added to the list."""
    training: Any = importlib.import_module("zoo.training.train")
    made: list[Reexecuting] = []

    @contextmanager
    def start(device: torch.device, precision: str) -> Iterator[Runtime]:
        with start_runtime(device, precision) as runtime:
            yield replace(runtime, static=True)

    def steps(engine: Engine, feed: Feed, graphs: Any, *told: Any) -> StaticSteps:
        if graphs is not None:
            made.append(graphs := Reexecuting(engine, feed))
        return StaticSteps(engine, feed, graphs, *told)

    patched = {"start_runtime": start, "make_graphs": lambda runtime, **_: "a stand-in", "StaticSteps": steps}
    before = {name: getattr(training, name) for name in patched}
    vars(training).update(patched)
    try:
        yield made
    finally:
        vars(training).update(before)
