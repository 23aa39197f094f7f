"""Which pictures are not decoded, and why, in words."""

from __future__ import annotations

from PIL import Image, UnidentifiedImageError

from .signatures import UNKNOWN

MAX_PIXELS = 178_956_970
"""Larger pictures are refused before they are decoded: Pillow's own limit, held even where a script has lifted that."""

_RUNS_PROGRAMS = ("EPS", "WMF")  # Pillow hands these to an interpreter, whatever the file is called
_DNG_VERSION, _SUBFILE, _SUB_IFDS = 50706, 254, 330  # tags of TIFF
_PREVIEW = 1  # the value of `_SUBFILE` of a first page that is a smaller version of another


class PictureError(OSError):
    """A picture that is not read; says why in a few words."""


class ScaleError(PictureError):
    """Grays that are brighter than what is assumed to be white: they can be read once somebody says what is."""


def check(image: Image.Image) -> None:
    """Raise `PictureError` where a picture, opened by whomever, should not be decoded."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"{width}×{height} pixels: more than the limit of {MAX_PIXELS:,} pixels")
    if image.format in _RUNS_PROGRAMS:
        raise PictureError(f"{image.format} is not read: it would need another program")
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        if _DNG_VERSION in tags or (tags.get(_SUBFILE) == _PREVIEW and _SUB_IFDS in tags):
            raise PictureError("a raw picture of a camera, of which only a preview could be read; save it as JPEG")


def explain(error: BaseException) -> str:
    """Why a picture was not read, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return UNKNOWN
    if isinstance(error, Image.DecompressionBombError):
        return f"more than the limit of {MAX_PIXELS:,} pixels"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)  # without the number and the path, which whoever lists it says
    words = "".join(str(error).splitlines()[:1])
    if not isinstance(error, PictureError) and not (type(error) is OSError and words):
        words = f"{type(error).__name__}: {words}".rstrip(": ")
    return words if len(words) <= 200 else words[:199] + "…"
