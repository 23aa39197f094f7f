"""The one door through which pictures are opened, and how any of them becomes plain gray or plain color.

Nothing else calls `PIL.Image.open`, which a lint rule holds. What is opened here is a regular file, of a format that Pillow
decodes by itself, and not so large that its pixels would take the memory. `read_picture` is all that most need; who wants to
look at a picture before its pixels are decoded calls `open_picture`, then `as_plain`, within `guard`.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL import _imaging as decoders  # type: ignore[attr-defined]
from PIL.JpegImagePlugin import JpegImageFile

from .folders import special_kind, why_unreadable
from .signatures import UNKNOWN, identify

MAX_PIXELS = 178_956_970
"""Larger pictures are refused before they are decoded: Pillow's own limit, held even where a script has lifted that."""

# What Pillow loads by itself, the usual ones first: those after them are imported when the first file is none of these.
# Left out: EPS and WMF, handed to an interpreter; IPTC, which opens what it contains as any format; and those that Pillow
# only recognizes (BUFR, GRIB, HDF5, MPEG).
_USUAL = "JPEG PNG BMP GIF PPM"
_OTHERS = (
    "AVIF BLP CUR DCX DDS DIB FITS FLI FTEX GBR ICNS ICO IM IMT JPEG2000 MCIDAS MSP PCD PCX PIXAR PSD QOI SGI SPIDER SUN "
    "TGA TIFF WEBP XBM XPM XVTHUMB"
)
_RUNS_PROGRAMS = ("EPS", "WMF")
_HEIF = "HEIF"  # known to Pillow once pillow-heif has told it

_PILLOWS_LIMIT = MAX_PIXELS // 2  # Pillow refuses twice what it warns about
_ORIENTATION = 0x0112  # the EXIF tag
_DNG_VERSION, _BITS, _SUBFILE, _SUB_IFDS = 50706, 258, 254, 330  # tags of TIFF
_PREVIEW = 1  # the value of `_SUBFILE` of a first page that is a smaller version of another
_SAME = 2  # levels of 255; a color profile that moves no color further is sRGB under another name
_SPACES = {"RGB": ("RGB", "L"), "GRAY": ("L",), "CMYK": ("CMYK",), "Lab": ("LAB",)}  # of profiles → modes they tell about


class PictureError(OSError):
    """A picture that is not read; says why in a few words."""


@dataclass
class Findings:
    """What was met in a picture that a person may want to know.

    Args:
        profile_ignored: it has a color profile that is damaged, or made for other pixels than these.
        brightest: greatest value of grays of more than 8 bits, as the file has it; −1 for any other picture.
        white: the value that became white, 0 for any other picture.
    """

    profile_ignored: bool = False
    brightest: float = -1.0
    white: float = 0.0


def read_picture(source: str | os.PathLike[str] | bytes | BinaryIO | Image.Image) -> Image.Image:
    """Return a picture as it should be seen, with all its pixels, as "L" or "RGB": see `as_plain`.

    Raises:
        FileNotFoundError: there is no such file.
        PictureError: it cannot be read, for whatever reason, or should not be.
    """
    with guard():
        try:
            return as_bytes(as_plain(source if isinstance(source, Image.Image) else open_picture(source)))
        except (PictureError, FileNotFoundError):
            raise
        except Exception as error:
            raise PictureError(explain(error)) from error


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


def explain(error: BaseException) -> str:
    """Why a picture was not read, in one short line."""
    if isinstance(error, UnidentifiedImageError):
        return UNKNOWN
    if isinstance(error, Image.DecompressionBombError):
        return f"more than the limit of {MAX_PIXELS:,} pixels"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    words = "".join(str(error).splitlines()[:1])
    if not isinstance(error, PictureError) and not (type(error) is OSError and words):
        words = f"{type(error).__name__}: {words}".rstrip(": ")
    return words if len(words) <= 200 else words[:199] + "…"


@contextmanager
def guard() -> Iterator[Callable[[], bool]]:
    """Decode pictures quietly, and within Pillow's limits, which also hold for pictures inside pictures.

    Yields a function: whether a decoder has warned of anything, by whatever means, since it was last asked.
    """
    limit, said = Image.MAX_IMAGE_PIXELS, _Said.count
    with warnings.catch_warnings(record=True) as warned, _libtiff_heard(), _log_heard():
        warnings.simplefilter("always")

        def heard() -> bool:
            nonlocal said
            if not warned and said == _Said.count:
                return False
            warned.clear()
            said = _Said.count
            return True

        try:
            Image.MAX_IMAGE_PIXELS = min(limit or _PILLOWS_LIMIT, _PILLOWS_LIMIT)
            yield heard
        finally:
            Image.MAX_IMAGE_PIXELS = limit


