"""HTML of pictures: tiles that can be chosen and dragged, large pictures, downloads. Nothing of it is a file of the server.

Every picture stands in the page itself, so that nothing is left on the disk, and a download needs no request. Words that are
not ours are escaped, braces and dollar signs too: Gradio's component reads them as its own.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image
from safetensors.torch import save
from torch import Tensor

from ..models.grids import to_pictures
from ..packs import to_uint8
from ..reports.pictures import data_url, grid

KINDS = {".png": "image/png", ".gif": "image/gif", ".safetensors": "application/octet-stream"}

PICK = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-pick]');
  if (button && element.contains(button)) trigger('select', {pick: button.dataset.pick});
});
element.addEventListener('keydown', (event) => {
  const tile = event.target.closest('div[data-pick]');
  if (!tile || (event.key !== 'Enter' && event.key !== ' ')) return;
  event.preventDefault();
  trigger('select', {pick: tile.dataset.pick});
});
"""
"""JavaScript of a component in which what has `data-pick` makes the event "select" when it is clicked."""

CSS = """
.zoo-tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--tile, 76px), 1fr)); gap: 4px; }
.zoo-tiles.zoo-rows { overflow-x: auto; grid-template-columns: repeat(var(--columns), minmax(44px, 128px)); }
.zoo-tiles figure { margin: 0; }
.zoo-tiles figcaption, .zoo-words { font-size: 13px; color: var(--body-text-color); overflow-wrap: anywhere; }
.zoo-tiles button { all: unset; }
.zoo-tiles [data-pick] { display: block; width: 100%; cursor: pointer; border-radius: 4px; }
.zoo-tiles [data-pick]:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 1px; }
.zoo-tiles [data-pick][aria-pressed="true"] { box-shadow: 0 0 0 3px var(--color-accent); }
.zoo-tiles img, .zoo-large img { width: 100%; display: block; border-radius: 3px; margin: 0; }
.zoo-tiles img.zoo-small, .zoo-large img.zoo-small { image-rendering: pixelated; }
.zoo-large { max-width: 384px; margin: 0; }
.zoo-downloads { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0 0; font-size: 14px; }
.zoo-downloads a { color: var(--body-text-color); text-decoration: underline; }
.zoo-heading { font-weight: 600; margin: 8px 0 4px; color: var(--body-text-color); font-size: 15px; }
.zoo-beside { display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: flex-start; }
.zoo-beside > div { flex: 0 1 384px; min-width: min(100%, 220px); }
.zoo-off img { opacity: 0.25; }
.zoo-zones { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px; }
.zoo-zone { border: 2px dashed var(--border-color-primary); border-radius: 8px; padding: 8px; min-height: 110px; }
.zoo-zone.zoo-over { border-color: var(--color-accent); }
.zoo-zone > button { all: unset; cursor: pointer; color: var(--body-text-color); text-decoration: underline; }
.zoo-zone > button:focus-visible { outline: 3px solid var(--color-accent); }
.zoo-chart { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 12px; }
.zoo-chart { color: var(--body-text-color); }
.zoo-chart svg { width: 100%; max-width: 560px; height: auto; }
"""


def escape(text: object) -> str:
    """Return text that stands in HTML as it is."""
    escaped = html.escape(str(text))
    for sign in "{}$`":
        escaped = escaped.replace(sign, f"&#{ord(sign)};")
    return escaped


@dataclass(frozen=True)
class Tile:
    """One picture among others."""

    picture: Image.Image
    name: str  # what a screen reader says
    pick: str = ""  # what the event "select" says when it is clicked; "" for a picture that is none to choose
    pressed: bool | None = None  # whether it is chosen; None for one that does something at once
    draggable: bool = False
    faded: bool = False
    caption: str = ""


def tiles_of(images: Tensor, names: Sequence[str], picks: Sequence[str] = ()) -> list[Tile]:
    """Return a tile for each of images [N, C, S, S] in [−1, 1]."""
    pictures = to_pictures(images)
    return [Tile(p, names[i], picks[i] if picks else "") for i, p in enumerate(pictures)]


