"""Checks that generators, discriminators and other networks share."""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor, nn

from ..interfaces import Generator, Network
from ..records import ImageSpec
from .placement import staying_on
from .subjects import LATENT, Failed, N, Subject, as_tensor, listed, require, require_no_draws, require_same, same, supplied

SECONDS = 5.0  # CPU seconds that a forward and backward pass of a small instance may take, for 8 images

Inputs = tuple[Tensor, Tensor | None]


def takes(network: nn.Module) -> list[str]:
    """Return what `forward` of a network takes besides labels: names of its arguments without a default."""
    given = inspect.signature(network.forward).parameters.values()
    return [p.name for p in given if p.name != "labels" and p.default is p.empty]


def _latents(network: nn.Module, n: int, device: torch.device | None = None) -> Tensor:
    """Return the same for every batch."""
    units = torch.arange(getattr(network, "latent_dim", LATENT), device=device)
    return torch.sin(torch.arange(n, device=device)[:, None] * 7 + units * 3.0)


def inputs(network: nn.Module, n: int = N, *, seed: int = 1) -> Inputs:
    """Latents or images for a network, and labels where it knows classes."""
    rng = torch.Generator().manual_seed(seed)
    image = getattr(network, "image", ImageSpec(32))
    labels = torch.randint(image.num_classes, (n,), generator=rng) if image.num_classes else None
    if isinstance(network, Generator):
        return network.sample_latent(n, rng), labels
    if isinstance(network, Network) and takes(network)[0] == "z":
        return torch.randn(n, _latents(network, 1).shape[1], generator=rng), labels
    return torch.rand(n, *image.shape, generator=rng) * 2 - 1, labels


def call(network: nn.Module, given: Inputs, **flags: bool) -> Tensor:
    """One forward pass, labels only where there are some. Other networks are given latents for each further argument; what
    they return comes as one tensor [N, …].
    """
    first, labels = given
    if not isinstance(network, Network):
        out: Tensor = network(first, **flags) if labels is None else network(first, labels, **flags)
        return out
    more = {name: _latents(network, len(first), first.device) for name in takes(network)[1:]}
    takes_labels = "labels" in inspect.signature(network.forward).parameters
    found = network(first, **more, **({"labels": labels} if takes_labels else {}), **flags)
    found = list(found.values()) if isinstance(found, Mapping) else [found] if isinstance(found, Tensor) else list(found)
    return torch.cat([out.flatten(1) if out.dim() > 1 else out[:, None] for out in found], dim=1)


