"""Give things names of anything: what is shown stays one line, one cell, one text, and obeys nobody.

    python benchmarks/fuzz/names.py [--tries N] [--seed S] [--only N] [--json]

Names go through the terminal's `echo` and `printable`, an error, a table, a model card, a page, a CSV table, `--json` and
file names. In none may a control character, a tag, a formula, a template or a line of its own come of them. The last line of
standard output is one JSON object.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import sys
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from harness import Difference, Target, Try, main, set_up
from mutating import word

set_up()

import yaml  # noqa: E402

import zoo  # noqa: E402
from zoo.comparing.page import COLUMNS, write_csv  # noqa: E402
from zoo.comparing.trials import Trial  # noqa: E402
from zoo.models.card import model_card  # noqa: E402
from zoo.reports.page import write_page  # noqa: E402
from zoo.runs.folders import name_run  # noqa: E402
from zoo_cli.output import echo, print_json, print_table  # noqa: E402
from zoo_core import ZooError  # noqa: E402

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\r]")
ACTIVE = {"script", "iframe", "object", "embed", "form", "img", "b", "base", "meta", "link"}


class Tags(HTMLParser):
    """Counts the tags of a page, and finds handlers of events."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.found += [name for name, _ in attrs if name.startswith("on")]


def tags(text: str) -> list[str]:
    parser = Tags()
    parser.feed(text)
    return sorted(tag for tag in parser.found if tag in ACTIVE or tag.startswith("on"))


def prepare(folder: Path) -> dict[str, Any]:
    """Return a model, and the tags of its card and of a page with plain names."""
    (folder / "empty").mkdir()
    model = zoo.create("dcgan", size=16, options={"generator.width": 2, "discriminator.width": 2})
    write_page(folder / "page.html", title="x", lead="x", sections=[])
    return {"model": model, "page": tags((folder / "page.html").read_text()), "lines": len(model_card(model).splitlines())}


def require(good: bool, what: str) -> None:
    if not good:
        raise Difference(what)


def attempt(folder: Path, draw: random.Random, known: dict[str, Any]) -> Try:
    name, other = word(draw), word(draw, 40)
    where = draw.choice(("terminal", "error", "table", "json", "card", "page", "csv", "folder"))

    def act() -> None:
        file = io.StringIO()
        if where in ("terminal", "table", "json"):
            with redirect_stdout(file):
                if where == "terminal":
                    echo(f"{name}: {other}")
                elif where == "table":
                    print_table([["name", "words"], [name, other], [other, name]])
                else:
                    print_json({name: other})
            text = file.getvalue()
            require(not RAW.search(text), "a control character on the terminal")
            if where == "json":
                require(json.loads(text) == {name: other}, "another value in --json")
            else:
                require(text.count("\n") == (1 if where == "terminal" else 3), "a name begins a line")
        elif where == "error":
            text = str(ZooError(f"{name} is wrong", hint=f"type: {other}"))
            require(not RAW.search(text), "a control character in an error")
            require(not any(line.startswith("error:") for line in text.splitlines()[1:]), "a forged error")
        elif where == "card":
            model = known["model"]
            model.config["classes"] = [name]
            model.config["provenance"] = {"dataset": {"name": name, "credit": other, "license": name}, "command": other}
            text = model_card(model)
            require(not RAW.search(text.replace("\n", "")), "a control character in a card")
            require(not tags(re.sub(r"```.*?```", "", text, flags=re.S)), "a tag in a card")
            header = text.split("---\n")[1]
            require(set(yaml.safe_load(header)) <= HEADER, f"a key in the card's header: {set(yaml.safe_load(header))}")
        elif where == "page":
            target = folder / "page.html"
            write_page(target, title=name, lead=other, sections=[])
            text = target.read_text(encoding="utf-8")
            require(tags(text) == known["page"], "a tag in a page")
            require("Content-Security-Policy" in text, "no policy in a page")
            require(not RAW.search(text.replace("\n", "").replace("\t", "")), "a control character in a page")
        elif where == "csv":
            target = folder / "table.csv"
            write_csv(target, [Trial(folder, name, 0, diverged=other)])
            rows = list(csv.reader(io.StringIO(target.read_text(encoding="utf-8"), newline="")))
            require(len(rows) <= 2 and all(len(row) == len(COLUMNS) for row in rows), "a row or cell of its own")
            for cell in (cell for row in rows for cell in row):
                require(not cell.startswith(("=", "+", "@", "\t", "\r")) and not RAW.search(cell), f"a formula: {cell!a}")
        else:
            made = name_run("dcgan", draw.choice(("folder", "hub", "faces")), other, 64, {"a": name})
            require("/" not in made and not RAW.search(made) and made not in (".", ".."), f"a folder {made!a}")

    return Try(f"{where}: {name!a}, {other[:60]!a}", act)


HEADER = {
    *("base_model", "library_name", "pipeline_tag", "tags", "datasets", "license", "model_name", "model-index"),
    *("eval_results", "language", "metrics", "model_index"),
}

TARGET = Target("names", prepare, attempt, fresh="empty")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=500))
