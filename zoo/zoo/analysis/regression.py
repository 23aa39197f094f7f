"""Which feature maps draw an object: logistic regression on activations inside and outside of its boxes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo_core import UsageError

from ..models.model import Model
from ..randomness import generator_for
from .drawing import draw
from .stages import capture_activations

_POSITIONS = 20_000  # most positions of either kind
_PENALTY = 1e-3


@torch.no_grad()
def activations_of(model: Model, stage: str, z: Tensor, labels: Tensor | None) -> Tensor:
    """The outputs [N, C, H, W] of a stage."""
    found = []
    for start in range(0, len(z), 32):
        with capture_activations({stage: model.generator.stages()[stage]}) as seen:
            draw(model, z[start : start + 32], labels[start : start + 32] if labels is not None else None)
        found.append(seen[stage][: len(z) - start].float().cpu())
    return torch.cat(found)


def weights_of(activations: Tensor, masks: Tensor, seed: int) -> tuple[Tensor, float]:
    """Logistic regression on activations [N, C, H, W]: weights [C] of inside against outside, and its held-out accuracy.

    As many positions outside as inside, drawn at random from the same images. Maps are scaled to unit variance, which leaves
    the signs as they are; a small L2 penalty keeps weights finite where the two kinds can be told apart perfectly.
    """
    rng = generator_for(seed, "positions")
    everywhere = activations.permute(0, 2, 3, 1).flatten(0, 2)  # [N·H·W, C]
    inside = masks.flatten()
    if not bool(inside.any()) or bool(inside.all()):
        raise UsageError(
            "the boxes cover none or all of the feature maps' cells", hint="draw boxes that are larger, or smaller"
        )
    count = min(_POSITIONS, int(inside.sum()), int((~inside).sum()))
    parts = [
        where.nonzero().squeeze(1)[torch.randperm(int(where.sum()), generator=rng)[:count]] for where in (inside, ~inside)
    ]
    x = everywhere[torch.cat(parts)]
    y = torch.cat([torch.ones(count), torch.zeros(count)])
    x = x / x.std(0).clamp(min=1e-6)
    order = torch.randperm(len(x), generator=rng)
    held, fitted = order[: len(x) // 5], order[len(x) // 5 :]
    weights, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(x[fitted] @ weights + bias, y[fitted]) + _PENALTY * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        right = ((x[held] @ weights + bias > 0) == (y[held] > 0.5)).float().mean() if len(held) else torch.tensor(0.0)
    return weights.detach(), float(right)
