"""Checks of generators and discriminators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import networks
from .subjects import Failed, N, Subject, as_tensor, require, require_no_draws, require_same, same


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

        z = require_no_draws("sample_latent(n, rng)", lambda: draw(N, 1))
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


def logits(subject: Subject) -> None:
    """One number for each image, in training and evaluation, black and white pictures included."""
    network = networks.moved(subject.build())
    for training, n in ((True, N), (False, N), (False, 1)):
        network.train(training)
        x, classes = networks.inputs(network, n)
        for pictures in (x, torch.full_like(x, -1.0), torch.full_like(x, 1.0)):
            as_tensor(networks.call(network, (pictures, classes)), "forward", shape=[n], meaning="logits [N]")


def logits_are_no_probabilities(subject: Subject) -> None:
    """A sigmoid at the end would be applied twice: no logit is below zero, whatever the sign of the weights."""
    found = []
    for seed in range(4):
        network = networks.trained(subject, seed=seed)
        with torch.no_grad():
            found.append(networks.call(network, networks.inputs(network, 8)))
            for parameter in network.parameters():
                parameter.neg_()
            found.append(networks.call(network, networks.inputs(network, 8)))
    every = torch.cat(found)
    what = "every logit lies in [0, 1], also with the signs of all weights turned: expected no sigmoid at the end"
    require(bool((every < 0).any() or (every > 1).any()), what)


def features(subject: Subject) -> None:
    """`features` gives what hooks on the stages see in `forward`."""
    network: Any = networks.trained(subject)
    x, classes = networks.inputs(network)
    with torch.no_grad(), networks.recorded(network.stages()) as seen:
        networks.call(network, (x, classes))
    with torch.no_grad():
        given = network.features(x) if classes is None else network.features(x, classes)
    if not isinstance(given, list) or not all(isinstance(f, Tensor) for f in given):
        raise Failed(f"features gave a {type(given).__name__}, expected a list of tensors")
    many = len(network.stages())
    require(len(given) == many, f"features gave {len(given)} activations, expected one for each of {many} stages")
    for (name, hooked), own in zip(seen, given, strict=True):
        shapes = list(own.shape), list(hooked.shape)
        require(shapes[0] == shapes[1], f"features gave {shapes[0]} for stage {name!r}, forward has {shapes[1]}")
        what = f"features of stage {name!r} differ from those in forward by {{:.3g}}, expected equal ones"
        require_same(own, hooked, f"{what} (does what follows the stage work in place?)")
    left = [name for name, stage in network.stages().items() if stage._forward_hooks]
    require(not left, f"features leaves hooks on {', '.join(left)}, expected none")


REST = (*networks.STAGED, *networks.WEIGHTS)
GENERATORS = (attributes, latents, images, different_latents_different_images, *networks.CALLS, *REST)
DISCRIMINATORS = (networks.image, logits, logits_are_no_probabilities, *networks.CALLS, networks.stages, features, *REST[1:])
