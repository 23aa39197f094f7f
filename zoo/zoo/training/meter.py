"""Means of what a training records between two lines of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..devices import Runtime

CAPACITY = 64
"""Most names that an algorithm may record."""


class Meter:
    """Sums since the last reading, kept on the device so that no step waits for one.

    Checkpoints hold them, so that an interruption leaves no trace in `metrics.jsonl`.

    Attributes:
        start: step of the last reading.
    """

    def __init__(self, device: torch.device) -> None:
        self.start = 0
        self.sums = torch.zeros(CAPACITY, device=device)
        self.counts: dict[str, int] = {}  # in the order of the sums

    def add(self, name: str, value: Tensor) -> None:
        """Add a scalar; a name is known from its first value on."""
        self.counts.setdefault(name, 0)
        self.counts[name] += 1
        self.sums[list(self.counts).index(name)] += value.detach()

    def means(self, runtime: Runtime) -> dict[str, float]:
        """Return the mean of each, over all processes, all of which must call it; names without a value are left out."""
        totals = runtime.mean(self.sums).tolist()
        return {name: total / count for (name, count), total in zip(self.counts.items(), totals, strict=False) if count}

    def reset(self, step: int) -> None:
        """Begin anew after the reading at `step`."""
        self.start = step
        self.sums.zero_()
        self.counts = dict.fromkeys(self.counts, 0)

    def to_json(self, runtime: Runtime) -> dict[str, Any]:
        """Plain data for a checkpoint, over all processes, all of which must call it: name → [sum, count]."""
        totals = runtime.mean(self.sums).tolist()
        pairs = zip(self.counts.items(), totals, strict=False)
        return {"start": self.start, "values": {name: [total, count] for (name, count), total in pairs}}

    def load(self, value: Mapping[str, Any]) -> None:
        """Take over what `to_json` gave."""
        self.start = value["start"]
        self.counts = {name: count for name, (_, count) in value["values"].items()}
        self.sums.zero_()
        for number, (total, _) in enumerate(value["values"].values()):
            self.sums[number] = total
