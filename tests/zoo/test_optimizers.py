"""Adam is torch's own, and leaves torch's compiler alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from zoo.optimizers import Adam


def trained(kind: Any, *, fused: bool | None) -> tuple[torch.nn.Module, Any]:
    """A layer after three steps, one of them through a saved state."""
    torch.manual_seed(0)
    network = torch.nn.Linear(5, 3)
    optimizer = kind(network.parameters(), lr=0.01, betas=(0.5, 0.9), weight_decay=0.1, fused=fused)
    for number in range(3):
        network(torch.full((2, 5), number + 1.0)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        assert all(p.grad is None for p in network.parameters())
        if number == 1:
            saved = optimizer.state_dict()
            optimizer = kind(network.parameters(), lr=1.0, fused=fused)
            optimizer.load_state_dict(saved)
    return network, optimizer


@pytest.mark.parametrize("fused", [True, None])
def test_the_numbers_are_torchs(fused: bool | None) -> None:
    (mine, adam), (theirs, reference) = trained(Adam, fused=fused), trained(torch.optim.Adam, fused=fused)
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
        assert adam.state[one].keys() == reference.state[other].keys()
        assert all(torch.equal(value, reference.state[other][key]) for key, value in adam.state[one].items())
    assert adam.state_dict()["param_groups"] == reference.state_dict()["param_groups"]


def test_a_closure_runs_with_gradients() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = Adam([weight], lr=0.1)

    def closure() -> float:
        loss = weight.square().sum()
        loss.backward()
        return float(loss.detach())

    assert optimizer.step(closure) == 2
    assert torch.allclose(weight, torch.full((2,), 0.9))


def test_hooks_are_called() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer, heard = Adam([weight]), []
    optimizer.register_step_post_hook(lambda *given: heard.append(given[0]))
    weight.grad = torch.ones(2)
    optimizer.step()
    assert heard == [optimizer]


def test_training_does_not_import_the_compiler(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / f"{number}.png")
    script = f"""
import sys
import zoo
zoo.train("dcgan", dataset="folder", data={str(tmp_path)!r}, size=16, batch=4, images=12,
          out={str(tmp_path / "run")!r}, device="cpu", options={{"generator.width": 4, "discriminator.width": 4}})
sys.exit("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
