"""Checks of discriminators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import networks
from .subjects import Failed, N, Subject, as_tensor, difference, require, same


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
    within = bool((every >= 0).all() and (every <= 1).all())
    require(
        not within, "every logit lies in [0, 1], also with the signs of all weights turned: expected no sigmoid at the end"
    )


def features(subject: Subject) -> None:
    """`features` gives what hooks on the stages see in `forward`."""
    network: Any = networks.trained(subject)
    x, classes = networks.inputs(network)
    seen: list[Tensor] = []
    handles = [s.register_forward_hook(lambda _m, _i, out: seen.append(out.clone())) for s in network.stages().values()]
    with torch.no_grad():
        networks.call(network, (x, classes))
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        given = network.features(x) if classes is None else network.features(x, classes)
    if not isinstance(given, list) or not all(isinstance(f, Tensor) for f in given):
        raise Failed(f"features gave a {type(given).__name__}, expected a list of tensors")
    names = list(network.stages())
    require(
        len(given) == len(names), f"features gave {len(given)} activations, expected one for each of {len(names)} stages"
    )
    for name, own, hooked in zip(names, given, seen, strict=True):
        require(
            own.shape == hooked.shape,
            f"features gave {list(own.shape)} for stage {name!r}, forward has {list(hooked.shape)}",
        )
        require(
            same(own, hooked),
            f"features of stage {name!r} differ from those in forward by {difference(own, hooked):.3g}, expected equal ones "
            "(does what follows the stage work in place?)",
        )
    left = [name for name, stage in network.stages().items() if stage._forward_hooks]
    require(not left, f"features leaves hooks on {', '.join(left)}, expected none")


CHECKS = (
    networks.image,
    logits,
    logits_are_no_probabilities,
    networks.gradients_reach_every_parameter,
    networks.same_input_same_output,
    networks.independent_of_batch_mates,
    networks.stages,
    features,
    networks.sizes_and_channels,
    networks.labels,
    networks.save_and_load,
    networks.can_be_copied,
    networks.builds_without_memory,
    networks.half_precision,
    networks.cpu_seconds,
)
