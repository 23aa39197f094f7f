"""What MkDocs runs while it builds the site: pages that are made and not stored, and links that leave the folder `docs`.

Files of the repository's root (README.md, CHANGELOG.md, …) are pages of the site too. A link to any other file outside of
`docs` goes to the repository, where `repo_url` says where that is, and is plain text elsewhere.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".ci"))

import lessons  # noqa: E402
import reference  # noqa: E402

OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "security.md",
    "NOTICE": "notice.md",
}
"""Files of the repository's root that are pages of the site."""

BESIDE = "from-pytorch-examples.md"  # a page of the tutorial that lies outside of its folder

_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^()\s]+)\)")
_MADE: dict[str, str] = {}  # site path → Markdown, or the text of a notebook


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the pages, and put every page of a folder where the navigation names the folder."""
    _MADE.clear()
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text("utf-8")
        if source == "NOTICE":
            text = f"# Notices\n\n```text\n{text}```\n\nThe license is Apache-2.0.\n"
        _MADE[page] = rewrite_links(text, source, config.repo_url)
    _MADE.update(reference.make_pages())
    _MADE.update(lessons.make_pages(config.repo_url))
    _MADE.update(lessons.make_notebooks(config.repo_url))
    config.nav = _expand(config.nav or [])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for page, text in _MADE.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    uri = page.file.src_uri
    return markdown if uri in _MADE else rewrite_links(markdown, f"docs/{uri}", config.repo_url)


def rewrite_links(markdown: str, source: str, repository: str | None) -> str:
    """Turn the links of a file into those of its page on the site.

    Args:
        markdown: text of the file.
        source: where the file lies in the repository, "docs/training.md" or "README.md".
        repository: its address, if it has one.
    """
    here = posixpath.dirname(source)
    page = OUTSIDE.get(source, source.removeprefix("docs/"))

    def rewrite(link: re.Match[str]) -> str:
        label, target = link.groups()
        if re.match(r"[a-z]+:|#|/", target):
            return link[0]
        path, _, anchor = target.partition("#")
        place = posixpath.normpath(posixpath.join(here, path))
        if place.startswith("docs/") or place in OUTSIDE:
            there = posixpath.relpath(OUTSIDE.get(place, place.removeprefix("docs/")), posixpath.dirname(page) or ".")
            return f"{label}({there}{'#' * bool(anchor)}{anchor})"
        if not (ROOT / place).exists():
            return link[0]  # the strict build says that it leads nowhere
        if repository:
            return f"{label}({repository.rstrip('/')}/blob/main/{place})"
        return label[1:-1]

    blocks = re.split(r"(^```.*?^```)", markdown, flags=re.M | re.S)
    return "".join(block if block.startswith("```") else _LINK.sub(rewrite, block) for block in blocks)


def _expand(entries: list[Any]) -> list[Any]:
    """Replace `folder/` by its pages, and `folder/*` by those that no other entry names; leave out folders without pages."""
    known = set(_names(entries))
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, str) and entry.endswith("/*"):
            found += [page for page in _pages(entry[:-1]) if page not in known]
        elif isinstance(entry, dict):
            ((title, inside),) = entry.items()
            inside = reference.make_nav() if inside == "reference/" else inside
            pages: Any = _pages(inside) if isinstance(inside, str) and inside.endswith("/") else inside
            pages = _expand(pages) if isinstance(pages, list) else pages
            found += [{title: pages}] if pages else []
        else:
            found.append(entry)
    return found


def _pages(folder: str) -> list[str]:
    """The pages of a folder, made or stored: its index first, then by their names; the tutorial has one outside."""
    if folder == "tutorial/":
        return [*_pages("tutorial"), BESIDE]
    stored = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / folder).glob("*.md")]
    made = [page for page in _MADE if posixpath.dirname(page) == folder.rstrip("/") and page.endswith(".md")]
    return sorted({*stored, *made}, key=lambda page: (not page.endswith("/index.md"), page))


def _names(entries: list[Any]) -> list[str]:
    names: list[str] = []
    for entry in entries:
        inside = next(iter(entry.values())) if isinstance(entry, dict) else entry
        names += _names(inside) if isinstance(inside, list) else [inside]
    return names
