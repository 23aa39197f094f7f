"""Weight gradients by matrix products, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zoo.training import convolutions
from zoo.training.convolutions import CHANNELS, FastConvolutions, weight_gradient


@pytest.fixture(autouse=True)
def slow_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever processor the tests run on, take it for one where the part pays."""
    monkeypatch.setattr(convolutions, "PAYS", True)


def gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Of a loss that looks at every number of the output: with respect to x and the parameters."""
    x = x.clone().requires_grad_(True)
    out = layer(x)
    weighing = torch.linspace(-1, 1, out.numel()).view(out.shape)
    return list(torch.autograd.grad((out * weighing).sum() + out.square().sum(), [x, *layer.parameters()]))


LAYERS = [
    nn.Conv2d(CHANNELS, 40, 4, 2, 1, bias=False),
    nn.Conv2d(CHANNELS, 40, 5, 2, 2),
    nn.Conv2d(40, CHANNELS, (3, 5), (2, 3), (0, 2)),
    nn.ConvTranspose2d(CHANNELS, 40, 4, 2, 1, bias=False),
    nn.ConvTranspose2d(40, CHANNELS, 5, 2, 2, output_padding=1),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("memory", [torch.channels_last, torch.contiguous_format])
def test_gradients_are_torchs(layer: nn.Module, memory: torch.memory_format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "PIXELS", 40)  # several pieces, the last one smaller
    torch.manual_seed(0)
    layer = layer.to(memory_format=memory)
    x = torch.randn(5, layer.in_channels, 8, 10).to(memory_format=memory)
    expected = gradients(layer, x)
    with FastConvolutions():
        out = layer(x.clone().requires_grad_(True))
        assert "_Convolution" in type(out.grad_fn).__name__
        assert out.equal(layer(x.clone()))
        found = gradients(layer, x)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(CHANNELS, 40, 3, 1, 1),  # no stride
        nn.Conv2d(3, 40, 4, 2, 1),  # few channels
        nn.Conv2d(CHANNELS, 2 * CHANNELS, 4, 2, 1, groups=2),
        nn.Conv2d(CHANNELS, 40, 3, 2, 2, dilation=2),
        nn.Conv2d(CHANNELS, 40, 4, 2, padding_mode="reflect", padding=1).requires_grad_(False),
    ],
    ids=str,
)
def test_other_convolutions_stay_torchs(layer: nn.Conv2d) -> None:
    with FastConvolutions():
        out = layer(torch.randn(2, layer.in_channels, 8, 8, requires_grad=True))
    assert "_Convolution" not in type(out.grad_fn).__name__


def test_large_maps_doubles_and_no_gradients_stay_torchs() -> None:
    layer = nn.Conv2d(CHANNELS, 40, 4, 2, 1)
    with FastConvolutions():
        large = layer(torch.randn(1, CHANNELS, 64, 64))
        double = nn.Conv2d(CHANNELS, 40, 4, 2, 1).double()(torch.randn(1, CHANNELS, 8, 8, dtype=torch.float64))
        with torch.no_grad():
            none = layer(torch.randn(1, CHANNELS, 8, 8))
    assert none.grad_fn is None
    for out in (large, double):
        assert "_Convolution" not in type(out.grad_fn).__name__


def test_they_cannot_be_differentiated_twice() -> None:
    layer, x = nn.Conv2d(CHANNELS, 40, 4, 2, 1), torch.randn(1, CHANNELS, 8, 8, requires_grad=True)
    with FastConvolutions():
        out = layer(x)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        slope.sum().backward()


def test_a_weight_gradient_by_hand() -> None:
    small, large = torch.ones(1, 1, 1, 1), torch.arange(4.0).view(1, 1, 2, 2)
    assert weight_gradient(small, large, (2, 2), (2, 2), (0, 0)).flatten().tolist() == [0, 1, 2, 3]
    assert weight_gradient(small, large, (3, 3), (2, 2), (1, 1))[0, 0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 2, 3]]


def test_other_processors_keep_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "PAYS", False)
    with FastConvolutions():
        out = LAYERS[0](torch.randn(2, CHANNELS, 8, 8, requires_grad=True))
    assert "_Convolution" not in type(out.grad_fn).__name__
