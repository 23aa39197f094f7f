"""One picture of a dataset becomes a square of bytes.

Worker processes import this module, so it imports no torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from zoo_core.datasets import Box, ImageDataset, Picture, Record
from zoo_core.errors import ZooError
from zoo_core.pictures import (
    MAX_PIXELS,
    Findings,
    PictureError,
    ScaleError,
    as_bytes,
    as_plain,
    changes_colors,
    check,
    explain,
    orientation,
    to_srgb,
)

from . import jpeg
from .fitting import extent, move, pad, place

VERSION = 4  # raised whenever the same picture would come out differently; part of every pack's key
REDUCED = 1.5
"""A JPEG is decoded at the smallest scale whose crop is still this many times the packed picture's size; docs/data.md says
how its pixels then differ from those of full scale."""

_NO_BOXES = np.empty((0, 4), np.int16)
_TURNED = (5, 6, 7, 8)  # EXIF's orientations that swap width and height


PROFILE_IGNORED, WARNED = 1, 2
REMARKS = {
    PROFILE_IGNORED: "with a color profile that is damaged or made for other pixels, which was ignored",
    WARNED: "of which their decoder warned",
}
"""What may be remarked upon in a picture that goes into a pack."""


class Decoded(NamedTuple):
    """A picture as it goes into a pack.

    A row of `boxes` for each of `dataset.boxed` has left, top, right, bottom in pixels of the packed picture, rounded
    outwards; −1 where not visible.
    """

    pixels: NDArray[np.uint8]  # [S, S, C]; C is 1 for a gray picture where the number of channels was left open
    boxes: NDArray[np.int16]  # [B, 4]
    side: int  # how many pixels of the source the picture is high and wide: the better resolved, the more
    remarks: int = 0  # what was met, as the sum of keys of `REMARKS`
    grays: tuple[float, float] = (0, 0)  # of a picture with grays of more than 8 bits, the brightest and what became white


def decode_one(dataset: ImageDataset, record: Record, size: int, channels: int | None) -> Decoded | str:
    """Decode one record, crop and resize it to size × size pixels; return it, or in a few words why it was skipped.

    The result has `channels` 1 or 3; None means 1 where the picture is gray. Nothing that a picture contains raises.

    Raises:
        ZooError: the dataset says that not this picture is at fault but what all of them come from.
    """
    try:
        found = _decode(dataset, record, size, channels)
        if dataset.fit == "pad":  # last of all, as no color profile speaks of the bars
            found = found._replace(pixels=pad(found.pixels, size, dataset.fill, channels))
        return found
    except (KeyboardInterrupt, SystemExit, GeneratorExit, ZooError):
        raise
    except BaseException as error:  # a panic of a decoder written in Rust is no Exception
        return explain(error)


def _decode(dataset: ImageDataset, record: Record, size: int, channels: int | None) -> Decoded:
    boxes = np.full((len(dataset.boxed), 4), -1, np.int16) if dataset.boxed else _NO_BOXES
    if (quick := _quickly(dataset, record, size, channels)) is not None:
        return _square(dataset, *quick, 1, size, channels, boxes)
    given = dataset.decode(record)
    image = given.image if isinstance(given, Picture) else given
    if not isinstance(image, Image.Image):
        raise TypeError(f"the dataset gave a {type(image).__name__}, not a picture")
    width, height = image.size
    if min(width, height) < max(2, size / 8):
        raise PictureError(f"{width}×{height} pixels: its shorter side is under {max(2, size / 8):g}")
    check(image)
    stored = isinstance(given, Picture)  # its boxes refer to the pixels as they are stored
    box, scale, turned = None, 1, None
    if isinstance(image, JpegImageFile):
        turned = 1 if stored else orientation(image)
        if turned in _TURNED:
            width, height = height, width
        box = _checked(dataset.crop(width, height), width, height)
        mode = "L" if channels == 1 and not changes_colors(image) else None
        scale = _reduce(image, mode, extent(box, dataset.fit) / size)
    found = Findings()
    # converting colors is cheapest where few pixels are left; bars that fill up a picture have no colors of its own
    late = channels != 1 and dataset.fit != "pad"
    try:
        image = as_plain(image, upright=not stored, turned=turned, profile=not late, white=dataset.white, found=found)
    except ScaleError as error:
        raise PictureError(f"{error}, or to what dataset.white says") from error
    if box is None:  # only now is known how large it is
        box = _checked(dataset.crop(*image.size), *image.size)
    if isinstance(given, Picture):
        for row, name in enumerate(dataset.boxed):
            if name in given.boxes:
                boxes[row] = move(given.boxes[name], box, place(box, size, dataset.fit))
    packed, profile = _square(dataset, image, box, scale, size, channels, boxes), image.info.get("icc_profile")
    gray = image.mode == "L" or packed.pixels.shape[2] == 1
    if late and profile and image.mode != "F" and (gray or changes_colors(image, found=found)):
        levels = packed.pixels[:, :, 0] if gray else packed.pixels
        converted = np.asarray(to_srgb(Image.fromarray(levels), profile, found=found)).reshape(size, size, -1)
        packed = packed._replace(pixels=np.broadcast_to(converted, packed.pixels.shape))
    remarks = PROFILE_IGNORED if found.profile_ignored else 0
    return packed._replace(remarks=remarks, grays=(found.brightest, found.white)) if remarks or found.white else packed


def _square(
    dataset: ImageDataset,
    image: Image.Image,
    box: Box,
    scale: int,
    size: int,
    channels: int | None,
    boxes: NDArray[np.int16],
) -> Decoded:
    """Return the part `box` of a picture of mode "L", "RGB" or "F" that was decoded at 1/`scale`; not yet padded."""
    if channels == 1 and image.mode == "RGB":
        image = image.convert("L")
    left, top, right, bottom = (edge / scale for edge in box)
    within = (left, top, min(right, image.width), min(bottom, image.height))
    where = place(box, size, dataset.fit)
    if image.size != where[2:] or within != (0, 0, *where[2:]):
        image = image.resize(where[2:], Image.Resampling.BICUBIC, box=within)
    image = as_bytes(image)  # grays of more than 8 bits are rounded once, at the end
    pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(where.height, where.width, -1)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2) if channels == 3 else pixels
    elif channels is None and _is_gray(pixels):
        pixels = pixels[:, :, :1]
    return Decoded(pixels, boxes, round(extent(box, dataset.fit)))


def _is_gray(pixels: NDArray[np.uint8]) -> bool:
    """Return whether all colors of a picture [S, S, 3] are gray; one row is enough to see that most are not."""
    row = pixels[len(pixels) // 2]
    return bool((row == row[:, :1]).all() and (pixels == pixels[:, :, :1]).all())


def _quickly(dataset: ImageDataset, record: Record, size: int, channels: int | None) -> tuple[Image.Image, Box] | None:
    """A small JPEG of which nothing is wanted but its pixels, all of them, and its crop; None for every other picture."""
    data = dataset.read_jpeg(record)
    found = jpeg.header(data) if data is not None else None
    if data is None or found is None or (channels == 1 and found[2] == "RGB"):
        return None
    width, height, _ = found
    box = _checked(dataset.crop(width, height), width, height)
    reducible = extent(box, dataset.fit) >= 2 * REDUCED * size
    if reducible or min(width, height) < max(2, size / 8) or width * height > MAX_PIXELS:
        return None
    image = jpeg.pixels(data, *found)
    return None if image is None else (image, box)


def _reduce(image: JpegImageFile, mode: str | None, factor: float) -> int:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 of its scale where a reduction by `factor` follows; return by what it shrinks.

    With `mode` "L" the decoder leaves out the colors as well. A picture that the dataset has already loaded stays as it is.
    """
    scale = next((s for s in (8, 4, 2) if factor >= s * REDUCED), 1)
    if scale == 1 and mode is None:
        return 1
    width, height = image.size
    drafted = image.draft(mode, (width // scale, height // scale))
    return round(width / drafted[1][2]) if drafted else 1


def _checked(box: Box, width: int, height: int) -> Box:
    """Return the crop without the last digits by which rounding may leave the picture."""
    left, top, right, bottom = box
    if min(left, top) < -0.5 or right > width + 0.5 or bottom > height + 0.5 or not (left < right and top < bottom):
        raise ValueError(f"the dataset's crop {box} does not lie in the picture of {width}×{height} pixels")
    return (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
