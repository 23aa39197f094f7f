"""Scattering features: what they see, and that they tell good pictures from bad ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from zoo_core import FeatureExtractor, registry
from zoo_plugins.metrics.frechet import Gaussian, Moments, frechet_distance

CELLS = 16
LEVEL = 4 * CELLS  # features of a level: four orientations


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    found: FeatureExtractor = registry.create("features", "scattering")
    return found.eval()


def stripes(angle: float, wavelength: float, side: int = 64) -> Tensor:
    """A grating [1, 1, side, side]."""
    axis = torch.arange(side, dtype=torch.float32)
    along = axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)
    return torch.cos(2 * math.pi * along / wavelength)[None, None]


def test_colors_are_means_of_cells(extractor: FeatureExtractor) -> None:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(extractor(x)[:, : 3 * CELLS], avg_pool2d(x, 16).flatten(1))


@pytest.mark.parametrize("orientation", range(4))
def test_each_wavelet_prefers_its_own_orientation(orientation: int, extractor: FeatureExtractor) -> None:
    x = stripes(math.pi * orientation / 4, 4.0)
    finest = extractor(x)[0, 3 * CELLS : 3 * CELLS + LEVEL].view(4, CELLS).mean(1)
    assert finest.argmax() == orientation
    assert finest.max() > 2 * finest.sort().values[-2]


@pytest.mark.parametrize("level", range(4))
def test_each_level_prefers_its_own_scale(level: int, extractor: FeatureExtractor) -> None:
    x = stripes(0.0, 4.0 * 2**level)
    levels = extractor(x)[0, 3 * CELLS :].view(4, LEVEL).mean(1)
    assert levels.argmax() == level


def test_a_flat_picture_has_no_edges(extractor: FeatureExtractor) -> None:
    features = extractor(torch.full((1, 3, 32, 32), 0.7))[0]
    torch.testing.assert_close(features[: 3 * CELLS], torch.full((3 * CELLS,), 0.7))
    assert features[3 * CELLS :].abs().max() < 2e-3


def test_damage_is_ranked(extractor: FeatureExtractor) -> None:
    """The distance grows with blur, with noise, and with the loss of variety."""
    rng = torch.Generator().manual_seed(1)

    def pictures(n: int) -> Tensor:
        coarse = torch.rand(n, 3, 4, 4, generator=rng) * 2 - 1
        fine = torch.rand(n, 3, 16, 16, generator=rng) - 0.5
        return (interpolate(coarse, 32, mode="bicubic") + interpolate(fine, 32)).clamp(-1, 1)

    def described(x: Tensor) -> Gaussian:
        with torch.no_grad():
            return Moments.of(extractor(x)).gaussian()

    reference, others = described(pictures(600)), pictures(600)

    def distance(x: Tensor) -> float:
        return frechet_distance(reference, described(x))

    real = distance(others)
    blurred = [distance(interpolate(avg_pool2d(others, k), 32, mode="bilinear")) for k in (2, 4, 8)]
    noisy = [distance((others + s * torch.randn(others.shape, generator=rng)).clamp(-1, 1)) for s in (0.2, 0.5, 1.0)]
    fewer = [distance(others[torch.arange(600) % k]) for k in (100, 10, 1)]
    for damaged in (blurred, noisy, fewer):
        assert [real, *damaged] == sorted([real, *damaged])
        assert damaged[-1] > 5 * real
