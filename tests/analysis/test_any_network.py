"""Everything that needs no labels, on every built-in generator and discriminator."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import zoo
from helpers.painting import paintings
from zoo.analysis.feature_maps import ablate_units, bake_ablation, feature_map_shapes, second_highest_stage
from zoo.analysis.features import features
from zoo.models.model import Model
from zoo_core import UsageError

SMALL = {"generator.width": 4, "discriminator.width": 4, "generator.latent_dim": 6}
PLAIN: dict[str, dict[str, Any]] = {
    "dcgan": {},
    "dcgan-paper": {},
    "dcgan-fc": {"generator.hidden": 8, "discriminator.hidden": 8},
    "dcgan-nobn": {},
    "dcgan-maxpool": {},
    "sngan": {},
    "cdcgan": {},
}


HIGHEST = {"sngan": "4x4-plain", "resnet-sngan": "2x2", "stylegan2-small": "4x4-plain"}  # "4x4" elsewhere
SECOND = {"sngan": "8x8"}


def made(recipe: str) -> Model:
    classes = 3 if recipe == "cdcgan" else 0
    return zoo.create(recipe, size=16, num_classes=classes, options={**SMALL, **PLAIN.get(recipe, {})})


LATER = ("resnet-sngan", "r3gan-small", "stylegan2-small")


@pytest.mark.parametrize("recipe", [*(name for name in PLAIN if name != "cdcgan"), *LATER])
def test_walks_and_features(recipe: str) -> None:
    model = made(recipe)
    found = zoo.walk(model, latents=2, steps=3)
    assert found.images.shape == (1, 3, 3, 16, 16)
    looked = features(model, images=paintings(count=60), count=24, shown=2, each=2)
    assert looked.trained.stage == HIGHEST.get(recipe, "4x4")
    assert looked.trained.gradients.isfinite().all()
    assert looked.trained.gradients.abs().max() > 0


@pytest.mark.parametrize("recipe", PLAIN)
def test_silenced_maps_can_be_written_into_the_weights(recipe: str) -> None:
    model = made(recipe)
    stage = second_highest_stage(model.generator)
    assert stage == SECOND.get(recipe, "4x4")
    z = model.generator.sample_latent(4, torch.Generator().manual_seed(1))
    labels = torch.arange(4) % 3 if recipe == "cdcgan" else None
    with torch.no_grad(), ablate_units(model.generator.stages()[stage], [1, 3]):
        wanted = model.generator(z, labels)
    with torch.no_grad():
        before = model.generator(z, labels)
        after = bake_ablation(model, stage, [1, 3])(z, labels)
    assert not torch.equal(before, wanted)
    assert (after - wanted).abs().max() < 0.01 * (before - wanted).abs().max()


def test_a_conditional_discriminator_wants_labels() -> None:
    assert zoo.walk(made("cdcgan"), latents=2, steps=3, label="2").images.isfinite().all()
    with pytest.raises(UsageError, match="told the label of each image"):
        features(made("cdcgan"), images=paintings(count=60), count=24)


def test_fully_connected_networks_have_units_but_no_maps() -> None:
    image = zoo.ImageSpec(8)
    generator = zoo.registry.create("generators", "mlp", {"width": 16, "latent_dim": 4}, image=image).eval()
    assert feature_map_shapes(generator) == {}
    with pytest.raises(UsageError, match=r"0 stages of feature maps \(all stages: layer1, layer2\)"):
        second_highest_stage(generator)
