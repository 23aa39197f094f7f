"""Samplers: which latents are drawn, by what the discriminator says of their images, or by how far out they lie.

Those that ask the discriminator take its logit for the logarithm of how many times as likely an image is among real ones as
among generated ones, which it is for the best discriminator under cross-entropy, and a score like it under other losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from zoo_core import Generator, OptionError, Sampler, Sampling
from zoo_core.options import Range


class TopK(Sampler):
    """Of each sample's own `of` latents one of the `k` whose logits are highest. Raises `OptionError` for k above `of`."""

    tiny: ClassVar[Mapping[str, Any]] = {"k": 2, "of": 4}

    def __init__(
        self,
        *,
        k: Annotated[int, "how many of them are good enough, one of which is taken at random", Range(1, 10_000)] = 4,
        of: Annotated[int, "latents of each sample", Range(1, 10_000)] = 16,
    ) -> None:
        if k > of:
            raise OptionError(f"k must be at most {of}, the number of latents, not {k}")
        self.k, self.of = k, of

    def __call__(self, sampling: Sampling, numbers: Sequence[int]) -> Tensor:
        tried = [sampling.latents(numbers, turn) for turn in range(self.of)]
        best = torch.stack([sampling.logits(z, numbers) for z in tried]).topk(self.k, dim=0).indices.cpu()  # [k, n]
        ranks = [int(torch.randint(self.k, (1,), generator=sampling.random(number))) for number in numbers]
        return torch.stack([tried[int(best[rank, i])][i] for i, rank in enumerate(ranks)])


class Rejection(Sampler):
    """Latents are kept with a probability that rises with their logits: discriminator rejection sampling, Azadi et al.
    2018, arXiv:1810.06758, algorithm 1, with the discriminator as it is.

    The largest logit and γ, a percentile of F, are taken from latents that belong to no sample. A sample that keeps none
    gets the one of the highest logit.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"estimated": 8, "most": 4}

    def __init__(
        self,
        *,
        percentile: Annotated[float, "of estimated F that is γ; higher keeps fewer", Range(0, 100)] = 80.0,
        estimated: Annotated[int, "latents for the estimates", Range(2, 1_000_000)] = 1024,
        most: Annotated[int, "latents of one sample, at most", Range(1, 100_000)] = 200,
    ) -> None:
        self.percentile, self.estimated, self.most = percentile, estimated, most

    def __call__(self, sampling: Sampling, numbers: Sequence[int]) -> Tensor:
        if "drs" not in sampling.memory:
            fixed = range(-self.estimated, 0)
            logits = sampling.logits(sampling.latents(fixed, 0), fixed)
            sampling.memory["drs"] = logits.max(), weigh(logits, logits.max()).quantile(self.percentile / 100)
        top, gamma = sampling.memory["drs"]
        random = [sampling.random(number) for number in numbers]
        kept, waiting = sampling.latents(numbers, 0), list(range(len(numbers)))
        highest = torch.full((len(numbers),), -torch.inf, device=top.device)
        for turn in range(self.most):
            asked = [numbers[i] for i in waiting]
            z, places = sampling.latents(asked, turn), torch.tensor(waiting, device=top.device)
            logits = sampling.logits(z, asked)
            chance = torch.stack([torch.rand([], generator=random[i]) for i in waiting]).to(top.device)
            taken = chance < (weigh(logits, top) - gamma).sigmoid()
            better = taken | (logits > highest[places])
            kept[places[better]], highest[places[better]] = z[better], logits[better]
            waiting = places[~taken].tolist()
            if not waiting:
                break
        return kept


def weigh(logits: Tensor, top: Tensor) -> Tensor:
    """Return the paper's F [n] without γ: its sigmoid is exp(logit − top), the probability to be kept."""
    below = (logits - top).clamp(max=0)
    return below - torch.log(-torch.expm1(below - 1e-6))


class Langevin(Sampler):
    """Latents move up the gradient of their logits, and at random, as if drawn from the generator's distribution times the
    odds: discriminator driven latent sampling, Che et al. 2020, arXiv:2003.06060, algorithm 1."""

    tiny: ClassVar[Mapping[str, Any]] = {"steps": 2}

    def __init__(
        self,
        *,
        steps: Annotated[int, "steps of each latent", Range(1, 100_000)] = 100,
        step: Annotated[float, "ε, the variance of a step", Range(above=0, most=1)] = 0.01,
    ) -> None:
        self.steps, self.step = steps, step

    def __call__(self, sampling: Sampling, numbers: Sequence[int]) -> Tensor:
        z, normal = sampling.latents(numbers, 0), sampling.generator.latent == "normal"
        random = [sampling.random(number) for number in numbers]
        for _ in range(self.steps):
            z = z.detach().requires_grad_()
            with torch.enable_grad():
                (up,) = torch.autograd.grad(sampling.logits(z, numbers).sum(), z)
            noise = torch.stack([torch.randn(z.shape[1], generator=one) for one in random]).to(z)
            z = z.detach()
            z = z + self.step / 2 * (up - z * normal) + sqrt(self.step) * noise
            z = z if normal else z.clamp(-1, 1)  # where latents may lie
        return z


class Truncation(Sampler):
    """Images nearer to the mean, and more alike: styles move toward their center (Karras et al. 2019, arXiv:1812.04948,
    appendix B); of a generator without `truncation` latents become shorter."""

    needs_discriminator = False

    def __init__(self, *, psi: Annotated[float, "1: all as they are; 0: all at the mean", Range(0, most=1)] = 0.7) -> None:
        self.psi = psi

    def __call__(self, sampling: Sampling, numbers: Sequence[int]) -> Tensor:
        z = sampling.latents(numbers, 0)
        return z if hasattr(sampling.generator, "truncation") else self.psi * z

    def draw(self, generator: Generator, z: Tensor, labels: Tensor | None) -> Tensor:
        styled: Any = generator
        if not hasattr(styled, "truncation"):
            return super().draw(generator, z, labels)
        before, styled.truncation = styled.truncation, self.psi
        try:
            return super().draw(generator, z, labels)
        finally:
            styled.truncation = before
