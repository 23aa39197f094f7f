"""Pages in a real browser, played with: Playwright drives Debian's Chromium; what fails and what is asked for is noted.

    with browser_page("file:///tmp/page.html", width=390, dark=True) as played:
        played.page.get_by_role("button", name="Another").click()
        assert played.outside == []
    # on leaving: no error was in the console, and nothing was asked for beyond `within`

Two sessions at once share a browser: `with open_browser() as browser, browser_page(a, browser=browser) as one, …`.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .browser import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_MISSING = (
    "there is no chromium on PATH"
    if CHROMIUM is None
    else "the extra [test] has playwright"
    if find_spec("playwright") is None
    else ""
)
needs_browser = pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "all is here")

LOCAL = ("file:", "data:", "blob:", "about:")
"""What a page that needs no network asks for."""

AXE = ("axe-core", "4.14.1", "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==")
"""npm's package that judges how accessible a page is: name, version, SHA-512."""

_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update")


@dataclass
class Played:
    """A page, and what happened in it so far."""

    page: Page
    within: tuple[str, ...]
    timeout: float
    errors: list[str] = field(default_factory=list)  # of the console, and exceptions that nobody caught
    warnings: list[str] = field(default_factory=list)  # of the console
    requests: list[str] = field(default_factory=list)  # every address, sockets included

    @property
    def outside(self) -> list[str]:
        """What was asked for beyond `within`; none of it was let through."""
        return [address for address in self.requests if not address.startswith(self.within)]

    def check(self) -> None:
        """Fail where the console holds an error or something was asked for beyond `within`."""
        assert self.errors == []
        assert self.outside == []

    def wait(self, expression: str, arg: Any = None) -> None:
        """Wait until JavaScript, or a function of it that is given `arg`, is true.

        Playwright's own way to wait needs `eval`, which a page's Content-Security-Policy may forbid.
        """
        end = time.monotonic() + self.timeout
        while not self.page.evaluate(expression, arg):
            assert time.monotonic() < end, f"not within {self.timeout:g} s: {expression}"
            self.page.wait_for_timeout(100)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@contextmanager
def open_browser(*arguments: str) -> Iterator[Browser]:
    """Yield a headless Chromium, started with more `arguments`; skips the test where it, or Playwright, is missing."""
    if _MISSING:
        pytest.skip(_MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_ARGUMENTS, *arguments], timeout=180_000)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browser_page(
    address: str | Path = "about:blank",
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    within: str | Sequence[str] = LOCAL,
    browser: Browser | None = None,
    strict: bool = True,
    timeout: float = 120.0,
    before: str = "",
    **context: Any,
) -> Iterator[Played]:
    """Yield a page of a browser of its own, or of `browser`, with a session (cookies, storage) of its own.

    Args:
        address: the page to open: a URL, or a file.
        width, height: of the window, in pixels; dark: the color scheme that the person prefers.
        within: beginnings of addresses that may be asked for, by default what needs no network; a demo's is
            ("http://127.0.0.1:7860/", "ws://127.0.0.1:7860/", "data:", "blob:"). Anything else is refused, and noted.
        strict: call `Played.check` when the block ends without an exception.
        timeout: seconds that every wait may take, unless it says otherwise.
        before: JavaScript that runs before the page's own.
        context: what else Playwright's `new_context` takes: has_touch=True, reduced_motion="reduce", accept_downloads, …
    """
    beginnings = (within,) if isinstance(within, str) else tuple(within)
    with open_browser() if browser is None else nullcontext(browser) as opened:
        session = opened.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            service_workers="block",
            **context,
        )
        try:
            session.set_default_timeout(timeout * 1000)
            if before:
                session.add_init_script(before)
            page = session.new_page()
            played = Played(page, (*beginnings, "about:"), timeout)
            _listen(page, played)
            page.goto(address.resolve().as_uri() if isinstance(address, Path) else address)
            yield played
            if strict:
                played.check()
        finally:
            session.close()


def _listen(page: Page, played: Played) -> None:
    """Note everything that is asked for and said, and let nothing through that is not within bounds."""
    kinds = {"error": played.errors, "warning": played.warnings}

    def refuse(route: Any) -> None:
        if route.request.url.startswith(played.within):
            route.continue_()
        else:
            route.abort()

    page.on("console", lambda said: kinds[said.type].append(said.text) if said.type in kinds else None)
    page.on("pageerror", lambda error: played.errors.append(str(error)))
    page.on("crash", lambda _: played.errors.append("the page crashed"))
    page.on("request", lambda request: played.requests.append(request.url))
    page.on("websocket", lambda socket: played.requests.append(socket.url))
    page.route(lambda address: not address.startswith(LOCAL), refuse)


def find_barriers(page: Page, *, least: str = "serious") -> list[str]:
    """Return what axe-core finds in the page as it is now, from `least` (minor, moderate, serious, critical) on.

    One line each: how bad, which rule, what it says, and the first elements that it names. Skips the test where npm cannot
    fetch axe-core.
    """
    worst = ("minor", "moderate", "serious", "critical")
    page.evaluate((fetch_npm(*AXE) / "axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['impact']}: {rule['id']}: {rule['help']}: {', '.join(str(node['target']) for node in rule['nodes'][:3])}"
        for rule in found["violations"]
        if worst.index(rule["impact"] or "minor") >= worst.index(least)
    ]


def pack_npm(name: str, version: str, sha512: str) -> Path:
    """Return the archive of a package of npm's registry, fetched once for all tests of this machine; skips where it cannot.

    `sha512` is the archive's checksum in base64, as npm writes it.
    """
    folder = Path(tempfile.gettempdir(), "zoo-tests-npm")
    file = folder / f"{name}-{version}.tgz"
    if not file.is_file():
        if shutil.which("npm") is None:
            pytest.skip(f"there is no npm on PATH to fetch {name} with")
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            command = ["npm", "pack", "--silent", f"{name}@{version}"]
            done = subprocess.run(command, cwd=temporary, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot fetch {name}: {done.stderr.strip()[-200:]}")
            Path(temporary, file.name).replace(file)
    assert base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode() == sha512
    return file


def fetch_npm(name: str, version: str, sha512: str) -> Path:
    """Return the folder of a package of npm's registry, as `pack_npm` fetches it."""
    file = pack_npm(name, version, sha512)
    folder = file.with_name(f"{name}-{version}")
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
            with tarfile.open(file) as archive:
                archive.extractall(temporary, filter="data")
            try:
                Path(temporary, "package").rename(folder)
            except OSError:  # another process was faster
                assert folder.is_dir()
    return folder
