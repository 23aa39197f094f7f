"""Means of the losses between two lines of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

NAMES = ("d_loss", "g_loss", "d_real", "d_fake", "d_right", "d_grad", "g_grad")
"""Losses; the discriminator's mean probability for real and generated images; the share of both that lies on its side of
the middle between their mean logits; norms of the gradients over all weights. New names go to the end: checkpoints hold the
sums in this order."""


class Meter:
    """Sums since the last reading, kept on the device so that no step waits for one.

    Checkpoints hold them, so that an interruption leaves no trace in `metrics.jsonl`.

    Attributes:
        start: step of the last reading.
    """

    def __init__(self, device: torch.device) -> None:
        self.start = 0
        self.sums = torch.zeros(len(NAMES), device=device)
        self.counts = [0] * len(NAMES)

    def add(self, **values: Tensor) -> None:
        """Add scalars by name."""
        for name, value in values.items():
            number = NAMES.index(name)
            self.sums[number] += value.detach()
            self.counts[number] += 1

    def means(self, accelerator: Any) -> dict[str, float]:
        """The mean of each, over all processes, all of which must call it; names without a value are left out."""
        totals = zip(NAMES, self._totals(accelerator), self.counts, strict=True)
        return {name: total / count for name, total, count in totals if count}

    def reset(self, step: int) -> None:
        """Begin anew after the reading at `step`."""
        self.start = step
        self.sums.zero_()
        self.counts = [0] * len(NAMES)

    def to_json(self, accelerator: Any) -> dict[str, Any]:
        """Plain data for a checkpoint, over all processes, all of which must call it."""
        return {"start": self.start, "sums": self._totals(accelerator), "counts": self.counts}

    def load(self, value: Mapping[str, Any]) -> None:
        """Take over what `to_json` gave."""
        missing = len(NAMES) - len(value["counts"])  # in a checkpoint from before the last names
        self.start, self.counts = value["start"], [*value["counts"], *[0] * missing]
        self.sums.copy_(torch.tensor([*value["sums"], *[0.0] * missing]))

    def _totals(self, accelerator: Any) -> list[float]:
        sums = accelerator.reduce(self.sums, "mean") if accelerator.num_processes > 1 else self.sums
        totals: list[float] = sums.tolist()
        return totals
