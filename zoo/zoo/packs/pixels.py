"""Between the bytes of a pack and the numbers that networks see."""

from __future__ import annotations

import torch
from torch import Tensor


def to_images(batch: Tensor) -> Tensor:
    """uint8 [N, S, S, C] → float32 [N, C, S, S] in [−1, 1] on the same device, in channels-last memory format.

    0 becomes −1 and 255 becomes 1, the range of the generator's tanh (Radford et al. 2015, arXiv:1511.06434, section 4).
    """
    images = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)  # [N, C, S, S]
    return images.div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Float [N, C, S, S] in [−1, 1] → uint8 [N, S, S, C], to the nearest level; what lies outside is clipped.

    `to_uint8(to_images(batch))` is `batch`.
    """
    levels = images.detach().to(torch.float32, copy=True).add_(1).mul_(127.5).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
