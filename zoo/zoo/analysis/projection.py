"""The latent whose picture is nearest to a given one: by the model's encoder, or by optimization from several starts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from zoo_core import DataError, Generator, UsageError
from zoo_core.pictures import PictureError
from zoo_core.pictures import read_picture as read_any
from zoo_core.words import plural

from ..files import Place
from ..models.model import Model, ModelLike
from ..names import is_model
from ..notebook import AUTOMATIC
from ..optimizers import Adam
from ..packs import to_images
from ..progress import Reporter
from ..randomness import latents_for
from ..reports.displaying import Displayed
from ..reports.numbers import Verdict, judge
from ..reports.pictures import save_picture, sheet
from .samples import Label, block, check_count, draw, open_model

STEPS = 200  # of the optimizer, for a model without an encoder
_RATE = 0.05


@dataclass(frozen=True, repr=False)
class Projection(Displayed):
    """The nearest picture that a model can draw."""

    target: Tensor  # [C, S, S] in [−1, 1], the given picture, cut square and resized
    image: Tensor  # [C, S, S], the nearest one found
    latent: Tensor  # [latent_dim], what draws it
    error: float  # root mean square difference in levels of 255
    errors: tuple[float, ...]  # of every start; the encoder's latent is the only one
    nearest_sample: float  # the error of the nearest of some random samples; without an encoder they are the starts
    how: str  # "by the encoder", "by 200 steps of optimization", or "by the encoder and 200 steps of optimization"
    searched: int = 512  # how many random samples those were

    @property
    def verdict(self) -> Verdict:
        """Whether the search has found more than the nearest of random samples."""
        return judge(self.error, self.nearest_sample, 0.0)

    def _describe(self) -> str:
        return f"{self.error:.1f} levels of 255 from the picture, found {self.how}"

    def picture(self) -> Image.Image:
        """Return the given picture beside the nearest one."""
        return sheet([block("given", self.target[None]), block("nearest", self.image[None])], columns=2)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers and the latent, as plain data."""
        return {
            "how": self.how,
            "error": round(self.error, 3),
            "errors": [round(e, 3) for e in self.errors],
            "nearest_sample": round(self.nearest_sample, 3),
            "verdict": self.verdict,
            "latent": [round(v, 5) for v in self.latent.tolist()],
        }


def project(
    model: ModelLike,
    picture: str | Path | Image.Image,
    *,
    starts: int = 8,
    steps: int | None = None,
    searched: int | None = None,
    seed: int = 0,
    label: Label = None,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Projection:
    """Find the latent whose picture is nearest to a given one.

    A model with an encoder (a network of that role, images and labels to latents [n, latent_dim]; Donahue et al. 2016,
    arXiv:1605.09782) answers at once, and optimization refines its answer where steps are asked for.

    Args:
        picture: a file, or a PIL picture; its central square is taken and resized.
        starts: how many latents are optimized where there is no encoder; the best of them is the result.
        steps: of the optimizer (Adam) for each; by default none with an encoder, else 200.
        searched: random samples of which the nearest are the starts: by default 512, and 32 with an encoder, which needs
            no starts and is compared with them alone.
        seed, label, device, out, report: as in `zoo.walk`.

    Raises:
        DataError: the file is missing or no picture.
        UsageError: a number is impossible.
    """
    if isinstance(model, str) and isinstance(picture, str) and is_model(picture) and not is_model(model):
        hint = f"the model comes first: zoo project {shlex.quote(picture)} {shlex.quote(model)}"
        raise UsageError(f"{model} is no model, and {picture} is one", hint=hint)
    loaded, file = open_model(model, device, out)
    encoder = loaded.others.get("encoder")
    steps = steps if steps is not None else STEPS if encoder is None else 0
    check_count(starts, "the number of starts", 1)
    check_count(steps, "the number of steps", 1 if encoder is None else 0)
    searched = searched if searched is not None else 512 if encoder is None else max(32, starts)
    check_count(searched, "the number of samples to search", starts)
    target = read_picture(picture, loaded.image.size, loaded.image.channels)
    pool = latents_for(loaded.generator, seed, range(searched))
    _stay_likely(loaded.generator, pool)
    errors = _errors(draw(loaded, pool, label, on_device=True), target)
    if encoder is None:
        latents, ways = pool[errors.argsort()[:starts]], []
    else:
        where = next(encoder.parameters())
        with torch.no_grad():
            code = encoder(target[None].to(where.device, where.dtype), loaded.labels_of([0], label))
        latents, ways = code.float().cpu(), ["the encoder"]
    if steps:
        ways.append(f"{plural(steps, 'step')} of optimization")
        latents = torch.cat([_optimize(loaded, latents, target, steps, label, report), latents])  # no worse than it began
    images = draw(loaded, latents, label)
    reached = _errors(images, target)
    best = int(reached.argmin())
    each = tuple(reached.view(2 if steps else 1, -1).amin(0).tolist())
    how = "by " + " and ".join(ways)
    found = Projection(target, images[best], latents[best], float(reached[best]), each, float(errors.min()), how, searched)
    if file is not None:
        save_picture(found.picture(), file)
    return found


def read_picture(picture: str | Path | Image.Image, size: int, channels: int) -> Tensor:
    """Return the central square of a picture at a model's size and channels: [C, S, S] in [−1, 1]; raises `DataError`."""
    try:
        upright = read_any(picture).convert("L" if channels == 1 else "RGB")
    except FileNotFoundError:
        raise DataError(f"{picture} does not exist", hint="give the file of a picture") from None
    except (OSError, PictureError) as error:
        raise DataError(f"{picture} is no picture that can be read: {error}", hint="give the file of a picture") from error
    square = ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC)
    return to_images(torch.from_numpy(np.array(square)).view(1, size, size, channels))[0].contiguous()


def _optimize(model: Model, begin: Tensor, target: Tensor, steps: int, label: Label, report: Reporter) -> Tensor:
    """Return latents [n, latent_dim] after descent on the squared difference of pixels, at the full and a quarter size."""
    where = next(model.generator.parameters())
    z = begin.clone().to(where.device, where.dtype).requires_grad_()
    goal = target.to(where.device, where.dtype).expand(len(z), -1, -1, -1)
    labels = model.labels_of([0] * len(z), label)
    optimizer = Adam([z], lr=_RATE)
    with report.task("projecting", steps, "steps") as task:
        for step in range(steps):
            difference = model.generator(z, labels) - goal
            loss = difference.square().mean((1, 2, 3)) + F.avg_pool2d(difference, 4).square().mean((1, 2, 3))
            (z.grad,) = torch.autograd.grad(loss.sum(), z)
            optimizer.step()
            with torch.no_grad():
                _stay_likely(model.generator, z)
            task.update(step + 1)
    return z.detach().float().cpu()


def _stay_likely(generator: Generator, z: Tensor) -> None:
    """Keep latents where the generator has seen some: within the cube, or no longer than normal latents are."""
    if generator.latent == "uniform":
        z.clamp_(-1, 1)
    else:
        z.mul_((1.2 * z.shape[1] ** 0.5 / z.norm(dim=1, keepdim=True)).clamp(max=1))


def _errors(images: Tensor, target: Tensor) -> Tensor:
    """Return root mean square differences [N] in levels of 255, on the CPU; they are taken where the images are."""
    return ((images - target.to(images.device)).square().mean((1, 2, 3)).sqrt() * 127.5).cpu()