def tiles(found: Sequence[Tile], *, heading: str = "", columns: int | None = None, width: int = 76) -> str:
    """Return pictures as many in a row as fit, at least `width` pixels wide each; or in rows of `columns`."""
    inner = "".join(map(_tile, found))
    style = f"--columns: {columns}" if columns else f"--tile: {width}px"
    kind = "zoo-tiles zoo-rows" if columns else "zoo-tiles"
    region = ' role="group" tabindex="0"' if columns else ' role="group"'  # what scrolls can be scrolled by keys
    name = f' aria-label="{escape(heading)}"' if heading else ' aria-label="pictures"'
    return _heading(heading) + f'<div class="{kind}"{region}{name} style="{style}">{inner}</div>'


def _tile(tile: Tile) -> str:
    small = ' class="zoo-small"' if tile.picture.width <= 64 else ""
    name = escape(tile.name)
    picture = f'<img{small} alt="{name}" src="{data_url(tile.picture)}" draggable="false">'
    if tile.pick:
        # No browser but Chromium drags a button.
        kind, end = ('div role="button" tabindex="0" draggable="true"', "div") if tile.draggable else ("button", "button")
        faded = ' class="zoo-off"' if tile.faded else ""
        pressed = "" if tile.pressed is None else f' aria-pressed="{str(tile.pressed).lower()}"'
        known = f'data-pick="{escape(tile.pick)}" aria-label="{name}" title="{name}"{pressed}'
        picture = f"<{kind}{faded} {known}>{picture}</{end}>"
    caption = f"<figcaption>{escape(tile.caption)}</figcaption>" if tile.caption else ""
    return f"<figure>{picture}{caption}</figure>"


def large(images: Tensor, name: str, *, heading: str = "") -> str:
    """Return the first of images [N, C, S, S] at a size to look at."""
    (picture,) = to_pictures(images[:1])
    small = ' class="zoo-small"' if picture.width <= 128 else ""
    source = data_url(picture)
    return _heading(heading) + f'<figure class="zoo-large"><img{small} alt="{escape(name)}" src="{source}"></figure>'


def film(data: bytes, name: str) -> str:
    """Return an animation, a GIF, at a size to look at."""
    return f'<figure class="zoo-large"><img alt="{escape(name)}" src="{_data_url(data, ".gif")}"></figure>'


def beside(*parts: str) -> str:
    """Return parts beside each other, as far as there is room."""
    return f'<div class="zoo-beside">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def words(text: str, *, heading: str = "") -> str:
    """Return a paragraph for each line of text."""
    lines = "".join(f'<p class="zoo-words">{escape(line)}</p>' for line in text.split("\n") if line)
    return _heading(heading) + lines


def _heading(text: str) -> str:
    return f'<p class="zoo-heading">{escape(text)}</p>' if text else ""


def downloads(files: Mapping[str, bytes]) -> str:
    """Return links that save files, by their names: .png, .gif or .safetensors."""
    links = []
    for name, data in files.items():
        source = _data_url(data, name[name.rindex(".") :])
        links.append(f'<a download="{escape(name)}" href="{source}">Download {escape(name)}</a>')
    return f'<p class="zoo-downloads">{"".join(links)}</p>'


def _data_url(data: bytes, ending: str) -> str:
    return f"data:{KINDS[ending]};base64,{base64.b64encode(data).decode()}"


def png_of(images: Tensor, columns: int | None = None) -> bytes:
    """Return images [N, C, S, S] in [−1, 1] as the PNG of one grid, each pixel as it is."""
    return encode(grid(to_uint8(images).cpu(), columns=columns, scale=1))


def encode(picture: Image.Image) -> bytes:
    """Return a picture as a PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def latents_file(z: Tensor, **facts: str) -> bytes:
    """Return latents [n, latent_dim] as safetensors, `latents`, with facts as metadata."""
    return save({"latents": z.float().contiguous()}, facts)


def to_picture_of(image: Tensor) -> Image.Image:
    """Return an image [C, S, S] in [−1, 1] as a picture."""
    return to_pictures(image[None])[0]
