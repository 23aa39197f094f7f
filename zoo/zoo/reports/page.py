"""Pages: one HTML file each that needs no other, no script and no network.

A template extends `base.html` and takes its tables, figures and warnings from `parts.html`. All that it is given is escaped,
but for the SVG of `figures.svg`, which is markup. Characters that steer a terminal or turn the direction of text are shown
as "\\x1b" and "\\u202e".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from zoo_core.words import printable

from ..files import atomic_file
from .numbers import format_value
from .pictures import data_url

TEMPLATES = Path(__file__).with_name("templates")
SECTIONS = TEMPLATES / "sections.html"  # the template of a page that is made of `Section`s


@dataclass(frozen=True)
class Picture:
    """A picture, or the bytes of a PNG, with words."""

    image: Image.Image | bytes
    alt: str  # what a screen reader says
    caption: str = ""  # what everybody reads
    note: str = ""  # what is less important
    width: int = 0  # on a page, in its pixels; 0 is the picture's own


@dataclass(frozen=True)
class Section:
    """A part of a page; what is empty is not shown."""

    title: str  # its heading
    texts: Sequence[str] = ()  # paragraphs
    pictures: Sequence[Picture] = ()  # each in full width
    charts: Sequence[str] = ()  # SVG, as `figures.svg` gives it
    # small pictures in groups, each group in a frame with a line of words
    cards: Sequence[tuple[Sequence[Picture], str]] = ()
    facts: Mapping[str, object] = field(default_factory=dict)  # names and values, as a table
    commands: Sequence[str] = ()  # what to type to get the same
    warnings: Sequence[str] = ()  # what the reader should not miss
    folded: tuple[str, str] | None = None  # a long text under a heading that opens it


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
        loader=loader,
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "value": format_value, "data_url": data_url}
    text = environment.get_template(template.name).render(content)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")  # a path may hold bytes that are no text
    return path


def _finalize(value: Any) -> Any:
    """Return what a template prints; markup stays as it is."""
    return printable(value, lines=True) if type(value) is str else value


def number(value: float | None) -> str:
    """Three digits that matter, or a dash."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
