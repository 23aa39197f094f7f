"""Pages in a headless Chromium, as they are: a page that frames them measures them, and nothing in them is changed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")

_QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
_QUIETER = ("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--allow-file-access-from-files")
_PROBE = """<script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument, images = [...page.images];
  const boxes = [...page.querySelectorAll("body *")].filter(e => !e.closest(".scroll, pre, svg, figure > *"));
  const right = Math.max(page.documentElement.scrollWidth, ...boxes.map(e => e.getBoundingClientRect().right));
  const loaded = frame.contentWindow.performance.getEntriesByType("resource").map(e => e.name);
  document.title = JSON.stringify({
    images: images.length,
    decoded: images.filter(i => i.complete && i.naturalWidth > 0).length,
    described: images.filter(i => i.alt.length > 5).length,
    drawings: page.querySelectorAll("svg").length,
    labeled: page.querySelectorAll("svg[role=img][aria-label]").length,
    requests: loaded.filter(name => !name.startsWith("data:")),
    wider: right - frame.clientWidth,
    background: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    ids: [...page.querySelectorAll("section[id], svg g[id]")].map(e => e.id),
  });
});
</script>"""


def measure(page: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
    """What a page that is `width` pixels wide is like: its images, what it asked for, by how many pixels it is too wide."""
    with _framed(page, width, 2000, _PROBE) as (frame, words):
        done = _run([*words, "--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom"], frame, dark)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stdout[:500]
    found: dict[str, Any] = json.loads(html.unescape(title.group(1)))
    return found


def screenshot(page: Path, width: int, height: int = 2000, *, dark: bool = False) -> NDArray[np.uint8]:
    """The pixels [height, width, 3] of the top of a page."""
    with _framed(page, width, height) as (frame, words):
        shot = frame.with_name("shot.png")
        _run([*words, f"--screenshot={shot}"], frame, dark)
        with Image.open(shot) as picture:
            return np.asarray(picture.convert("RGB"))[:height, :width]


def count_colors(pixels: NDArray[np.uint8]) -> int:
    """How many colors there are among pixels [..., 3], which single numbers tell in a third of the time that rows take."""
    return len(np.unique(pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)))


@contextmanager
def _framed(page: Path, width: int, height: int, more: str = "") -> Iterator[tuple[Path, list[str]]]:
    """A page that frames another: no window of Chromium is narrower than 500 pixels, but a frame is."""
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder, "frame.html")
        look = f'style="border: 0" width="{width}" height="{height}"'
        frame.write_text(
            f'<!doctype html><body style="margin: 0">{more}<iframe {look} src="{page.resolve().as_uri()}"></iframe>'
        )
        yield frame, [f"--window-size={max(width, 500)},{height}", f"--user-data-dir={folder}/profile"]


def _run(words: list[str], page: Path, dark: bool) -> subprocess.CompletedProcess[str]:
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [str(CHROMIUM), *_QUIET, *_QUIETER, scheme, *words, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
