"""One HTML file that needs nothing else: no script, no request, every picture inside and described."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_WIDE = 680  # pixels beyond which a picture is scrolled rather than shrunk
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #59626d; --rule: #d9dee4; --paper: #fff; --tint: #f4f6f8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --soft: #a3acb6; --rule: #3a4149; --paper: #16191d; --tint: #20252b }
}
* { box-sizing: border-box }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; max-width: 60rem;
  padding: 1rem 1rem 4rem; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 .2rem }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--rule) }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; list-style: none }
a { color: inherit }
figure { margin: 1rem 0; overflow-x: auto }
figcaption, .note { color: var(--soft); font-size: .9rem }
img { max-width: 100%; height: auto; image-rendering: pixelated; display: block; background: #fff }
img.wide { max-width: none }
table { border-collapse: collapse; width: 100%; font-size: .93rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--rule) }
th { font-weight: 500; color: var(--soft); width: 42% }
pre { background: var(--tint); padding: .7rem .9rem; overflow-x: auto; border-radius: 6px; font-size: .85rem }
svg { width: 100%; height: auto; display: block } svg text { font: 12px system-ui, sans-serif; fill: var(--soft) }
svg .grid { stroke: var(--rule) }
"""


@dataclass(frozen=True)
class Figure:
    """A picture with its alternative text and a caption."""

    picture: Image.Image
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        texts: paragraphs.
        figures: pictures.
        charts: SVG, as `line_chart` gives it.
        rows: names and values, as a table.
        commands: what to type to get the same.
        folded: a long text under a heading that opens it.
    """

    title: str
    texts: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    charts: Sequence[str] = ()
    rows: Mapping[str, object] = field(default_factory=dict)
    commands: Sequence[str] = ()
    folded: tuple[str, str] | None = None


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole document. All texts are escaped; charts are not, as they are ours."""
    links = "".join(f'<li><a href="#{_anchor(s.title)}">{html.escape(s.title)}</a></li>' for s in sections)
    body = "".join(map(_section, sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<link rel="icon" href="data:,">\n<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        f'<h1>{html.escape(title)}</h1>\n<p class="note">{html.escape(lead)}</p>\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>{body}</main>\n</body>\n</html>\n'
    )


def _section(section: Section) -> str:
    parts = [f'<section id="{_anchor(section.title)}"><h2>{html.escape(section.title)}</h2>']
    parts += [f"<p>{html.escape(text)}</p>" for text in section.texts]
    parts += [f"<figure>{chart}</figure>" for chart in section.charts if chart]
    parts += map(_figure, section.figures)
    if section.rows:
        cells = (f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>" for k, v in section.rows.items())
        parts.append(f"<table>{''.join(cells)}</table>")
    if section.commands:
        parts.append(f"<pre>{html.escape(chr(10).join(section.commands))}</pre>")
    if section.folded is not None:
        summary, text = map(html.escape, section.folded)
        parts.append(f"<details><summary>{summary}</summary><pre>{text}</pre></details>")
    return "\n".join([*parts, "</section>\n"])


def _figure(figure: Figure) -> str:
    kind = ' class="wide"' if figure.picture.width > _WIDE else ""
    size = f'width="{figure.picture.width}" height="{figure.picture.height}"'
    alt = html.escape(figure.alt, quote=True)
    caption = f"<figcaption>{html.escape(figure.caption)}</figcaption>" if figure.caption else ""
    return f'<figure><img{kind} {size} alt="{alt}" src="{_embedded(figure.picture)}">{caption}</figure>'


def _embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower())