class _Said:
    """How often libtiff, or Pillow's log, had something to say."""

    count = 0


def _hear(module: int, words: int, values: int) -> None:
    _Said.count += 1


_HEAR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(_hear)  # must live as long as the process


@lru_cache(maxsize=1)
def _libtiff() -> tuple[Callable[[object], int | None], ...]:
    """Return the functions that set libtiff's handlers of warnings and of errors; none where it is out of reach."""
    try:
        library = ctypes.CDLL(decoders.__file__)
        setters = library.TIFFSetWarningHandler, library.TIFFSetErrorHandler
    except (OSError, AttributeError, TypeError):  # linked so that its names are not seen
        return ()
    for setter in setters:
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
    return setters


class _Hears(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _Said.count += record.levelno >= logging.WARNING


_HEARS = _Hears()


@contextmanager
def _log_heard() -> Iterator[None]:
    """Count what Pillow logs; where nobody has set up logging, Python prints it to standard error."""
    log = logging.getLogger("PIL")
    before = log.propagate
    log.addHandler(_HEARS)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = before
        log.removeHandler(_HEARS)


@contextmanager
def _libtiff_heard() -> Iterator[None]:
    """Count what libtiff has to say; by default it prints it to standard error."""
    before = [setter(ctypes.cast(_HEAR, ctypes.c_void_p)) for setter in _libtiff()]
    try:
        yield
    finally:
        for setter, handler in zip(_libtiff(), before, strict=True):
            setter(handler)


def as_plain(
    image: Image.Image,
    *,
    upright: bool = True,
    profile: bool = True,
    white: float | None = None,
    found: Findings | None = None,
) -> Image.Image:
    """Decode a picture; return it as "L", as "RGB", or as "F" with grays from 0 to 255 where they had more than 8 bits.

    It stands upright as its EXIF data say, its colors are sRGB's, what is transparent is laid on white, and of several pages
    or frames it is the first. Of grays of more than 8 bits `white` becomes white, and so does what is brighter. None means
    65535 for whole numbers (4095 where a TIFF file says that they have 12 bits), and for fractions 1, or 255 where one of
    them is greater than 1; what is brighter still is then refused.

    Args:
        upright: False leaves it as its pixels are stored.
        profile: False leaves the color profile of what is stored as "L" or "RGB" to the caller: `to_srgb` of fewer pixels is
            faster.
        white: see above.
        found: told what was met.

    Raises:
        PictureError: it should not be decoded (`check`), or its grays are on a scale that nobody can know.
        Exception: whatever a decoder makes of a damaged file.
    """
    check(image)
    found = found if found is not None else Findings()
    transparent = _transparent_value(image)
    if white is None and image.mode.startswith("I"):
        white = 4095.0 if tuple(getattr(image, "tag_v2", {}).get(_BITS, ())) == (12,) else None
    image.load()
    if upright and 2 <= orientation(image) <= 8:
        with suppress(Exception):  # damaged EXIF data
            image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_grays(image, white, transparent, found)
    if image.mode in ("L", "RGB") and transparent is None and not (profile and image.info.get("icc_profile")):
        return image
    if transparent != image.info.get("transparency"):
        image = image.copy()
        image.info["transparency"] = transparent
    if not image.has_transparency_data:
        return to_srgb(image, found=found)
    if image.mode == "La":
        image = image.convert("LA")
    gray = image.mode in ("L", "LA")
    image = image.convert("LA" if gray else "RGBA")
    icc = image.info.get("icc_profile")
    colors = to_srgb(image.convert("L" if gray else "RGB"), icc, found=found).convert("RGB")
    colors.putalpha(image.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), colors).convert("RGB")


def as_bytes(image: Image.Image) -> Image.Image:
    """Return what `as_plain` gave with 8 bits for each value: grays of more are rounded."""
    if image.mode != "F":
        return image
    return Image.fromarray(np.rint(np.asarray(image)).clip(0, 255).astype(np.uint8))


def orientation(image: Image.Image) -> int:
    """EXIF's number for how the stored pixels are turned; 1: not at all."""
    if isinstance(image, JpegImageFile) and image.info.keys().isdisjoint(("exif", "xmp")):
        return 1  # asking Pillow takes a tenth of the time that a small picture takes in all
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data: the pixels are good all the same
        return 1


