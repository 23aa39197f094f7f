"""What a model makes of a picture that somebody hands in: the discriminator's verdict, the nearest training picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from zoo_core import DataError, ZooError, registry
from zoo_core.pictures import PictureError, as_bytes, as_plain, explain, guard, open_picture

from ..analysis.feature_maps import batches_for
from ..analysis.labels import find_images
from ..analysis.projection import read_picture
from ..models.model import Model
from ..packs import Pack, open_pack, to_images
from ..packs.build import open_existing_pack
from ..packs.cache import list_packs
from ..packs.request import PackRequest
from ..progress import SILENT
from .limits import UPLOAD_PIXELS
from .subjects import Subject

COMPARED = 128  # samples, and real images, whose logits stand beside the picture's
_PIECE = 2048  # training images that are compared at a time


@dataclass(frozen=True)
class Verdict:
    """The logit of a picture among those of samples, and of real images where some are at hand."""

    logit: float
    samples: Tensor  # logits [n]
    real: Tensor | None

    def __str__(self) -> str:
        logit = f"{self.logit:.2f}".replace("-", "−")
        above = float((self.samples < self.logit).float().mean())
        parts = [f"The discriminator's logit is {logit}: higher than those of {above:.0%} of its generator's samples"]
        if self.real is None:
            return f"{parts[0]}. Real images are not at hand to compare with."
        parts.append(f"of {float((self.real < self.logit).float().mean()):.0%} of real images")
        middle = float(self.real.mean() + self.samples.mean()) / 2
        sure = float(self.real.mean()) > float(self.samples.mean())
        said = "It takes it for real" if (self.logit > middle) == sure else "It takes it for generated"
        return f"{' and '.join(parts)}. {said}."


def open_upload(path: str) -> Image.Image:
    """Return a picture that was handed in.

    Raises:
        DataError: it is none, or larger than `UPLOAD_PIXELS`; its pixels are then not decoded.
    """
    hint = "hand in a JPEG or PNG"
    with guard():
        try:
            with open_picture(path) as opened:
                width, height = opened.size
                if width * height > UPLOAD_PIXELS:
                    most = f"{UPLOAD_PIXELS / 1e6:.0f} megapixels"
                    raise PictureError(f"{width}×{height} is {width * height / 1e6:.0f} megapixels; the most is {most}")
                return as_bytes(as_plain(opened))
        except Exception as error:
            raise DataError(f"this picture cannot be read: {explain(error)}", hint=hint) from error


def square(picture: Image.Image, model: Model) -> Tensor:
    """Return the picture as the model sees pictures: [C, S, S] in [−1, 1]."""
    return read_picture(picture, model.image.size, model.image.channels)


def judge_picture(subject: Subject, image: Tensor, pack: Pack | None) -> Verdict | None:
    """Return what the discriminator says of an image [C, S, S], None where the model has none."""
    network, classes = subject.model.discriminator, subject.model.image.num_classes
    if network is None:
        return None
    labels = [number % classes if classes else 0 for number in range(COMPARED)]
    z = subject.model.generator.sample_latent(COMPARED, torch.Generator().manual_seed(0))
    parts = [image[None], subject.draw(z, labels)]
    if pack is not None:
        chosen = torch.randperm(len(pack), generator=torch.Generator().manual_seed(0))[:COMPARED]
        parts.append(to_images(pack.gather(chosen)))
    logits = []
    for images in parts:
        given = subject.model.labels_of(labels[: len(images)])
        with torch.no_grad():
            logits.append(torch.cat([network(*batch).float().cpu() for batch in batches_for(network, images, given)]))
    return Verdict(float(logits[0]), logits[1], logits[2] if pack is not None else None)


def find_ready_pack(subject: Subject) -> Pack | None:
    """Return the pack that a model was trained on where it lies ready here, else None; nothing is built."""
    try:
        source = find_images(subject.model, subject.where).source
        if not isinstance(source, PackRequest):
            return source
        if (given := open_existing_pack(source, SILENT)) is not None:
            return given
        name = registry.find("datasets", source.dataset).qualified
        for stored in list_packs():
            made = stored.info.get("dataset", {})
            same = (made.get("name"), made.get("data"), made.get("split")) == (name, source.data, source.split)
            looks = (stored.info.get("size"), stored.info.get("channels")) == (source.size, source.channels)
            options = made.get("options", {})
            if stored.kind == "pack" and same and looks and all(options.get(k) == v for k, v in source.options.items()):
                return open_pack(stored.path)
        return None
    except (ZooError, OSError):
        return None


def find_nearest(pack: Pack, image: Tensor) -> tuple[Tensor, float]:
    """Return the training image [C, S, S] nearest to an image, and their root mean square difference in levels of 255."""
    best, number = float("inf"), 0
    for part in torch.split(torch.arange(len(pack)), _PIECE):
        errors = (to_images(pack.gather(part)) - image).square().mean((1, 2, 3))
        least = int(errors.argmin())
        if float(errors[least]) < best:
            best, number = float(errors[least]), int(part[least])
    return to_images(pack.gather(torch.tensor([number])))[0], best**0.5 * 127.5
