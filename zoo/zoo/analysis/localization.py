"""Where an object lies in pictures, and which feature maps draw it.

Where it lies is told by the attribute classifier, by boxes that a person drew, or by one mask for all pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from zoo_core import DataError, UsageError
from zoo_core.pictures import PictureError, read_picture

from ..devices import exact_float32, move_to
from ..documents import fault, read_document, shorten_path
from ..randomness import generator_for
from ..schemas import ListOf, MapOf, Maybe, Number
from .attribute_classifier import AttributeClassifier, shrink
from .feature_maps import capture_activations
from .labels import Fact

_POSITIONS, _PENALTY = 20_000, 1e-3  # most positions of either kind, and the weight of the L2 penalty
_EXAMPLE = '{"17": [[12, 20, 50, 34]], …}'


@dataclass(frozen=True)
class Detector:
    """The classifier, asked for one object."""

    classifier: AttributeClassifier
    fact: Fact

    def find(self, probabilities: Mapping[str, Tensor]) -> Tensor:
        """Return which pictures show the object, by the classifier's probabilities of them: bool [N]."""
        return self.fact.probability(probabilities, self.classifier.attributes) > 0.5

    def locate(self, images: Tensor) -> Tensor:
        """Return which cells of a quarter-size map show the object: bool [N, h, w].

        Where the dataset has boxes of the attribute, the classifier has learned to find them. Elsewhere it is what its
        decision rests on: the class-activation map of the fact's logits (Selvaraju et al. 2017, arXiv:1610.02391), from half
        of its maximum on.
        """
        if self.fact.attribute in self.classifier.boxed:
            return self.classifier.cells(images, self.fact.attribute) > 0.5
        return torch.cat([self._activation_map(part) for part in torch.split(images, 256)]).cpu() > 0.5

    def _activation_map(self, images: Tensor) -> Tensor:
        """Return the Grad-CAM [n, h, w], 1 at its maximum."""
        network, attributes = self.classifier.network, self.classifier.attributes
        outputs = [(name, value) for name, values in attributes.items() for value in values]
        shown = [name == self.fact.attribute and value in self.fact.values for name, value in outputs]
        absent = [name == self.fact.attribute and value not in self.fact.values for name, value in outputs]
        images = shrink(move_to(images, next(network.parameters()).device))
        with torch.enable_grad(), exact_float32(), capture_activations({"low": network.low}) as maps:
            logits = network(images.requires_grad_())[0]
            score = logits[:, shown].logsumexp(1) - logits[:, absent].logsumexp(1)
            (gradient,) = torch.autograd.grad(score.sum(), maps["low"])
        found = F.avg_pool2d((gradient * maps["low"]).sum(1).detach().relu(), 3, 1, 1)
        return found / found.amax((1, 2), keepdim=True).clamp(min=1e-12)


def read_masks(file: str | Path, size: int, samples: int = 1) -> tuple[list[int], Tensor]:
    """Return numbers of samples, and where a person says that the object lies in them: bool [N, S, S].

    A JSON file maps numbers of samples to lists of boxes [left, top, right, bottom] in pixels: {"17": [[12, 20, 50, 34]]}.
    Any picture is a mask for samples 0 … `samples` − 1: what is brighter than half is where the object lies.

    Raises:
        DataError: the file cannot be read, is neither, or a box lies outside of the picture.
    """
    path = Path(file)
    if not path.is_file():
        raise DataError(f"{path} does not exist" if not path.exists() else f"{path} is no file", hint="give --boxes a file")
    if path.suffix.lower() == ".json":
        return _read_boxes(path, size)
    try:
        mask = read_picture(path).convert("L").resize((size, size), Image.Resampling.BOX)
    except (OSError, PictureError) as error:
        wrong = f"{path} is neither a .json file of boxes nor a picture that can be read: {error}"
        raise DataError(wrong, hint=f"boxes: {_EXAMPLE}") from error
    found = torch.from_numpy(np.asarray(mask) > 127)
    if bool(found.all()) or not bool(found.any()):
        color = "white" if bool(found.any()) else "black"
        raise DataError(f"the mask {path} is all {color}: white is where the object lies")
    return list(range(samples)), found.expand(samples, -1, -1)


def _read_boxes(path: Path, size: int) -> tuple[list[int], Tensor]:
    try:
        schema, hint = MapOf(Maybe(ListOf(ListOf(Number())))), f"expected: {_EXAMPLE}"
        value: Any = read_document(path, schema, error=DataError, limit=64 << 20, hint=hint)
        found = {int(number): [list(map(float, box)) for box in boxes] for number, boxes in value.items() if boxes}
    except (DataError, ValueError) as error:
        why = str(getattr(error, "message", error)).removeprefix(shorten_path(path)).lstrip(": ")
        raise fault(path, f"it holds no boxes: {why}", error=DataError, hint=hint) from error
    if not found:
        raise DataError(f"{path} holds no boxes", hint=f"expected: {_EXAMPLE}")
    masks = torch.zeros(len(found), size, size, dtype=torch.bool)
    for mask, number in zip(masks, sorted(found), strict=True):
        for box in found[number]:
            if len(box) != 4 or number < 0 or not (0 <= box[0] < box[2] <= size and 0 <= box[1] < box[3] <= size):
                raise DataError(
                    f"{path}: sample {number} has the box {box}; expected left, top, right, bottom within 0 … {size}"
                )
            left, top, right, bottom = map(round, box)
            left, top = min(left, size - 1), min(top, size - 1)  # a box covers a pixel at least
            mask[top : max(bottom, top + 1), left : max(right, left + 1)] = True
    return sorted(found), masks


def resize_masks(masks: Tensor, height: int, width: int) -> Tensor:
    """Return masks [N, h, w] at another size: a cell counts when at least half of it does."""
    return F.interpolate(masks[:, None].float(), size=(height, width), mode="area")[:, 0] >= 0.5


def weigh_maps(activations: Tensor, masks: Tensor, seed: int) -> tuple[Tensor, float]:
    """Logistic regression on activations [N, C, H, W], where they are: weights [C] of inside against outside, on the CPU,
    and its held-out accuracy.

    As many positions outside as inside, drawn at random from the same images. Maps are scaled to unit variance, which leaves
    the signs as they are; a small L2 penalty keeps weights finite where the two kinds can be told apart perfectly.

    Raises:
        UsageError: masks [N, H, W] that cover all cells or none.
    """
    rng = generator_for(seed, "positions")
    places = [where.flatten().nonzero().squeeze(1) for where in (masks, ~masks)]
    count = min(_POSITIONS, *map(len, places))
    if not count:
        raise UsageError(
            "the boxes cover none or all of the feature maps' cells", hint="draw boxes that are larger, or smaller"
        )
    chosen = torch.cat([where[torch.randperm(len(where), generator=rng)[:count]] for where in places])
    place = activations.device
    x = activations.permute(0, 2, 3, 1).flatten(0, 2)[chosen.to(place)]  # [2 · count, C]
    x = x / x.std(0).clamp(min=1e-6)
    y = torch.cat([x.new_ones(count), x.new_zeros(count)])
    order = torch.randperm(len(x), generator=rng).to(place)
    held_out, fitted = order[: len(x) // 5], order[len(x) // 5 :]
    weights, bias = x.new_zeros(x.shape[1]).requires_grad_(), x.new_zeros(()).requires_grad_()
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(x[fitted] @ weights + bias, y[fitted]) + _PENALTY * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with exact_float32():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        right = (x[held_out] @ weights + bias > 0) == (y[held_out] > 0.5)
    return weights.detach().cpu(), float(right.sum()) / max(len(right), 1)
