"""Pages of the site that are made from what they describe: the API, every command, recipe and component, formats, results.

    python .ci/reference.py --write   # renews the table of what there is in README.md, and docs/results/index.md

Nothing else of them is stored, and a test compares these two.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / ".ci")]

from public import PUBLIC  # noqa: E402

from zoo_core import Recipe, registry  # noqa: E402
from zoo_core.options import Option, choices, schema, write_value  # noqa: E402
from zoo_core.records import COMPONENTS, CONTRACT, KINDS, SINGULAR  # noqa: E402
from zoo_core.settings import OptimizerSettings, TrainingSettings  # noqa: E402

OURS = "dcgan-zoo"
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results" / "index.md"
STATUS = RESULTS.with_name("status.json")
FORMATS = [  # what lies on disk, the module whose FORMAT numbers it, and versions that are read
    (
        "model folder",
        "`config.json`, `<role>.safetensors`",
        "zoo.models.config",
        "1, 2",
        "hub.md#what-a-model-folder-may-do",
    ),
    ("run folder", "`run.json`, `metrics.jsonl`, `samples/`", "zoo.runs.run", "1, 2", "training.md#what-one-command-does"),
    ("checkpoint", "`state.json`, safetensors", "zoo.runs.checkpoints", "1, 2", "training.md#safety"),
    ("pack", "`pack.json`, safetensors of uint8", "zoo.packs.pack", "2", "data.md#packs"),
    ("comparison", "`comparison.json`", "zoo.comparing.settings", "1", "ablations.md#comparing"),
    (
        "leaderboard",
        "`board.json`, a file for each cell",
        "zoo.leaderboard.configuration",
        "1",
        "evaluation.md#leaderboards",
    ),
    ("features in the cache", "safetensors", "zoo.metrics.store", "1", "evaluation.md"),
]


def make_pages() -> dict[str, str]:
    """Return site path → Markdown."""
    return {
        "reference/index.md": _index(),
        **{f"reference/{module}.md": _module(module) for module in PUBLIC},
        **{f"reference/commands-{_slug(title)}.md": text for title, text in _commands()},
        "reference/recipes.md": _recipes(),
        **{f"reference/{kind}.md": _components(kind) for kind in KINDS},
        "reference/settings.md": _settings(),
        "reference/formats.md": make_formats(),
    }


def make_nav() -> list[Any]:
    """Return the navigation of the reference, as mkdocs.yml would have it."""
    commands = [f"reference/commands-{_slug(title)}.md" for title, _ in _commands()]
    there = ["recipes", *KINDS, "settings"]
    return [
        "reference/index.md",
        {"In Python": [f"reference/{module}.md" for module in PUBLIC]},
        {"Commands": commands},
        {"What there is": [f"reference/{page}.md" for page in there]},
        "reference/formats.md",
    ]


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def _line(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells) + "\n"


def _index() -> str:
    modules = "\n".join(f"- [`{module}`]({module}.md): {', '.join(topics).lower()}" for module, topics in PUBLIC.items())
    commands = "\n".join(f"- [{title}](commands-{_slug(title)}.md)" for title, _ in _commands())
    kinds = "\n".join(f"- [{kind}]({kind}.md)" for kind in KINDS)
    return f"""# Reference

All of it is made from the code of this version when the site is built. **What stands here is public**: names and signatures
change by decision only, and [what changed](../changes.md) says so. What does not stand here may change at any time.

## In Python

{modules}

## Commands

{commands}

## What there is

- [recipes](recipes.md)
{kinds}
- [settings that every recipe has](settings.md)

## On disk

