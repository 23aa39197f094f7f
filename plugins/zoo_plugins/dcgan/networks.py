"""DCGAN's generator and discriminator for images of any power-of-two size from 16 to 256.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2015, arXiv:1511.06434. The paper's guidelines: strided and fractionally-strided convolutions instead of pooling; batch
normalisation everywhere but the generator's output and the discriminator's input; no fully connected hidden layers; ReLU in
the generator with Tanh at its output; LeakyReLU in the discriminator.

Both networks meet at a 4×4 feature map. `width` counts the feature maps at half the image's size and doubles with each
halving: 64 gives 64×32×32, 128×16×16, 256×8×8 and 512×4×4 for images of 64×64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from torch import Tensor, nn

from zoo_core import Discriminator, Generator, ImageSpec, OptionError

SMALLEST, LARGEST = 16, 256
Kernel = Annotated[Literal[3, 4, 5], "side of the convolution kernels; the paper has 5, its Torch port 4"]
Width = Annotated[int, "feature maps at half the image's size, doubled with each halving"]
MaxWidth = Annotated[int, "most feature maps of any stage"]
NormEps = Annotated[float, "added to the variance in batch normalisation"]


def stage_widths(size: int, width: int, max_width: int) -> list[int]:
    """Feature maps at 4×4, 8×8, … up to half of `size`.

    Raises:
        OptionError: `size` is not a power of two from 16 to 256, or a width is below 1.
    """
    if size not in (16, 32, 64, 128, 256):
        fitting = sorted((16, 32, 64, 128, 256), key=lambda s: abs(s - size))[:2]
        raise OptionError(
            f"DCGAN draws images of {SMALLEST}, 32, 64, 128 or {LARGEST} pixels, not {size}",
            hint="try: " + " or ".join(f"--size {s}" for s in sorted(fitting)),
        )
    if width < 1 or max_width < 1:
        raise OptionError(f"width {width} and max_width {max_width} must be at least 1", hint="for example: width=64")
    halvings = (size // 4).bit_length() - 1
    return [min(width << k, max_width) for k in reversed(range(halvings))]


def _check_channels(image: ImageSpec) -> None:
    if image.channels not in (1, 3):
        raise OptionError(f"DCGAN draws images of 1 or 3 channels, not {image.channels}", hint="try: --channels 3")


def _down(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """A convolution that halves height and width."""
    return nn.Conv2d(inputs, outputs, kernel, stride=2, padding=(kernel - 1) // 2, bias=False)


def _up(inputs: int, outputs: int, kernel: int) -> nn.ConvTranspose2d:
    """A fractionally-strided convolution that doubles height and width."""
    return nn.ConvTranspose2d(
        inputs, outputs, kernel, stride=2, padding=(kernel - 1) // 2, output_padding=kernel % 2, bias=False
    )


def _initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), batch-norm gains from N(1, 0.02), shifts 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Projection(nn.Module):
    """Latents to the first feature map: a matrix product, batch normalisation and ReLU.

    Normalises each of the maps · 16 units by itself (`norm="unit"`, as the authors' code does) or each map over its
    positions (`"channel"`).
    """

    def __init__(self, latent_dim: int, maps: int, norm: str, eps: float) -> None:
        super().__init__()
        self.maps = maps
        self.linear = nn.Linear(latent_dim, maps * 16, bias=False)
        self.norm: nn.Module = nn.BatchNorm1d(maps * 16, eps) if norm == "unit" else nn.BatchNorm2d(maps, eps)
        self.unit = norm == "unit"

    def forward(self, z: Tensor) -> Tensor:
        """z [N, latent_dim] → [N, maps, 4, 4]."""
        x: Tensor = self.linear(z)
        if self.unit:
            return nn.functional.relu(self.norm(x)).unflatten(1, (self.maps, 4, 4))
        return nn.functional.relu(self.norm(x.unflatten(1, (self.maps, 4, 4))))


class DCGANGenerator(Generator):
    """Projection to 4×4, then fractionally-strided convolutions up to the image. Source: paper §3 and Figure 1."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent"] = 100,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        projection_norm: Annotated[Literal["channel", "unit"], "what the projection's batch norm averages over"] = "channel",
        norm_eps: NormEps = 1e-5,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        _check_channels(image)
        if latent_dim < 1:
            raise OptionError(f"latent_dim must be at least 1, not {latent_dim}")
        widths = stage_widths(image.size, width, max_width)
        self.blocks = nn.ModuleDict({"4x4": Projection(latent_dim, widths[0], projection_norm, norm_eps)})
        side = 4
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            side *= 2
            self.blocks[f"{side}x{side}"] = nn.Sequential(
                _up(inputs, outputs, kernel), nn.BatchNorm2d(outputs, norm_eps), nn.ReLU(inplace=True)
            )
        self.to_image = nn.Sequential(_up(widths[-1], image.channels, kernel), nn.Tanh())
        self.apply(_initialise)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = z  # [N, latent_dim]
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        out: Tensor = self.to_image(x)
        return out  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class DCGANDiscriminator(Discriminator):
    """Strided convolutions down to 4×4, flattened into one logit. Source: paper §3."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        slope: Annotated[float, "of LeakyReLU below zero"] = 0.2,
        norm_eps: NormEps = 1e-5,
    ) -> None:
        super().__init__(image=image)
        _check_channels(image)
        widths = stage_widths(image.size, width, max_width)[::-1]
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for outputs in widths:
            side //= 2
            layers: list[nn.Module] = [_down(inputs, outputs, kernel)]
            if side != image.size // 2:  # the input layer is not normalised
                layers.append(nn.BatchNorm2d(outputs, norm_eps))
            self.blocks[f"{side}x{side}"] = nn.Sequential(*layers, nn.LeakyReLU(slope, inplace=True))
            inputs = outputs
        self.to_logit = nn.Linear(inputs * 16, 1, bias=False)
        self.apply(_initialise)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for block in self.blocks.values():  # [N, maps, side, side]
            x = block(x)
        logits: Tensor = self.to_logit(x.flatten(1))
        return logits.squeeze(1)  # [N]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())
