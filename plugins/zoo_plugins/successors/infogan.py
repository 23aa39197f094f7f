"""InfoGAN: numbers of the latent that a discriminator can read off the picture, so that each comes to mean something.

Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets", 2016, arXiv:1606.03657. Both networks maximize a bound of the information between
codes and pictures: the log-likelihood of the codes under Q, which shares all layers of the discriminator but the last. They
are DCGAN's, as the paper's for SVHN and CelebA are but for one small layer of Q.

A latent begins with `categorical` groups of `categories` numbers, and the largest of a group says which value that code has;
then come `continuous` codes, as they are; the rest is noise. So categorical codes are uniform, whatever the latents'
distribution is, and uniform latents have the paper's U(−1, 1) in all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoo_core import ImageSpec, OptionError, Phase, Step
from zoo_core.options import Range

from ..conditioning import check_at_least
from ..dcgan.networks import DCGANDiscriminator, DCGANGenerator, Kernel, MaxWidth, Width, initialize
from .acgan import Reading, ReadingDiscriminator, Weight, make_outputs
from .residual import check_image

Categorical = Annotated[int, "codes that are one of several values", Range(0, 1000)]
Categories = Annotated[int, "values of each categorical code", Range(2, 10_000)]
Continuous = Annotated[int, "codes that are numbers", Range(0, 10_000)]

Codes = tuple[int, int, int]  # categorical, categories, continuous


def check_codes(categorical: int, categories: int, continuous: int) -> Codes:
    """Return the codes; raise `OptionError` where there are none."""
    check_at_least(0, categorical=categorical, continuous=continuous)
    check_at_least(2, categories=categories)
    if not categorical + continuous:
        raise OptionError("a latent without codes", hint="for example: categorical=1, continuous=2")
    return categorical, categories, continuous


class CodedLinear(nn.Module):
    """A linear layer of a latent whose categorical codes are given to it as one-hot vectors: each value has weights."""

    def __init__(self, categorical: int, categories: int, inputs: int, units: int) -> None:
        super().__init__()
        self.shape = categorical, categories
        self.values = nn.Embedding(categorical * categories, units)
        self.linear = nn.Linear(inputs, units, bias=False)
        nn.init.normal_(self.values.weight, 0.0, 0.02)
        initialize(self.linear)

    def forward(self, z: Tensor) -> Tensor:
        """z [N, categorical · categories + inputs] → [N, units]."""
        first = torch.arange(self.shape[0], device=z.device) * self.shape[1]  # place of each code's values
        x: Tensor = self.linear(z[:, self.shape[0] * self.shape[1] :])
        return x + self.values(choose(z, *self.shape) + first).sum(1).to(x.dtype)


def choose(z: Tensor, categorical: int, categories: int) -> Tensor:
    """Return which value each categorical code of latents [N, latent_dim] has: [N, categorical], int64."""
    return z[:, : categorical * categories].unflatten(1, (categorical, categories)).argmax(2)


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
        kernel: Kernel = 4,
        categorical: Categorical = 1,
        categories: Categories = 10,
        continuous: Continuous = 2,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim, width=width, max_width=max_width, kernel=kernel)
        check_image(image)
        self.codes = check_codes(categorical, categories, continuous)
        chosen = categorical * categories
        if latent_dim <= chosen + continuous:
            raise OptionError(f"latent_dim must be above {chosen + continuous}, the length of all codes, not {latent_dim}")
        if categorical:
            first: Any = next(iter(self.blocks.values()))
            first.linear = CodedLinear(categorical, categories, latent_dim - chosen, first.linear.out_features)

    def read_codes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes of latents [N, latent_dim]: values [N, categorical], int64, and numbers [N, continuous]."""
        categorical, categories, continuous = self.codes
        chosen = categorical * categories
        return choose(z, categorical, categories), z[:, chosen : chosen + continuous]


class InfoGANDiscriminator(ReadingDiscriminator):
    """DCGAN's discriminator, whose last layer is Q's too: scores of each value, and means of the continuous codes."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "categories": 3}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        slope: Annotated[float, "of LeakyReLU below zero", Range(0, 1)] = 0.1,
        categorical: Categorical = 1,
        categories: Categories = 10,
        continuous: Continuous = 2,
    ) -> None:
        super().__init__(image=image)
        check_image(image)
        self.codes = check_codes(categorical, categories, continuous)
        body = DCGANDiscriminator(image=image, width=width, max_width=max_width, kernel=kernel, slope=slope)
        self.blocks = body.blocks
        self.to_outputs = make_outputs(body.to_logit.in_features, categorical * categories + continuous)


class InfoGAN(Reading):
    """The discriminator reads the codes of generated images; logs `code_loss`, and `code_right` of categorical ones."""

    tiny: ClassVar[Mapping[str, Any]] = {
        "parts": {"generator": "infogan", "discriminator": "infogan", "loss": "non-saturating"}
    }

    def __init__(
        self,
        *,
        weight: Weight = 1.0,
        continuous_weight: Annotated[float, "of continuous codes beside categorical ones", Range(0, 1e6)] = 1.0,
    ) -> None:
        super().__init__(weight=weight)
        self.continuous_weight = continuous_weight

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        found, (one, other) = super().phases(parts), (parts[role] for role in ("generator", "discriminator"))
        if not isinstance(one, InfoGANGenerator) or getattr(other, "codes", None) != one.codes:
            raise OptionError(
                "algorithm infogan wants a generator and a discriminator of the same codes",
                hint="set categorical, categories and continuous of both",
            )
        return found

    def misread(self, step: Step, scores: Tensor, *, real: bool) -> Tensor | float:
        """Return the negative log-likelihood of the codes but for a constant; Q of numbers is a Gaussian of deviation 1."""
        if real:
            return 0.0
        chosen, numbers = step.parts["generator"].read_codes(step.z)
        known = scores.shape[1] - numbers.shape[1]
        wrong = self.continuous_weight / 2 * (scores[:, known:] - numbers).square().sum(1).mean()
        if known:
            each = scores[:, :known].unflatten(1, (chosen.shape[1], -1))  # [n, categorical, categories]
            wrong = wrong + chosen.shape[1] * cross_entropy(each.flatten(0, 1), chosen.flatten())
            step.log(code_right=(each.detach().argmax(2) == chosen).float().mean())
        step.log(code_loss=wrong)
        return wrong
