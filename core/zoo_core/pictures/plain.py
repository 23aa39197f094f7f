"""A picture of any kind becomes plain gray or plain color, as it should be seen."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from .limits import PictureError, ScaleError, check
from .profiles import Findings, make_gray_curve, to_srgb

_ORIENTATION = 0x0112  # the EXIF tag
_BITS, _PHOTOMETRIC = 258, 262  # tags of TIFF


def as_plain(
    image: Image.Image,
    *,
    upright: bool = True,
    turned: int | None = None,
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
        turned: `orientation`, where it is known already.
        profile: False leaves the color profile of what is stored as "L" or "RGB" to the caller: `to_srgb` of fewer pixels is
            faster.
        white: see above.
        found: told what was met.

    Raises:
        ScaleError: its grays go beyond what is white where nobody says.
        PictureError: it should not be decoded (`check`), or its grays are negative or no numbers.
        Exception: whatever a decoder makes of a damaged file.
    """
    check(image)
    found = found if found is not None else Findings()
    transparent = _transparent_value(image)
    if white is None and image.mode.startswith("I"):
        white = 4095.0 if tuple(getattr(image, "tag_v2", {}).get(_BITS, ())) == (12,) else None
    # grays of 8 bits and less are inverted by Pillow
    inverted = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    image.load()
    if upright and 2 <= (orientation(image) if turned is None else turned) <= 8:
        with suppress(Exception):  # damaged EXIF data
            image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_grays(image, white, transparent, found, inverted)
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


def _scale_grays(
    image: Image.Image, white: float | None, transparent: object, found: Findings, inverted: bool
) -> Image.Image:
    """Return grays from 0 to 255; `inverted`: 0 is stored as white, and what is white as 0."""
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    assumed = white or (65535.0 if image.mode != "F" else 1.0 if high <= 1 else 255.0)
    if np.isnan(low):
        raise PictureError("some of its grays are not numbers")
    run, most = f"its grays run from {low:g} to {high:g}; expected", 255 if image.mode == "F" else 65535
    if low < 0:
        raise PictureError(f"{run} 0 to {white or most:g}")
    if not white and high > assumed:
        raise ScaleError(f"{run} 0 to {most}")
    found.brightest, found.white = max(assumed - low, 0) if inverted else high, assumed
    scaled: NDArray[np.floating[Any]] = values.astype(np.float32)
    if assumed != 255:
        scaled = scaled / 257 if assumed == 65535 else scaled * (255 / assumed)
    if high > assumed:
        scaled = scaled.clip(0, 255)
    if inverted:
        scaled = 255 - scaled
    profile = image.info.get("icc_profile")
    if profile and (curve := make_gray_curve(profile, found)) is not None:
        scaled = np.interp(scaled, np.arange(256), curve).astype(np.float32)
    if isinstance(transparent, int):
        scaled = np.where(values == transparent, np.float32(255), scaled)
    return Image.fromarray(scaled)
