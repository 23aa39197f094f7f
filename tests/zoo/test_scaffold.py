"""A new plugin package: complete, installable, and refused in words where it cannot be."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

import zoo
from zoo.scaffold import LICENSES, new_plugin, package_name
from zoo_core import UsageError, ZooError, registry
from zoo_core.records import CONTRACT, KINDS
from zoo_core.testing import check_component, check_recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_the_package_is_complete_and_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_plugin("zoo-acme.fun", into=tmp_path)
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "tests/test_conformance.py",
        "zoo_acme_fun/__init__.py",
        "zoo_acme_fun/networks.py",
    ]
    for file in folder.rglob("*"):
        if file.is_file():
            assert "$" not in file.read_text(encoding="utf-8"), file
        if file.suffix == ".py":
            ast.parse(file.read_text(encoding="utf-8"))
    monkeypatch.syspath_prepend(str(folder))
    import zoo_acme_fun  # type: ignore[import-not-found]

    with registry.add(zoo_acme_fun.plugin, distribution="zoo-acme.fun"):
        assert [o.problem for o in check_component("generators", "acme-fun") if o.problem] == []
        assert [o.problem for o in check_component("discriminators", "acme-fun") if o.problem] == []
        assert [o.problem for o in check_recipe("zoo-acme-fun:acme-fun") if o.problem] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_package_that_keeps_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name = f"zoo-my{kind[:3]}"
    folder = new_plugin(name, into=tmp_path, kind=kind)
    monkeypatch.syspath_prepend(str(folder))
    plugin = importlib.import_module(f"zoo_my{kind[:3]}").plugin
    assert plugin.contract == CONTRACT
    assert [k for k in KINDS if getattr(plugin, k)] == [kind]
    with registry.add(plugin, distribution=name):
        outcomes = check_component(kind, f"{name}:my{kind[:3]}")
        assert [(o.name, o.problem) for o in outcomes if o.problem] == []
        for recipe in plugin.recipes:
            assert [o.problem for o in check_recipe(recipe.name) if o.problem] == []
    for file in folder.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "$" not in text
        assert max(map(len, text.splitlines())) <= 125
    assert f"zoo plugins check {name}" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_model_of_a_new_package_can_be_loaded(tmp_path: Path) -> None:
    folder = new_plugin("zoo-acme", into=tmp_path, kind="models")
    assert zoo.load(folder / "zoo_acme" / "acme").sample(2).shape == (2, 3, 16, 16)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown kind 'loss'; did you mean losses"):
        new_plugin("zoo-acme", into=tmp_path, kind="loss")


@pytest.mark.parametrize(
    ("license", "author"), [("mit", 'Ada "L" Ünlü <ada@example.org>'), ("NONE", ""), ("apache-2.0", "Ada")]
)
def test_pyproject(tmp_path: Path, license: str, author: str) -> None:
    folder = new_plugin("Zoo_Acme", into=tmp_path / "new folder", license=license, author=author)
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "Zoo_Acme"
    assert project["entry-points"]["zoo.plugins"] == {"zoo-acme": "zoo_acme:plugin"}
    assert project["dependencies"][0].startswith("dcgan-zoo>=")
    assert project.get("license", "") == LICENSES[license.lower()]
    expected = {"": None, "Ada": [{"name": "Ada"}]}.get(author, [{"name": 'Ada "L" Ünlü', "email": "ada@example.org"}])
    assert project.get("authors") == expected
    if license == "NONE":
        assert "License: Not stated." in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "no name for a distribution"),
        ("zoo acme", "no name for a distribution"),
        ("-acme", "no name for a distribution"),
        ("acme-", "no name for a distribution"),
        ("../acme", "no name for a distribution"),
        ("acme/fun", "no name for a distribution"),
        ("äcme", "no name for a distribution"),
        ("acme\n", "no name for a distribution"),
        ("3d", "cannot import"),
        ("class", "cannot import"),
        ("json", "there is already"),
        ("zoo_core", "there is already"),
        ("torch", "installed already"),
        ("DCGAN.zoo", "installed already"),
    ],
)
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        new_plugin(name, into=tmp_path)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "zoo-acme").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        new_plugin("zoo-acme", into=tmp_path)
    assert list((tmp_path / "zoo-acme").iterdir()) == []


@pytest.mark.parametrize("author", ["<a@b.c>", "Ada <nowhere>", "Ada\nevil = 1", "Ada <a@b.c> and more"])
def test_an_author_that_is_none_is_refused(tmp_path: Path, author: str) -> None:
    with pytest.raises(UsageError, match="author"):
        new_plugin("zoo-acme", into=tmp_path, author=author)


def test_an_unknown_license_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown license 'gpl'"):
        new_plugin("zoo-acme", into=tmp_path, license="gpl")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError):
        new_plugin("zoo-acme", into=tmp_path / "file")


def test_names_that_are_taken_are_not_taken_again(tmp_path: Path) -> None:
    folder = new_plugin("zoo-dcgan", into=tmp_path)
    assert 'Recipe(\n            "zoo-dcgan"' in (folder / "zoo_dcgan" / "__init__.py").read_text()
    assert package_name("zoo-3d.x") == "zoo_3d_x"
    assert "class The3dXGenerator" in (new_plugin("zoo-3d.x", into=tmp_path) / "zoo_3d_x" / "networks.py").read_text()
