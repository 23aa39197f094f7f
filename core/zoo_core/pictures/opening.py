"""The one place where pictures are opened; a lint rule holds that nothing else calls `PIL.Image.open`."""

from __future__ import annotations

import importlib
import io
import os
from contextlib import suppress
from functools import lru_cache
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ..folders import special_kind, why_unreadable
from .limits import PictureError, check, explain
from .signatures import UNKNOWN, identify

# What Pillow loads by itself, the usual ones first: those after them are imported when the first file is none of these.
# Left out: EPS and WMF, handed to an interpreter; IPTC, which opens what it contains as any format; and those that Pillow
# only recognizes (BUFR, GRIB, HDF5, MPEG).
_USUAL = "JPEG PNG BMP GIF PPM"
_OTHERS = (
    "AVIF BLP CUR DCX DDS DIB FITS FLI FTEX GBR ICNS ICO IM IMT JPEG2000 MCIDAS MSP PCD PCX PIXAR PSD QOI SGI SPIDER SUN "
    "TGA TIFF WEBP XBM XPM XVTHUMB"
)
_HEIF = "HEIF"  # known to Pillow once pillow-heif has told it


def open_picture(source: str | os.PathLike[str] | bytes | BinaryIO) -> Image.Image:
    """Open a picture, by its path, its bytes or as a file open for reading; its pixels are not decoded yet.

    Raises:
        OSError: there is no such file, or it cannot be read.
        PictureError: no regular file, of a format that is not read, or of more than `MAX_PIXELS` pixels.
        Exception: whatever a decoder makes of a damaged file.
    """
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    elif isinstance(source, str | os.PathLike) and (kind := special_kind(os.stat(source).st_mode)):
        if os.path.isdir(source) and (why := why_unreadable(source)):
            raise PictureError(f"a folder that cannot be read: {why}")
        raise PictureError(f"{kind}, not a file")
    try:
        image: Image.Image = Image.open(source, formats=_formats())
    except UnidentifiedImageError as error:
        image = _open_heif(source, error)
    except Image.DecompressionBombError as error:
        raise PictureError(explain(error)) from error
    try:
        check(image)
    except PictureError:
        image.close()
        raise
    return image


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.preinit()
    usual, others = _USUAL.split(), _OTHERS.split()
    if not all(name in Image.OPEN for name in usual):  # a Pillow built without one of them
        Image.init()
    return tuple(name for name in (*usual, *others) if name not in usual or name in Image.OPEN)


def _open_heif(source: str | os.PathLike[str] | BinaryIO, error: UnidentifiedImageError) -> Image.Image:
    """Return a HEIC picture where pillow-heif is installed; else say what it is that Pillow does not know."""
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            head = file.read(512)
    else:
        source.seek(0)
        head = source.read(512)
    kind = identify(head)
    if kind.heif:
        with suppress(ImportError):
            pillow_heif = importlib.import_module("pillow_heif")

            if _HEIF not in Image.OPEN:
                pillow_heif.register_heif_opener()
            with suppress(UnidentifiedImageError):
                opened: Image.Image = Image.open(source, formats=(_HEIF,))
                return opened
            raise PictureError("a HEIC picture that is damaged") from error
    if kind.words == UNKNOWN:
        raise error
    raise PictureError(kind.words) from error
