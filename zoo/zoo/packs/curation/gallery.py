"""Pairs of pictures to look at: what was removed beside what stays in its place, as a PNG and as an HTML page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ...files import atomic_file
from .. import Pack

PNG, PAGE = "removed.png", "removed.html"
_COLUMNS, _GAP, _SIDE = 10, 6, 64
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
body { color: #222; background: #fff }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: 1rem; padding: 0; list-style: none }
li { border: 1px solid #ddd; border-radius: 6px; padding: .6rem; overflow: hidden }
img { width: 5rem; height: 5rem; image-rendering: pixelated; vertical-align: top }
small { display: block; overflow-wrap: anywhere; color: #555 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 }
  li { border-color: #444 }
  small { color: #aaa }
}
"""


class Pair(NamedTuple):
    """A removed image and the one that stays, by number in the pack, and the bits in which their hashes differ."""

    removed: int
    kept: int
    distance: int


def choose_pairs(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most `most` of the pairs, at equal steps through all of them in order of distance."""
    ordered = sorted(pairs, key=lambda pair: (-pair.distance, pair.removed))
    if len(ordered) <= most:
        return ordered
    return [ordered[i * len(ordered) // most] for i in range(most)]


def save_png(pack: Pack, pairs: Sequence[Pair], path: Path) -> Path:
    """One picture of the pairs, the removed image on the left of each, the distance below."""
    height = _SIDE + 14
    width = 2 * _SIDE + 1
    rows = max(1, -(-len(pairs) // _COLUMNS))
    canvas = Image.new("RGB", (_COLUMNS * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for i, (pair, pictures) in enumerate(zip(pairs, _pictures(pack, pairs), strict=True)):
        left, top = _GAP + i % _COLUMNS * (width + _GAP), _GAP + i // _COLUMNS * (height + _GAP)
        for offset, picture in zip((0, _SIDE + 1), pictures, strict=True):
            canvas.paste(picture.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), (left + offset, top))
        draw.text((left, top + _SIDE + 1), f"{pair.removed} > {pair.kept}  {pair.distance} bits", fill="black")
    with atomic_file(path) as temporary:
        canvas.save(temporary)
    return path


def save_page(pack: Pack, pairs: Sequence[Pair], path: Path, *, title: str, summary: str) -> Path:
    """The pairs as one HTML file that needs no other."""
    cells = []
    for pair, (removed, kept) in zip(pairs, _pictures(pack, pairs), strict=True):
        told = f"{pair.distance} bits apart" if pair.distance else "equal hash"
        cells.append(
            f'<li><img alt="removed image {pair.removed}" src="{_embedded(removed)}"> '
            f'<img alt="kept image {pair.kept}" src="{_embedded(kept)}">'
            f"<small>removed {pair.removed}, kept {pair.kept}: {told}</small></li>"
        )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(summary)}</p><ul>{''.join(cells)}</ul></html>\n"
    )
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _pictures(pack: Pack, pairs: Sequence[Pair]) -> list[tuple[Image.Image, Image.Image]]:
    numbers = torch.tensor([(pair.removed, pair.kept) for pair in pairs], dtype=torch.int64).reshape(-1, 2)
    both = pack.gather(numbers.flatten())  # [2n, S, S, C]
    pictures = [_picture(image) for image in both]
    return list(zip(pictures[::2], pictures[1::2], strict=True))


def _picture(image: Tensor) -> Image.Image:
    array = image.numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
