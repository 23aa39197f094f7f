"""Pages: one HTML file each that needs no other, no script and no network.

A template extends `base.html` and takes its tables, figures and warnings from `parts.html`. All that it is given is escaped,
but for the SVG of `figures.svg`, which is markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from ..files import atomic_file
from .pictures import data_url

TEMPLATES = Path(__file__).with_name("templates")
SECTIONS = TEMPLATES / "sections.html"
"""The template of a page that is made of `Section`s."""


@dataclass(frozen=True)
class Picture:
    """A picture, or the bytes of a PNG, with words.

    Args:
        alt: what a screen reader says.
        caption, note: what everybody reads; the note is the less important.
        width: on a page, in its pixels; 0 is the picture's own.
    """

    image: Image.Image | bytes
    alt: str
    caption: str = ""
    note: str = ""
    width: int = 0


@dataclass(frozen=True)
class Section:
    """A part of a page; what is empty is not shown.

    Args:
        title: its heading.
        texts: paragraphs.
        pictures: each in full width.
        charts: SVG, as `figures.svg` gives it.
        cards: small pictures in groups, each group in a frame with a line of words.
        facts: names and values, as a table.
        commands: what to type to get the same.
        warnings: what the reader should not miss.
        folded: a long text under a heading that opens it.
    """

    title: str
    texts: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    charts: Sequence[str] = ()
    cards: Sequence[tuple[Sequence[Picture], str]] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    commands: Sequence[str] = ()
    warnings: Sequence[str] = ()
    folded: tuple[str, str] | None = None


def write_page(path: Path, template: Path = SECTIONS, **content: Any) -> Path:
    """Render a template into an HTML file, whole or not at all.

    Args:
        path: the file.
        template: by default that of `title`, `lead` and `sections`.
        content: what the template names; a missing name is an error.

    Raises:
        ZooError: the file cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # here, as most commands write no page

    loader = FileSystemLoader([TEMPLATES, template.parent])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "data_url": data_url}
    text = environment.get_template(template.name).render(content)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")  # a path may hold bytes that are no text
    return path


def number(value: float | None) -> str:
    """Three digits that matter, or a dash."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
