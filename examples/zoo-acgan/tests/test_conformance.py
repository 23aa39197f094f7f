"""Everything in the record is what its interface promises, and the two games are the paper's."""

import pytest
import torch
from zoo_acgan import plugin

from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_core.records import KINDS
from zoo_core.testing import assert_conforms, assert_recipe


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in getattr(plugin, kind)])
def test_component(kind, name):
    assert_conforms(kind, getattr(plugin, kind)[name])


def test_recipe():
    assert_recipe("zoo-acgan:acgan-apart")


def test_what_is_impossible_is_refused():
    with pytest.raises(OptionError, match="labeled images"):
        registry.create("networks", "zoo-acgan:acgan-apart", image=ImageSpec(16))
    with pytest.raises(OptionError, match="depth 9"):
        registry.create("networks", "zoo-acgan:acgan-apart", {"depth": 9}, image=ImageSpec(16, num_classes=2))
    with pytest.raises(OptionError, match=r"algorithm\.weight is -1"):
        registry.create("algorithms", "zoo-acgan:acgan-apart", {"weight": -1.0})


def test_the_classifier_is_weighed_in_the_generators_loss():
    image = ImageSpec(16, num_classes=2)
    parts = {
        "generator": registry.create("generators", "dcgan", {"width": 8}, image=image),
        "discriminator": registry.create("discriminators", "zoo-acgan:acgan-apart", {"width": 8}, image=image),
        "classifier": registry.create("networks", "zoo-acgan:acgan-apart", {"width": 8}, image=image),
        "loss": registry.create("losses", "non-saturating"),
    }
    z, labels = torch.randn(4, parts["generator"].latent_dim), torch.tensor([0, 1, 0, 1])
    totals, logged = [], {}
    for weight in (0.0, 3.0):
        algorithm = registry.create("algorithms", "zoo-acgan:acgan-apart", {"weight": weight})
        step = Step(torch.rand(4, 3, 16, 16), labels, z, parts, frozenset({"generator"}), record=logged.__setitem__)
        (total,) = algorithm.losses("generator", step)
        totals.append(total.item())
    assert totals[1] - totals[0] == pytest.approx(3 * logged["g_class"].item(), rel=1e-4)
    assert totals[0] == pytest.approx(logged["g_loss"].item(), rel=1e-5)
