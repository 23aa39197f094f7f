"""No model that the zoo wrote is ever refused by it: any recipe, any width, size, channels and number of classes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import zoo
from zoo.models.building import build_networks, meta_device
from zoo.models.folder import read_model, write_config
from zoo.models.weights import tensors_of
from zoo.runs.config import RunConfig, model_config
from zoo_core import ImageSpec, ZooError, registry
from zoo_core.options import schema

NUMBERS = {
    **{
        "width": (1, 2, 3, 5, 8),
        "max_width": (1, 2, 7, 16),
        "latent_dim": (1, 3, 17),
        "hidden": (0, 1, 5),
        "layers": (1, 2, 3),
    },
    **{"pieces": (1, 2), "coarsest": (4, 8)},
}
"""Options that decide sizes → values, the smallest that there are among them."""

TRIES = 3  # for each recipe

RECIPES = sorted(registry.names("recipes"))


def choose(recipe: str, draw: random.Random) -> tuple[RunConfig, ImageSpec]:
    """Return a configuration of a recipe with sizes drawn at random, and images for it; raises where it cannot be."""
    roles = registry.parts(registry.recipe(recipe))
    options = {}
    for role, (kind, name) in roles.items():
        for option in schema(registry.load(kind, name)):
            if option in NUMBERS and draw.random() < 0.8:
                options[f"{role}.{option}"] = draw.choice(NUMBERS[option])
    size, channels = draw.choice((16, 24, 32, 64)), draw.choice((1, 3))
    config = RunConfig.resolve(recipe, size=size, channels=channels, batch=8, options=options)
    classes = draw.choice((2, 5)) if config.conditional else 0
    return config, ImageSpec(size, channels, classes)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_was_written_is_read(recipe: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    draw, written = random.Random(recipe), 0
    for number in range(TRIES):
        try:
            config, image = choose(recipe, draw)
            config = config.with_image(image)
            networks = config.build_networks()
        except ZooError:  # these sizes do not go together, which is said before anything is trained
            continue
        if sum(p.numel() for network in networks.values() for p in network.parameters()) > 3e6:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        for role, network in networks.items():
            save_file(tensors_of(network), folder / f"{role}.safetensors")
        write_config(model_config(config), folder)
        found = read_model(folder)
        for role, network in networks.items():
            state = found.networks[role].state_dict()
            assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
        written += 1
    if not written:
        pytest.skip("none of the sizes that were drawn goes together")


def test_the_one_that_was_refused(tmp_path: Path) -> None:
    """Spectral normalization registers its weights several times over, which looked like a larger network."""
    model = zoo.create("sngan", size=32, options={"generator.width": 2, "discriminator.width": 2})
    assert zoo.load(model.save_pretrained(tmp_path / "model")).sample(1).shape == (1, 3, 32, 32)


def test_networks_without_memory_compute_nothing() -> None:
    """Spectral normalization would, in Python: for seconds where there are many layers."""
    seen = set()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.add(str(function))
            return function(*args, **(kwargs or {}))

    options = {"generator.width": 2, "discriminator.width": 2}
    config = RunConfig.resolve("sngan", size=32, options=options).with_image(ImageSpec(32, 3))
    with Watch(), meta_device():
        networks = build_networks(config.parts, ImageSpec(32, 3))
    assert "aten.empty.memory_format" in seen
    assert not {"aten.mv.default", "aten.linalg_vector_norm.default"} & seen
    for role, network in config.build_networks().items():
        told = {name: tensor.shape for name, tensor in networks[role].state_dict().items()}
        assert told == {name: tensor.shape for name, tensor in network.state_dict().items()}
