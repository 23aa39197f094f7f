"""HTML pages that need no other file: pictures beside what is said of them, and histograms."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import atomic_file

COLORS = ("#0b62a8", "#c44e00")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
body { color: #222; background: #fff }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(23rem, 1fr)); gap: 1rem; padding: 0; list-style: none }
li { border: 1px solid #ddd; border-radius: 6px; padding: .6rem; overflow: hidden }
figure { display: inline-block; margin: 0 .3rem 0 0; vertical-align: top; width: 5.2rem }
img { width: 5rem; height: 5rem; image-rendering: pixelated; vertical-align: top }
figcaption, small { display: block; overflow-wrap: anywhere; color: #555; font-size: 12px; line-height: 1.3 }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse } th, td { border-bottom: 1px solid #ddd; padding: .2rem .8rem .2rem 0; text-align: left }
td { overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 }
  li, th, td { border-color: #444 }
  figcaption, small { color: #aaa }
}
"""


def page(title: str, body: Iterable[str], *, style: str = STYLE) -> str:
    """A whole HTML document; `body` is HTML, `title` is text."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}</style>"
        f"<h1>{html.escape(title)}</h1>{''.join(body)}</html>\n"
    )


def save_page(path: Path, text: str) -> Path:
    """Write a page, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def paragraph(text: str) -> str:
    """A paragraph of text."""
    return f"<p>{html.escape(text)}</p>"


def heading(text: str) -> str:
    """The heading of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def table(rows: Mapping[str, object]) -> str:
    """Names and values."""
    cells = "".join(f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>" for k, v in rows.items())
    return f"<table>{cells}</table>"


def figure(picture: Image.Image, caption: str, *, alt: str = "") -> str:
    """A picture with words below it."""
    shown = f'<img alt="{html.escape(alt or caption)}" src="{embedded(picture)}">'
    return f"<figure>{shown}<figcaption>{html.escape(caption)}</figcaption></figure>"


def cards(groups: Iterable[Sequence[str]]) -> str:
    """Groups of figures, each in a frame of its own."""
    return "<ul>" + "".join("<li>" + "".join(group) + "</li>" for group in groups) + "</ul>"


def embedded(picture: Image.Image) -> str:
    """A picture as a data URL."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def histograms(named: Mapping[str, Sequence[float]], *, label: str, mark: float | None = None, bins: int = 40) -> str:
    """Up to two distributions over one another, as shares, drawn as SVG.

    Args:
        named: what each is called → its values.
        label: what the values are.
        mark: a value at which a line stands.
        bins: how many bars.
    """
    values = {name: np.asarray(list(found), float) for name, found in named.items()}
    together = np.concatenate(list(values.values()))
    low, high = float(together.min()), float(together.max())
    high = high if high > low else low + 1.0
    counted = {name: np.histogram(v, bins, (low, high))[0] / max(1, len(v)) for name, v in values.items()}
    most = max(float(shares.max()) for shares in counted.values()) or 1.0
    width, height = 640, 200
    step = width / bins
    parts = [f'<svg role="img" aria-label="{html.escape(label)}" viewBox="0 0 {width} {height + 44}" width="{width}">']
    for (name, shares), color in zip(counted.items(), COLORS, strict=False):
        for i, share in enumerate(shares):
            tall = height * float(share) / most
            place = f'x="{i * step:.1f}" y="{height - tall:.1f}" width="{step:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect {place} fill="{color}" fill-opacity="0.5"><title>{html.escape(name)}</title></rect>')
    if mark is not None:
        x = width * (mark - low) / (high - low)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="#888" stroke-dasharray="4"/>')
    text = 'font-size="12" fill="currentColor"'
    parts.append(f'<text x="0" y="{height + 16}" {text}>{low:.3g}</text>')
    parts.append(f'<text x="{width}" y="{height + 16}" text-anchor="end" {text}>{high:.3g}</text>')
    parts.append(f'<text x="{width / 2}" y="{height + 16}" text-anchor="middle" {text}>{html.escape(label)}</text>')
    for i, (name, color) in enumerate(zip(values, COLORS, strict=False)):
        x = i * width / 2
        parts.append(f'<rect x="{x}" y="{height + 26}" width="12" height="12" fill="{color}" fill-opacity="0.5"/>')
        parts.append(f'<text x="{x + 18}" y="{height + 36}" {text}>{html.escape(name)}</text>')
    return "".join([*parts, "</svg>"])
