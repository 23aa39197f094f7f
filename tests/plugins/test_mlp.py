"""The plain GAN: maxout by its definition, dropout in training only, labels."""

from __future__ import annotations

import pytest
import torch

from zoo_core import ImageSpec, OptionError, registry
from zoo_plugins.mlp.networks import Maxout, MLPDiscriminator, MLPGenerator


def test_maxout_is_the_largest_of_several_linear_functions() -> None:
    layer = Maxout(3, 2, pieces=4)
    x = torch.randn(5, 3)
    pieces = x @ layer.linear.weight.T + layer.linear.bias  # [5, 8]
    expected = torch.stack([pieces[:, :4].max(1).values, pieces[:, 4:].max(1).values], dim=1)
    torch.testing.assert_close(layer(x), expected)


def test_no_layer_knows_where_a_pixel_lies() -> None:
    """Shuffling the pixels of the pictures and the rows of the first layer changes nothing."""
    discriminator = MLPDiscriminator(image=ImageSpec(4, 1), width=6).eval()
    x, order = torch.rand(3, 1, 4, 4), torch.randperm(16)
    before = discriminator(x)
    first = discriminator.hidden["layer1"][1].linear  # type: ignore[index]
    with torch.no_grad():
        first.weight.copy_(first.weight[:, order])
    torch.testing.assert_close(discriminator(x.flatten(1)[:, order].view(3, 1, 4, 4)), before)


def test_dropout_in_training_only() -> None:
    discriminator = MLPDiscriminator(image=ImageSpec(8), width=64)
    x = torch.rand(4, 3, 8, 8)
    assert not discriminator(x).equal(discriminator(x))
    discriminator.eval()
    assert discriminator(x).equal(discriminator(x))


def test_labels() -> None:
    image = ImageSpec(8, num_classes=3)
    generator, discriminator = MLPGenerator(image=image, width=16), MLPDiscriminator(image=image, width=16).eval()
    z, one, other = generator.sample_latent(2), torch.tensor([0, 0]), torch.tensor([1, 2])
    pictures = generator(z, one)
    assert not pictures.equal(generator(z, other))
    assert not discriminator(pictures, one).equal(discriminator(pictures, other))
    for network, given in ((generator, z), (discriminator, pictures)):
        with pytest.raises(ValueError, match="conditional on 3 classes and needs labels"):
            network(given)


def test_options() -> None:
    for options in ({"width": 0}, {"layers": 0}, {"pieces": 0}, {"dropout": 1.0}, {"input_dropout": -0.1}):
        with pytest.raises(OptionError, match=rf"\.{next(iter(options))} is .*; it must be at least"):
            registry.create("discriminators", "mlp", options, image=ImageSpec(8))
