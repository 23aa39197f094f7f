"""One picture of a dataset becomes a square of bytes.

Worker processes import this module, so it imports no torch.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from zoo_core.datasets import Box, ImageDataset, Picture, Record
from zoo_core.errors import ZooError

from . import jpeg

VERSION = 2  # raised whenever the same picture would come out differently; part of every pack's key
MAX_PIXELS = 178_956_970
"""Larger pictures are skipped before they are decoded: Pillow's own limit, held even where a script has lifted that."""

REDUCED = 1.5
"""A JPEG is decoded at the smallest scale whose crop is still this many times the packed picture's size; docs/data.md says
how its pixels then differ from those of full scale."""

_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # the EXIF tag, and its values that swap width and height
_RUNS_PROGRAMS = ("EPS", "WMF")  # Pillow hands these to an interpreter, whatever the file's name


class Decoded(NamedTuple):
    """A picture as it goes into a pack.

    A row of `boxes` for each of `dataset.boxed` has left, top, right, bottom in pixels of the packed picture, rounded
    outwards; −1 where not visible.
    """

    pixels: NDArray[np.uint8]  # [S, S, C]; C is 1 for a gray picture where the number of channels was left open
    boxes: NDArray[np.int16]  # [B, 4]
    side: int  # how many pixels of the source the picture is high and wide: the better resolved, the more


def decode_one(dataset: ImageDataset, record: Record, size: int, channels: int | None) -> Decoded | str:
    """Decode one record, crop and resize it to size × size pixels; return it, or in a few words why it was skipped.

    The result has `channels` 1 or 3; None means 1 where the picture is gray. Nothing that a picture contains raises.

    Raises:
        ZooError: the dataset says that not this picture is at fault but what all of them come from.
    """
    try:
        return _decode(dataset, record, size, channels)
    except (KeyboardInterrupt, SystemExit, GeneratorExit, ZooError):
        raise
    except BaseException as error:  # a panic of a decoder written in Rust is no Exception
        return reason(error)


