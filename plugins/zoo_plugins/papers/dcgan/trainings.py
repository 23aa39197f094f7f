"""Trainings that several claims ask for, by profile."""

from __future__ import annotations

from zoo_core import Bench, Training

NARROW = {"generator.width": 16, "discriminator.width": 16, "optimizer.lr": 8e-4}
"""Networks that learn to draw faces of 32 × 32 pixels within a minute on a processor; so narrow ones take a higher rate."""


def main_training(bench: Bench, seed: int = 0) -> Training:
    """Return the DCGAN that is looked at: what most claims are about."""
    return Training(
        bench.choose(seconds="dcgan", full="dcgan-paper"),
        images=bench.choose(seconds=1_280, minutes=40_000, hour=400_000, gpu=250_000, full=8_750_000),
        size=bench.choose(seconds=16, minutes=32, gpu=64),
        seed=seed,
        options=bench.choose(seconds=NARROW, gpu={}),
    )
