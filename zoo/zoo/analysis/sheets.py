"""Pictures with words: rows of images under headings, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from zoo_core import UsageError

from ..files import atomic_file
from ..models.grids import grid_picture
from ..models.sampling import FORMATS

LEAST_SIDE = 64
"""Smaller images are enlarged, pixel by pixel, to about this."""

_LINE, _MARGIN = 15, 4


@dataclass(frozen=True)
class Block:
    """Images [N, C, S, S] in [−1, 1] under a heading, `columns` in a row."""

    heading: str
    images: Tensor
    columns: int | None = None


def sheet(blocks: Sequence[Block], *, beside: bool = False) -> Image.Image:
    """All blocks as one RGB picture: below each other, or `beside` each other."""
    parts = [_block(block) for block in blocks]
    if beside:
        canvas = Image.new("RGB", (sum(p.width for p in parts), max(p.height for p in parts)), "white")
    else:
        canvas = Image.new("RGB", (max(p.width for p in parts), sum(p.height for p in parts)), "white")
    at = 0
    for part in parts:
        canvas.paste(part, (at, 0) if beside else (0, at))
        at += part.width if beside else part.height
    return canvas


def _block(block: Block) -> Image.Image:
    scale = max(1, round(LEAST_SIDE / block.images.shape[-1]))
    images = block.images.repeat_interleave(scale, 2).repeat_interleave(scale, 3) if scale > 1 else block.images
    grid = grid_picture(images, columns=block.columns).convert("RGB")
    lines = _wrapped(block.heading, grid.width)
    canvas = Image.new("RGB", (max(grid.width, 120) + _MARGIN, grid.height + _LINE * len(lines) + _MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for i, line in enumerate(lines):
        draw.text((_MARGIN, 1 + i * _LINE), line, fill="black")
    canvas.paste(grid, (0, _LINE * len(lines)))
    return canvas


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that fit into a width in pixels, as the built-in font sets them."""
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines: list[str] = []
    for word in text.replace("−", "-").split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure.textlength(longer) <= max(width, 120) - _MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def check_picture_name(out: str | Path, *, others: Sequence[str] = ()) -> Path:
    """The path, if its ending is one that a picture can have; raises `UsageError` otherwise, before any work is done."""
    path = Path(out)
    valid = (*FORMATS, *others)
    if path.suffix.lower() not in valid:
        raise UsageError(
            f"{path.name!r} does not end like a picture; valid: {', '.join(valid)}", hint="for example: --out picture.png"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="choose another file name")
    return path


def save_picture(picture: Image.Image, path: str | Path) -> Path:
    """Write a picture whose format the name's ending tells, whole or not at all."""
    path = Path(path)
    with atomic_file(path) as temporary:
        picture.save(temporary)
    return path


def save_gif(pictures: Sequence[Image.Image], path: str | Path, *, seconds: float = 0.08) -> Path:
    """Write pictures as one animation that begins anew when it ends."""
    path = Path(path)
    first, *rest = (p.convert("RGB").quantize(128) for p in pictures)
    with atomic_file(path) as temporary:
        first.save(temporary, save_all=True, append_images=rest, duration=int(1000 * seconds), loop=0)
    return path
