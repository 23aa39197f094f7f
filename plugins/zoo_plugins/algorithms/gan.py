"""The adversarial game of two networks, as every recipe with one generator and one discriminator trains it.

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661, algorithm 1. The schedules that are in use are
options: both networks on each minibatch (the Torch port of DCGAN), one or the other in turn (the authors' code), several
steps of the discriminator for each of the generator (Arjovsky et al. 2017, arXiv:1701.07875).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import gcd
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from zoo_core import Algorithm, Loss, OptionError, Phase, Step
from zoo_core.options import Range


class GAN(Algorithm):
    """Discriminator and generator against each other. Raises `OptionError` for `discriminator_steps` below 1.

    Phases: `discriminator`, `penalty` (of the loss, on the discriminator's side; shares its optimizer step), `generator`,
    `generator-penalty`.
    """

    def __init__(
        self,
        *,
        updates: Annotated[
            Literal["both", "alternate"],
            "'both': each minibatch updates the discriminator, then the generator; 'alternate': each updates one of them",
        ] = "both",
        discriminator_steps: Annotated[int, "discriminator updates for each generator update", Range(1, 10_000)] = 1,
        conditional: Annotated[bool, "whether the networks are told the labels"] = False,
    ) -> None:
        if discriminator_steps < 1:
            raise OptionError(f"algorithm.discriminator_steps is {discriminator_steps}; it must be at least 1")
        self.updates, self.discriminator_steps, self.conditional = updates, discriminator_steps, conditional

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        loss: Loss = parts["loss"]
        cycle = self.discriminator_steps + (self.updates == "alternate")
        last = (cycle - 1,)
        found = [Phase("discriminator", ("discriminator",), *self._lazy(1))]
        if type(loss).penalty is not Loss.penalty:
            found.append(Phase("penalty", ("discriminator",), *self._lazy(loss.penalty_every), joins=True))
        found.append(Phase("generator", ("generator",), cycle, last))
        if type(loss).generator_penalty is not Loss.generator_penalty:
            every = cycle * loss.generator_penalty_every
            found.append(Phase("generator-penalty", ("generator",), every, last, joins=True))
        return found

    def _lazy(self, every: int) -> tuple[int, tuple[int, ...]]:
        """Cycle and places of every `every`-th step of the discriminator, beginning with its first."""
        if self.updates == "both":
            return every, (0,)
        steps, cycle = self.discriminator_steps, self.discriminator_steps + 1
        period = cycle * (every // gcd(steps, every))
        mine = {step: step // cycle * steps + step % cycle for step in range(period) if step % cycle < steps}
        return period, tuple(step for step, number in mine.items() if number % every == 0)

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        return {
            "discriminator": self._discriminator,
            "penalty": self._penalty,
            "generator": self._generator,
            "generator-penalty": self._generator_penalty,
        }[phase](step)

    def _discriminator(self, step: Step) -> Iterator[Tensor]:
        """The discriminator learns to tell them apart.

        Real and generated images go through it by themselves, so that batch normalization sees one kind at a time, unless
        each image is judged alone and one pass is faster. Where the loss is separable, the graph of the real ones is gone
        before the other is made. A graph that the penalty goes on with is kept for it.
        """
        generator, discriminator, loss = (step.parts[role] for role in ("generator", "discriminator", "loss"))
        with torch.set_grad_enabled(self._goes_on(step)):
            fake = generator(step.z, step.labels)  # [n, C, S, S]; the generator's phase goes on with its graph
        step.memory["fake"] = fake
        differentiable = "penalty" in step.due and discriminator.twice_differentiable
        kept_real, kept_fake = differentiable and loss.penalizes_real, differentiable and loss.penalizes_fake
        real, drawn = step.real.detach().requires_grad_(kept_real), fake.detach().requires_grad_(kept_fake)
        if discriminator.one_pass and kept_real == kept_fake:
            labels = None if step.labels is None else step.labels.repeat(2)
            judge = discriminator.exact if kept_real else discriminator
            real_logits, fake_logits = judge(torch.cat([real, drawn]), labels).chunk(2)  # [n] each
        else:
            real_logits = (discriminator.exact if kept_real else discriminator)(real, step.labels)  # [n]
            if loss.separable and not kept_real:
                yield loss.discriminator(real_logits, torch.zeros_like(real_logits))
                real_logits = real_logits.detach()
            fake_logits = (discriminator.exact if kept_fake else discriminator)(drawn, step.labels)  # [n]
        d_loss = loss.discriminator(real_logits.detach() if kept_real and loss.separable else real_logits, fake_logits)
        if not kept_fake and (loss.separable or not kept_real):
            yield d_loss
            fake_logits = fake_logits.detach()
        if "penalty" in step.due:
            kept = [(real, real_logits)] * kept_real + [(drawn, fake_logits)] * kept_fake
            step.memory.update(d_loss=d_loss.detach(), images=(real, drawn), logits=(real_logits, fake_logits), kept=kept)
        else:
            step.log(d_loss=d_loss)
        log_logits(step, real_logits.detach(), fake_logits.detach())

    def _penalty(self, step: Step) -> Iterator[Tensor]:
        """What the loss asks of the discriminator besides; counted into `d_loss`.

        Where a graph of the logits was kept, the loss is differentiated here, together with the penalty.
        """
        discriminator, loss, memory = step.parts["discriminator"], step.parts["loss"], step.memory
        (real, drawn), logits, kept = memory.pop("images"), memory.pop("logits"), memory.pop("kept")

        def judge(images: Tensor, labels: Tensor | None = None) -> Any:
            known = [theirs for mine, theirs in kept if mine is images]
            return known[0] if known else discriminator.exact(images, labels)

        found = loss.penalty(judge if kept else discriminator.exact, real, drawn.float(), step.labels)
        if found is not None and loss.penalty_floor < 1 and "discriminator" in step.left:
            found = found * (loss.penalty_floor + (1 - loss.penalty_floor) * step.left["discriminator"])
        d_loss = memory["d_loss"]
        if kept:
            whole = loss.discriminator(*logits)
            yield whole if found is None else whole + found
        elif found is not None:
            yield found
        step.log(d_loss=d_loss if found is None else d_loss + found.detach())

    def _generator(self, step: Step) -> Iterator[Tensor]:
        """The generator learns to pass as real. Its gradient runs through the discriminator, whose weights need none."""
        generator, discriminator, loss = (step.parts[role] for role in ("generator", "discriminator", "loss"))
        fake = step.memory.pop("fake") if "fake" in step.memory and self._goes_on(step) else None
        if fake is None:
            fake = generator(step.z, step.labels)  # [n, C, S, S]
        if loss.needs_features:
            logits, mine = discriminator.logits_and_features(fake, step.labels)
            with torch.no_grad():
                against, theirs = discriminator.logits_and_features(step.real, step.labels)
            g_loss = loss.generator(logits, against if loss.needs_real_logits else None, (mine, theirs))
        else:
            logits, against = discriminator(fake, step.labels), None  # [n]
            if loss.needs_real_logits:
                with torch.no_grad():
                    against = discriminator(step.real, step.labels)  # [n]
            g_loss = loss.generator(logits, against)
        yield g_loss
        step.memory.update(g_loss=g_loss.detach(), drawn=fake.detach())
        if "generator-penalty" not in step.due:
            step.log(g_loss=g_loss)

    def _generator_penalty(self, step: Step) -> Iterator[Tensor]:
        """What the loss asks of the generator besides; counted into `g_loss`."""
        generator, fake, g_loss = step.parts["generator"].exact, step.memory["drawn"].float(), step.memory["g_loss"]
        found = step.parts["loss"].generator_penalty(generator, step.z, fake, step.labels)
        if found is not None:
            yield found
            g_loss = g_loss + found.detach()
        step.log(g_loss=g_loss)

    @staticmethod
    def _goes_on(step: Step) -> bool:
        """Return whether what the discriminator's phase draws is what the generator's phase learns from."""
        return {"discriminator", "generator"} <= step.due and step.pieces == 1


def log_logits(step: Step, real_logits: Tensor, fake_logits: Tensor) -> None:
    """Log how sure a discriminator is, and how often it is right, from logits [n] without a graph: what the logits mean is
    the loss's affair (`Loss.language`), so both their means and those of their sigmoids.
    """
    between = (real_logits.mean() + fake_logits.mean()) / 2
    right = (real_logits > between).float().mean() + (fake_logits < between).float().mean()
    step.log(d_real=real_logits.sigmoid().mean(), d_fake=fake_logits.sigmoid().mean(), d_right=right / 2)
    step.log(real_logit=real_logits.mean(), fake_logit=fake_logits.mean())


def check_plain_loss(loss: Loss, algorithm: str) -> None:
    """Raise `OptionError` for a loss with a penalty, or that wants more than logits of generated images of the generator."""
    kind = type(loss)
    penalized = kind.penalty is not Loss.penalty or kind.generator_penalty is not Loss.generator_penalty
    if loss.needs_real_logits or loss.needs_features or penalized:
        raise OptionError(
            f"algorithm {algorithm} wants a loss of logits alone, without a penalty, such as non-saturating or hinge"
        )
