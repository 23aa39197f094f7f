"""What the authors' files hold, in the order of the arguments of their `gen` and `discrim`, and which networks take them.

Theano's convolutions are true ones, torch's are correlations: every kernel is turned by half a turn, in both axes. What
the authors call `deconv` is the transpose of such a convolution, weights [in, out, k, k], as `ConvTranspose2d` has them.
Where it keeps the size it is a plain convolution of the transposed kernel that is turned once more, so that only [in, out]
is swapped. Matrices are [in, out] there and [out, in] here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

REPOSITORY = "https://github.com/Newmu/dcgan_code"

Shape: TypeAlias = tuple[int, ...]
Convert: TypeAlias = "Callable[[Tensor], Tensor]"


def _keep(x: Tensor) -> Tensor:
    return x


def _turn(kernels: Tensor) -> Tensor:
    return kernels.flip(2, 3)


def _swap(x: Tensor) -> Tensor:
    return x.transpose(0, 1)


@dataclass(frozen=True)
class Pair:
    """Generator and discriminator of one of their trainings.

    Args:
        name: what `--pair` takes.
        folder, epoch: where the authors keep it, and what its files begin with.
        recipe, options, size: of the zoo, for networks that are the same.
        dataset: what they were trained on, as the zoo calls it.
        files: role → (tensor of the network, shape in the file, how it becomes ours), in the order of the files.
    """

    name: str
    folder: str
    epoch: int
    recipe: str
    size: int
    options: Mapping[str, Any]
    dataset: str
    files: Mapping[str, tuple[tuple[str, Shape, Convert], ...]]

    def name_file(self, role: str, number: int) -> str:
        """Return the file of the number-th array of a role, counted from 1."""
        return f"{self.epoch}_{'gen' if role == 'generator' else 'discrim'}_params.jl_{number:02d}.npy"

    def expected(self) -> Iterator[tuple[str, str, str, Shape, Convert]]:
        """Yield (role, file, tensor, shape in the file, how it becomes ours) of every array."""
        for role, arrays in self.files.items():
            for number, (tensor, shape, convert) in enumerate(arrays, 1):
                yield role, self.name_file(role, number), tensor, shape, convert

    def missing(self, folder: Path) -> list[str]:
        """Return the names of its files that a folder has not."""
        return [file for _, file, *_ in self.expected() if not (folder / file).exists()]


def _norm(stage: str, units: int) -> tuple[tuple[str, Shape, Convert], ...]:
    """Gain and shift of a batch normalization."""
    return (f"{stage}.weight", (units,), _keep), (f"{stage}.bias", (units,), _keep)


SVHN = Pair(
    "svhn",
    "svhn_unsup_all_conv_dcgan_100z_gaussian_lr_0.0005_64mb",
    200,
    "dcgan",
    32,
    {
        **{f"generator.{key}": value for key, value in (("width", 64), ("kernel", 5), ("norm_eps", 1e-8))},
        **{f"discriminator.{key}": value for key, value in (("width", 64), ("kernel", 5), ("norm_eps", 1e-8))},
        "generator.projection_norm": "unit",
        "generator.latent_dim": 100,
        "training.latent": "normal",
    },
    "svhn",
    {
        "generator": (
            ("blocks.4x4.linear.weight", (100, 4096), _swap),
            *_norm("blocks.4x4.norm", 4096),
            ("blocks.8x8.0.weight", (256, 128, 5, 5), _turn),
            *_norm("blocks.8x8.1", 128),
            ("blocks.16x16.0.weight", (128, 64, 5, 5), _turn),
            *_norm("blocks.16x16.1", 64),
            ("to_image.0.weight", (64, 3, 5, 5), _turn),
        ),
        "discriminator": (
            ("blocks.16x16.0.weight", (64, 3, 5, 5), _turn),
            ("blocks.8x8.0.weight", (128, 64, 5, 5), _turn),
            *_norm("blocks.8x8.1", 128),
            ("blocks.4x4.0.weight", (256, 128, 5, 5), _turn),
            *_norm("blocks.4x4.1", 256),
            ("to_logit.weight", (4096, 1), _swap),
        ),
    },
)

IMAGENET = Pair(
    "imagenet",
    "imagenet_gan_pretrain_128f_relu_lrelu_7l_3x3_256z",
    30,
    "dcgan-imagenet32",
    32,
    {"generator.projection_norm": "unit", "generator.latent_dim": 256, "training.latent": "uniform"},
    "imagenet",
    {
        "generator": (
            ("blocks.4x4.linear.weight", (256, 8192), _swap),
            *_norm("blocks.4x4.norm", 8192),
            ("blocks.8x8.0.weight", (512, 512, 3, 3), _turn),
            *_norm("blocks.8x8.1", 512),
            ("blocks.8x8-plain.0.weight", (512, 256, 3, 3), _swap),
            *_norm("blocks.8x8-plain.1", 256),
            ("blocks.16x16.0.weight", (256, 256, 3, 3), _turn),
            *_norm("blocks.16x16.1", 256),
            ("blocks.16x16-plain.0.weight", (256, 128, 3, 3), _swap),
            *_norm("blocks.16x16-plain.1", 128),
            ("blocks.32x32.0.weight", (128, 128, 3, 3), _turn),
            *_norm("blocks.32x32.1", 128),
            ("to_image.0.weight", (128, 3, 3, 3), _swap),
        ),
        "discriminator": (
            ("blocks.32x32.0.weight", (128, 3, 3, 3), _turn),
            ("blocks.16x16.0.weight", (128, 128, 3, 3), _turn),
            *_norm("blocks.16x16.1", 128),
            ("blocks.16x16-plain.0.weight", (256, 128, 3, 3), _turn),
            *_norm("blocks.16x16-plain.1", 256),
            ("blocks.8x8.0.weight", (256, 256, 3, 3), _turn),
            *_norm("blocks.8x8.1", 256),
            ("blocks.8x8-plain.0.weight", (512, 256, 3, 3), _turn),
            *_norm("blocks.8x8-plain.1", 512),
            ("blocks.4x4.0.weight", (512, 512, 3, 3), _turn),
            *_norm("blocks.4x4.1", 512),
            ("to_logit.weight", (8192, 1), _swap),
        ),
    },
)

PAIRS = {pair.name: pair for pair in (SVHN, IMAGENET)}


def find_pairs(place: Path) -> dict[str, Path]:
    """Return name of a pair → folder with files of it, in a clone of the repository, beside each other, or one by itself."""
    found = {}
    for name, pair in PAIRS.items():
        names = {file for _, file, *_ in pair.expected()}
        for folder in (place, place / pair.folder, place / "models" / pair.folder):
            if folder.is_dir() and any((folder / file).exists() for file in names):
                found[name] = folder
                break
    return found
