"""Finding installed plugins: whatever one of them does, the others are there and its row says what is wrong."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo_core.discovery import discover, entry_points, normalize
from zoo_core.registries import Registry

Install = Callable[..., None]
GOOD = "from zoo_core import Plugin\nplugin = Plugin(summary='fine', losses={'acme': 'acme_losses:Acme'})\n"


@pytest.mark.parametrize(
    ("name", "same"), [("Zoo_ACME", "zoo-acme"), ("zoo.acme", "zoo-acme"), ("zoo--acme", "zoo-acme"), ("a-_.b", "a-b")]
)
def test_distribution_names_compare_normalized(name: str, same: str) -> None:
    assert normalize(name) == same


def test_an_installed_plugin_is_found(install: Install, site: Path) -> None:
    install("Zoo_Acme", GOOD, version="2.1")
    (found,), problems = discover([str(site)])
    assert (found.name, found.distribution, found.version) == ("zoo_acme", "zoo-acme", "2.1")
    assert found.plugin is not None
    assert found.plugin.summary == "fine"
    assert (found.problem, problems) == ("", [])


BROKEN = {
    "raises": ("raise ValueError('no moon today')", "its import fails: ValueError: no moon today"),
    "silent": ("raise ValueError", "its import fails: ValueError"),
    "long": ("raise ValueError('first\\nsecond')", "its import fails: ValueError: first"),
    "exits": ("import sys; sys.exit(3)", r"its import exits (SystemExit(3))"),
    "needy": ("import no_such_package", "its import fails: ModuleNotFoundError: No module named 'no_such_package'"),
    "typo": ("x = (", "its import fails: SyntaxError: '(' was never closed"),
    "nothing": ("x = 1", "its import fails: AttributeError: module 'nothing' has no attribute 'plugin'"),
    "list": ("plugin = ['networks']", "list:plugin is a list, not a zoo_core.Plugin"),
    "klass": ("from zoo_core import Plugin\nplugin = Plugin", "klass:plugin is a type, not a zoo_core.Plugin"),
    "target": ("from zoo_core import Plugin\nplugin = Plugin(losses={'a': 'a.b.C'})", "'a.b.C' is no import string"),
    "field": ("from zoo_core import Plugin\nplugin = Plugin(weights={})", "unexpected keyword argument 'weights'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_a_row_and_takes_nothing_down(name: str, install: Install, site: Path) -> None:
    source, reason = BROKEN[name]
    name = {"list": "listing"}.get(name, name)
    install(name, source)
    install("acme", GOOD)
    reason = reason.replace("list:plugin", "listing:plugin")
    found, problems = discover([str(site)])
    broken = {p.name: p.problem for p in found}
    assert reason in broken[name]
    assert "\n" not in broken[name]
    assert broken["acme"] == ""
    assert problems == []
    registry = Registry(found)
    assert registry.names("losses") == ["acme"]
    assert any(name in line and reason in line for line in registry.problems())


def test_a_missing_module_is_a_broken_row(install: Install, site: Path) -> None:
    install("ghost")
    (found,), _ = discover([str(site)])
    assert found.problem == "its import fails: ModuleNotFoundError: No module named 'ghost'"


def test_ctrl_c_during_an_import_is_nobodys_fault(install: Install, site: Path) -> None:
    install("pressed", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover([str(site)])


def test_a_slow_plugin_is_named(install: Install, site: Path) -> None:
    install("sleepy", "import time; time.sleep(0.6)\n" + GOOD)
    (found,), problems = discover([str(site)])
    assert not found.problem
    assert found.seconds >= 0.6
    (line,) = problems
    assert re.fullmatch(r"plugin 'sleepy' of sleepy took \d+\.\d s to import", line)


def test_what_a_plugin_prints_while_loading_goes_to_standard_error(
    install: Install, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("chatty", "print('hello')\n" + GOOD)
    discover([str(site)])
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


MALFORMED = {
    "no section": "console = a:b\n",
    "twice": "[console_scripts]\na = b:c\na = d:e\n",
    "no equals sign": "[console_scripts]\nfoo\n",
    "not text": b"\xff\xfe\x00[zoo\n",
    "percent": "[zoo.plugins]\na = %(b)s:c\n",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_of_anybodys_is_skipped_and_reported(kind: str, install: Install, site: Path) -> None:
    install("unrelated", entry_points=MALFORMED[kind])
    install("acme", GOOD)
    found, problems = discover([str(site)])
    assert [(p.name, p.problem) for p in found] == [("acme", "")]
    (line,) = problems
    assert line.startswith("unrelated: its entry_points.txt cannot be read and was skipped")
    assert "\n" not in line


def test_a_malformed_file_beside_the_installed_ones_leaves_the_built_ins(install: Install) -> None:
    install("unrelated", entry_points="no section\n")
    install("acme", GOOD)
    registry = Registry()
    assert {"acme", "non-saturating"} <= set(registry.names("losses"))
    assert any(line.startswith("unrelated:") for line in registry.problems())


def test_an_entry_that_is_no_import_string_is_reported(install: Install, site: Path) -> None:
    install("odd", entry_points="[zoo.plugins]\nodd = not an import string!\nacme = acme:plugin\n")
    (site / "acme.py").write_text(GOOD)
    points, problems = entry_points(path=[str(site)])
    assert [p.name for p in points] == ["acme"]
    assert len(problems) == 1
    assert "not an import string!" in problems[0]


def test_the_same_distribution_twice_on_the_path_counts_once(install: Install, site: Path, tmp_path: Path) -> None:
    install("acme", GOOD, version="1.0")
    older = tmp_path / "older"
    (older / "acme-0.5.dist-info").mkdir(parents=True)
    (older / "acme-0.5.dist-info" / "entry_points.txt").write_text("[zoo.plugins]\nacme = acme:plugin\n")
    (found,), _ = discover([str(site), str(older)])
    assert found.version == "1.0"


def test_folders_that_do_not_exist_are_no_matter(install: Install, site: Path) -> None:
    install("acme", GOOD)
    assert len(discover([str(site), "/does/not/exist"])[0]) == 1


def test_zoo_plugins_limits_the_set(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme", GOOD)
    install("other", GOOD.replace("acme", "other"))
    install("broken", "raise ValueError")
    monkeypatch.setenv("ZOO_PLUGINS", "acme, nobody")
    found, problems = discover()
    theirs = [p.name for p in found if p.distribution != "dcgan-zoo"]
    assert theirs == ["acme"]
    assert any(p.distribution == "dcgan-zoo" for p in found)
    assert problems == ["ZOO_PLUGINS names 'nobody', and no such plugin is installed"]
    assert "other" not in sys.modules
    monkeypatch.setenv("ZOO_PLUGINS", "")
    found, problems = discover()
    assert {p.distribution for p in found} == {"dcgan-zoo"}
    assert problems == []


def test_ours_come_first_then_by_distribution(install: Install) -> None:
    install("zzz", GOOD)
    install("aaa", GOOD)
    order = [p.distribution for p in discover()[0] if p.distribution != "dcgan-zoo-models"]  # where it is installed
    assert order[-2:] == ["aaa", "zzz"]
    assert set(order[:-2]) == {"dcgan-zoo"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "endless", "large"])
def test_what_is_no_file_keeps_nobody_waiting(kind: str, install: Install, site: Path) -> None:
    install("odd", GOOD)
    install("acme", GOOD)
    file = site / "odd-1.0.dist-info" / "entry_points.txt"
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "endless":
        file.symlink_to("/dev/zero")
    else:
        file.write_text("#" * (2 << 20))
    found, problems = discover([str(site)])
    assert [p.name for p in found] == ["acme"]
    (line,) = problems
    assert line.startswith("odd: its entry_points.txt is no file, or larger")


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no timers")
def test_an_import_without_end_is_given_up(install: Install, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_core.discovery.PATIENCE", 0.3)
    install("endless", "try:\n    while True: pass\nexcept Exception:\n    pass")
    install("acme", GOOD)
    before = signal.getsignal(signal.SIGALRM)
    found, _ = discover([str(site)])
    assert {p.name: p.problem for p in found} == {"acme": "", "endless": "its import takes more than 0 s"}
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("plugin = Plugin(recipes=[Recipe(f'r{i}') for i in range(100_000)])", "100,000 recipes in one plugin; the most is"),
        ("plugin = Plugin(losses={f'l{i}': 'a:b' for i in range(20_000)})", "20,000 losses in one plugin; the most is"),
        ("plugin = Plugin(losses={'l' * 5000: 'a:b'})", "is no name for a loss: at most 100"),
        ("plugin = Plugin(summary='x' * 100_000)", "summary has 100,000 characters"),
        ("raise ValueError('x' * 100_000)", "its import fails: ValueError: xxx"),
    ],
)
def test_what_is_endless_is_a_short_line(source: str, reason: str, install: Install, site: Path) -> None:
    install("endless", f"from zoo_core import Plugin, Recipe\n{source}")
    (found,), _ = discover([str(site)])
    assert reason in found.problem
    assert len(found.problem) <= 200
