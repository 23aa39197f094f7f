"""Commands that only look start without torch, also where somebody's plugin is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

AFTER = """
import atexit, sys
atexit.register(lambda: print("torch" in sys.modules, "numpy" in sys.modules, file=sys.stderr))
from zoo_cli import main
main()
"""


def zoo(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `zoo`; the last line of standard error says whether torch and numpy were loaded."""
    return subprocess.run(
        [sys.executable, "-c", AFTER, *arguments], capture_output=True, text=True, env={**os.environ, **env}, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["list"],
        ["list", "recipes", "--json"],
        ["plugins"],
        ["plugins", "--json"],
        ["runs"],
        ["runs", "--json"],
        ["cache"],
        ["cache", "--json"],
        ["train", "--help"],
        ["sample", "--help"],
        ["plugins", "check", "--help"],
        ["show", "dcgan-papr"],
    ],
    ids=" ".join,
)
def test_looking_loads_no_torch(arguments: list[str]) -> None:
    done = zoo(*arguments)
    assert done.returncode == (2 if "dcgan-papr" in arguments else 0)
    assert done.stderr.splitlines()[-1] == "False False"


def complete(words: str, **env: str) -> list[str]:
    """What the shell is offered behind `words`."""
    given = words.split(" ")
    done = zoo(_ZOO_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(given) - 1), **env)
    assert done.stderr.splitlines()[-1] == "False False"
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_the_shell_completes_commands_recipes_and_datasets(tmp_path: Path) -> None:
    assert {"train", "list", "plugins"} <= set(complete("zoo "))
    assert complete("zoo tra") == ["train"]
    assert "dcgan-paper" in complete("zoo train dcg")
    assert {"faces", "folder"} <= set(complete("zoo train dcgan --dataset "))
    assert "non-saturating" in complete("zoo show non")
    assert "dcgan-zoo" in complete("zoo plugins check dc")


def test_a_plugins_recipes_and_commands_are_completed_without_importing_them(tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(
        "from zoo_core import Component, Plugin, Recipe\n"
        "plugin = Plugin(recipes=[Recipe('acme-gan')], commands={'dance': Component('no_such_module:dance', 'Dance.')})\n"
    )
    (tmp_path / "acme-1.0.dist-info").mkdir()
    (tmp_path / "acme-1.0.dist-info" / "entry_points.txt").write_text("[zoo.plugins]\nacme = acme:plugin\n")
    env = {"PYTHONPATH": str(tmp_path)}
    assert complete("zoo train acme", **env) == ["acme-gan"]
    assert complete("zoo dan", **env) == ["dance"]
    done = zoo("--help", **env)
    assert next(line for line in done.stdout.splitlines() if "dance" in line).split() == ["dance", "Dance.", "[acme]"]
    done = zoo("dance", **env)
    assert done.returncode == 1
    assert "command 'dance' of acme: no_such_module:dance cannot be imported" in done.stderr


def test_a_broken_plugin_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "sleepy.py").write_text("import time, sys\nprint('zzz')\ntime.sleep(0.6)\nsys.exit(0)\n")
    (tmp_path / "sleepy-1.0.dist-info").mkdir()
    (tmp_path / "sleepy-1.0.dist-info" / "entry_points.txt").write_text("[zoo.plugins]\nsleepy = sleepy:plugin\n")
    (tmp_path / "other-1.0.dist-info").mkdir()
    (tmp_path / "other-1.0.dist-info" / "entry_points.txt").write_text("no section\n")
    done = zoo("list", "recipes", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert "dcgan" in done.stdout
    assert "zzz" not in done.stdout
    assert "plugin 'sleepy' of sleepy took " in done.stderr
    assert "its import exits (SystemExit(0))" in done.stderr
    assert "other: its entry_points.txt cannot be read" in done.stderr
    rows = zoo("plugins", PYTHONPATH=str(tmp_path)).stdout
    assert "broken: its import exits" in rows
