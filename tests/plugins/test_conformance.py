"""Everything in the registry is what its interface promises: a new component or recipe is tested for zero lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from zoo_core import registry
from zoo_core.records import COMPONENTS as KINDS
from zoo_core.testing import assert_conforms, assert_recipe

COMPONENTS = [(kind, entry.qualified) for kind in KINDS for entry in registry.entries(kind)]
RECIPES = [entry.qualified for entry in registry.entries("recipes")]


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_component(kind: str, name: str) -> None:
    assert_conforms(kind, name)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name: str) -> None:
    assert_recipe(name)


@pytest.mark.parametrize("name", ["folder", "faces"])
def test_dataset_of_pictures(name: str, tmp_path: Path) -> None:
    for i, shape in enumerate([(8, 6), (20, 30), (1, 50), (16, 16)]):
        file = tmp_path / f"class {i % 2}" / f"{i}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", shape, (40 * i, 9, 70)).save(file)
    assert_conforms("datasets", name, options={"data": str(tmp_path)})
