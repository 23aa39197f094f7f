from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zoo.analysis.feature_maps import ablate_units, bake_ablation, guided_gradients, scale_gradients
from zoo.models.model import Model
from zoo_core import Discriminator, Generator, ImageSpec


class _Two(Discriminator):
    """One hidden layer whose two rectifiers pull a feature in opposite directions."""

    def __init__(self) -> None:
        super().__init__(image=ImageSpec(1, 1))
        self.hidden = nn.Linear(1, 2, bias=False)
        self.hidden.weight.data = torch.tensor([[1.0], [1.0]])
        self.feature = nn.Linear(2, 1, bias=False)
        self.feature.weight.data = torch.tensor([[2.0, -3.0]])

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.feature(self.hidden(x.flatten(1)).relu()).squeeze(1)  # type: ignore[no-any-return]

    def stages(self) -> dict[str, nn.Module]:
        return {"feature": self.feature}


def test_rectifiers_hold_back_negative_gradients() -> None:
    images = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    found = guided_gradients(_Two(), images, "feature", 0).flatten().tolist()
    assert found == [2.0, 0.0]  # the plain gradient is 2 − 3 = −1 where the units are active, and 0 elsewhere


def test_gradients_are_scaled_for_each_image() -> None:
    seen = scale_gradients(
        torch.tensor([1e-6, -1e-6]).view(1, 1, 1, 2).repeat(2, 3, 2, 1) * torch.tensor([1.0, 5]).view(2, 1, 1, 1)
    )
    assert seen.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert seen.min() == -1


class _Grouped(Generator):
    """A transposed convolution in groups, and one after it."""

    def __init__(self) -> None:
        super().__init__(image=ImageSpec(8), latent_dim=4)
        self.first = nn.ConvTranspose2d(4, 6, 4, groups=2)
        self.second = nn.ConvTranspose2d(6, 3, 4, 2, 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.second(self.first(z[:, :, None, None])).tanh()  # type: ignore[no-any-return]

    def stages(self) -> dict[str, nn.Module]:
        return {"4x4": self.first}


@torch.no_grad()
def test_maps_of_grouped_transposed_convolutions_are_ablated_by_weights() -> None:
    model = Model(_Grouped(), None)
    z = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    with ablate_units(model.generator.first, [1, 4]):  # type: ignore[arg-type]
        wanted = model.generator(z)
    baked = bake_ablation(model, "4x4", [1, 4])
    assert torch.allclose(baked(z), wanted, atol=1e-6)
    assert int((baked.stages()["4x4"](z[:, :, None, None]).abs().amax((0, 2, 3)) == 0).sum()) == 2
