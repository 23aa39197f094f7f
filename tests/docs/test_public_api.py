"""What is public is a decision: names and signatures are those of a file, and the reference shows just these."""

from __future__ import annotations

import importlib
import inspect
import sys
from difflib import unified_diff
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import public  # noqa: E402


def test_names_and_signatures_are_those_of_the_file() -> None:
    stored, now = public.API.read_text("utf-8").splitlines(), list(public.describe())
    change = "\n".join(unified_diff(stored, now, "public_api.txt", "now", lineterm="", n=0))
    assert not change, (
        f"what is public has changed:\n{change}\nif that is meant: python .ci/public.py --write, and a line in CHANGELOG.md"
    )


@pytest.mark.parametrize("module", ["zoo", "zoo_core", "zoo.demo"])
def test_every_name_of_a_package_is_in_the_reference_once(module: str) -> None:
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None) or [n for n, found in vars(loaded).items() if inspect.isfunction(found)]
    assert sorted(public.names_of(module)) == sorted(set(names) - {"__version__"})


def test_a_changed_default_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoo

    def pull(where: str, *, out: str = "elsewhere") -> None: ...

    monkeypatch.setattr(zoo, "pull", pull)
    assert "zoo.pull(where, *, out='elsewhere')" in set(public.describe())


@pytest.mark.parametrize("module", public.PUBLIC)
def test_what_is_public_says_what_it_is(module: str) -> None:
    loaded = importlib.import_module(module)
    found = {name: getattr(loaded, name) for name in public.names_of(module)}
    assert not [n for n, one in found.items() if (inspect.isclass(one) or inspect.isfunction(one)) and not one.__doc__]
