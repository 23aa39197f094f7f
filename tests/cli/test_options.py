"""The whole tree of commands keeps the same rules: one name, one meaning; help everywhere, which fits 80 columns."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner

from zoo_cli.main import BUILT_IN, SECTIONS, SUMMARIES, zoo
from zoo_cli.options import Renamed, take_once
from zoo_core import Component, Plugin, registry

COLUMNS = 80


def walk(command: click.Command = zoo, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Yield the context of every command of ours."""
    context = click.Context(command, info_name=command.name, parent=parent, terminal_width=COLUMNS)
    yield context
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        if parent is not None or name in BUILT_IN:
            found = command.get_command(context, name)  # type: ignore[attr-defined]
            assert found is not None
            yield from walk(found, context)


CONTEXTS = {context.command_path: context for context in walk()}


def options() -> Iterator[tuple[str, str, click.Option]]:
    """Yield every option: how it is called, by which command, and itself."""
    for path, context in CONTEXTS.items():
        for option in context.command.params:
            if isinstance(option, click.Option):
                yield max(option.opts, key=len), path, option


def meaning(option: click.Option) -> str:
    """Return the first words of an option's help: at most two, before its default."""
    words = (option.help or "").partition("  [")[0].rstrip(".").split()
    return " ".join(words[:2]).rstrip(",:;")


def value_name(option: click.Option, path: str) -> str:
    """Return what an option's value is called in the help, "" for a flag."""
    record = option.get_help_record(CONTEXTS[path])
    assert record is not None
    return "" if option.is_flag else record[0].partition(f"{max(option.opts, key=len)} ")[2]


@pytest.mark.parametrize("path", CONTEXTS)
def test_a_page_of_help_fits(path: str) -> None:
    context = CONTEXTS[path]
    lines = context.get_help().splitlines()
    assert [line for line in lines if len(line) > COLUMNS] == []
    listed = [line for line in lines if line.startswith("  ") and "..." in line and "Usage:" not in line]
    assert listed == []  # no summary of a command is cut off
    assert context.command.get_short_help_str(limit=65).rstrip(".")
    assert not context.command.get_short_help_str(limit=65).endswith("...")


@pytest.mark.parametrize("path", [path for path, context in CONTEXTS.items() if path.count(" ")])
def test_every_command_has_examples_that_fit(path: str) -> None:
    text = CONTEXTS[path].get_help()
    if path not in ("zoo data list",):
        assert f"    {path}" in text or "    eval" in text


def test_every_option_has_help_that_ends_like_a_sentence() -> None:
    helps = {(path, name): (option.help or "").partition("  [")[0] for name, path, option in options()}
    assert [place for place, words in helps.items() if not words.endswith((".", "…"))] == []


def test_one_name_means_the_same_everywhere() -> None:
    meanings: dict[str, set[Any]] = defaultdict(set)
    for name, path, option in options():
        if (path, name) == ("zoo reproduce", "--data"):
            continue  # of several datasets, each by its name
        takes = value_name(option, path) if name not in ("--out", "--from", "--sort", "--to", "--only") else None
        meanings[name].add((meaning(option), takes, option.is_flag, option.multiple))
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}


def test_one_name_takes_the_same_values_everywhere() -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for name, _, option in options():
        kind = type(option.type).__name__.replace("IntRange", "IntParamType")
        if name != "--sort":  # a column, which each table has of its own
            kinds[name].add(kind)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_out_always_has_a_default_and_is_never_required() -> None:
    outs = [(path, option) for name, path, option in options() if name == "--out"]
    assert len(outs) > 15
    for path, option in outs:
        context = CONTEXTS[path]
        assert not option.required, path
        assert "[default: " in " ".join(option.get_help_record(context)[1].split()), path  # type: ignore[index]


def test_a_value_is_never_called_by_its_type() -> None:
    types = {"TEXT", "INTEGER", "FLOAT", "INTEGER RANGE", "FLOAT RANGE", "BOOLEAN"}
    assert [(path, name) for name, path, option in options() if value_name(option, path) in types] == []


def test_names_complete_wherever_they_are_taken() -> None:
    completed = {"--dataset", "--features", "--metric", "--metrics", "--set", "--track", "--resume", "--kind", "--license"}
    named = {"model", "run", "recipe", "recipes", "names", "kinds", "pack", "packs", "dataset"}
    for path, context in CONTEXTS.items():
        for param in context.command.params:
            if param.name in named or completed.intersection(param.opts):
                has_names = param._custom_shell_complete is not None or isinstance(param.type, click.Choice)
                assert has_names, (path, param.opts)


def test_commands_stand_in_sections() -> None:
    text = CliRunner().invoke(zoo, ["--help"], terminal_width=COLUMNS).stdout
    places = [text.index(f"\n{title}:\n") for title in SECTIONS]
    assert places == sorted(places)
    assert set(SUMMARIES) == set(BUILT_IN)
    for name, words in SUMMARIES.items():
        assert f"  {name} " in text
        assert f"  {words}\n" in text
        assert "…" not in words


def test_a_plugins_commands_stand_last() -> None:
    commands = {
        "dance": Component("no_such_module:dance", "Dance."),
        "train": Component("no_such_module:train", "Not ours."),
    }
    with registry.add(Plugin(commands=commands), distribution="acme"):
        text = CliRunner().invoke(zoo, ["--help"], terminal_width=COLUMNS).stdout
    section = text.partition("Commands of plugins:\n")[2]
    lines = [line.split() for line in section.splitlines() if line]
    assert lines[0] == ["dance", "Dance.", "[acme]"]
    assert [line[0] for line in lines] == ["dance", "import"]  # that of a built-in plugin among them
    assert text.count("\n  train ") == 1


@pytest.mark.parametrize("given", [["--new", "3"], ["--old", "3"], ["--older=3"], ["--old", "2", "--new", "3"]])
def test_names_of_before_are_understood(given: list[str]) -> None:
    @click.command()
    @click.option("--new", "value", cls=Renamed, old=["--old", "--older"], type=int, help="A number.")
    def command(value: int) -> None:
        click.echo(value)

    assert CliRunner().invoke(command, given).stdout == "3\n"
    assert "--old" not in CliRunner().invoke(command, ["--help"]).stdout
    wrong = CliRunner().invoke(command, ["--old", "x"])
    assert wrong.exit_code == 2
    assert "--new" in wrong.stderr


def test_what_is_said_twice_must_be_the_same() -> None:
    assert take_once("a", None, "OUT", "c") == take_once(None, "a", "OUT", "c") == take_once("a", "a", "OUT", "c") == "a"
    assert take_once(None, None, "OUT", "c") == "c"
    result = CliRunner().invoke(zoo, ["data", "build", "faces", "--dataset", "folder"])
    assert result.exit_code == 2
    assert "DATASET faces and --dataset folder say different things" in result.stderr


def test_a_dataset_is_named_either_way(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    for words in (["faces"], ["--dataset", "faces"], ["faces", "--dataset", "faces"]):
        common = ["--limit", "2", "--size", "16", "--workers", "1", "--json", "--set", "dataset.count=20"]
        result = CliRunner().invoke(zoo, ["data", "build", *words, *common])
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["dataset"]["name"].endswith(":faces")
