"""Checks of feature extractors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import networks
from .subjects import Failed, N, Subject, as_tensor, listed, require, same


def _pictures(channels: int = 3, size: int = 32, n: int = N) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def vectors(subject: Subject) -> None:
    """[N, dim] for gray and color, several sizes and a single image."""
    extractor = subject.build().eval()
    dim: Any = getattr(extractor, "dim", None)
    require(isinstance(dim, int) and dim >= 1, f"its dim is {dim!r}, expected a whole number of at least 1")
    for channels, size, n in ((3, 32, N), (1, 32, N), (3, 64, N), (1, 64, 1)):
        what = f"forward of images [{n}, {channels}, {size}, {size}]"
        try:
            with torch.no_grad():
                out = extractor(_pictures(channels, size, n))
        except Exception as error:
            raise Failed(f"{what}: {type(error).__name__}: {error}; expected [N, dim]") from error
        as_tensor(out, what, shape=[n, dim], meaning="[N, dim]")


def same_input_same_output(subject: Subject) -> None:
    first = networks.repeatable(subject.build().eval())
    again = networks.repeatable(subject.build(seed=7).eval())
    require(same(first, again), "another instance gives other features, expected fixed weights or a seed among the options")


def independent_of_batch_mates(subject: Subject) -> None:
    whole = networks.independent(subject.build().eval())
    require(not same(whole[0], whole[1], tolerance=1e-6), "two images have the same features, expected different ones")


def no_side_effects(subject: Subject) -> None:
    """Gradients can pass to the images; nothing stays behind in the extractor."""
    extractor: Any = subject.build().eval()
    state = {name: tensor.clone() for name, tensor in extractor.state_dict().items()}
    x = _pictures()
    extractor(x)
    require(torch.is_grad_enabled(), "forward switches gradients off for everybody, expected torch.no_grad() as a context")
    require(x.grad is None, "forward calls backward")
    left = [name for name, p in extractor.named_parameters() if p.grad is not None]
    require(not left, f"forward leaves a gradient in {listed(left)}, expected none")
    changed = [name for name, tensor in extractor.state_dict().items() if not torch.equal(tensor, state[name])]
    require(not changed, f"forward changes {listed(changed)}, expected no state")


CHECKS = (vectors, same_input_same_output, independent_of_batch_mates, no_side_effects, networks.cpu_seconds)
