"""FastGAN for images of 16 to 512 pixels, powers of two and three times powers of two: a few hundred pictures, one GPU.

Liu, Zhu, Song and Elgammal, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image Synthesis", 2021,
arXiv:2101.04775, section 3. Small maps of the generator excite large ones by a factor each ("skip-layer excitation"). The
discriminator's maps must hold what real images, and quarters of them, can be rebuilt from; each place of the last gives a
logit. Convolutions of both are spectrally normalized. Neither knows labels. Widths are those of the authors' 256×256 where
the generator has 32 maps at the full size and the discriminator 16; docs/training.md says what differs from their code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core import Algorithm, Discriminator, Generator, ImageSpec, OptionError, Phase, Step
from zoo_core.options import Range

from ..algorithms.gan import check_plain_loss, log_logits
from ..conditioning import check_at_least
from ..dcgan.networks import FullWidth, initialize, smallest_side, stage_widths
from .residual import check_image
from .sngan import MaxWidth, list_widths

SHARES = (16, 8, 4, 2, 2, 1, 0.5, 0.25)  # of the generator's maps, from the smallest map up
UP, DOWN = 4, 3  # doublings from a map of the generator to the one that it excites, and halvings in the discriminator


class FastGANGenerator(Generator):
    """A fractionally-strided convolution to 4×4 (or 3×3), blocks that double height and width and are gated, 3×3 to colors.

    Where images are too small for four doublings, the smallest map excites the largest.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 256,
        width: Annotated[int, "feature maps at the image's full size; up to 32 times as many below", Range(1, 65_536)] = 32,
        max_width: MaxWidth = 1024,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_image(image)
        check_at_least(1, latent_dim=latent_dim)
        doublings, side = len(stage_widths(image.size, width, max_width)), smallest_side(image.size)  # checks the size too
        shares = SHARES[: doublings + 1]
        widths = [min(max_width, int(width * share / shares[-1])) for share in shares]
        self.reach = min(UP, doublings)
        first = gated(nn.ConvTranspose2d(latent_dim, 2 * widths[0], side, bias=False), widths[0])
        self.blocks = nn.ModuleDict({f"{side}x{side}": Gated(nn.Unflatten(1, (latent_dim, 1, 1)), *first)})
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            excite, below = None, number - self.reach
            if below >= 0:
                excite = make_excitation(widths[below], outputs, 1 << below, side)
            size = side << number
            self.blocks[f"{size}x{size}"] = Gated(*double(inputs, outputs, noisy=number % 2 == 1), excite=excite)
        self.to_image = make_decoder(widths[-1], 0, 0, image.channels)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.to_image(run_gated(self.blocks, z, self.reach)[-1])
        return images  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class FastGANDiscriminator(Discriminator):
    """A 3×3 convolution, residual blocks that halve height and width down to 8×8 (or 6×6), and a logit for each place where
    a 4×4 (or 3×3) filter finds room, whose mean is the image's.

    Two decoders rebuild images of half the size: the whole one from the last maps, and a quarter of it at its own resolution
    from a quarter of the maps before.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(self, *, image: ImageSpec, width: FullWidth = 16, max_width: MaxWidth = 1024) -> None:
        super().__init__(image=image)
        check_image(image)
        widths, side, size = list_widths(image.size, width, max_width)[:0:-1], smallest_side(image.size), image.size
        self.reach = min(DOWN, len(widths) - 1)
        colors = prepare(nn.Conv2d(image.channels, widths[0], 3, padding=1, bias=False))
        self.blocks = nn.ModuleDict({f"{size}x{size}": Gated(colors, nn.LeakyReLU(0.2, inplace=True))})
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            excite, above = None, number - self.reach
            if above >= 0:
                excite = make_excitation(widths[above], outputs, (image.size >> above) // side, side)
            size //= 2
            self.blocks[f"{size}x{size}"] = Gated(Halve(inputs, outputs), excite=excite)
        *_, before, last = widths
        hidden = normalized(nn.Conv2d(last, 2 * last, 1, bias=False))
        self.to_logits = nn.Sequential(*hidden, prepare(nn.Conv2d(2 * last, 1, side, bias=False)))
        self.decoders = nn.ModuleDict()
        for name, maps in (("whole", last), ("quarter", before)):
            self.decoders[name] = make_decoder(maps, last, len(widths) - 2, image.channels)

    def forward(self, x: Tensor, labels: Tensor | None = None, everywhere: bool = False, rebuild: bool = False) -> Tensor:
        """Return logits [N]; those of all places, [N, P], where asked for; behind them what `rebuild` misses, [N, P + 1]."""
        maps = run_gated(self.blocks, x, self.reach)
        logits: Tensor = self.to_logits(maps[-1]).flatten(1)
        if rebuild:
            return torch.cat([logits, self.compare(x, maps[-2], maps[-1])[:, None]], dim=1)
        return logits if everywhere else logits.mean(1)

    def compare(self, x: Tensor, before: Tensor, last: Tensor) -> Tensor:
        """Return how far images [N, C, S, S] are from what the decoders make of the last two maps: the mean absolute
        differences of the whole and of the quarter, added, [N]. Quarters are drawn from torch's global random state."""
        lower, right = torch.rand(2, len(x), 1, 1, 1, device=x.device) < 0.5
        pairs = (
            (self.decoders["whole"](last), avg_pool2d(x, 2)),
            (self.decoders["quarter"](cut_quarter(before, lower, right)), cut_quarter(x, lower, right)),
        )
        return torch.stack([(made - wanted).abs().mean((1, 2, 3)) for made, wanted in pairs]).sum(0)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class FastGAN(Algorithm):
    """A game in which the discriminator also learns to rebuild real images, and is content with random margins."""

    tiny: ClassVar[Mapping[str, Any]] = {"parts": {"generator": "fastgan", "discriminator": "fastgan", "loss": "hinge"}}

    def __init__(
        self,
        *,
        rebuild: Annotated[float, "weight of what the discriminator's decoders miss; 0: none", Range(0, 1e6)] = 1.0,
        slack: Annotated[float, "most by which D's margins are narrower, at random; 0: none", Range(0, 1)] = 0.2,
    ) -> None:
        check_at_least(0, rebuild=rebuild, slack=slack)
        self.rebuild, self.slack = rebuild, slack

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        check_plain_loss(parts["loss"], "fastgan")
        if not isinstance(parts["discriminator"], FastGANDiscriminator):
            raise OptionError("algorithm fastgan wants the discriminator fastgan, which has decoders")
        return [Phase("discriminator", ("discriminator",)), Phase("generator", ("generator",))]

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        return self._discriminator(step) if phase == "discriminator" else self._generator(step)

    def _discriminator(self, step: Step) -> Iterator[Tensor]:
        discriminator, loss = step.parts["discriminator"], step.parts["loss"]
        with torch.set_grad_enabled(step.pieces == 1):
            fake = step.memory["fake"] = step.parts["generator"](step.z)
        judged = discriminator(step.real, None, True, True)  # [n, P + 1]
        missed, real_logits = judged[:, -1].mean(), judged[:, :-1].flatten()
        fake_logits = discriminator(fake.detach(), None, True).flatten()  # [n P]
        easier = self.slack * torch.rand(2, len(real_logits), device=fake.device)
        d_loss = loss.discriminator(real_logits + easier[0], fake_logits - easier[1])
        yield d_loss + self.rebuild * missed
        step.log(d_loss=d_loss, d_missed=missed)
        log_logits(step, real_logits.detach(), fake_logits.detach())

    def _generator(self, step: Step) -> Iterator[Tensor]:
        fake = step.memory.pop("fake")
        if step.pieces > 1:
            fake = step.parts["generator"](step.z)
        g_loss = step.parts["loss"].generator(step.parts["discriminator"](fake, None, True).flatten())
        yield g_loss
        step.log(g_loss=g_loss)


