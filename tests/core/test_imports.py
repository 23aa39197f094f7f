"""What is light stays light, and a public name is one object."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import pytest

from zoo_core.discovery import entry_points

HEAVY = ("torch", "torchvision", "numpy", "PIL", "matplotlib", "jinja2", "accelerate", "huggingface_hub", "safetensors")


def loaded_by(code: str) -> set[str]:
    """Those of the heavy packages that a fresh interpreter has loaded after `code`."""
    code += f"\nimport sys; print('loaded:', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize(
    "module", ["zoo_core", "zoo", "zoo_core.records", "zoo_core.datasets", "zoo_core.registries", "zoo_cli"]
)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == set()


def test_the_records_of_the_built_ins_load_nothing_heavy() -> None:
    modules = [p.module_name for p in entry_points()[0] if p.module_name.startswith("zoo_plugins.")]
    assert modules
    assert loaded_by(f"import {', '.join(modules)}") == set()


def test_listing_all_there_is_loads_nothing_heavy() -> None:
    code = "from zoo_core import registry\nfor kind in ('recipes', 'generators', 'datasets'): assert registry.entries(kind)"
    assert loaded_by(code) == set()


@pytest.mark.parametrize("package", ["zoo", "zoo_core"])
def test_a_public_name_is_the_same_object_each_time(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        first = getattr(module, name)
        assert getattr(module, name) is first
        assert type(first) is not type(sys), f"{package}.{name} is a module"
        assert name in dir(module)


@pytest.mark.parametrize("package", ["zoo", "zoo_core"])
def test_no_public_name_is_a_submodules(package: str) -> None:
    """Else importing the submodule would put the module in the name's place."""
    module = importlib.import_module(package)
    for name in module.__all__:
        assert importlib.util.find_spec(f"{package}.{name}") is None, f"{package}.{name} is a function and a module"


@pytest.mark.parametrize("package", ["zoo", "zoo_core"])
def test_type_checkers_see_the_same_names(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__file__
    with open(module.__file__, encoding="utf-8") as file:
        source = file.read()
    for name in module.__all__:
        assert f" as {name}\n" in source, f"{package}.{name} is not imported under TYPE_CHECKING"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import zoo_core

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        zoo_core.Nothing  # noqa: B018