def _transparent_value(image: Image.Image) -> object:
    """The value that a picture without an alpha channel calls transparent, on the scale of its pixels in memory, or None.

    Pillow leaves it on the file's scale, while grays of 2 or 4 bits and colors of 16 become 8 bits wide.
    """
    value = image.info.get("transparency")
    tiles = getattr(image, "tile", None) if value is not None else None
    layout = str(tiles[0][3]) if tiles else ""
    if layout in ("L;2", "L;4") and isinstance(value, int):
        return value * 255 // (2 ** int(layout[-1]) - 1)
    if layout.startswith("RGB;16") and isinstance(value, tuple):
        return tuple(part >> 8 for part in value)
    return value


def _scale_grays(image: Image.Image, white: float | None, transparent: object, found: Findings) -> Image.Image:
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    assumed = white or (65535.0 if image.mode != "F" else 1.0 if high <= 1 else 255.0)
    if not (low >= 0 and (white or high <= assumed)):  # also when one is not a number
        expected = f"expected 0 to {255 if image.mode == 'F' else 65535}, or to what dataset.white says"
        raise PictureError(f"its grays run from {low:g} to {high:g}; {expected}")
    found.brightest, found.white = high, assumed
    scaled: NDArray[np.floating[Any]] = values.astype(np.float32)
    if assumed != 255:
        scaled = scaled / 257 if assumed == 65535 else scaled * (255 / assumed)
    if high > assumed:
        scaled = scaled.clip(0, 255)
    profile = image.info.get("icc_profile")
    if profile and (transform := _known(profile, "L", found).transform) is not None:
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        curve = np.asarray(_apply(transform, ramp).convert("L"), np.float32)[0]
        scaled = np.interp(scaled, np.arange(256), curve).astype(np.float32)
    if isinstance(transparent, int):
        scaled = np.where(values == transparent, np.float32(255), scaled)
    return Image.fromarray(scaled)


class _Profile(NamedTuple):
    """What a color profile means for pixels of one mode."""

    usable: bool
    transform: ImageCms.ImageCmsTransform | None = None  # to sRGB; None where nothing is to be done


def changes_colors(image: Image.Image) -> bool:
    """Return whether a picture has a color profile that is not sRGB's."""
    profile = image.info.get("icc_profile")
    return bool(profile) and _read_profile(profile, image.mode).transform is not None


def to_srgb(image: Image.Image, profile: bytes | None = None, *, found: Findings | None = None) -> Image.Image:
    """Return a picture without transparency as "L" or "RGB", in the colors of sRGB; by default its own profile is used."""
    profile, found = profile or image.info.get("icc_profile"), found or Findings()
    if image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile and (transform := _known(profile, image.mode, found).transform) is not None:
        converted = _apply(transform, image)
        return converted.convert("L") if image.mode == "L" else converted
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _known(profile: bytes, mode: str, found: Findings) -> _Profile:
    known = _read_profile(profile, mode)
    found.profile_ignored |= not known.usable
    return known


@lru_cache(maxsize=64)
def _read_profile(profile: bytes, mode: str) -> _Profile:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space.strip()
        if mode not in _SPACES.get(space, ()):
            return _Profile(usable=False)
        takes = "RGB" if space == "RGB" else mode
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), takes, "RGB")
        if takes in ("L", "RGB") and _moves(transform, takes) <= _SAME:
            return _Profile(usable=True)
    except Exception:  # lcms and Pillow say in many ways that bytes are no profile
        return _Profile(usable=False)
    return _Profile(usable=True, transform=transform)


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    """Return a picture in sRGB; a gray one may go through a profile for colors."""
    if image.mode != transform.input_mode:
        image = image.convert(transform.input_mode)
    result = ImageCms.applyTransform(image, transform)
    assert result is not None
    return result


def _moves(transform: ImageCms.ImageCmsTransform, mode: str) -> int:
    """By how many levels a transform moves a color at most, of 9 × 9 × 9 or of all grays."""
    if mode == "L":
        before = np.arange(256, dtype=np.uint8)[None]
    else:
        steps = np.linspace(0, 255, 9).round().astype(np.uint8)
        before = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    after = np.asarray(_apply(transform, Image.fromarray(before)), np.int16)
    return int(np.abs(after - (before[..., None] if mode == "L" else before)).max())
