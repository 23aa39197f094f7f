"""Directions of latent space that a generator itself prefers: of its first weights, and of a stage's activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_core import UsageError
from zoo_core.errors import unknown

from ..devices import arithmetic_device, exact_float32, move_to
from ..models.model import Model
from ..randomness import latents_for, seeded
from .samples import Label

LATENTS = 4096  # random latents whose activations make the principal components
_UNITS = 16_384  # most numbers of an activation; larger maps are averaged over cells
_MORE = 16  # components that are computed beyond those asked for, which makes these exact
_PIECE = 256  # latents that go through the first layers together
_CLOSE = 1e-3  # relative difference from a linear map that rounding may make


class _Reached(Exception):
    """The layer that was asked for has been called: what follows it need not be computed."""


def find_weight_directions(model: Model, count: int, label: Label) -> Tensor:
    """Return the eigenvectors [K, latent_dim] of WᵀW with the largest eigenvalues, K ≤ count (Shen and Zhou 2021).

    W are the first weights that the latents meet.

    Raises:
        UsageError: the first layer that depends on the latents is no linear function of them.
    """
    layer = _first_layer(model, label)
    dim = model.generator.latent_dim
    at_zero = _run_until(model, layer, torch.zeros(1, dim), label)
    pieces = torch.split(torch.eye(dim), _PIECE)
    weights = torch.cat([_run_until(model, layer, piece, label) - at_zero for piece in pieces]).cpu().double()  # [D, F], Wᵀ
    used = (weights.abs().amax(1) > 0).nonzero().squeeze(1)  # a layer may be given a part of the latent
    values, columns = torch.linalg.eigh(weights[used] @ weights[used].T)  # ascending
    kept = [i for i in reversed(range(len(values))) if values[i] > values[-1] * 1e-9][:count]
    vectors = torch.zeros(len(kept), dim)
    vectors[:, used] = columns[:, kept].T.float()
    return _orient(vectors)


def find_component_directions(model: Model, count: int, stage: str | None, label: Label, seed: int) -> Tensor:
    """Return directions [K, latent_dim], K ≤ count, whose latents go with the principal components of a stage's activations.

    Components x of unit variance are uncorrelated, so the least-squares map from them to latents is the mean of z · x
    (Härkönen et al. 2020, equation 4).

    Raises:
        UsageError: the generator has no such stage.
    """
    stages = model.generator.stages()
    if stage is None and stages:
        stage = next(iter(stages))
    if stage is None or stage not in stages:
        raise unknown("stage", stage or "", stages)
    z = latents_for(model.generator, seed, range(LATENTS))
    outputs = torch.cat([_run_until(model, stages[stage], piece, label) for piece in torch.split(z, _PIECE)])  # [N, F]
    outputs = outputs.to(arithmetic_device(outputs.device))
    most = min(outputs.shape)
    with exact_float32(), seeded(seed, "components", outputs.device):  # the sketch is random
        components, sizes, _ = torch.pca_lowrank(outputs, q=min(count + _MORE, most), niter=4)  # [N, q], largest first
    kept = int((sizes > sizes[0] * 1e-4).sum())
    vectors = components[:, : min(count, kept, z.shape[1])].T.cpu() @ (z - z.mean(0))
    return _orient(vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12))


def _orient(vectors: Tensor) -> Tensor:
    """Give directions [K, D] the sign in which their largest number is positive: both signs are as good."""
    largest = vectors.abs().argmax(1, keepdim=True)
    return vectors * vectors.gather(1, largest).sign()


def _first_layer(model: Model, label: Label) -> nn.Module:
    """Return the first layer with weights whose output depends on the latents; raises `UsageError` unless linearly."""
    dim = model.generator.latent_dim
    a, b = latents_for(model.generator, 0, range(2))
    found: list[tuple[str, nn.Module, Tensor]] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, _inputs: Any, out: Any) -> None:
            if isinstance(out, Tensor) and len(out) == 4:
                found.append((name, module, out.detach().reshape(4, -1).cpu().double()))

        return hook

    layers = [(n, m) for n, m in model.generator.named_modules() if _has_weights(m)]
    hooks = [module.register_forward_hook(note(name)) for name, module in layers]
    try:
        _forward(model, torch.stack([torch.zeros(dim), a, b, a + b]), label)
    finally:
        for hook in hooks:
            hook.remove()
    for name, module, (zero, of_a, of_b, of_both) in found:
        size = float((of_a - zero).norm() + (of_b - zero).norm())
        if size == 0:
            continue
        if float((of_both + zero - of_a - of_b).norm()) <= _CLOSE * size:
            return module
        raise UsageError(
            f"the latents reach no layer of this generator unchanged: its first, {name}, is no linear function of them",
            hint="find directions of its activations: --method pca",
        )
    raise UsageError("no layer of this generator depends on the latents", hint="try: --method pca")


def _has_weights(module: nn.Module) -> bool:
    """Whether a module has a matrix (or kernel) of its own, also one that is computed from others."""
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim >= 2 and not isinstance(module, nn.Embedding)


@torch.no_grad()
def _forward(model: Model, z: Tensor, label: Label) -> None:
    dtype = next(model.generator.parameters()).dtype
    with seeded(0, "inside", model.device), exact_float32():
        model.generator(move_to(z.to(dtype), model.device), model.labels_of([0] * len(z), label))


def _run_until(model: Model, layer: nn.Module, z: Tensor, label: Label) -> Tensor:
    """Return a module's outputs [N, F] for latents [N, D], where it is; what follows it is not computed."""
    found: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, out: Tensor) -> None:
        found.append(out.float())
        raise _Reached

    handle = layer.register_forward_hook(hook)
    try:
        _forward(model, z, label)
    except _Reached:
        pass
    finally:
        handle.remove()
    (outputs,) = found
    if outputs.ndim == 4 and outputs[0].numel() > _UNITS:
        side = max(1, int((_UNITS / outputs.shape[1]) ** 0.5))
        outputs = F.adaptive_avg_pool2d(outputs, (min(side, outputs.shape[2]), min(side, outputs.shape[3])))
    return outputs.flatten(1)
