"""InfoGAN: numbers of the latent that a discriminator can read off the picture, so that each comes to mean something.

Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets", 2016, arXiv:1606.03657. Networks are DCGAN's, as the paper's for SVHN and CelebA;
Q shares all layers of the discriminator but the last.

A latent begins with `categorical` groups of `categories` numbers, the largest of which says the value of that code; then
come `continuous` codes, as they are; the rest is noise. So values are equally likely whatever the latents' distribution is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoo_core import ImageSpec, OptionError, Phase, Step
from zoo_core.options import Range

from ..dcgan.networks import DCGANDiscriminator, DCGANGenerator, MaxWidth, Width, initialize
from .acgan import Reading, ReadingDiscriminator
from .residual import check_image

Categorical = Annotated[int, "codes that are one of several values", Range(0, 1000)]
Categories = Annotated[int, "values of each categorical code", Range(2, 10_000)]
Continuous = Annotated[int, "codes that are numbers", Range(0, 10_000)]


def check_codes(image: ImageSpec, categorical: int, categories: int, continuous: int) -> tuple[int, int, int]:
    """Return the codes; raise `OptionError` where there are none, and for labels."""
    check_image(image)
    if min(categorical, categories - 2, continuous) < 0 or not categorical + continuous:
        raise OptionError("a latent without codes", hint="for example: categorical=1, categories=10, continuous=2")
    return categorical, categories, continuous


class CodedLinear(nn.Module):
    """A linear layer of latents [N, D] that is given categorical codes as one-hot vectors: each value has its weights."""

    def __init__(self, categorical: int, categories: int, rest: int, units: int) -> None:
        super().__init__()
        self.shape = categorical, categories
        self.values = nn.Embedding(categorical * categories, units)
        self.linear = nn.Linear(rest, units, bias=False)
        nn.init.normal_(self.values.weight, 0.0, 0.02)
        initialize(self.linear)

    def forward(self, z: Tensor) -> Tensor:
        first = torch.arange(self.shape[0], device=z.device) * self.shape[1]  # place of each code's values
        x: Tensor = self.linear(z[:, self.shape[0] * self.shape[1] :])  # [N, units]
        chosen: Tensor = self.values(choose(z, *self.shape) + first)
        return x + chosen.sum(1).to(x.dtype)


def choose(z: Tensor, categorical: int, categories: int) -> Tensor:
    """Return the values [N, categorical], int64, of the categorical codes of latents [N, D]."""
    return z[:, : categorical * categories].reshape(-1, categorical, categories).argmax(2)


class InfoGANGenerator(DCGANGenerator):
    """DCGAN's generator of a latent with codes. Raises `OptionError` where the latent has no room for them and noise."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "latent_dim": 9, "categories": 3}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent, codes included", Range(2, 65_536)] = 74,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        categorical: Categorical = 1,
        categories: Categories = 10,
        continuous: Continuous = 2,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim, width=width, max_width=max_width)
        self.codes = check_codes(image, categorical, categories, continuous)
        chosen = categorical * categories
        if latent_dim <= chosen + continuous:
            raise OptionError(f"latent_dim must be above {chosen + continuous}, the length of all codes, not {latent_dim}")
        if categorical:
            first: Any = next(iter(self.blocks.values()))
            first.linear = CodedLinear(categorical, categories, latent_dim - chosen, first.linear.out_features)


class InfoGANDiscriminator(ReadingDiscriminator):
    """DCGAN's discriminator; what it reads are scores of each value, and means of the continuous codes."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "categories": 3}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        categorical: Categorical = 1,
        categories: Categories = 10,
        continuous: Continuous = 2,
    ) -> None:
        super().__init__(image=image)
        self.codes = check_codes(image, categorical, categories, continuous)
        body = DCGANDiscriminator(image=image, width=width, max_width=max_width, slope=0.1)
        self.blocks = body.blocks
        self.finish(body.to_logit.in_features, categorical * categories + continuous)


class InfoGAN(Reading):
    """The discriminator reads the codes of generated images; logs `code_loss`, and `code_right` of categorical ones."""

    tiny: ClassVar[Mapping[str, Any]] = {
        "parts": {"generator": "infogan", "discriminator": "infogan", "loss": "non-saturating"}
    }

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        found = super().phases(parts)
        one, other = (getattr(parts[role], "codes", None) for role in ("generator", "discriminator"))
        if one is None or one != other:
            hint = "set categorical, categories and continuous of both alike"
            raise OptionError("algorithm infogan wants a generator and a discriminator of the same codes", hint=hint)
        return found

    def misread(self, step: Step, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the codes' negative log-likelihood but for a constant; Q of numbers is a Gaussian of deviation 1."""
        categorical, categories, continuous = step.parts["generator"].codes
        known = categorical * categories
        wrong = (fake[:, known:] - step.z[:, known : known + continuous]).square().sum(1).mean() / 2
        if categorical:
            chosen = choose(step.z, categorical, categories)
            scores = fake[:, :known].reshape(-1, categorical, categories)
            wrong = wrong + categorical * cross_entropy(scores.flatten(0, 1), chosen.flatten())
            step.log(code_right=(scores.argmax(2) == chosen).float().mean())
        step.log(code_loss=wrong)
        return wrong
