"""Semantic hashes of pictures, as the authors of DCGAN made them (Radford et al. 2015, arXiv:1511.06434, section 4.1.1).

A denoising, dropout-regularized autoencoder of 3072, 128 and 3072 units with ReLU sees 32×32 pictures; which of its code
units are active is the hash. The paper gives neither noise nor rate of dropout, optimizer or threshold. Here:

- The noise is what near-duplicates differ by. Of a sample of the pictures, copies are made that are saved again, a little
  moved, rescaled and brightened. The covariance of what that changes, within brightness and within each of two color
  differences, is the covariance of the Gaussian noise, and the inputs are scaled so that it is white. So what
  near-duplicates share counts, and what they do not share does not.
- Half of the code is dropped out. Adam's rate falls from 1e-3 to 0. A unit's threshold is where its ReLU begins.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoo_core.pictures import open_picture

from ...optimizers import Adam
from ...progress import SILENT, Reporter
from ...randomness import generator_for
from .. import Pack
from .hashing import BITS, BLOCK, INPUTS, PLANE, SHIFT, PictureHash, crops

SAMPLE, LEAST, STEPS, BATCH = 16384, 4096, 800, 128
LEARNING_RATE, DROPOUT = 1e-3, 0.5
RESCALE, BRIGHTNESS = 0.02, 0.03  # most by which a copy is rescaled and brightened
QUALITY = (50, 95)  # of the JPEG as which it is saved, from and below
_FLOOR = 0.01  # of the range of a pixel: least standard deviation of the noise


def augment(images: Tensor, random: torch.Generator) -> Tensor:
    """A near-duplicate of each of uint8 images [n, S, S, C]: moved, rescaled, brightened, saved again as `random` says."""
    n = len(images)

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(n, *shape, generator=random) - 1

    scale = 1 + RESCALE * uniform()
    where = torch.zeros(n, 2, 3)  # from a pixel of the copy to the place it comes from; −1 to 1 is the whole width
    where[:, 0, 0] = where[:, 1, 1] = scale
    where[:, :, 2] = 2 * SHIFT * uniform(2)
    pixels = images.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(where, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, mode="bicubic", padding_mode="border", align_corners=False)
    moved *= 1 + BRIGHTNESS * uniform(1, 1, 1)
    levels = moved.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    quality = torch.randint(*QUALITY, (n,), generator=random).tolist()
    return torch.from_numpy(np.stack([_save_again(*each) for each in zip(levels, quality, strict=True)]))


def _save_again(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(open_picture(buffer)).reshape(pixels.shape)


def fit_hash(pack: Pack, *, seed: int = 0, report: Reporter = SILENT) -> PictureHash:
    """Train the autoencoder on (at most `SAMPLE` of) the images of a pack; the time does not grow with the pack."""
    random = generator_for(seed, "dedup")
    chosen = torch.randperm(len(pack), generator=random)[:SAMPLE].sort().values
    chosen = chosen.repeat(max(1, math.ceil(LEAST / len(chosen))))  # of few images, several copies each
    with report.task("learning hashes", STEPS, "steps") as task:
        clean, change = torch.empty(len(chosen), INPUTS), torch.empty(len(chosen), INPUTS)
        for start in range(0, len(chosen), BLOCK):
            images = pack.gather(chosen[start : start + BLOCK])
            clean[start : start + BLOCK] = crops(images)
            change[start : start + BLOCK] = crops(augment(images, random)) - clean[start : start + BLOCK]
        mean = clean.mean(0)
        white = _whitening(change)
        inputs = white(clean - mean)
        scale = float(inputs.square().mean().sqrt()) or 1.0
        encoder, bias = _train(inputs.div_(scale), 1 / scale, random, task.update)
    weight = white(encoder / scale, transposed=True).double()
    return PictureHash(weight, weight @ mean.double() - bias.double())


def _whitening(change: Tensor) -> Callable[..., Tensor]:
    """Return the linear map of [n, 3072] after which `change` is white in each of three orthogonal mixtures of the colors.

    With `transposed` it goes the other way: from a weight on what is mapped to one on pixels.
    """
    mixtures = F.normalize(torch.tensor([[1.0, 1, 1], [1, -1, 0], [1, 1, -2]]), dim=1)  # [mixture, color]

    def mixed(rows: Tensor, way: Tensor) -> Tensor:
        return torch.einsum("mc,ncp->nmp", way, rows.view(-1, 3, PLANE))

    inverses, identity = [], torch.eye(PLANE, dtype=torch.float64)
    for part in mixed(change, mixtures).unbind(1):
        lower = torch.linalg.cholesky((part.T @ part).double() / len(part) + _FLOOR**2 * identity)
        inverses.append(torch.linalg.solve_triangular(lower, identity, upper=False).float())

    def white(rows: Tensor, *, transposed: bool = False) -> Tensor:
        if transposed:
            parts = [part @ inverse for part, inverse in zip(rows.view(-1, 3, PLANE).unbind(1), inverses, strict=True)]
            return mixed(torch.stack(parts, 1), mixtures.T).flatten(1)
        parts = [part @ inverse.T for part, inverse in zip(mixed(rows, mixtures).unbind(1), inverses, strict=True)]
        return torch.cat(parts, 1)

    return white


def _train(x: Tensor, noise: float, random: torch.Generator, progress: Callable[[float], None]) -> tuple[Tensor, Tensor]:
    """Weight [128, 3072] and bias [128] of the encoder that, with its decoder, takes the noise away again."""
    encoder = torch.randn(BITS, INPUTS, generator=random).mul_(0.05 * INPUTS**-0.5).requires_grad_()
    decoder = torch.randn(INPUTS, BITS, generator=random).mul_(BITS**-0.5).requires_grad_()
    bias, offset = torch.zeros(BITS, requires_grad=True), torch.zeros(INPUTS, requires_grad=True)
    optimizer = Adam([encoder, bias, decoder, offset], lr=LEARNING_RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / STEPS)
        clean = x[torch.randint(len(x), (BATCH,), generator=random)]
        code = F.relu(F.linear(clean + noise * torch.randn(clean.shape, generator=random), encoder, bias))
        kept = torch.rand(code.shape, generator=random) >= DROPOUT
        loss = F.mse_loss(F.linear(code * kept / (1 - DROPOUT), decoder, offset), clean)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        progress(step + 1)
    return encoder.detach(), bias.detach()
