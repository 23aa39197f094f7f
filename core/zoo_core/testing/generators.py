"""Checks of generators."""

from __future__ import annotations

from typing import Any

import torch

from . import networks
from .subjects import Failed, N, Subject, as_tensor, random_state_is_untouched, require, same


def attributes(subject: Subject) -> None:
    networks.image(subject)
    dim = getattr(subject.build(), "latent_dim", None)
    require(isinstance(dim, int) and dim >= 1, f"its latent_dim is {dim!r}, expected a whole number of at least 1")


def latents(subject: Subject) -> None:
    network = subject.build()
    for kind in ("normal", "uniform"):
        network.latent = kind

        def draw(n: int, seed: int) -> Any:
            return network.sample_latent(n, torch.Generator().manual_seed(seed))

        z = random_state_is_untouched("sample_latent(n, rng)", lambda: draw(N, 1))
        as_tensor(z, f"sample_latent({N}, rng)", shape=[N, network.latent_dim], meaning="[n, latent_dim]")
        require(same(z, draw(N, 1)), "sample_latent differs for two rng of one seed, expected equal latents")
        require(not same(z, draw(N, 2)), "sample_latent is the same for two seeds of rng, expected others")
        require(not same(z[0], z[1]), "sample_latent gives two equal latents in one batch, expected different ones")
        if kind == "uniform":
            reach = float(draw(64, 3).abs().max())
            require(reach <= 1, f"sample_latent reaches {reach:.2f} where self.latent is 'uniform', expected [-1, 1]")


def images(subject: Subject) -> None:
    """Shape, type and range, for one image and for several, with usual latents and with far ones."""
    network = networks.moved(subject.build())
    for training, n in ((True, N), (False, N), (False, 1)):
        network.train(training)
        z, classes = networks.inputs(network, n)
        for factor in (1.0, 10.0):
            out = networks.call(network, (z * factor, classes))
            out = as_tensor(out, "forward", shape=[n, *subject.image.shape], meaning="[N, channels, size, size]").detach()
            low, high = float(out.min()), float(out.max())
            if low < -1 or high > 1:
                raise Failed(f"forward gave values from {low:.3g} to {high:.3g}, expected images in [-1, 1]")


def different_latents_different_images(subject: Subject) -> None:
    network = networks.trained(subject)
    with torch.no_grad():
        z, _ = networks.inputs(network)
        classes = torch.zeros(N, dtype=torch.int64) if subject.image.num_classes else None
        out = networks.call(network, (z, classes))
    require(not same(out[0], out[1]), "two latents give the same image, expected different ones")


CHECKS = (
    attributes,
    latents,
    images,
    different_latents_different_images,
    networks.gradients_reach_every_parameter,
    networks.same_input_same_output,
    networks.independent_of_batch_mates,
    networks.stages,
    networks.sizes_and_channels,
    networks.labels,
    networks.save_and_load,
    networks.can_be_copied,
    networks.builds_without_memory,
    networks.half_precision,
    networks.cpu_seconds,
)
