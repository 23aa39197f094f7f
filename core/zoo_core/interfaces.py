"""The interfaces of networks, losses, augmentations, feature extractors and trackers.

Networks compute, losses return scalars, and only the training loop calls `backward` and `step`. Constructors take keyword
arguments only: they are the schema of the component's options (`zoo_core.options`). Each class states in `tiny` the options
of an instance that is small enough for the conformance checks; that of a network may hold an `image` too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from .records import ImageSpec
from .settings import Latent

__all__ = ["Augmentation", "Discriminator", "FeatureExtractor", "Generator", "ImageSpec", "Loss", "Network", "Tracker"]

Features = list[Tensor]  # activations of every stage of a discriminator, lowest first

Judging = Callable[[Tensor, Tensor | None], Tensor]  # images and labels to logits, as a discriminator does

Drawing = Callable[[Tensor, Tensor | None], Tensor]  # latents and labels to images, as a generator does


class _OfImages(nn.Module, ABC):
    """A network that is told what the images are; hands `image` on."""

    tiny: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *, image: ImageSpec) -> None:
        super().__init__()
        self.image = image


class Generator(_OfImages):
    """A network from latents to images.

    A subclass takes `image` and its options as keywords, hands `image` and `latent_dim` on, and defines `forward` and
    `stages`. Weights are initialized in the constructor, from torch's global random state.

    Attributes:
        image: what it draws.
        latent_dim: length of a latent vector.
        latent: distribution of the latents; the zoo sets what the recipe says.
        class_counts: of a conditional one, how many images of each class it learned from; () where equally many.
    """

    latent: Latent = "normal"
    class_counts: tuple[int, ...] = ()

    def __init__(self, *, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(image=image)
        self.latent_dim = latent_dim

    def sample_latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw `n` latents [n, latent_dim], float32, on the device of `rng` (CPU without one)."""
        device = rng.device if rng is not None else torch.device("cpu")
        if self.latent == "uniform":
            return torch.rand(n, self.latent_dim, generator=rng, device=device) * 2 - 1
        return torch.randn(n, self.latent_dim, generator=rng, device=device)

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw images.

        Args:
            z: latents [N, latent_dim].
            labels: class indices [N], int64, for a model with `image.num_classes` > 0.

        Returns:
            Images [N, channels, size, size] in [−1, 1].
        """

    @abstractmethod
    def stages(self) -> Mapping[str, nn.Module]:
        """The named hidden stages, from latent to image; each module's output is a feature map [N, C, H, W] (or [N, C]).

        What makes the image from the last feature map is no stage.
        Tools read and silence feature maps by hooks on these modules, so each must be called exactly once in `forward`.
        """


class Discriminator(_OfImages):
    """A network from images (of shape `image`) to logits: high for real, low for generated."""

    @abstractmethod
    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Judge images [N, channels, size, size] in [−1, 1]; returns logits [N] (no sigmoid)."""

    @abstractmethod
    def stages(self) -> Mapping[str, nn.Module]:
        """The named hidden stages, from image to logit, without what makes the logit; see `Generator.stages`."""

    def logits_and_features(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Features]:
        """Logits [N], and the activations of every stage, lowest first, of one pass."""
        seen: Features = []
        with ExitStack() as hooks:
            for stage in self.stages().values():
                hooks.callback(stage.register_forward_hook(lambda _m, _i, out: seen.append(out)).remove)
            return self(x, labels), seen

    def features(self, x: Tensor, labels: Tensor | None = None) -> Features:
        """Return the activations of every stage, lowest first, as they are in `forward(x, labels)`."""
        return self.logits_and_features(x, labels)[1]


class FeatureExtractor(nn.Module, ABC):
    """A network from images to vectors, for distances and neighbors.

    Attributes:
        dim: length of a feature vector.
        tiny: None where it needs something from outside.
        logits: options of an instance whose features are the logits of a classifier; None where there are none.
        resizing: how it resizes images, in words, for the protocol of what is measured with it.
    """

    dim: int
    tiny: ClassVar[Mapping[str, Any] | None] = {}
    logits: ClassVar[Mapping[str, Any] | None] = None
    resizing: ClassVar[str] = ""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Images [N, 1 or 3, S, S] in [−1, 1], any S, to features [N, dim]. Resizing is the extractor's own affair."""


class Network(_OfImages):
    """A network that is neither a generator nor a discriminator: an encoder, a classifier, a mapping.

    A subclass takes `image`, `latent_dim` if it wants it (the length of the generator's latents), and its options as
    keywords. What `forward` takes and returns is between the network and the algorithm that asks for it.
    """


