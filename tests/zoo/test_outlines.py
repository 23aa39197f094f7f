"""Options read from source are those that the constructors have, and no component is imported for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zoo.outlines import outline
from zoo_core import Component, registry
from zoo_core.options import schema
from zoo_core.records import COMPONENTS

CLASSES = [(kind, entry.name) for kind in COMPONENTS for entry in registry.entries(kind)]


@pytest.mark.parametrize(("kind", "name"), CLASSES, ids=":".join)
def test_the_source_says_what_the_constructor_does(kind: str, name: str) -> None:
    component = registry.find(kind, name).value
    assert isinstance(component, Component)
    assert outline(component.target) == schema(registry.load(kind, name))


def test_what_the_source_leaves_open_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outlined.py").write_text(
        "import torch_that_is_not_there\n"
        "from typing import Annotated, Literal, Optional\n"
        "class Base:\n"
        "    def __init__(self, *, a: int = 1 + 1, b: Annotated[Optional[Literal['x', 2]], 'words'] = None,\n"
        "                 c: compute() = -3, d: list[int] | bool = (1, 2), image: object = None, e: int): ...\n"
        "class Heir(Base): ...\n"
        "class Stranger(torch_that_is_not_there.Module): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = outline("outlined:Heir")
    shown = {name: (option.type_name, option.default, option.help) for name, option in found.items() if name != "a"}
    assert shown == {
        "b": ("x | 2 | none", None, "words"),
        "c": ("Any", -3, ""),
        "d": ("list of int | bool", (1, 2), ""),
    }
    assert found["a"].type is int
    assert outline("outlined:Stranger") == outline("outlined:Nobody") == outline("nowhere_at_all:Class") == {}


def test_a_source_that_cannot_be_read_has_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_written.py").write_text("class Net(")
    (tmp_path / "round_and_round.py").write_text("A = B\nB = A\nclass Net:\n    def __init__(self, *, a: A = B): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert outline("half_written:Net") == outline("round_and_round:Net") == {}


def test_no_component_is_imported() -> None:
    code = (
        "import sys; from zoo.outlines import outline; from zoo_core import registry\n"
        "from zoo_core.records import COMPONENTS\n"
        "print(sum(len(outline(e.value.target)) for kind in COMPONENTS for e in registry.entries(kind)))\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, loaded = done.stdout.splitlines()
    assert int(count) > 50
    assert loaded == "False False"