- [file formats and their versions](formats.md)
"""


def _module(module: str) -> str:
    text = f"# `{module}`\n\n"
    for topic, names in PUBLIC[module].items():
        text += f"## {topic}\n\n"
        for name in names:
            try:
                found = getattr(importlib.import_module(module), name)
            except ImportError:  # of an extra that building the site does not need
                text += f"::: {module}.{name}\n    options:\n      heading: {module}.{name}\n\n"
                continue
            if inspect.isclass(found) or inspect.isfunction(found):
                place = f"{found.__module__}.{found.__qualname__}"
                text += f"::: {place}\n    options:\n      heading: {module}.{name}\n\n"
            else:
                what = f"a `{type(found).__name__}`" if not isinstance(found, int) else f"`{found}`"
                text += f"### {module}.{name} {{ #{module}.{name} }}\n\n{what}.\n\n"
    return text


def _commands() -> Iterator[tuple[str, str]]:
    """Yield the title and the page of each section of `zoo --help`."""
    from zoo_cli.main import SECTIONS, zoo

    plugins = {entry.name: entry.summary for entry in registry.entries("commands") if entry.plugin.distribution == OURS}
    context = click.Context(zoo, info_name="zoo")
    for title, commands in {**SECTIONS, "From elsewhere": plugins}.items():
        text = f"# Commands: {title.lower()}\n\n"
        for name in commands:
            command = zoo.get_command(context, name)
            assert command is not None, name
            text += "\n".join(_command(command, click.Context(command, info_name=name, parent=context), 2)) + "\n"
        yield title, text


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path} {{ #{context.command_path.replace(' ', '-')} }}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```\n"
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        verbatim = part.startswith("\b\n")
        head, *lines = part.removeprefix("\b\n").splitlines()
        if verbatim and head.endswith(":") and lines:
            yield f"{head}\n\n```text\n{inspect.cleandoc(chr(10).join(lines))}\n```\n"
        else:
            yield f"```text\n{head}\n{chr(10).join(lines)}\n```\n" if verbatim else f"{part}\n".replace("<", "&lt;")
    records = [param.get_help_record(context) for param in command.get_params(context) if param.name != "help"]
    if rows := [(f"`{_line(record[0])}`", _line(record[1])) for record in records if record and record[1]]:
        yield _table(("option", ""), rows)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(inner, click.Context(inner, info_name=name, parent=context), level + 1)


def our_recipes() -> dict[str, Recipe]:
    """Name → record of the recipes that come with the zoo, as they are written: a variant states only what differs."""
    return {entry.name: entry.value for entry in registry.entries("recipes") if entry.plugin.distribution == OURS}


def _recipes() -> str:
    recipes = our_recipes()
    rows = [
        (f"[`{name}`](#{name})", f"`{one.base}`" if one.base else "", _line(one.summary)) for name, one in recipes.items()
    ]
    text = "# Recipes\n\n" + _table(("recipe", "base", "what it is"), rows)
    text += "\n`zoo show RECIPE` lists every option with its value, and the sizes that a recipe takes.\n"
    for name, written in recipes.items():
        resolved = registry.recipe(name)
        parts = {"algorithm": ("algorithms", resolved.algorithm), **registry.parts(resolved)}
        text += f"\n## {name} {{ #{name} }}\n\n{written.summary[:1].upper()}{written.summary[1:]}.\n\n"
        text += f"{resolved.paper}\n\n" if resolved.paper else ""
        text += _table(
            ("", ""),
            [(role, f"[`{part}`]({kind}.md#{SINGULAR[kind].split()[0]}-{part})") for role, (kind, part) in parts.items()],
        )
        if resolved.options:
            options = ((f"`{key}={write_value(value)}`", _said(written, key)) for key, value in resolved.options.items())
            text += "\n" + _table(("what it sets", "said by"), list(options))
    return text


def _said(recipe: Recipe, key: str) -> str:
    """The recipe of a line of bases that states an option."""
    while key not in recipe.options and recipe.base:
        recipe = registry.find("recipes", recipe.base).value
    return f"`{recipe.name}`"


def _components(kind: str) -> str:
    text = f"# {kind.capitalize()}\n\n"
    for entry in registry.entries(kind):
        if entry.plugin.distribution != OURS:
            continue
        text += f"## {entry.name} {{ #{SINGULAR[kind].split()[0]}-{entry.name} }}\n\n"
        text += "".join(f"{_line(words)}\n\n" for words in (entry.summary, getattr(entry.value, "paper", "")) if words)
        if kind == "models":
            facts = ("recipe", "dataset", "size", "images", "license")
            text += _table(("", ""), [(fact, str(getattr(entry.value, fact))) for fact in facts]) + "\n"
        elif kind in COMPONENTS and (options := schema(registry.load(kind, entry.name))):
            text += _options(options) + "\n"
    return text


def _options(options: dict[str, Option]) -> str:
    rows = []
    for option in options.values():
        valid = ", ".join(f"`{one}`" for one in choices(option)) or " ".join(
            filter(None, (option.type_name, str(option.range or "")))
        )
        default = f"`{write_value(option.default)}`" if option.default not in (None, "") else ""
        rows.append((f"`{option.name}`", default, _line(valid), _line(option.help)))
    return _table(("option", "default", "valid", "what it is"), rows)


def _settings() -> str:
    text = "# Settings that every recipe has\n"
    for group, target in (("training", TrainingSettings), ("optimizer", OptimizerSettings)):
        text += f"\n## {group}\n\nTyped as `--set {group}.NAME=VALUE`"
        text += ", or for one network `--set optimizer.ROLE.NAME=VALUE`" if group == "optimizer" else ""
        text += f".\n\n{_options(schema(target))}"
    return text


def make_formats() -> str:
    rows = []
    for what, files, module, read, page in FORMATS:
        rows.append((f"[{what}](../{page})", files, str(importlib.import_module(module).FORMAT), read))
    return f"""# File formats

