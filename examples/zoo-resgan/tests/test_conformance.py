"""Everything in the record is what its interface promises."""

import pytest
from zoo_resgan import plugin

from zoo_core import ImageSpec, OptionError, registry
from zoo_core.records import KINDS
from zoo_core.testing import assert_conforms, assert_recipe


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in getattr(plugin, kind)])
@pytest.mark.parametrize("image", [ImageSpec(16), ImageSpec(32, 1), ImageSpec(16, 3, num_classes=5)], ids=str)
def test_component(kind, name, image):
    assert_conforms(kind, getattr(plugin, kind)[name], image=image)


@pytest.mark.parametrize("name", [recipe.name for recipe in plugin.recipes])
def test_recipe(name):
    assert_recipe(f"zoo-resgan:{name}")


@pytest.mark.parametrize("size", [8, 24, 31])
def test_sizes_that_do_not_halve_to_four_are_refused(size):
    with pytest.raises(OptionError, match="size must be 16, 32, 64"):
        registry.create("discriminators", "zoo-resgan:resgan", image=ImageSpec(size))


@pytest.mark.parametrize(
    ("kind", "option"), [("generators", "width"), ("generators", "latent_dim"), ("discriminators", "width")]
)
def test_options_below_one_are_refused(kind, option):
    with pytest.raises(OptionError, match="at least 1"):
        registry.create(kind, "zoo-resgan:resgan", {option: 0}, image=ImageSpec(16))
