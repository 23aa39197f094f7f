"""The losses, as functions of logits, and penalties on the gradient of the discriminator with respect to its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from zoo_core import Loss, OptionError
from zoo_core.interfaces import Features, Judging
from zoo_core.options import Range

FeaturePair = tuple[Features, Features] | None  # of generated and of real images
Smoothing = Annotated[float, "label smoothing of real images, whose target is 1 minus this; 0: none", Range(0, below=0.5)]
R1 = Annotated[float, "weight gamma; the penalty is gamma / 2 times the mean squared gradient norm", Range(0, 1e6)]
R2 = Annotated[float, "the same weight at generated images", Range(0, 1e6)]
Every = Annotated[int, "discriminator steps between two penalties", Range(1, 1_000_000)]
SmoothingFake = Annotated[float, "label smoothing of generated images, whose target is this; 0: none", Range(0, below=0.5)]


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Mean binary cross-entropy of logits [N] with one target: −log p = softplus(−logit), −log(1 − p) = softplus(logit)."""
    return target * softplus(-logits).mean() + (1 - target) * softplus(logits).mean()


class Minimax(Loss):
    """Binary cross-entropy for both: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.

    With `smoothing` s the discriminator is told 1 − s for real images. That is one-sided, as Salimans et al. 2016
    (arXiv:1606.03498, section 3.4) and Goodfellow 2016 (arXiv:1701.00160, section 4.2) advise: a target above 0 for
    generated images, `smoothing_fake`, rewards the generator for what it does already. Raises `OptionError` outside of
    [0, 0.5).
    """

    separable = True
    language = "probabilities"

    def __init__(self, *, smoothing: Smoothing = 0.0, smoothing_fake: SmoothingFake = 0.0) -> None:
        for name, value in (("smoothing", smoothing), ("smoothing_fake", smoothing_fake)):
            if not 0 <= value < 0.5:
                raise OptionError(f"{name} must be at least 0 and less than 0.5, not {value}")
        self.smoothing, self.smoothing_fake = smoothing, smoothing_fake

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return cross_entropy(real_logits, 1 - self.smoothing) + cross_entropy(fake_logits, self.smoothing_fake)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """The minimax discriminator; the generator minimizes −log D(G(z)), whose gradient does not vanish while D wins:
    Goodfellow et al. 2014, end of section 3. What DCGAN trains with."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        return softplus(-fake_logits).mean()


class ZeroCentered(Loss):
    """A loss with R1, a penalty at real images, and R2, at generated ones: Mescheder et al. 2018, arXiv:1801.04406,
    equations 9 and 10.

    Computed every `every` steps and multiplied by that number ("lazy": Karras et al. 2020, arXiv:1912.04958, section 3.1).
    Raises `OptionError` for a negative weight or an interval below 1.
    """

    def penalize(self, r1: float, r2: float, every: int, floor: float = 1.0) -> None:
        """Take the weights, the interval, and what is left of the weights when the learning rate's schedule has ended."""
        if min(r1, r2) < 0 or every < 1:
            raise OptionError(f"r1 and r2 must be at least 0 and every at least 1, not {r1}, {r2} and {every}")
        if not 0 <= floor <= 1:
            raise OptionError(f"floor must be at least 0 and at most 1, not {floor}")
        self.r1, self.r2, self.penalty_every, self.penalty_floor = r1, r2, every, floor
        self.penalizes_real, self.penalizes_fake = r1 > 0, r2 > 0

    def penalty(self, discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        sides = [(weight, images) for weight, images in ((self.r1, real), (self.r2, fake)) if weight]
        if not sides:
            return None
        weights, images = zip(*sides, strict=True)
        found = _gradients(discriminator, images, labels)
        gammas = [weight / 2 * self.penalty_every for weight in weights]
        parts = [gamma * g.square().sum((1, 2, 3)).mean() for gamma, g in zip(gammas, found, strict=True)]
        return torch.stack(parts).sum()


class NonSaturatingR1(NonSaturating, ZeroCentered):
    """Non-saturating with R1 and R2. Raises `OptionError` as `ZeroCentered` does."""

    def __init__(
        self,
        *,
        smoothing: Smoothing = 0.0,
        smoothing_fake: SmoothingFake = 0.0,
        r1: R1 = 1.0,
        r2: R2 = 0.0,
        every: Every = 16,
    ) -> None:
        super().__init__(smoothing=smoothing, smoothing_fake=smoothing_fake)
        self.penalize(r1, r2, every)


class PathLength(NonSaturatingR1):
    """Non-saturating with R1, and images that change evenly with the styles that they are drawn of: Karras et al. 2020,
    arXiv:1912.04958, section 3.2.

    Lengths |Jᵀy| of random y, for half of a minibatch, are drawn to their moving average, which the generator keeps as
    `path_length`; those of a generator that keeps none, to their mean in the minibatch, which may drift. J is the
    derivative of its `draw` by its `styles`; of a generator without them, by its latents.
    """

    def __init__(
        self,
        *,
        r1: R1 = 1.0,
        every: Every = 16,
        path: Annotated[float, "weight of the path lengths' penalty", Range(0, 1e6)] = 2.0,
        path_every: Annotated[int, "generator steps between two of these", Range(1, 1_000_000)] = 4,
    ) -> None:
        super().__init__(r1=r1, every=every)
        self.path, self.generator_penalty_every = path, path_every

    def generator_penalty(self, generator: Any, z: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        if not self.path:
            return None
        half, has_styles = (len(z) + 1) // 2, hasattr(generator, "styles")
        z, labels = z[:half], None if labels is None else labels[:half]
        w = generator.styles(z, labels) if has_styles else z.detach()[:, None].requires_grad_()
        images = generator.draw(w) if has_styles else generator(w[:, 0], labels)
        y = torch.randn_like(images) / images[0, 0].numel() ** 0.5
        (found,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)
        lengths = found.square().sum(2).mean(1).add(1e-12).sqrt()  # [n]
        mean, kept = lengths.mean(), getattr(generator, "path_length", torch.zeros_like(lengths[0]))
        mean = torch.where(kept > 0, kept.lerp(mean, 0.01), mean)  # begins where the lengths are, not at 0
        kept.copy_(mean.detach())
        return self.path * self.generator_penalty_every * (lengths - mean).square().mean()


class Relativistic(ZeroCentered):
    """Each real image against a generated one: the discriminator widens the distance of their logits, the generator closes
    it. Jolicoeur-Martineau 2018, arXiv:1807.00734, as "RpGAN"; with R1 and R2: Huang et al. 2024, arXiv:2501.05441.

    The generator wants the logits of real images too, without their gradient. Raises `OptionError` as `ZeroCentered` does.
    """

    needs_real_logits = True
    language = "critic"

    def __init__(
        self,
        *,
        r1: R1 = 1.0,
        r2: R2 = 1.0,
        every: Every = 1,
        floor: Annotated[
            float, "share of both weights that is left when the schedule of D's rate has ended", Range(0, most=1)
        ] = 1.0,
    ) -> None:
        self.penalize(r1, r2, every, floor)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        assert real_logits is not None
        return softplus(real_logits - fake_logits).mean()


class FeatureMatching(Minimax):
    """The generator minimizes the squared distance between the mean features of generated and of real images, at the last
    stage of the discriminator, which minimizes cross-entropy as ever: Salimans et al. 2016, section 3.1."""

    needs_features = True

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        if features is None:  # nothing was asked of a discriminator
            return softplus(-fake_logits).mean()
        fake, real = (stages[-1].float().mean(0) for stages in features)
        return (fake - real).square().mean()


class LeastSquares(Loss):
    """The logits of real images are drawn to 1, of generated ones to 0, and the generator draws its own to `goal`: Mao et
    al. 2017, arXiv:1611.04076, equation 9 with a goal of 1.

    With a goal of 0.5 the generator is content where the discriminator cannot tell, and minimizes Pearson's χ² divergence:
    equation 8, there with targets of −1, 1 and 0, which differ by a shift and scale of the logits alone. Mao et al. 2018,
    arXiv:1712.06391, find this better than 1. Raises `OptionError` outside of (0, 1].
    """

    separable = True
    language = "targets"

    def __init__(
        self,
        *,
        goal: Annotated[
            float, "logit that the generator wants for its images; 0.5: D cannot tell", Range(above=0, most=1)
        ] = 1.0,
    ) -> None:
        if not 0 < goal <= 1:
            raise OptionError(f"goal must be more than 0 and at most 1, not {goal}")
        self.goal = goal

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return 0.5 * (real_logits - 1).square().mean() + 0.5 * fake_logits.square().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        return 0.5 * (fake_logits - self.goal).square().mean()


class Hinge(Loss):
    """The discriminator is content once real logits are above 1 and generated ones below −1: Lim and Ye 2017,
    arXiv:1705.02894; as in Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17."""

    separable = True
    language = "margins"

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        return -fake_logits.mean()


class Wasserstein(Loss):
    """The difference of the mean logits: Arjovsky et al. 2017, arXiv:1701.07875. The penalty keeps the discriminator, a
    critic here, near slope 1; it wants one without batch normalization. Raises `OptionError` for a negative weight."""

    separable = True
    language = "critic"

    def __init__(
        self, *, gradient_penalty: Annotated[float, "weight of the penalty; 0: none", Range(0, 1e6)] = 10.0
    ) -> None:
        if gradient_penalty < 0:
            raise OptionError(f"gradient_penalty must be at least 0, not {gradient_penalty}")
        self.weight = gradient_penalty

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: FeaturePair = None) -> Tensor:
        return -fake_logits.mean()

    def penalty(self, discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        return self.weight * gradient_penalty(discriminator, real, fake, labels) if self.weight else None


def r1_penalty(discriminator: Judging, real: Tensor, labels: Tensor | None = None) -> Tensor:
    """Mean squared norm of the gradient at real images [N, C, S, S]: Mescheder et al. 2018, arXiv:1801.04406."""
    (gradients,) = _gradients(discriminator, [real], labels)
    return gradients.square().sum((1, 2, 3)).mean()


def gradient_penalty(discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor:
    """Mean squared distance from 1 of the gradient's norm at random points between real and generated images
    [N, C, S, S]: Gulrajani et al. 2017, arXiv:1704.00028, equation 3. Draws from torch's global random state."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = share * real + (1 - share) * fake
    (gradients,) = _gradients(discriminator, [between], labels)
    norms = gradients.square().sum((1, 2, 3)).add(1e-12).sqrt()
    return (norms - 1).square().mean()


def _gradients(discriminator: Judging, minibatches: Sequence[Tensor], labels: Tensor | None) -> tuple[Tensor, ...]:
    """d logits / d images, [N, C, S, S] for each minibatch, differentiable. One backward pass serves all of them, as the
    logits of all may have one graph."""
    inputs = [images if images.requires_grad else images.detach().requires_grad_(True) for images in minibatches]
    logits = [discriminator(images, labels).sum() for images in inputs]
    return torch.autograd.grad(logits, inputs, create_graph=True)
