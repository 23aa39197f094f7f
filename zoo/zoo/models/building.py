"""From a configuration's names and options to networks, through the registry alone."""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from zoo_core import Generator, ImageSpec, ModelError, PluginError, UnknownNameError, UsageError, ZooError, registry
from zoo_core.discovery import normalize
from zoo_core.records import SINGULAR

from ..devices import free_memory, is_out_of_memory
from ..documents import fault
from .config import NETWORKS
from .weights import Stored, compare

REGISTERED = 100_000
"""Most modules, parameters and buffers of one network that comes from a model folder."""

RANDOM = {"normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"}
"""Functions and methods that fill a tensor with random numbers."""


def component_config(kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a component as a configuration names it: kind, registry name, distribution that provides it, all options."""
    entry = registry.find(kind, name)
    where = {"distribution": entry.plugin.distribution, "version": entry.plugin.version}
    return {"kind": kind, "name": entry.name, **where, "options": dict(options)}


def build_networks(parts: Mapping[str, Mapping[str, Any]], image: ImageSpec) -> dict[str, Any]:
    """Build the networks among the parts of a recipe or model, the generator first; role → network with fresh weights.

    `parts` are role → {"kind", "name", "distribution", "options"}; losses are left out. Raises as `build_component` does.
    """
    found: dict[str, Any] = {role: None for role in parts if parts[role]["kind"] in NETWORKS}
    for role in sorted(found, key=lambda role: role != "generator"):
        latent_dim = getattr(found.get("generator"), "latent_dim", None)
        found[role] = build_component(parts[role]["kind"], parts[role], image, latent_dim=latent_dim)
    return found


def build_component(kind: str, config: Mapping[str, Any], image: ImageSpec, *, latent_dim: int | None = None) -> Any:
    """Build the network that a configuration (name, distribution, options) names, with fresh weights.

    `latent_dim` is the length of the generator's latents, for a constructor that asks for it. Raises `PluginError` where the
    plugin is not installed, or broken; the message names the distribution.
    """
    distribution, name = normalize(config["distribution"]), config["name"]
    try:
        target = registry.load(kind, f"{distribution}:{name}")
        asked = inspect.signature(target).parameters.get("latent_dim")
        supplied = {"latent_dim": latent_dim} if asked is not None and asked.default is inspect.Parameter.empty else {}
        return registry.create(kind, f"{distribution}:{name}", config["options"], image=image, **supplied)
    except UnknownNameError as error:
        problems = [plugin.problem for plugin in registry.plugins() if plugin.distribution == distribution]
        broken = next(filter(None, problems), None)
        if broken:
            what, hint = f" of {distribution}, which is broken: {broken}", "to see more: zoo plugins"
        elif problems:
            raise
        elif distribution == "local":
            what = ", which was registered only in the process that trained it"
            hint = "register it here too (zoo.registry.add), or ask its author for a package"
        else:
            what = f" of {distribution}, which is not installed"
            trust = "a package runs its author's code: take those you trust"
            hint = f"install it with: pip install {distribution} ({trust})"
        raise PluginError(f"this model needs {SINGULAR[kind]} {name!r}{what}", hint=hint) from error


def check_fits(
    config: Mapping[str, Any], image: ImageSpec, stored: Mapping[str, Stored], file: Path, latent_dim: int | None = None
) -> int | None:
    """Build the network without memory for its weights and compare it with what the file holds.

    Returns the length of its latents, for a generator. Raises `ModelError` where a tensor is missing, unknown or of another
    shape, or the constructor goes on without end, and `PluginError` where its plugin is not installed.
    """
    place = file.parent / "config.json"
    try:
        with meta_device(), _end_of_registering(place):
            network: nn.Module = build_component(config["kind"], config, image, latent_dim=latent_dim)
            own = network.state_dict()
    except (ModelError, PluginError):
        raise
    except UsageError as error:  # the options of a configuration are nobody's command line
        raise fault(place, error.message, error=ModelError) from error
    except Exception as error:  # the constructor of a plugin, with options that it did not expect
        wrong = f"{config['name']} cannot be built from it: {type(error).__name__}: {error}"
        raise fault(place, wrong, error=ModelError) from error
    compare(own, stored, file, _version_hint(config))
    return network.latent_dim if isinstance(network, Generator) else None


@contextmanager
def enough_memory(stored: Sequence[Mapping[str, Stored]], file: Path) -> Iterator[None]:
    """Build networks for what some headers describe; raises `ModelError` where so much memory is not free."""
    needs = sum(4 * math.prod(entry.shape) for header in stored for entry in header.values())
    free = free_memory(torch.device("cpu"))

    def too_large() -> ZooError:
        from rich.filesize import decimal  # here, as hubconf.py does without rich

        wrong = f"its weights need {decimal(needs)} of memory" + (
            f", and {decimal(free)} are free" if free is not None else ""
        )
        return fault(file, wrong, error=ModelError)

    if free is not None and needs > free:
        raise too_large()
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise too_large() from None


@contextmanager
def skip_initialization() -> Iterator[None]:
    """Build networks whose weights are all about to be read from a file: `torch.nn.init` draws none. Random states stay."""
    with torch.random.fork_rng(devices=[]), _Uninitialized():
        yield


@contextmanager
def meta_device() -> Iterator[None]:
    """Build networks that have shapes and no memory (torch's meta device), and leave global random states alone."""
    with torch.device("meta"), skip_initialization():
        yield


class _Uninitialized(TorchFunctionMode):
    """Leaves out random initial weights.

    For tensors without memory it leaves out every way to draw them: torch would import its compiler for it, in seconds; and
    the power iterations of spectral normalization.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if name in RANDOM:
            tensor = args[0] if args else kwargs.get("tensor")
            ours = getattr(function, "__module__", "") == "torch.nn.init"
            if isinstance(tensor, torch.Tensor) and (ours or tensor.is_meta):
                return tensor
        elif name in ("mv", "normalize") and args and args[0].is_meta:  # of spectral norms: in Python, and in seconds
            out = args[0].new_empty(args[0].shape[:1]) if name == "mv" else kwargs.get("out")
            return args[0] if out is None else out
        return function(*args, **kwargs)


def _version_hint(config: Mapping[str, Any]) -> str:
    try:
        here = registry.find(config["kind"], f"{config['distribution']}:{config['name']}").plugin.version
    except UsageError:
        return ""
    made = config.get("version")
    if not made or made == here:
        return ""
    made = ascii(made)[1:-1][:40]
    return f"it was made with {config['distribution']} {made}, and {here or 'another version'} is installed"


@contextmanager
def _end_of_registering(place: Path) -> Iterator[None]:
    """Stop a constructor in this thread that registers modules, parameters and buffers without end."""
    thread, registered = threading.get_ident(), 0

    def count(*_: Any) -> None:
        nonlocal registered
        if threading.get_ident() == thread:
            registered += 1
            if registered > REGISTERED:
                raise fault(
                    place, f"it asks for a network of more than {REGISTERED:,} modules and tensors", error=ModelError
                )

    handles = [
        hooks.register_module_parameter_registration_hook(count),
        hooks.register_module_buffer_registration_hook(count),
        hooks.register_module_module_registration_hook(count),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
