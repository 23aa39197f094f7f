"""What others wrote reaches the terminal without its control characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from rich.console import Console

from zoo.progress import PlainReporter, RichReporter
from zoo_cli.main import zoo
from zoo_cli.output import echo, print_table
from zoo_core import Component, Plugin, PretrainedModel, Recipe, registry

BAD = "\x1b[2J\x1b]0;title\x07red\nerror: \u202eforged\x9b"
SHOWN = r"\x1b[2J\x1b]0;title\x07red\nerror: \u202eforged\x9b"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@click.command()
def dance() -> None:
    """Dance."""


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(zoo, arguments, prog_name="zoo", color=True)
    assert not RAW.search(re.sub("\x1b\\[\\d*m", "", result.output)), result.output  # our own colors
    assert "\nerror: \\u202eforged" not in result.output
    return result


@pytest.fixture
def hostile() -> Iterator[None]:
    """A plugin whose texts would take the terminal over."""
    plugin = Plugin(
        summary=BAD,
        losses={"mine": Component("m:Mine", summary=BAD, paper=BAD, license=BAD)},
        commands={"dance": Component(f"{__name__}:dance", summary=BAD)},
        recipes=[Recipe("r", base="dcgan", summary=BAD)],
        models={"m": PretrainedModel("acme:m", {}, "dcgan", BAD, BAD, summary=BAD)},
    )
    with registry.add(plugin, distribution="acme"):
        yield


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    "command", ["list", "list losses", "list models", "list recipes", "plugins", "show r", "--help", "plugins check acme"]
)
def test_summaries_of_plugins(command: str) -> None:
    arguments = command.split()
    result = run(*arguments)
    assert result.exit_code == (1 if "check" in arguments else 0)
    if arguments[0] in ("list", "show"):
        assert SHOWN in result.output


@pytest.mark.usefixtures("hostile")
def test_errors() -> None:
    broken = run("show", "mine")  # there is no module of that name
    assert broken.exit_code == 1
    assert "error: " in broken.output
    assert run("show", BAD).exit_code == 2


def test_names_of_files_and_labels(tmp_path: Path, cache: Path) -> None:
    data = tmp_path / "data"
    for label in ("cat", "\x1b[31mdog\n"):
        (data / label).mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(data / label / f"a{label}.png")
    (data / "cat" / "\x1b[2Jred.jpg").write_text("x")
    (data / "cat" / "new\nline.jpg").write_text("x")
    built = run("data", "build", "folder", "--data", str(data), "--size", "16")
    assert built.exit_code == 0
    assert r"skipped cat/\x1b[2Jred.jpg: not a picture" in built.output
    assert r"skipped cat/new\nline.jpg: not a picture" in built.output
    pack = built.stdout.splitlines()[0]
    seen = run("data", "inspect", pack, "--out", str(tmp_path / "seen"))
    assert r"\x1b[31mdog\n" in seen.output
    assert run("data", "list").exit_code == 0
    wrong = run("data", "build", "folder", "--data", str(tmp_path / "\x1b[2Jnone"))
    assert wrong.exit_code == 1
    assert r"\x1b[2Jnone does not exist" in wrong.output


def test_messages_keep_their_lines_and_tables_have_one_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    echo("one\n\ttwo\x1b\r", lines=True)
    print_table([("a\nb", "c"), ("d", "e\x1b")])
    assert capsys.readouterr().out == "one\n\ttwo\\x1b\\r\na\\nb  c\nd     e\\x1b\n"


def test_reporters(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReporter().note("a\x1bb")
    PlainReporter().warn("c\u202e")
    rich = RichReporter()
    rich.console = Console(file=__import__("sys").stderr, width=200)
    rich.note("d\x1bb [bold]e")
    rich.warn("f\x9b")
    with rich.task("g\x1b[2J [red]h", 2) as task:
        task.update(1, skipped="\x07")
    err = capsys.readouterr().err
    assert not RAW.search(re.sub("\r|\x1b\\[J|\x1b\\[\\dA", "", err))  # by which our own bar is erased
    for words in (r"a\x1bb", r"warning: c\u202e", r"d\x1bb [bold]e", r"warning: f\x9b", r"g\x1b[2J [red]h", r"skipped \x07"):
        assert words in err
