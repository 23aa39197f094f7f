"""An algorithm of three networks and three phases, and the parts that it asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo_core import Algorithm, Network, Phase, Plugin, Recipe, Step, registry

BUILT: list[str] = []
"""What was built and where ("meta" or "cpu"), in order; tests empty it."""

PHASES: list[str] = []
"""What the algorithm was asked for, in order; tests empty it."""


class PlainEncoder(Network):
    """Images to latents, by one hidden layer."""

    def __init__(self, *, image: Any, latent_dim: int, width: int = 8) -> None:
        super().__init__(image=image)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(image.shape), width), nn.ReLU())
        self.to_latent = nn.Linear(width, latent_dim)
        BUILT.append(f"encoder on {self.to_latent.weight.device}")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.to_latent(self.body(x))
        return out


class Tandem(Algorithm):
    """A GAN whose generator draws what the encoder has read again. Three phases: the second step of two has all of them.

    discriminator: of every step. players: generator and encoder. rebuild: joins it in every other step.
    """

    parts: ClassVar = {
        "generator": "generators",
        "encoder": "networks",
        "discriminator": "discriminators",
        "loss": "losses",
    }
    averages = ("generator", "encoder")

    def __init__(self, *, weight: float = 1.0, conditional: bool = False) -> None:
        self.weight, self.conditional = weight, conditional

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        both = ("generator", "encoder")
        return [
            Phase("discriminator", ("discriminator",)),
            Phase("players", both),
            Phase("rebuild", both, every=2, at=(1,), joins=True),
        ]

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        PHASES.append(phase)
        generator, encoder, discriminator, loss = (
            step.parts[role] for role in ("generator", "encoder", "discriminator", "loss")
        )
        if phase == "discriminator":
            d_loss = loss.discriminator(discriminator(step.real), discriminator(generator(step.z).detach()))
            yield d_loss
            step.log(d_loss=d_loss)
        elif phase == "players":
            g_loss = loss.generator(discriminator(generator(step.z)))
            yield g_loss
            step.log(g_loss=g_loss)
            yield (encoder(generator(step.z).detach()) - step.z).square().mean()
        else:
            rebuilt = (generator(encoder(step.real)) - step.real).square().mean()
            yield self.weight * rebuilt
            step.log(rebuilt=rebuilt)


class OneSided(Tandem):
    """Says that it trains the encoder, and does not."""

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        if phase == "discriminator":
            yield step.parts["discriminator"](step.real).mean()
        else:
            yield step.parts["generator"](step.z).mean()


def tandem() -> AbstractContextManager[None]:
    """Registers all of it, and recipes: "tandem", and those that name no encoder, a wrong one, and a role too many."""
    plain = {"generator": "plain", "discriminator": "plain", "loss": "noted"}
    small = {"training.batch": 8, "training.size": 16, "training.log_every": 3}
    plugin = Plugin(
        algorithms={"tandem": f"{__name__}:Tandem", "one-sided": f"{__name__}:OneSided"},
        networks={"plain": f"{__name__}:PlainEncoder", "only-a-network": f"{__name__}:PlainEncoder"},
        recipes=[
            Recipe("tandem", algorithm="tandem", **plain, parts={"encoder": "plain"}, options=small),
            Recipe("one-sided", base="tandem", algorithm="one-sided"),
            Recipe("no-encoder", algorithm="tandem", **plain, options=small),
            Recipe("wrong-encoder", base="tandem", parts={"encoder": "hinge"}),
            Recipe("wrong-generator", base="tandem", generator="only-a-network"),
            Recipe("one-too-many", base="tandem", parts={"classifier": "plain"}),
        ],
    )
    return registry.add(plugin, distribution="tandems")  # type: ignore[no-any-return]
