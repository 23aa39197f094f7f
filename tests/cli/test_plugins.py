"""`zoo plugins`, `zoo plugins new` and `zoo plugins check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from zoo_cli.main import zoo
from zoo_core import Component, Plugin, Recipe, registry


@click.command()
def dance() -> None:
    """Dance."""
    click.echo("dancing")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(zoo, arguments, prog_name="zoo")


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Add a plugin for the test, of the distribution "acme"; modules come from the text given."""
    undo = []
    monkeypatch.syspath_prepend(str(tmp_path))

    def add(**fields: Any) -> None:
        context = registry.add(Plugin(**fields), distribution="acme")
        context.__enter__()
        undo.append(context)

    yield add
    for context in undo:
        context.__exit__(None, None, None)


def test_the_list_says_what_each_provides(acme: Any) -> None:
    acme(losses={"mine": "m:Mine"}, commands={"dance": f"{__name__}:dance"}, recipes=[Recipe("r")])
    result = run("plugins")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("local")]
    assert line.split(maxsplit=2) == ["local", "acme", "losses: mine; commands: dance; recipes: r"]
    rows = {row["name"]: row for row in json.loads(run("plugins", "--json").stdout)}
    assert rows["local"]["provides"] == {"losses": ["mine"], "commands": ["dance"], "recipes": ["r"]}
    assert rows["builtin-dcgan"]["status"] == "ok"


def test_a_plugin_of_another_contract_is_a_broken_row(acme: Any) -> None:
    acme(contract=7)
    assert "broken: it was written for contract 7; this zoo has contract 2\n" in run("plugins").stdout