class Gated(nn.Module):
    """Layers, whose maps are multiplied by what `excite` makes of others."""

    def __init__(self, *layers: nn.Module, excite: nn.Module | None = None) -> None:
        super().__init__()
        self.layers, self.excite = nn.Sequential(*layers), excite

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        out: Tensor = self.layers(x)
        return out if self.excite is None else out * self.excite(other)


def run_gated(blocks: nn.ModuleDict, x: Tensor, reach: int) -> list[Tensor]:
    """Return the maps of blocks that run one after another, each told those of `reach` blocks before it."""
    maps: list[Tensor] = []
    for number, block in enumerate(blocks.values()):
        x = block(x, maps[number - reach]) if number >= reach else block(x)
        maps.append(x)
    return maps


class Noise(nn.Module):
    """In training, normal noise on every place, the same for all maps, by a learned factor that begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x + self.factor * torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)


class Halve(nn.Module):
    """The mean of a strided and a plain convolution, and of pooling and a 1×1 convolution beside them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        strided = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
        plain = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.main = nn.Sequential(*normalized(strided), *normalized(plain))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), *normalized(nn.Conv2d(inputs, outputs, 1, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        """x [N, inputs, side, side] → [N, outputs, side / 2, side / 2]."""
        out: Tensor = (self.main(x) + self.shortcut(x)) / 2
        return out


def prepare(layer: nn.Module) -> nn.Module:
    """Draw the weights of a layer, and normalize those of a convolution spectrally."""
    initialize(layer)
    return layer if isinstance(layer, nn.BatchNorm2d) else spectral_norm(layer)


def make_excitation(inputs: int, outputs: int, pool: int, side: int) -> nn.Sequential:
    """Maps [N, inputs, pool · side, …] to a factor from 0 to 1 for each of other maps, [N, outputs, 1, 1]."""
    squeeze, spread = nn.Conv2d(inputs, outputs, side, bias=False), nn.Conv2d(outputs, outputs, 1, bias=False)
    return nn.Sequential(nn.AvgPool2d(pool), prepare(squeeze), nn.SiLU(), prepare(spread), nn.Sigmoid())


def normalized(layer: nn.Conv2d) -> list[nn.Module]:
    """A convolution, spectrally normalized, batch normalization and LeakyReLU."""
    return [prepare(layer), prepare(nn.BatchNorm2d(layer.out_channels)), nn.LeakyReLU(0.2, inplace=True)]


def double(inputs: int, outputs: int, *, noisy: bool = False) -> list[nn.Module]:
    """Nearest neighbors, a gated 3×3 convolution, and another where there is noise, which comes before normalization."""
    layers: list[nn.Module] = [nn.Upsample(scale_factor=2, mode="nearest")]
    for maps in (inputs, outputs) if noisy else (inputs,):
        layers += gated(nn.Conv2d(maps, 2 * outputs, 3, padding=1, bias=False), outputs, noisy=noisy)
    return layers


def gated(layer: nn.Module, maps: int, *, noisy: bool = False) -> list[nn.Module]:
    """A convolution to twice as many maps, whose second half says what passes of the first ("gated linear units")."""
    return [prepare(layer), *[Noise()] * noisy, prepare(nn.BatchNorm2d(2 * maps)), nn.GLU(dim=1)]


def make_decoder(inputs: int, last: int, doublings: int, channels: int) -> nn.Sequential:
    """Maps to an image, with a quarter of the last maps at first and a 16th at the end, as the authors' 128×128."""
    layers: list[nn.Module] = []
    for share in (4, 8, 8, 16, 16)[:doublings]:
        layers += double(inputs, inputs := max(1, last // share))
    return nn.Sequential(*layers, prepare(nn.Conv2d(inputs, channels, 3, padding=1, bias=False)), nn.Tanh())


def cut_quarter(x: Tensor, lower: Tensor, right: Tensor) -> Tensor:
    """Return a quarter of maps or images [N, C, S, S], chosen for each by booleans [N, 1, 1, 1]."""
    half = x.shape[2] // 2
    x = torch.where(lower, x[:, :, half:], x[:, :, :half])
    return torch.where(right, x[..., half:], x[..., :half])
