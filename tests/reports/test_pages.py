"""Pages: one file, nothing but what was given, escaped; readable at any width, in light and in dark."""

from __future__ import annotations

import base64
import html.parser
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
import torch
from PIL import Image

from helpers.browser import count_colors, measure, needs_chromium, screenshot
from zoo.files import TEMPORARY
from zoo.reports.figures import COLORS, Curves, Histogram, Line, svg
from zoo.reports.page import Picture, Section, number, write_page
from zoo.reports.pictures import Block, sheet, to_picture
from zoo_core import ZooError

HOSTILE = "</title><script src=https://evil.example/x.js>alert(1)</script><img src=x onerror=alert(2)> \" ' & $x^2$"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Tags(html.parser.HTMLParser):
    """All tags of a page with their attributes, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


def noise(count: int, side: int = 16, channels: int = 3) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, side, side, channels), generator=rng, dtype=torch.uint8)


PLACES = (
    *("title", "lead", "text", "caption", "note", "axis", "legend", "bar"),
    *("card", "words", "name", "value", "command", "warning", "summary", "folded"),
)


def full_page(path: Path, word: str = "samples") -> Path:
    """A page with one of everything; the word stands everywhere, with the name of the place before it."""
    title, lead, text, caption, note, axis, legend, bar, card, words, name, value, command, warning, summary, folded = (
        f"{place}: {word}" for place in PLACES
    )
    lines = [Line(legend, [(0, 1), (1000, 2), (2000, 1.5)], note=word), Line("other", [(0, 2), (2000, 3)], COLORS[1])]
    wide = sheet([Block(word, noise(14), columns=14), Block("below", noise(3))])
    small = [Picture(to_picture(image), f"small picture of {word}", card) for image in noise(7)]
    charts = [svg(Curves(lines, axis, word, word), word), svg(Histogram({bar: [1, 2, 2]}, word), word)]
    sections = [
        Section("One", [f"{text}. " * 9], [Picture(wide, f"sheet of {word}", caption, note, wide.width // 2)]),
        Section("Two words", charts=charts),
        Section("Three", cards=[(small, words), (small[:2], "two")], facts={name: value, "n": 12}),
        Section("Four", commands=[command + " --long" * 60], warnings=[warning], folded=(summary, folded + "x" * 900)),
    ]
    return write_page(path, title=title, lead=lead, sections=sections)


def test_all_that_is_given_is_there(tmp_path: Path) -> None:
    page = Tags(full_page(tmp_path / "a" / "page.html", "word-xyz"))
    assert [place for place in PLACES if f"{place}: word-xyz" not in page.text] == []
    assert [s["id"] for s in page.all("section")] == ["one", "two-words", "three", "four"]
    assert {a["href"] for a in page.all("a")} == {"#" + s["id"] for s in page.all("section")}
    assert all(len(image["alt"]) > 5 for image in page.all("img"))
    assert [drawing["aria-label"] for drawing in page.all("svg")] == ["word-xyz"] * 2


def test_it_asks_for_nothing(tmp_path: Path) -> None:
    page = Tags(full_page(tmp_path / "page.html"))
    assert [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"] == [POLICY]
    names = {name for name, _ in page.tags}
    assert not names & {"script", "iframe", "object", "embed", "form", "base", "audio", "video"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,", "data:,")), (tag, attributes)
    text = (tmp_path / "page.html").read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert not re.findall(r"url\((?!#)|@import", text)


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    page = Tags(full_page(tmp_path / "page.html", HOSTILE))
    innocent = Tags(full_page(tmp_path / "innocent.html"))
    assert {name for name, _ in page.tags} == {name for name, _ in innocent.tags}
    assert len(page.all("img")) == len(innocent.all("img"))
    assert page.all("svg")[0]["aria-label"] == HOSTILE
    assert page.text.count("<script src=https://evil.example/x.js>") >= 10


def test_pictures_are_what_they_were(tmp_path: Path) -> None:
    image = noise(1)[0]
    buffer = io.BytesIO()
    to_picture(image).save(buffer, "PNG")
    pictures = [Picture(to_picture(image), "first picture"), Picture(buffer.getvalue(), "second picture")]
    page = Tags(write_page(tmp_path / "p.html", title="t", lead="", sections=[Section("s", pictures=pictures)]))
    for found in page.all("img"):
        with Image.open(io.BytesIO(base64.b64decode(found["src"].partition(",")[2]))) as opened:
            assert (np.asarray(opened) == image.numpy()).all()
    assert "nav" not in {name for name, _ in page.tags}  # of one section there is nothing to choose from


def test_a_page_is_whole_or_not_there(tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    with pytest.raises(jinja2.UndefinedError, match="lead"):
        write_page(page, title="t", sections=[])
    assert not page.exists()
    write_page(page, title="caf\udce9", lead="", sections=[])  # a name on disk may hold bytes that are no text
    assert "caf\\xe9" in page.read_text(encoding="utf-8")
    (tmp_path / "file").touch()
    with pytest.raises(ZooError, match="cannot be written"):
        write_page(tmp_path / "file" / "p.html", title="t", lead="", sections=[])
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(TEMPORARY)]


def test_numbers() -> None:
    values = (None, 0.0, 0.012345, 1.2345, 12.345, 1234.5, -0.5, 1e-7)
    assert [number(v) for v in values] == ["–", "0", "0.0123", "1.23", "12.3", "1,234", "-0.5", "1e-07"]


def test_nothing_heavy_is_loaded_before_something_is_drawn() -> None:
    rooms = "zoo.comparing.page, zoo.metrics.nearest, zoo.models.sampling, zoo.training.curves, zoo.packs.curation.dedup"
    code = f"import sys, {rooms}; print(*{{'matplotlib', 'jinja2', 'torchvision'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser(tmp_path: Path, width: int, dark: bool) -> None:
    page = full_page(tmp_path / "page.html", f"{'word' * 30} {HOSTILE}")
    found = measure(page, width, dark=dark)
    assert found["images"] == found["decoded"] == found["described"] == 10
    assert found["drawings"] == found["labeled"] == 2
    assert found["requests"] == []
    assert found["wider"] <= 0
    assert len(found["ids"]) == len(set(found["ids"]))
    pixels = screenshot(page, width, dark=dark)
    assert (pixels.mean() < 110) == dark
    assert count_colors(pixels) > 200  # pictures and words
    ink = pixels[:100].astype(int).sum(2)  # the title
    assert ((ink > 600) if dark else (ink < 200)).sum() > 300