Each format has a number of its own, which stands in its files. A newer one than this version knows is refused with a message
that names both; of what is older, the table says what is read. [What changed](../changes.md) names each number that was
raised.

{_table(("format", "files", "written", "read"), rows)}
All weights are safetensors, all else is JSON, JSON lines, Markdown or pictures; there is no pickle in any of them.

The contract between the zoo and plugins has version {CONTRACT} ([what that means](../plugins.md#the-contracts-version)).
"""


def results_page() -> str:
    """Return `docs/results/index.md`: what has been measured, on what, and where it stands; from `status.json` beside it."""
    status = json.loads(STATUS.read_text("utf-8"))
    rows = []
    for one in status["measured"]:
        page, script = one["page"], one["script"]
        data = f", [JSON]({one['json']})" if one.get("json") else ""
        rows.append(
            (
                f"[{_line(one['what'])}]({page}){data}",
                f"`{script}`" if script else "",
                _line(one["machine"]),
                _line(one["quiet"]),
            )
        )
    text = "# Results\n\nWhat has been measured, and on what. Guides say how things work; numbers stand here, each with\n"
    text += "the command that gives it again. Figures of different tables do not compare unless a page says so.\n\n"
    text += _table(("what", "script", "machine", "beside other work?"), rows)
    text += "\n## Not measured\n\n" + "\n".join(f"- {line}" for line in status["not_measured"]) + "\n"
    return text + "\nWhat was run at all, on which systems: [platforms](../platforms.md).\n"


BEGIN, END = "<!-- recipes: python .ci/reference.py --write -->", "<!-- end of recipes -->"
SHOWN = ("losses", "augmentations", "datasets", "features", "metrics", "trackers", "samplers")  # kinds that the README lists


def readme_table() -> str:
    """Return the README's table: the recipes of each of our plugins, and what else recipes and commands take."""
    plugins: dict[str, list[str]] = {}
    for name in our_recipes():
        plugins.setdefault(registry.find("recipes", name).plugin.name, []).append(name)
    summaries = {one.name: one.plugin.summary for one in registry.plugins() if one.plugin}
    rows = [(_line(summaries[plugin]), ", ".join(f"`{name}`" for name in names)) for plugin, names in plugins.items()]
    for kind in SHOWN:
        names = [entry.name for entry in registry.entries(kind) if entry.plugin.distribution == OURS]
        rows.append((f"*{kind}*", ", ".join(f"`{name}`" for name in names)))
    return _table(("recipes for `zoo train`", ""), rows)


def write_readme(text: str) -> str:
    """Return a README with its table renewed."""
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.S)
    return pattern.sub(lambda _: f"{BEGIN}\n{readme_table()}{END}", text)


def main() -> None:
    """Renew what is stored of the pages."""
    if sys.argv[1:] != ["--write"]:
        sys.exit("type: python .ci/reference.py --write")
    README.write_text(write_readme(README.read_text("utf-8")), "utf-8")
    RESULTS.write_text(results_page(), "utf-8")


if __name__ == "__main__":
    main()
