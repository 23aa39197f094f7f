"""Look at every link of a built site, without a network: each leads to a file and an anchor that are there.

    python .ci/links.py site

Nothing that a page shows or runs (pictures, styles, scripts, fonts, frames) may come from another host. Ends with 1
and a line for each fault.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SHOWN = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "object": "data"}
LOADED = ("stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "icon", "manifest")  # of <link rel=…>


class Page(HTMLParser):
    """The anchors of a page, where its links lead to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "__top"}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(value for name, value in given.items() if name in ("id", "name"))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in SHOWN and given.get(SHOWN[tag]):
            self.loads.append(given[SHOWN[tag]])
        if tag == "link" and set(given.get("rel", "").split()).intersection(LOADED):
            self.loads.append(given.get("href", ""))


def find_faults(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere and for each thing that comes from another host."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        if path.name == "404.html":  # whose links begin at the root of a server
            continue
        name = path.relative_to(site)
        for target in [*page.links, *page.loads]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loads and parts.scheme != "data":
                    faults.append(f"{name} loads {target}")
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            if not there.exists():
                faults.append(f"{name}: no file {target}")
            elif parts.fragment and there.suffix == ".html" and unquote(parts.fragment) not in pages[there].anchors:
                faults.append(f"{name}: no anchor {target}")
    return faults


def main() -> None:
    faults = find_faults(Path(sys.argv[1]).resolve())
    if faults:
        sys.exit("\n".join(sorted(set(faults))))
    print("every link leads somewhere, and nothing comes from another host")


if __name__ == "__main__":
    main()
