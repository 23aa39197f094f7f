"""Names to components and recipes, across plugins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.broken import GoodGenerator, GoodLoss
from zoo_core import ImageSpec, Loss, Plugin, PluginError, Recipe, Registry, UnknownNameError, UsageError, ZooError
from zoo_core.discovery import InstalledPlugin, discover
from zoo_core.errors import AmbiguousNameError, OptionError

Install = Callable[..., None]


def holding(distribution: str = "acme", name: str = "acme", **fields: Any) -> InstalledPlugin:
    return InstalledPlugin(name, distribution, "1.0", Plugin(**fields))


def test_a_component_is_found_loaded_and_made() -> None:
    registry = Registry(
        [holding(generators={"good": "helpers.broken:GoodGenerator"}, losses={"good": "helpers.broken:GoodLoss"})]
    )
    assert registry.names("generators") == ["good"]
    assert registry.find("generators", "good").qualified == "acme:good"
    assert registry.load("generators", "acme:good") is GoodGenerator
    made = registry.create("generators", "good", {"latent_dim": 9}, image=ImageSpec(8))
    assert (made.latent_dim, made.image) == (9, ImageSpec(8))
    assert isinstance(registry.create("losses", "good"), GoodLoss)


def test_unknown_names_get_near_matches_and_the_command_that_lists() -> None:
    registry = Registry([holding(losses={"hinge": "helpers.broken:GoodLoss"})])
    with pytest.raises(UnknownNameError, match="unknown loss 'hing'; did you mean hinge") as caught:
        registry.find("losses", "hing")
    assert caught.value.hint == "to see all: zoo list losses"
    with pytest.raises(UnknownNameError, match="unknown command"):
        registry.find("commands", "dance")
    with pytest.raises(UnknownNameError):
        registry.find("losses", "other:hinge")


def test_two_distributions_with_one_name_are_an_error_when_it_is_used() -> None:
    fields: dict[str, Any] = {"losses": {"hinge": "helpers.broken:GoodLoss"}, "recipes": [Recipe("r", loss="hinge")]}
    registry = Registry(
        [holding("acme", **fields), holding("zenith", **fields, generators={"g": "helpers.broken:GoodGenerator"})]
    )
    assert registry.names("losses") == ["hinge"]
    assert [e.qualified for e in registry.entries("losses")] == ["acme:hinge", "zenith:hinge"]
    assert registry.load("generators", "g") is GoodGenerator
    with pytest.raises(AmbiguousNameError, match="loss 'hinge' is claimed by acme and zenith") as caught:
        registry.load("losses", "hinge")
    assert caught.value.hint == "choose one: acme:hinge or zenith:hinge"
    assert caught.value.exit_code == 2
    assert registry.load("losses", "Zenith:hinge") is GoodLoss
    with pytest.raises(AmbiguousNameError, match="recipe 'r'"):
        registry.recipe("r")


def test_two_plugins_of_one_distribution_with_one_name() -> None:
    fields: dict[str, Any] = {"losses": {"hinge": "helpers.broken:GoodLoss"}}
    registry = Registry([holding("acme", "one", **fields), holding("acme", "two", **fields)])
    for name in ("hinge", "acme:hinge"):
        with pytest.raises(AmbiguousNameError, match="claimed by the plugins one and two of acme"):
            registry.find("losses", name)


def test_another_version_of_the_contract_is_an_error_when_it_is_used() -> None:
    registry = Registry(
        [
            holding(contract=1, losses={"hinge": "helpers.broken:GoodLoss"}, recipes=[Recipe("r", loss="hinge")]),
            holding("b", losses={"c": "helpers.broken:GoodLoss"}),
        ]
    )
    assert registry.names("losses") == ["c", "hinge"]
    with pytest.raises(
        PluginError,
        match="loss 'hinge' of acme was written for contract 1; this zoo has contract 2: recipes name an algorithm",
    ) as caught:
        registry.load("losses", "hinge")
    with pytest.raises(PluginError, match="recipe 'r' of acme was written for contract 1"):
        registry.recipe("r")
    assert "pip install --upgrade acme" in caught.value.hint
    assert registry.load("losses", "c") is GoodLoss


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:Thing", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("helpers.broken:Missing", "cannot be imported: AttributeError"),
        ("raising:Thing", "cannot be imported: RuntimeError: full moon"),
        ("exiting:Thing", "cannot be imported: SystemExit: 4"),
        ("torch.nn:Linear", "does not subclass zoo_core.Loss"),
        ("helpers.broken:GoodGenerator", "does not subclass zoo_core.Loss"),
        ("json:dumps", "does not subclass zoo_core.Loss"),
        ("half:Half", "does not define discriminator, generator"),
        ("half:Positional", "argument 'margin' must be keyword-only"),
        ("half:Star", "hide which options"),
        ("half:Bare", "option 'margin' needs a default"),
        ("half:Untyped", "option 'margin' needs a type annotation"),
        ("half:NoJson", "default of 'margin' must be something JSON can hold"),
        ("half:Nan", "default of 'margin' must be something JSON can hold"),
        ("half:Unknown", "annotations cannot be read"),
    ],
)
def test_a_component_that_is_no_component_says_why(target: str, words: str, site: Path) -> None:
    (site / "raising.py").write_text("raise RuntimeError('full moon')")
    (site / "exiting.py").write_text("raise SystemExit(4)")
    (site / "half.py").write_text(
        "from helpers.broken import GoodLoss\nfrom zoo_core import Loss\n"
        "class Half(Loss): pass\n"
        "class Positional(GoodLoss):\n    def __init__(self, margin: float = 1.0): ...\n"
        "class Star(GoodLoss):\n    def __init__(self, **margins: float): ...\n"
        "class Bare(GoodLoss):\n    def __init__(self, *, margin: float): ...\n"
        "class Untyped(GoodLoss):\n    def __init__(self, *, margin=1.0): ...\n"
        "class NoJson(GoodLoss):\n    def __init__(self, *, margin: object = object): ...\n"
        "class Nan(GoodLoss):\n    def __init__(self, *, margin: float = float('nan')): ...\n"
        "class Unknown(GoodLoss):\n    def __init__(self, *, margin: 'Nothing' = 1): ...\n"
    )
    registry = Registry([holding(losses={"odd": target, "good": "helpers.broken:GoodLoss"})])
    with pytest.raises(PluginError) as caught:
        registry.load("losses", "odd")
    assert words in str(caught.value)
    assert registry.load("losses", "good") is GoodLoss


def test_options_are_checked_before_the_constructor_is_called() -> None:
    registry = Registry([holding(generators={"good": "helpers.broken:GoodGenerator"})])
    with pytest.raises(UnknownNameError, match="unknown option of generator 'latent'; did you mean latent_dim") as caught:
        registry.create("generators", "good", {"latent": 3}, image=ImageSpec(8))
    assert caught.value.hint == "to see them: zoo show good"
    with pytest.raises(OptionError, match=r"generator.latent_dim must be int, not 'x'"):
        registry.create("generators", "good", {"latent_dim": "x"}, image=ImageSpec(8))


def test_registration_in_process_can_be_undone() -> None:
    registry = Registry([])
    with registry.add(Plugin(losses={"mine": "helpers.broken:GoodLoss"}), distribution="My_Notebook"):
        assert registry.find("losses", "my-notebook:mine").plugin.name == "local"
        registry.add(Plugin(recipes=[Recipe("stays")]))
    assert registry.names("losses") == []
    assert registry.names("recipes") == ["stays"]
    with pytest.raises(PluginError, match=r"takes a zoo_core.Plugin, not a dict"):
        registry.add({})  # type: ignore[arg-type]


RECIPES = [
    Recipe(
        "plain", generator="g", discriminator="d", loss="l", options={"generator.width": 8, "loss.margin": 1.0}, paper="P"
    ),
    Recipe("wide", base="plain", options={"generator.width": 99}),
    Recipe("other-loss", base="wide", loss="l2", options={"training.batch": 3}),
    Recipe("same-loss", base="wide", loss="l"),
    Recipe("open", generator="g"),
    Recipe("around", base="about"),
    Recipe("about", base="around"),
    Recipe("orphan", base="plian"),
]


def test_a_variant_states_only_what_differs() -> None:
    registry = Registry([holding(recipes=RECIPES)])
    wide = registry.recipe("wide")
    assert (wide.name, wide.base, wide.generator, wide.paper) == ("wide", None, "g", "P")
    assert dict(wide.options) == {"generator.width": 99, "loss.margin": 1.0}
    assert dict(registry.recipe("same-loss").options) == dict(wide.options)


def test_a_replaced_component_takes_its_options_with_it() -> None:
    other = Registry([holding(recipes=RECIPES)]).recipe("other-loss")
    assert (other.loss, dict(other.options)) == ("l2", {"generator.width": 99, "training.batch": 3})


def test_a_recipe_can_build_on_another_distributions() -> None:
    registry = Registry(
        [holding(recipes=RECIPES), holding("zenith", recipes=[Recipe("wide", base="acme:wide", loss="mine")])]
    )
    assert registry.recipe("zenith:wide").loss == "mine"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("around", "is based on itself: around → about → around"),
        ("orphan", "recipe 'orphan' is based on unknown recipe 'plian'; did you mean plain"),
        ("plian", "^unknown recipe 'plian'"),
    ],
)
def test_a_recipe_that_leads_nowhere_says_why(name: str, words: str) -> None:
    registry = Registry([holding(recipes=RECIPES, algorithms={"gan": "zoo_plugins.algorithms.gan:GAN"})])
    with pytest.raises(UsageError, match=words):
        registry.parts(registry.recipe(name))


PARTS: dict[str, Any] = {
    "algorithms": {"gan": "helpers.broken:GoodAlgorithm", "odd": "odd_algorithm:Odd"},
    "generators": {"good": "helpers.broken:GoodGenerator"},
    "discriminators": {"good": "helpers.broken:GoodDiscriminator", "critic": "helpers.broken:GoodDiscriminator"},
    "networks": {"enc": "helpers.broken:GoodNetwork"},
    "losses": {"good": "helpers.broken:GoodLoss"},
}
COMMON: dict[str, Any] = {"generator": "good", "discriminator": "good", "loss": "good"}


def test_the_parts_of_a_recipe() -> None:
    registry = Registry([holding(**PARTS, recipes=[Recipe("r", **COMMON, parts={"encoder": "acme:enc"})])])
    recipe = registry.recipe("r")
    assert recipe.algorithm == "gan"
    assert registry.parts(recipe) == {
        "generator": ("generators", "good"),
        "discriminator": ("discriminators", "good"),
        "loss": ("losses", "good"),
        "encoder": ("networks", "acme:enc"),
    }


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            Recipe("r", **COMMON),
            "recipe 'r' names no encoder, and neither does its base\nalgorithm gan asks for: generator, dis",
        ),
        (Recipe("r", generator="good"), "names no discriminator and no loss and no encoder"),
        (
            Recipe("r", **COMMON, parts={"encoder": "enc", "critic": "critic"}),
            "unknown role of algorithm gan 'critic'; valid: d",
        ),
        (
            Recipe("r", **COMMON, parts={"encoder": "critic"}),
            "its encoder must be one of the networks, and 'critic' is a discriminator\nto see all: zoo list networks",
        ),
        (Recipe("r", algorithm="odd", **COMMON), "algorithm 'odd' asks for 'datasets' as its pictures; valid: generators, "),
        (Recipe("r", algorithm="gun", **COMMON), "unknown algorithm 'gun'; did you mean gan"),
    ],
)
def test_parts_that_do_not_fit_the_algorithm(recipe: Recipe, words: str, site: Path) -> None:
    (site / "odd_algorithm.py").write_text(
        "from helpers.broken import GoodAlgorithm\n"
        "class Odd(GoodAlgorithm):\n    parts = {'generator': 'generators', 'pictures': 'datasets'}\n"
    )
    registry = Registry([holding(**PARTS, recipes=[recipe])])
    with pytest.raises(ZooError) as caught:
        registry.parts(registry.recipe("r"))
    assert words in str(caught.value)


def test_a_variant_of_another_algorithm_leaves_its_bases_options_behind() -> None:
    base = Recipe(
        "b", algorithm="gan", options={"algorithm.every": 3, "encoder.x": 1, "training.batch": 9}, parts={"encoder": "e"}
    )
    variants = [
        Recipe("same", base="b"),
        Recipe("other", base="b", algorithm="odd"),
        Recipe("part", base="b", parts={"encoder": "f"}),
    ]
    registry = Registry([holding(recipes=[base, *variants])])
    assert dict(registry.recipe("same").options) == dict(base.options)
    assert dict(registry.recipe("other").options) == {"encoder.x": 1, "training.batch": 9}
    assert dict(registry.recipe("part").options) == {"algorithm.every": 3, "training.batch": 9}
    assert registry.recipe("part").roles == {"encoder": "f"}


def test_a_new_plugin_costs_one_module_one_record_and_one_entry_point_line(install: Install, site: Path) -> None:
    install(
        "acme",
        "from zoo_core import Plugin, Recipe\n"
        "plugin = Plugin(losses={'acme': 'acme_loss:Acme'}, recipes=[Recipe('acme', base='dcgan', loss='acme')])",
    )
    (site / "acme_loss.py").write_text("from helpers.broken import GoodLoss\nclass Acme(GoodLoss): pass\n")
    registry = Registry(discover()[0])
    assert registry.recipe("acme").generator == "dcgan"
    assert issubclass(registry.load("losses", "acme"), Loss)
