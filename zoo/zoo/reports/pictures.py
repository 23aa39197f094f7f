"""Pictures from pixels: grids, sheets with words, animations, data URLs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import pad

from ..files import atomic_file

SIDE, SCALE = 64, 2
"""In grids and sheets, images are enlarged, pixel by pixel, to about SIDE · SCALE, and all else is SCALE times as large as a
page shows it, so that words and edges are sharp on any screen."""

GAP = 2 * SCALE  # pixels between the images of a grid
_FONT, _LINE, _MARGIN, _LEAST = 11 * SCALE, 16 * SCALE, 3 * SCALE, 120 * SCALE
_MANY = 400  # images of a grid from which on it would be larger than screens are


@dataclass(frozen=True)
class Block:
    """Images uint8 [N, S, S, C] under a heading, `columns` in a row."""

    heading: str
    images: Tensor
    columns: int | None = None


def to_picture(pixels: Tensor) -> Image.Image:
    """Pixels uint8 [H, W, C] as a picture, gray for one channel."""
    array = pixels.contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def grid(images: Tensor, *, columns: int | None = None, numbered: bool = False, scale: int | None = None) -> Image.Image:
    """One picture of all images uint8 [N, S, S, C] on white, row by row, as square as it can be or `columns` wide.

    With `numbered`, each image's number stands below it. Each pixel is a square of `scale` pixels, by default as many as
    make an image about SIDE · SCALE large; one where there are many without numbers. The pixels are those of torchvision's
    `make_grid`, which takes a second and 160 MB to import, draws gray images in color and gives a single image no frame.
    """
    large = numbered or len(images) <= _MANY
    scale = scale or (max(1, round(SIDE * SCALE / images.shape[1])) if large else 1)
    images = images.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    count, side = images.shape[:2]
    columns = columns or math.ceil(math.sqrt(count))
    below = _LINE if numbered else 0
    tiles = pad(images, (0, 0, 0, GAP, 0, below + GAP, 0, -count % columns), value=255)  # [rows · columns, H, W, C]
    pixels = tiles.view(-1, columns, *tiles.shape[1:]).transpose(1, 2).flatten(2, 3).flatten(0, 1)
    picture = to_picture(pad(pixels, (0, 0, GAP, 0, GAP, 0), value=255))
    for i in range(count if numbered else 0):
        left, top = GAP + i % columns * (side + GAP), GAP + i // columns * (side + below + GAP)
        ImageDraw.Draw(picture).text((left + side // 2, top + side), str(i), fill="black", font=_font(), anchor="ma")
    return picture


def sheet(blocks: Sequence[Block], *, columns: int = 1) -> Image.Image:
    """Return all blocks as one picture for people to look at, `columns` of them in a row."""
    return arrange([_block(block) for block in blocks], columns=columns)


def arrange(pictures: Sequence[Image.Image], *, columns: int = 1) -> Image.Image:
    """Pictures on white, `columns` of them beside each other, the rows below each other."""
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    width = max(sum(p.width for p in row) for row in rows)
    heights = [max(p.height for p in row) for row in rows]
    canvas = Image.new("RGB", (width, sum(heights)), "white")
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            canvas.paste(picture, (sum(p.width for p in row[:j]), sum(heights[:i])))
    return canvas


def _block(block: Block) -> Image.Image:
    picture = grid(block.images, columns=block.columns)
    font, words = _font(), block.heading.split()
    width = int(max(picture.width, _LEAST, *(font.getlength(word) + 2 * _MARGIN for word in words)))
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width - 2 * _MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    canvas = Image.new("RGB", (width + _MARGIN, picture.height + _LINE * len(lines) + _MARGIN), "white")
    for i, line in enumerate(lines):
        ImageDraw.Draw(canvas).text((_MARGIN, _MARGIN + i * _LINE), line, fill="black", font=font)
    canvas.paste(picture, (0, canvas.height - picture.height))
    return canvas


@cache
def _font() -> ImageFont.FreeTypeFont:
    from .figures import styled_matplotlib

    with styled_matplotlib() as matplotlib:
        return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), _FONT)


def data_url(picture: Image.Image | bytes) -> str:
    """Return a picture, or the bytes of a PNG, as a URL that holds it."""
    if isinstance(picture, Image.Image):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")  # "optimize" takes ten times as long for 2 %
        picture = buffer.getvalue()
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def save_picture(picture: Image.Image, path: str | Path) -> Path:
    """Write a picture whose format the name's ending tells, whole or not at all."""
    with atomic_file(path := Path(path)) as temporary:
        picture.save(temporary)
    return path


def save_gif(pictures: Sequence[Image.Image], path: str | Path, *, seconds: float = 0.08) -> Path:
    """Write pictures as one animation that begins anew when it ends."""
    first, *rest = (p.convert("RGB").quantize(128) for p in pictures)
    with atomic_file(path := Path(path)) as temporary:
        first.save(temporary, save_all=True, append_images=rest, duration=int(1000 * seconds), loop=0)
    return path
