"""Every page that the product writes, of things with hostile names, in a real browser: read, looked at, printed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import zoo
from helpers.pages import HOSTILE, PAGES, Maker
from helpers.playing import browser_page, find_barriers, needs_browser, open_browser
from zoo_core.words import printable

pytestmark = pytest.mark.slow

ROOT = Path(zoo.__file__).parent
ELSEWHERE = {"zoo.exporting.page"}  # a page that computes, which tests/exporting plays with
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
A4 = 680  # pixels of a page's width between margins of 15 mm
TALLEST = 908  # and of 240 mm of its height


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    import torch

    folder, before, threads = tmp_path_factory.mktemp("pages"), os.environ.get("ZOO_CACHE"), torch.get_num_threads()
    os.environ["ZOO_CACHE"] = str(folder / "cache")
    torch.set_num_threads(1)
    maker = Maker(folder)
    yield {name: make(maker) for name, make in PAGES.items()}
    torch.set_num_threads(threads)
    if before is not None:
        os.environ["ZOO_CACHE"] = before


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_every_module_that_writes_a_page_is_here() -> None:
    taken = re.compile(r"^from \.+reports\.page import .*\bwrite_page\b", re.MULTILINE)
    files = [file for file in ROOT.rglob("*.py") if taken.search(file.read_text(encoding="utf-8"))]
    assert {".".join(("zoo", *file.relative_to(ROOT).with_suffix("").parts)) for file in files} == {*PAGES, *ELSEWHERE}


@pytest.mark.parametrize("name", PAGES)
def test_names_inject_nothing(name: str, pages: dict[str, Path]) -> None:
    text = pages[name].read_text(encoding="utf-8")
    tags = Tags(text)
    assert RAW.findall(text) == []
    kinds = {tag for tag, _ in tags.found}
    assert not kinds & {"script", "iframe", "object", "embed", "form", "base", "link rel=stylesheet", "audio", "video"}
    for tag, attributes in tags.found:
        assert not [key for key in attributes if key.startswith("on")], (tag, attributes)
        for key in ("src", "href"):
            assert (attributes.get(key) or "#").startswith(("#", "data:image/png;base64,", "data:,")), (tag, attributes)
    (policy,) = (a["content"] for tag, a in tags.found if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert {"default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"} <= set(policy.split("; "))
    assert "49" not in re.findall(r"alert\(1\)>(\d\d)", tags.words)  # no template made of a template
    if name != "zoo.comparing.page":  # which shows no name but those of recipes
        assert printable(HOSTILE) in tags.words


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (390, False), (1280, True)])
@pytest.mark.parametrize("name", PAGES)
def test_on_screens(name: str, width: int, dark: bool, pages: dict[str, Path], browser: Any) -> None:
    with browser_page(pages[name], width=width, dark=dark, browser=browser) as played:
        page = played.page
        assert played.overflow() <= 0
        images = page.evaluate("[...document.images].map(i => [i.complete && i.naturalWidth > 0, i.alt.length > 5])")
        assert images
        assert all(decoded and described for decoded, described in images)
        assert find_barriers(page, least="moderate") == []
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(22, 25, 29)" if dark else "rgb(255, 255, 255)")


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_by_keyboard(name: str, pages: dict[str, Path], browser: Any) -> None:
    wanted = "[...document.querySelectorAll('a[href], [tabindex], summary')].filter(e => e.checkVisibility())"
    with browser_page(pages[name], browser=browser) as played:
        page = played.page
        count, reached = page.evaluate(f"{wanted}.length"), []
        for _ in range(count):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(f"{wanted}.indexOf(document.activeElement)"))
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert reached == list(range(count))  # in the order in which it is read


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_on_paper(name: str, pages: dict[str, Path], browser: Any) -> None:
    with browser_page(pages[name], width=A4, dark=True, browser=browser) as played:
        played.page.emulate_media(media="print")
        assert played.overflow() <= 0
        boxes = played.page.evaluate(
            "[...document.querySelectorAll('img, svg')].map(e => e.getBoundingClientRect().toJSON())"
        )
        assert all(box["right"] <= A4 + 1 and box["height"] <= TALLEST for box in boxes)
        cut = (
            "[...document.querySelectorAll('.scroll, pre, figure')].filter(e => getComputedStyle(e).overflowX != 'visible')"
        )
        assert played.page.evaluate(f"{cut}.length") == 0
        ink = played.page.evaluate("getComputedStyle(document.body).color")
        assert ink == "rgb(29, 33, 38)"  # dark on white, whatever the screen shows
