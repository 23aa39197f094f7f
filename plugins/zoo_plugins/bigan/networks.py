"""An encoder and a discriminator of pairs on DCGAN's body: what BiGAN needs besides a generator.

Donahue et al. 2016, arXiv:1605.09782, section 4: the discriminator's convolutions see the image, and its fully connected
layers the latent as well. Widths and depths are those of `zoo_plugins.dcgan.networks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from zoo_core import Discriminator, ImageSpec, Network
from zoo_core.options import Range

from ..conditioning import one_hot_labels, with_label
from ..dcgan.networks import DCGANDiscriminator, Kernel, MaxWidth, NormEps, Width


class DCGANEncoder(Network):
    """Strided convolutions down to the smallest map, as in the discriminator, then one linear layer to a latent."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: int,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        norm_eps: NormEps = 1e-5,
    ) -> None:
        super().__init__(image=image)
        self.latent_dim = latent_dim
        body = DCGANDiscriminator(image=image, width=width, max_width=max_width, kernel=kernel, norm_eps=norm_eps)
        self.blocks = body.blocks
        self.to_latent = nn.Linear(body.to_logit.in_features, latent_dim)
        nn.init.normal_(self.to_latent.weight, 0.0, 0.02)
        nn.init.zeros_(self.to_latent.bias)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Encode images [N, C, S, S]; returns latents [N, latent_dim]."""
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        for block in self.blocks.values():
            x = block(with_label(x, label))  # [N, maps, side, side]
        out: Tensor = self.to_latent(with_label(x.flatten(1), label))
        return out


class JointDiscriminator(Discriminator):
    """DCGAN's body on the image, whose flattened maps meet the latent in a hidden layer before the logit.

    Without a latent it judges the image with the latent 0, so that its features serve wherever a discriminator's do.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "hidden": 16}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: int,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        norm_eps: NormEps = 1e-5,
        hidden: Annotated[int, "units of the layer in which image and latent meet", Range(1, 65_536)] = 512,
    ) -> None:
        super().__init__(image=image)
        self.latent_dim = latent_dim
        body = DCGANDiscriminator(image=image, width=width, max_width=max_width, kernel=kernel, norm_eps=norm_eps)
        self.blocks = body.blocks
        self.hidden = nn.Sequential(
            nn.Linear(body.to_logit.in_features + latent_dim, hidden), nn.LeakyReLU(0.2, inplace=True)
        )
        self.to_logit = nn.Linear(hidden + image.num_classes, 1)
        for layer in (self.hidden[0], self.to_logit):
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, labels: Tensor | None = None, z: Tensor | None = None) -> Tensor:
        """Judge images [N, C, S, S] with latents [N, latent_dim]; returns logits [N]."""
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        if z is None:
            z = x.new_zeros(len(x), self.latent_dim)
        for block in self.blocks.values():
            x = block(with_label(x, label))  # [N, maps, side, side]
        x = torch.cat([with_label(x.flatten(1), label), z.to(x.dtype)], dim=1)
        logits: Tensor = self.to_logit(with_label(self.hidden(x), label))
        return logits.squeeze(1)

    def stages(self) -> Mapping[str, nn.Module]:
        return {**self.blocks, "hidden": self.hidden}