def reason(error: BaseException) -> str:
    """Why a picture was skipped, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture, or of a format that cannot be read"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than the limit of {MAX_PIXELS:,} pixels"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    words = "".join(str(error).splitlines()[:1])
    if not isinstance(error, _Skip) and not (type(error) is OSError and words):
        words = f"{type(error).__name__}: {words}".rstrip(": ")
    return words if len(words) <= 200 else words[:199] + "…"


class _Skip(Exception):
    """A picture that can be read and is not wanted."""


def _decode(dataset: ImageDataset, record: Record, size: int, channels: int | None) -> Decoded:
    boxes = np.full((len(dataset.boxed), 4), -1, np.int16)
    if (quick := _quickly(dataset, record, size, channels)) is not None:
        return _square(*quick, 1, size, channels, boxes)
    given = dataset.decode(record)
    image = given.image if isinstance(given, Picture) else given
    if not isinstance(image, Image.Image):
        raise TypeError(f"the dataset gave a {type(image).__name__}, not a picture")
    width, height = image.size
    if min(width, height) < max(2, size / 8):
        raise _Skip(f"{width}×{height} pixels: its shorter side is under {max(2, size / 8):g}")
    if width * height > MAX_PIXELS:
        raise _Skip(f"{width}×{height} pixels: more than the limit of {MAX_PIXELS:,} pixels")
    if image.format in _RUNS_PROGRAMS:
        raise _Skip(f"{image.format} is not read: it would need another program")
    stored = isinstance(given, Picture)  # its boxes refer to the pixels as they are stored
    box, scale = None, 1
    if isinstance(image, JpegImageFile):
        if not stored and _orientation(image) in _TURNED:
            width, height = height, width
        box = _checked(dataset.crop(width, height), width, height)
        scale = _reduce(image, "L" if channels == 1 else None, min(box[2] - box[0], box[3] - box[1]) / size)
    image.load()
    if not stored and 2 <= _orientation(image) <= 8:
        with suppress(Exception):  # damaged EXIF data
            image = ImageOps.exif_transpose(image)
    if box is None:  # only now is known how large it is
        box = _checked(dataset.crop(*image.size), *image.size)
    if isinstance(given, Picture):
        for row, name in enumerate(dataset.boxed):
            if name in given.boxes:
                boxes[row] = _move(given.boxes[name], box, size)
    return _square(plain(image), box, scale, size, channels, boxes)


def _square(image: Image.Image, box: Box, scale: int, size: int, channels: int | None, boxes: NDArray[np.int16]) -> Decoded:
    """Return the part `box` of a picture of mode "L", "RGB" or "F" that was decoded at 1/`scale`."""
    if channels == 1 and image.mode == "RGB":
        image = image.convert("L")
    left, top, right, bottom = (edge / scale for edge in box)
    within = (left, top, min(right, image.width), min(bottom, image.height))
    if image.size != (size, size) or within != (0, 0, size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=within)
    if image.mode == "F":  # grays of more than 8 bits are rounded once, at the end
        image = Image.fromarray(np.rint(np.asarray(image)).clip(0, 255).astype(np.uint8))
    pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(size, size, -1)  # [S, S, 1 or 3]
    if channels is None and (pixels == pixels[:, :, :1]).all():  # gray
        pixels = pixels[:, :, :1]
    elif pixels.shape[2] == 1 and channels == 3:
        pixels = np.repeat(pixels, 3, axis=2)
    return Decoded(pixels, boxes, round(max(box[2] - box[0], box[3] - box[1])))


def _quickly(dataset: ImageDataset, record: Record, size: int, channels: int | None) -> tuple[Image.Image, Box] | None:
    """A small JPEG of which nothing is wanted but its pixels, all of them, and its crop; None for every other picture."""
    data = dataset.read_jpeg(record)
    found = jpeg.header(data) if data is not None else None
    if data is None or found is None or (channels == 1 and found[2] == "RGB"):
        return None
    width, height, _ = found
    box = _checked(dataset.crop(width, height), width, height)
    reducible = min(box[2] - box[0], box[3] - box[1]) >= 2 * REDUCED * size
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


def _orientation(image: Image.Image) -> int:
    """EXIF's number for how the stored pixels are turned; 1: not at all."""
    if isinstance(image, JpegImageFile) and image.info.keys().isdisjoint(("exif", "xmp")):
        return 1  # asking Pillow takes a tenth of the time that a small picture takes in all
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data: the pixels are good all the same
        return 1


def plain(image: Image.Image) -> Image.Image:
    """Return a picture of any mode as "L", "RGB", or as "F" with grays from 0 to 255 where it has more than 8 bits.

    Transparent parts become white.

    Raises:
        ValueError: grays on a scale that nobody can know.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":  # files of 16 bits also arrive as "I"
        values, most = np.asarray(image).astype(np.float32), 255 if image.mode == "F" else 65535
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= most):  # also when one is not a number
            raise ValueError(f"its grays run from {low:g} to {high:g}; expected 0 to {most}")
        return Image.fromarray(values / 257 if most > 255 else values * 255 if high <= 1 else values)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _checked(box: Box, width: int, height: int) -> Box:
    """Return the crop without the last digits by which rounding may leave the picture."""
    left, top, right, bottom = box
    if min(left, top) < -0.5 or right > width + 0.5 or bottom > height + 0.5 or not (left < right and top < bottom):
        raise ValueError(f"the dataset's crop {box} does not lie in the picture of {width}×{height} pixels")
    return (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))


def _move(box: Box, crop: Box, size: int) -> NDArray[np.float64]:
    """Return a box of the decoded picture in pixels of the packed one, −1 four times where nothing of it is left."""
    begin, end = np.array(crop[:2]), np.array(crop[2:])
    low = (np.maximum(box[:2], begin) - begin) * size / (end - begin)
    high = (np.minimum(box[2:], end) - begin) * size / (end - begin)
    if not (high - low > 1e-6).all():
        return np.full(4, -1.0)
    return np.concatenate([np.floor(low + 1e-6), np.ceil(high - 1e-6)])