class Loss(ABC):
    """What networks minimize, as functions of a discriminator's logits. Holds no state and never calls `backward`.

    Attributes:
        separable: whether `discriminator` is a sum of a function of the real logits and one of the generated ones. The
            engine's algorithms then differentiate each side by itself, against zeros on the other, which saves memory.
            Conformance proves or refutes it.
        needs_real_logits: whether `generator` wants the logits of real images, which cost a forward pass.
        needs_features: whether `generator` wants the discriminator's features of generated and of real images.
        penalizes_real: whether `penalty` differentiates the logits of the very tensor `real`, so that those which the loss
            itself was computed from serve it too.
        penalizes_fake: the same for the very tensor `fake`.
        penalty_every: discriminator steps between two calls of `penalty` ("lazy" above 1; nothing rescales it).
        penalty_floor: share of the penalty that is left when the schedule of the discriminator's learning rate has ended;
            the algorithm multiplies by it, and by what lies between 1 and it on the way (`Step.left`).
        generator_penalty_every: generator steps between two calls of `generator_penalty`.
        language: what a logit is to this loss, for those who describe a training: "probabilities" after a sigmoid, "targets"
            (1 for real images, 0 for generated ones), "margins" (beyond 1 and −1 the discriminator is content), a "critic",
            whose differences alone mean something, or plain "scores".
    """

    separable: ClassVar[bool] = False
    needs_real_logits: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False
    penalizes_real: bool = False
    penalizes_fake: bool = False
    penalty_every: int = 1
    penalty_floor: float = 1.0
    generator_penalty_every: int = 1
    language: ClassVar[Literal["probabilities", "targets", "margins", "critic", "scores"]] = "scores"
    tiny: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """What the discriminator minimizes, a scalar, from the logits [N] of real and of generated images."""

    @abstractmethod
    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        """What the generator minimizes, a scalar.

        Args:
            fake_logits, real_logits: logits [N] of generated images, and of real ones where `needs_real_logits`.
            features: the discriminator's features of generated and of real images, where `needs_features`.
        """

    def penalty(self, discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        """Return a scalar added to the discriminator's loss; None for a loss without one.

        Args:
            discriminator: (images, labels) → logits, in float32, to be differentiated twice. Called with the very tensor
                `real` or `fake` it may return logits that were computed already, of both in one pass.
            real, fake: images [N, C, S, S], float32, which may require a gradient already.
            labels: class indices [N].
        """
        return None

    def generator_penalty(self, generator: Drawing, z: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        """Return a scalar added to the generator's loss; None for a loss without one.

        Args:
            generator: (latents, labels) → images, in float32, to be differentiated twice.
            z: latents [N, latent_dim]. fake: what the generator drew of them in this step, without its graph.
            labels: class indices [N].
        """
        return None


class Augmentation(ABC):
    """A random change of images that gradients pass through (Zhao et al. 2020, arXiv:2006.10738). Holds no tensors.

    The engine applies it, in training only, to all that any discriminator sees: `--set training.augment=color,translation`.
    """

    tiny: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Change images [N, C, S, S] in [−1, 1], each by itself, at random from torch's global random state of their device.

        Returns:
            Images of the same shape, device and type, differentiable with respect to `images`. Never waits for the device.
        """


class Tracker(ABC):
    """Somewhere else that numbers and pictures of one training go, besides its run folder.

    Made by the main process alone, after the run folder. Raises `ZooError` where it cannot record; whatever it raises, the
    training goes on without it, with a warning. Arguments of its own, keyword-only and with defaults, are its options:
    `--set tracker.NAME.option=value`.

    Args:
        folder: the run folder; what a tracker writes goes below it, unless the tracker's own settings name another place.
        images: real images shown so far, of a run that goes on; what was recorded behind them counts no more.
        config: the resolved configuration of the run, plain data.

    Attributes:
        requires: the Python module that it needs, "" for none.
        extra: what to install for it ("dcgan-zoo[tensorboard]").
        look: how the person looks at what it records, in a few words that can be typed; "" for nothing to say.
        trouble: what is amiss although it records ("not logged in, so it records offline"), a warning; "" for nothing.
        tiny: options for the conformance checks, which must reach nothing outside of this machine.
    """

    requires: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    tiny: ClassVar[Mapping[str, Any]] = {}
    look: str = ""
    trouble: str = ""

    def __init__(self, *, folder: Path, images: int, config: Mapping[str, Any]) -> None:
        self.folder = folder

    @abstractmethod
    def scalars(self, values: Mapping[str, float], images: int) -> None:
        """Record numbers by name, after `images` real images: losses, speed and memory, measured distances."""

    @abstractmethod
    def picture(self, name: str, image: Any, images: int) -> None:
        """Record a picture, a uint8 tensor [C, H, W], after `images` real images."""

    def text(self, name: str, text: str, images: int) -> None:  # noqa: B027
        """Record words, such as an intervention in the training, after `images` real images."""

    def close(self) -> None:  # noqa: B027
        """Write out what is left. Nothing is called afterwards."""
