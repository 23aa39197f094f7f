"""Pages in the repository: links lead somewhere, names of modules exist, what is stored is as it would be made now."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import links  # noqa: E402
import reference  # noqa: E402

ROOT_PAGES = ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT")
PAGES = [*(ROOT / f"{name}.md" for name in ROOT_PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
RENEW = "to renew it: python .ci/reference.py --write"


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and the site give the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_in_the_repository(page: Path) -> None:
    for target in re.findall(r"\]\(([^()\s]+)\)", without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if there.parent.name == "tutorial" and there.with_suffix(".py").exists():  # the page of a lesson is made
            continue
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: there is no heading for {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_modules_that_are_named_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # which tells of names of before
        return
    for name in re.findall(r"`((?:zoo|zoo_core|zoo_plugins|zoo_cli)(?:\.[A-Za-z_]\w*)+)", page.read_text("utf-8")):
        if name == "zoo.plugins":  # the group of entry points
            continue
        found, rest = importlib.import_module(name.partition(".")[0]), name.split(".")[1:]
        for part in rest:
            try:
                found = getattr(found, part)
            except AttributeError:
                found = importlib.import_module(f"{found.__name__}.{part}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_scripts_that_are_named_exist(page: Path) -> None:
    for path in re.findall(r"\b((?:benchmarks|examples|tests|\.ci)/[\w./-]+?\.(?:py|md|yml))", page.read_text("utf-8")):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_the_readme_lists_what_there_is() -> None:
    text = reference.README.read_text("utf-8")
    assert reference.write_readme(text) == text, RENEW
    assert reference.readme_table() in text
    assert text.count("\n") <= 100  # a screen and a half


def test_the_table_of_results_is_that_of_its_facts() -> None:
    assert reference.RESULTS.read_text("utf-8") == reference.results_page(), RENEW
    rows = json.loads(reference.STATUS.read_text("utf-8"))["measured"]
    for row in rows:
        assert (reference.RESULTS.parent / row["page"]).exists(), row["page"]
        assert not row.get("json") or (reference.RESULTS.parent / row["json"]).exists(), row["json"]


def test_no_guide_is_left_out_of_the_site() -> None:
    named = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M))  # one of them in a comment
    stored = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert not {page for page in stored - named if not page.startswith(("results/", "tutorial/"))}


def test_formats_are_those_of_the_code() -> None:
    page = reference.make_formats()
    for what, _, module, read, _ in reference.FORMATS:
        number = importlib.import_module(module).FORMAT
        assert read.split(", ")[-1] == str(number), what
        assert f"| {number} | {read} |" in page


def test_every_command_and_component_has_a_place_in_the_reference() -> None:
    pages = reference.make_pages()
    commands = "\n".join(text for page, text in pages.items() if "/commands-" in page)
    for words in ("zoo train", "zoo data build", "zoo leaderboard check", "zoo import newmu", "zoo plugins new"):
        assert f"# {words} {{" in commands
    for kind in reference.KINDS:
        for entry in reference.registry.entries(kind):
            assert entry.plugin.distribution != reference.OURS or f"## {entry.name} {{" in pages[f"reference/{kind}.md"]
    assert all(f"## {name} {{" in pages["reference/recipes.md"] for name in reference.our_recipes())


def test_dead_links_and_other_hosts_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="#here">1</a><a href="b.html#there">2</a><a href="none.html">3</a>'
        '<img src="https://example.org/x.png"><script src="b.js"></script><a href="https://example.org">4</a>'
    )
    (tmp_path / "b.html").write_text("<p>")
    assert links.find_faults(tmp_path) == [
        "a.html: no anchor b.html#there",
        "a.html: no file none.html",
        "a.html loads https://example.org/x.png",
        "a.html: no file b.js",
    ]


def test_links_are_rewritten_for_the_site() -> None:
    pytest.importorskip("mkdocs")
    code = """
import sys; sys.path.insert(0, ".ci")
from documentation import rewrite_links as r
print(r("[a](docs/data.md#packs) [b](CHANGELOG.md) ![c](docs/images/x.png)", "README.md", None))
print(r("[a](../CHANGELOG.md) [b](../pretrained/README.md) [c](results/gpu.md) [d](https://x.org)", "docs/hub.md", None))
print(r("[a](../../pretrained/README.md) `[b](x)`\\n```\\n[c](../../NOTICE)\\n```\\n", "docs/plugins/models.md", "https://x.org/r"))
"""
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[:3] == [
        "[a](data.md#packs) [b](changes.md) ![c](images/x.png)",
        "[a](changes.md) b [c](results/gpu.md) [d](https://x.org)",
        "[a](https://x.org/r/blob/main/pretrained/README.md) `[b](x)`",
    ]
    assert "[c](../../NOTICE)" in said