def test_a_plugin_of_contract_1_is_refused_with_what_to_change(acme: Any) -> None:
    acme(contract=1, losses={"mine": "helpers.broken:GoodLoss"}, recipes=[Recipe("mine", base="dcgan")])
    change = "this zoo has contract 2: recipes name an algorithm, losses say whether they are separable"
    (line,) = [line for line in run("plugins").stdout.splitlines() if line.startswith("local")]
    assert f"broken: it was written for contract 1; {change}" in line
    for arguments, what in (
        (("train", "mine", "--dataset", "faces", "--dry-run"), "recipe 'mine' of acme"),
        (("show", "mine"), "recipe 'mine' of acme"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert f"{what} was written for contract 1; {change}" in result.stderr
        assert "pip install --upgrade acme" in result.stderr
    checked = run("plugins", "check", "acme")
    assert checked.exit_code == 1
    assert f"problem: it was written for contract 1; {change}" in checked.stdout


def test_a_plugin_adds_a_command(acme: Any) -> None:
    acme(commands={"dance": Component(f"{__name__}:dance", "Dance a little.")})
    assert run("dance").stdout == "dancing\n"
    assert "Dance a little. [acme]" in run("--help").stdout


def test_a_built_in_command_wins_over_a_plugins_and_says_so(acme: Any) -> None:
    acme(commands={"list": f"{__name__}:dance"})
    result = run("list", "losses")
    assert result.exit_code == 0
    assert "minimax" in result.stdout
    assert "dancing" not in result.output
    assert "warning: command 'list' of acme is left out: zoo has one of that name" in result.stderr
    assert run("acme:list").stdout == "dancing\n"


@pytest.mark.parametrize(
    ("target", "words"), [("json:dumps", "is a function, not a click.Command"), ("no_such:thing", "cannot be imported")]
)
def test_a_command_that_is_none_fails_when_it_is_used(acme: Any, target: str, words: str) -> None:
    acme(commands={"dance": target})
    result = run("dance")
    assert result.exit_code == 1
    assert words in result.stderr
    assert run("--help").exit_code == 0


def test_two_distributions_with_one_command(acme: Any) -> None:
    acme(commands={"dance": f"{__name__}:dance"})
    with registry.add(Plugin(commands={"dance": f"{__name__}:dance"}), distribution="zenith"):
        result = run("dance")
        assert result.exit_code == 2
        assert "command 'dance' is claimed by acme and zenith" in result.stderr
        assert "acme:dance or zenith:dance" in result.stderr
        assert run("zenith:dance").stdout == "dancing\n"
        assert run("--help").exit_code == 0


def test_new_writes_a_package_and_says_what_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("plugins", "new", "zoo-acme", "--license", "MIT", "--author", "Ada <a@b.c>")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "zoo-acme",
        "install it: pip install -e ./zoo-acme",
        "check it: zoo plugins check zoo-acme",
    ]
    assert (tmp_path / "zoo-acme" / "pyproject.toml").is_file()
    again = run("plugins", "new", "zoo-acme")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "zoo-acme exists already" in again.stderr
    assert json.loads(run("plugins", "new", "zoo-other", "--json").stdout) == {"folder": "zoo-other"}
    assert run("plugins", "new", "zoo-howl", "--kind", "losses").exit_code == 0
    assert (tmp_path / "zoo-howl" / "zoo_howl" / "losses.py").is_file()
    unknown = run("plugins", "new", "zoo-bark", "--kind", "loss")
    assert (unknown.exit_code, (tmp_path / "zoo-bark").exists()) == (2, False)


def test_check_prints_a_line_for_each_check() -> None:
    result = run("plugins", "check", "builtin-losses")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == ["plugin", "builtin-losses", "record", "ok"]
    assert "no problems" in result.stdout.splitlines()[-1]
    assert any(line.split()[:3] == ["loss", "minimax", "direction"] for line in result.stdout.splitlines())


WRONG = """
import torch
from zoo_core import Loss

class Backwards(Loss):
    def discriminator(self, real_logits, fake_logits):
        return real_logits.mean() - fake_logits.mean()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits.mean()
"""


def test_check_finds_what_is_wrong(acme: Any, tmp_path: Path) -> None:
    (tmp_path / "wrong_losses.py").write_text(WRONG)
    acme(
        losses={"minimax": "wrong_losses:Backwards", "missing": "no_such:Loss"},
        recipes=[Recipe("odd", base="dcgan", options={"generator.breadth": 3})],
        commands={
            "train": f"{__name__}:dance",
            "sing": "json:dumps",
            "hum": "no_such:thing",
            "dance": f"{__name__}:dance",
        },
    )
    result = run("plugins", "check", "acme", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["ok"] is False
    problems = {(c["what"], c["check"]): c["problem"] for c in found["checks"] if c["problem"]}
    assert set(problems) == {
        ("loss minimax", "direction"),
        ("loss missing", "imports"),
        ("recipe odd", "components"),
        ("command train", "command"),
        ("command sing", "command"),
        ("command hum", "command"),
    }
    assert "choose another name" in problems["command train", "command"]
    notes = [c["note"] for c in found["checks"] if c["check"] == "name"]
    assert notes == ["also claimed by dcgan-zoo: one has to write acme:minimax"]
    text = run("plugins", "check", "ACME")
    assert text.exit_code == 1
    assert "problem: discriminator gives" in text.stdout
    assert text.stdout.splitlines()[-1].endswith("6 problems")


def test_check_of_an_unknown_plugin_names_near_ones() -> None:
    result = run("plugins", "check", "dcgan-zo")
    assert result.exit_code == 2
    assert "unknown plugin 'dcgan-zo'; did you mean dcgan-zoo" in result.stderr


def test_a_broken_plugin_and_a_heavy_one_fail_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo_core.registries import Registry

    for name, source in {"heavy": "import torch\nfrom zoo_core import Plugin\nplugin = Plugin()", "torn": "1 / 0"}.items():
        (tmp_path / f"{name}.py").write_text(source)
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[zoo.plugins]\n{name} = {name}:plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fresh = Registry()
    monkeypatch.setattr("zoo.describing.registry", fresh)
    heavy = run("plugins", "check", "heavy")
    assert heavy.exit_code == 1
    assert "importing heavy imports torch, expected a record without it" in heavy.stdout
    torn = run("plugins", "check", "torn")
    assert torn.exit_code == 1
    assert "its import fails: ZeroDivisionError: division by zero" in torn.stdout
