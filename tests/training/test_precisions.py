"""In which precision a recipe trains where nobody says."""

from __future__ import annotations

import pytest
import torch

from zoo import devices
from zoo.runs.config import RunConfig
from zoo.training.precisions import choose_precision
from zoo_core import UsageError

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def has_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_has_bf16", lambda device: True)


@pytest.mark.parametrize(
    ("recipe", "options", "expected"),
    [
        ("dcgan", {}, "bf16"),
        ("roadmap-1-r1", {}, "fp32"),
        ("r3gan-small", {}, "fp32"),
        ("r3gan-small", {"loss.every": 16}, "bf16"),
        ("r3gan-small", {"loss.r1": 0.0, "loss.r2": 0.0}, "bf16"),
        ("wgan-gp", {}, "bf16"),  # penalizes at images of its own, by a pass of its own
    ],
)
def test_penalties_in_each_step_are_in_float32_on_a_cpu(recipe: str, options: dict[str, float], expected: str) -> None:
    config = RunConfig.resolve(recipe, size=32, options=options)
    assert choose_precision("auto", config, CPU) == expected
    assert choose_precision("bf16", config, CPU) == "bf16"  # who says so has it
    assert choose_precision("auto", config, GPU) == "bf16"


def test_what_there_is_not_is_refused() -> None:
    config = RunConfig.resolve("r3gan-small", size=32)
    with pytest.raises(UsageError, match="unknown precision 'half'"):
        choose_precision("half", config, CPU)
    with pytest.raises(UsageError, match="needs a CUDA GPU, and this is cpu"):
        choose_precision("fp16", config, CPU)
