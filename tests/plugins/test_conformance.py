"""Everything in the registry is what its interface promises: a new component or recipe is tested for zero lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from zoo_core import registry
from zoo_core.options import members, schema
from zoo_core.records import COMPONENTS as KINDS
from zoo_core.settings import OptimizerSettings, TrainingSettings
from zoo_core.testing import assert_conforms, assert_recipe

COMPONENTS = [(kind, entry.qualified) for kind in KINDS for entry in registry.entries(kind)]
RECIPES = [entry.qualified for entry in registry.entries("recipes")]


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_component(kind: str, name: str) -> None:
    assert_conforms(kind, name)


SCHEMAS = [registry.load(kind, name) for kind, name in COMPONENTS]


@pytest.mark.parametrize("target", [*SCHEMAS, TrainingSettings, OptimizerSettings], ids=lambda target: target.__name__)
def test_every_number_has_a_range(target: type) -> None:
    numbers = [option for option in schema(target).values() if {int, float} & {*members(option.type)}]
    assert [option.name for option in numbers if option.range is None or not option.range.is_closed()] == []


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
