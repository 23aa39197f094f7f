"""Color profiles (ICC): colors become those of sRGB."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from PIL import ImageCms

_SAME = 2  # levels of 255; a color profile that moves no color further is sRGB under another name
_SPACES = {"RGB": ("RGB", "L"), "GRAY": ("L",), "CMYK": ("CMYK",), "Lab": ("LAB",)}  # of profiles → modes they tell about


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


class _Profile(NamedTuple):
    """What a color profile means for pixels of one mode."""

    usable: bool
    transform: ImageCms.ImageCmsTransform | None = None  # to sRGB; None where nothing is to be done


def changes_colors(image: Image.Image, *, found: Findings | None = None) -> bool:
    """Return whether a picture has a color profile that is not sRGB's; one that is of no use is told to `found`."""
    profile = image.info.get("icc_profile")
    return profile is not None and _known(profile, image.mode, found or Findings()).transform is not None


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
    from PIL import ImageCms

    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space.strip()
        if mode not in _SPACES.get(space, ()):
            return _Profile(usable=False)
        takes = "RGB" if space == "RGB" else mode
        srgb = ImageCms.createProfile("sRGB")
        if takes in ("L", "RGB"):  # a few colors are moved soonest by a transform that is not prepared for many
            quick = ImageCms.buildTransform(opened, srgb, takes, "RGB", flags=ImageCms.Flags.NOOPTIMIZE)
            if _moves(quick, takes) <= _SAME:
                return _Profile(usable=True)
        transform = ImageCms.buildTransform(opened, srgb, takes, "RGB")
    except Exception:  # lcms and Pillow say in many ways that bytes are no profile
        return _Profile(usable=False)
    return _Profile(usable=True, transform=transform)


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    """Return a picture in sRGB; a gray one may go through a profile for colors."""
    from PIL import ImageCms

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


def make_gray_curve(profile: bytes, found: Findings) -> NDArray[np.float32] | None:
    """Return what the gray levels 0 … 255 of a picture with this profile are in sRGB, [256]; None: what they are."""
    transform = _known(profile, "L", found).transform
    if transform is None:
        return None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    curve: NDArray[np.float32] = np.asarray(_apply(transform, ramp).convert("L"), np.float32)[0]
    return curve