def moved(network: nn.Module) -> nn.Module:
    """Return a network as training leaves it: weights a little off their initial values, statistics from two batches."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
        network.train()
        for seed in (11, 12):
            call(network, inputs(network, seed=seed))
    return network


def trained(subject: Subject, *, seed: int = 0) -> nn.Module:
    """Return a moved network in evaluation mode."""
    network: nn.Module = subject.build(seed=seed)
    return moved(network).eval()


def gradients(network: nn.Module) -> None:
    """Fail unless a gradient reaches every trainable parameter, and the input where it can have one; from all that `forward`
    returns for an algorithm that asks for more, by flags that are False where nothing is said.
    """
    moved(network).train()
    first, labels = inputs(network)
    first.requires_grad_()
    outs = [call(network, (first, labels))]
    if flags := [p.name for p in inspect.signature(network.forward).parameters.values() if p.default is False]:
        outs.append(call(network, (first, labels), **dict.fromkeys(flags, True)))
    torch.manual_seed(2)
    torch.autograd.backward([(out * torch.rand_like(out)).sum() for out in outs])
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    lost = [name for name, p in named if p.grad is None or not p.grad.any()]
    require(not lost, f"no gradient reaches {listed(lost)}, expected one for every parameter of {type(network).__name__}")
    wrong = [name for name, p in named if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not wrong, f"the gradient of {listed(wrong)} is not finite")
    reached = first.grad is not None and bool(first.grad.any())
    require(reached, "no gradient reaches the input of forward, expected one")


def gradients_reach_every_parameter(subject: Subject) -> None:
    gradients(subject.build())


def same_input_same_output(subject: Subject) -> None:
    repeatable(trained(subject))


@torch.no_grad()
def repeatable(network: nn.Module) -> Tensor:
    """Fail unless two calls in evaluation mode agree and draw no random numbers; returns the output."""
    given = inputs(network)
    before = given[0].clone()
    first: Tensor = require_no_draws("forward", lambda: call(network, given))
    require(torch.equal(before, given[0]), "forward changes its input in place, expected it untouched")
    torch.manual_seed(99)
    what = "two calls in evaluation mode on the same input differ by {:.3g}, expected equal outputs"
    require_same(first, call(network, given), what)
    return first


def independent_of_batch_mates(subject: Subject) -> None:
    independent(trained(subject))


@torch.no_grad()
def independent(network: nn.Module) -> Tensor:
    """Fail unless the first of a batch comes out the same beside others and alone; returns the output of the batch."""
    first, labels = inputs(network)
    others, other_labels = inputs(network, seed=5)
    others[0] = first[0]
    if labels is not None and other_labels is not None:
        other_labels[0] = labels[0]
    whole = call(network, (first, labels))
    alone = (first[:1], None if labels is None else labels[:1])
    for given, how in (((others, other_labels), "beside others"), (alone, "alone")):
        what = f"the first output {how} differs by {{:.3g}} in evaluation mode"
        what += ", expected it not to depend on the rest of the batch"
        require_same(whole[0], call(network, given)[0], what, tolerance=1e-4)
    return whole


def save_and_load(subject: Subject) -> None:
    network = trained(subject)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    try:
        stored = read_tensors(write_tensors(state))
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise Failed(f"state_dict cannot be saved as safetensors, expected each tensor once: {why}") from error
    again: nn.Module = subject.build(seed=1)
    again.load_state_dict(stored)
    with torch.no_grad():
        before, after = (call(net.eval(), inputs(network)) for net in (network, again))
    what = "after saving and loading the output differs by {:.3g}, expected it equal"
    require_same(before, after, f"{what}: something that forward needs is not in state_dict")


def can_be_copied(subject: Subject) -> None:
    """The moving average is a deep copy, made when the network may have been used."""
    network = trained(subject).train()
    torch.autograd.backward(call(network, inputs(network)).sum())
    twin = copy.deepcopy(network).eval()
    network.eval()
    with torch.no_grad():
        given = inputs(network)
        require(same(call(network, given), call(twin, given)), "copy.deepcopy gives a network with other outputs")
        kept = call(twin, given)
        for parameter in network.parameters():
            parameter.add_(1.0)
        require(same(kept, call(twin, given)), "copy.deepcopy shares weights with the original, expected its own")


def builds_without_memory(subject: Subject) -> None:
    """On the device "meta", with the small options and with the defaults: options are checked like this."""
    for options in (subject.options, {}):
        with torch.device("meta"):
            network = subject.cls(**supplied(subject.cls, subject.image), **options)
        real = [name for name, tensor in network.state_dict().items() if tensor.device.type != "meta"]
        require(not real, f"under torch.device('meta') {listed(real)} takes memory; make it without naming a device")


@torch.no_grad()
def half_precision(subject: Subject) -> None:
    network = trained(subject)
    with torch.autocast("cpu", torch.bfloat16):
        out = call(network, inputs(network))
    require(bool(torch.isfinite(out).all()), "under bfloat16 autocast the output is not finite")


def cpu_seconds(subject: Subject) -> None:
    start = time.process_time()
    network: nn.Module = subject.build()
    out = call(network.train(subject.kind != "features"), inputs(network, 8))
    if out.requires_grad:
        torch.autograd.backward(out.sum())
    took = time.process_time() - start
    require(took <= SECONDS, f"8 images took {took:.1f} CPU seconds, expected at most {SECONDS:.0f}: make tiny smaller")


def stages(subject: Subject) -> None:
    network = trained(subject)
    named = network.stages()  # type: ignore[operator]
    require(isinstance(named, Mapping), f"stages() gave a {type(named).__name__}, expected a mapping from names to modules")
    require(bool(named), "stages() is empty, expected at least one stage")
    inside = set(network.modules())
    for name, module in named.items():
        require(isinstance(name, str) and isinstance(module, nn.Module), f"stages()[{name!r}] is no module with a name")
        require(module in inside, f"stages()[{name!r}] is no part of the network: keep the module in an attribute")
    require(len({id(m) for m in named.values()}) == len(named), "stages() names one module twice")
    with torch.no_grad(), recorded(named) as seen:
        result = call(network, inputs(network))
    called = [name for name, _ in seen]
    for name, times in {name: called.count(name) for name in named}.items():
        require(times == 1, f"forward calls stage {name!r} {times} times, expected once, by calling the module itself")
    order = listed([*named])
    require(called == [*named], f"forward calls the stages as {listed(called)}, expected the order of stages(): {order}")
    for name, out in seen:
        if not isinstance(out, Tensor):
            raise Failed(f"stage {name!r} gives a {type(out).__name__}, expected a feature map [N, C, H, W] or [N, C]")
        fits = out.dim() in (2, 4) and out.shape[0] == N
        require(fits, f"stage {name!r} gives {list(out.shape)} for {N} inputs, expected [N, C, H, W] or [N, C]")
        require(not same(out, result), f"stage {name!r} gives the network's own output; what makes that is no stage")
        if out.any():
            with torch.no_grad(), recorded({name: named[name]}, silence=True):
                silenced = call(network, inputs(network))
            what = "changes nothing, expected its output to be what forward goes on with"
            require(not same(silenced, result), f"silencing stage {name!r} by a hook {what}")


@contextmanager
def recorded(modules: Mapping[str, nn.Module], *, silence: bool = False) -> Iterator[list[tuple[str, Any]]]:
    """Collect what modules return, by name, and let them return zeros instead where they are to be silent."""
    seen: list[tuple[str, Any]] = []

    def note(name: str, out: Any) -> Any:
        seen.append((name, out.clone() if isinstance(out, Tensor) else out))
        return torch.zeros_like(out) if silence else None

    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.callback(module.register_forward_hook(lambda _m, _i, out, name=name: note(name, out)).remove)
        yield seen


def sizes_and_channels(subject: Subject) -> str:
    """1 and 3 channels, other sizes, one of them no power of two; refusing by `OptionError` is an answer too."""
    size, channels = subject.image.size, subject.image.channels
    refused = []
    others = ({"size": other} for other in (size * 2, max(1, size // 2), max(1, size * 3 // 2)))
    for change in ({"channels": 1 if channels == 3 else 3}, *others):
        other = replace(subject.image, **change)
        network = subject.build_or_refuse(other)
        if network is None:
            refused += [f"{what} {value}" for what, value in change.items()]
            continue
        try:
            with torch.no_grad():
                out = call(network, inputs(network))
        except Exception as error:
            what = f"at {other}: {type(error).__name__}: {error}"
            raise Failed(f"{what}; expected it to work, or OptionError from the constructor") from error
        _require_shape(out, other if subject.kind == "generators" else None, f"at {other}")
    return f"refuses {', '.join(refused)}" if refused else ""


def _require_shape(out: Tensor, image: ImageSpec | None, where: str) -> None:
    """Fail unless there are N images, or N logits where `image` is None."""
    expected = (N, *image.shape) if image else (N,)
    require(out.shape == expected, f"{where} forward gave {list(out.shape)}, expected {list(expected)}")


def labels(subject: Subject) -> str:
    """With classes, `forward` takes labels, and gradients still reach everything."""
    network = subject.build_or_refuse(replace(subject.image, num_classes=3))
    if network is None:
        return "refuses labels"
    first, classes = inputs(network)
    assert classes is not None
    out = network(first, classes)
    _require_shape(out, subject.image if subject.kind == "generators" else None, "with labels")
    gradients(network)
    network.eval()
    with torch.no_grad():
        ignored = same(network(first, classes), network(first, (classes + 1) % 3))
    return "takes labels and ignores them" if ignored else ""


def image(subject: Subject) -> None:
    found = getattr(subject.build(), "image", None)
    require(found == subject.image, f"its image is {found}, expected {subject.image}: hand it to super().__init__(image=…)")


def outputs(subject: Subject) -> None:
    """Finite float32 tensors, one row for each image or latent, in training and evaluation."""
    network = moved(subject.build())
    for training, n in ((True, N), (False, N), (False, 1)):
        network.train(training)
        out = call(network, inputs(network, n))
        as_tensor(out, "forward", shape=[n, *out.shape[1:]], meaning="tensors [N, …]")


def stays_on_the_device(subject: Subject) -> None:
    """Forward and backward, in training, on a device that holds no data."""
    network: nn.Module = subject.build().to("meta").train()
    first, labels = inputs(network)
    given = first.to("meta").requires_grad_(), None if labels is None else labels.to("meta")
    before = [id(tensor) for tensor in (*network.parameters(), *network.buffers())]
    with staying_on("meta", "forward"):
        out = call(network, given)
    same_ones = before == [id(tensor) for tensor in (*network.parameters(), *network.buffers())]
    require(same_ones, "forward replaces a buffer or a parameter, expected it to be changed in place (copy_, lerp_, add_)")
    with staying_on("meta", "the backward pass"):
        torch.autograd.grad(out.sum(), list(network.parameters()), allow_unused=True)


CALLS = (gradients_reach_every_parameter, same_input_same_output, independent_of_batch_mates)
STAGED = (stages, sizes_and_channels, labels)
WEIGHTS = (save_and_load, can_be_copied, builds_without_memory, stays_on_the_device, half_precision, cpu_seconds)
CHECKS = (image, outputs, *CALLS, *WEIGHTS)
