"""Where something lies in pictures: from the judge, from boxes that a person drew, or from a mask for all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from zoo_core import DataError

from .concepts import Fact
from .judging import AttributeClassifier, fitted


def places_by_judge(judge: AttributeClassifier, images: Tensor, fact: Fact) -> Tensor:
    """Which cells of a quarter-size map show a fact, as the judge sees it: bool [N, h, w].

    Where the dataset has boxes of the attribute, the judge has learned to find them. Elsewhere it is what its decision rests
    on: the class-activation map of the fact's logits (Selvaraju et al. 2017, arXiv:1610.02391), from half of its maximum on.
    """
    if fact.attribute in judge.boxed:
        return judge.cells(images, fact.attribute) > 0.5
    return torch.cat([_activation_map(judge, part, fact) for part in torch.split(images, 256)]) > 0.5


def _activation_map(judge: AttributeClassifier, images: Tensor, fact: Fact) -> Tensor:
    """Grad-CAM [n, h, w], 1 at its maximum."""
    seen: list[Tensor] = []
    handle = judge.network.low.register_forward_hook(lambda _m, _i, out: seen.append(out))
    try:
        with torch.enable_grad():
            logits = judge.network(fitted(images).requires_grad_())[0]
            start = 0
            for name, values in judge.attributes.items():
                if name == fact.attribute:
                    columns = [start + values.index(value) for value in fact.values]
                    others = [start + i for i in range(len(values)) if start + i not in columns]
                start += len(values)
            score = logits[:, columns].logsumexp(1) - logits[:, others].logsumexp(1)
            (gradient,) = torch.autograd.grad(score.sum(), seen[0])
    finally:
        handle.remove()
    found = (gradient * seen[0]).sum(1).detach().relu()
    found = F.avg_pool2d(found[:, None], 3, 1, 1)[:, 0]
    return found / found.amax((1, 2), keepdim=True).clamp(min=1e-12)


def read_places(file: str | Path, size: int) -> Tensor | dict[int, Tensor]:
    """What a person drew, as bool maps [S, S].

    A JSON file maps numbers of samples to lists of boxes [left, top, right, bottom] in pixels: {"17": [[12, 20, 50, 34]]}.
    Any picture is a mask for all samples: what is brighter than half is where the object lies.

    Raises:
        DataError: the file cannot be read, is neither, or a box lies outside of the picture.
    """
    path = Path(file)
    if not path.is_file():
        raise DataError(f"{path} does not exist" if not path.exists() else f"{path} is no file", hint="give --boxes a file")
    if path.suffix.lower() == ".json":
        return _boxes(path, size)
    try:
        with Image.open(path) as picture:
            mask = picture.convert("L").resize((size, size), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise DataError(
            f"{path} is neither a .json file of boxes nor a picture", hint='boxes: {"17": [[12, 20, 50, 34]]}'
        ) from error
    found = torch.from_numpy(np.asarray(mask) > 127)
    if not bool(found.any()) or bool(found.all()):
        raise DataError(
            f"the mask {path} is all {'white' if bool(found.any()) else 'black'}: white is where the object lies"
        )
    return found


def _boxes(path: Path, size: int) -> dict[int, Tensor]:
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        found = {int(number): [tuple(map(float, box)) for box in boxes] for number, boxes in value.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} holds no boxes: {error}", hint='expected: {"17": [[12, 20, 50, 34]], …}') from error
    if not any(found.values()):
        raise DataError(f"{path} holds no boxes", hint='expected: {"17": [[12, 20, 50, 34]], …}')
    masks = {}
    for number, boxes in found.items():
        mask = torch.zeros(size, size, dtype=torch.bool)
        for box in boxes:
            if len(box) != 4 or number < 0 or not (0 <= box[0] < box[2] <= size and 0 <= box[1] < box[3] <= size):
                raise DataError(
                    f"{path}: sample {number} has the box {list(box)}; expected left, top, right, bottom within 0 … {size}"
                )
            left, top, right, bottom = (round(side) for side in box)
            mask[top : max(bottom, top + 1), left : max(right, left + 1)] = True
        masks[number] = mask
    return masks


def at_size(masks: Tensor, height: int, width: int) -> Tensor:
    """Masks [N, h, w] at another size: a cell counts when at least half of it does."""
    return F.interpolate(masks[:, None].float(), size=(height, width), mode="area")[:, 0] >= 0.5


def spread(masks: Mapping[int, Tensor]) -> tuple[list[int], Tensor]:
    """Numbers of samples, and their masks [N, S, S]."""
    ids = sorted(number for number, mask in masks.items() if bool(mask.any()))
    return ids, torch.stack([masks[number] for number in ids])
