"""From a configuration's names and options to networks, through the registry alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from zoo_core import ImageSpec, ModelError, PluginError, UnknownNameError, UsageError, registry
from zoo_core.discovery import normalize

from .weights import Stored, compare

MODULES = 20_000
"""Most modules of one network that comes from a model folder."""

RANDOM = frozenset(
    {"normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"}
)
"""Functions and methods that fill a tensor with random numbers."""

SLACK = 4
"""How many times the numbers in the file a constructor may register; some register a parameter more than once."""


def component_config(kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A component as a configuration names it: registry name, the distribution that provides it, all options."""
    entry = registry.find(kind, name)
    return {
        "name": entry.name,
        "distribution": entry.plugin.distribution,
        "version": entry.plugin.version,
        "options": dict(options),
    }


def build_component(kind: str, config: Mapping[str, Any], image: ImageSpec) -> Any:
    """The network that a configuration names, with fresh weights.

    Raises:
        PluginError: its plugin is not installed, or broken; the message names the distribution.
    """
    distribution, name = normalize(config["distribution"]), config["name"]
    try:
        return registry.create(kind, f"{distribution}:{name}", config["options"], image=image)
    except UnknownNameError as error:
        plugins = [p for p in registry.plugins() if p.distribution == distribution]
        what = f"this model needs {kind.removesuffix('s')} {name!r} of {distribution}"
        broken = [p for p in plugins if p.problem]
        if broken:
            raise PluginError(f"{what}, which is broken: {broken[0].problem}", hint="to see more: zoo plugins") from error
        if plugins:
            raise
        if distribution == "local":
            raise PluginError(
                "this model needs "
                f"{kind.removesuffix('s')} {name!r}, which was registered in the process that trained it and nowhere else",
                hint="register it here too (zoo.registry.add), or ask its author for a package",
            ) from error
        raise PluginError(
            f"{what}, which is not installed",
            hint=f"install it with: pip install {distribution} (a package runs its author's code: take those you trust)",
        ) from error


def check_fits(kind: str, config: Mapping[str, Any], image: ImageSpec, stored: Mapping[str, Stored], file: Path) -> None:
    """Build the network without memory for its weights and compare it with what the file holds.

    Raises:
        ModelError: the two do not fit, or the configuration is for a network far larger than the file.
        PluginError: its plugin is not installed.
    """
    held = sum(torch.Size(entry.shape).numel() for entry in stored.values())
    try:
        with meta_device(), _at_most(SLACK * held + 1000, file):
            network: nn.Module = build_component(kind, config, image)
    except (ModelError, PluginError):
        raise
    except UsageError as error:  # the options of a configuration are nobody's command line
        raise ModelError(f"{file.parent / 'config.json'}: {error.message}") from error
    except Exception as error:  # the constructor of a plugin, with options that it did not expect
        text = f"{type(error).__name__}: {error}"[:300]
        raise ModelError(f"{file.parent / 'config.json'}: {config['name']} cannot be built from it: {text}") from error
    compare(network.state_dict(), stored, file, _version_hint(kind, config))


@contextmanager
def meta_device() -> Iterator[None]:
    """Build networks that have shapes and no memory (torch's meta device), and leave global random states alone."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"), _Uninitialized():
        yield


@contextmanager
def uninitialized() -> Iterator[None]:
    """Build networks whose weights are all about to be read from a file: `torch.nn.init` draws none. Random states stay."""
    with torch.random.fork_rng(devices=[]), _Uninitialized():
        yield


class _Uninitialized(TorchFunctionMode):
    """Leaves out random initial weights.

    For tensors without memory it leaves out every way to draw them: torch would import its compiler for it, in seconds.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") in RANDOM:
            tensor = args[0] if args else kwargs.get("tensor")
            ours = getattr(function, "__module__", "") == "torch.nn.init"
            if isinstance(tensor, torch.Tensor) and (ours or tensor.is_meta):
                return tensor
        return function(*args, **kwargs)


def _version_hint(kind: str, config: Mapping[str, Any]) -> str:
    try:
        here = registry.find(kind, f"{config['distribution']}:{config['name']}").plugin.version
    except UsageError:
        return ""
    made = config.get("version", "")
    if not made or made == here:
        return ""
    return (
        f"it was made with {config['distribution']} {ascii(made)[1:-1][:40]}, and {here or 'another version'} is installed"
    )


@contextmanager
def _at_most(numbers: int, file: Path) -> Iterator[None]:
    """Stop a constructor in this thread that registers more than `numbers` numbers, or more modules than any network has."""
    thread = threading.get_ident()
    registered = {"numbers": 0, "modules": 0}

    def refuse(what: str) -> None:
        raise ModelError(f"{file.parent / 'config.json'} asks for a network of {what}, and {file.name} holds no such one")

    def tensor(_module: nn.Module, _name: str, value: Any) -> None:
        if value is not None and threading.get_ident() == thread:
            registered["numbers"] += value.numel()
            if registered["numbers"] > numbers:
                refuse(f"{registered['numbers']:,} numbers or more")

    def module(_module: nn.Module, _name: str, _value: Any) -> None:
        if threading.get_ident() == thread:
            registered["modules"] += 1
            if registered["modules"] > MODULES:
                refuse(f"more than {MODULES:,} modules")

    handles = [
        hooks.register_module_parameter_registration_hook(tensor),
        hooks.register_module_buffer_registration_hook(tensor),
        hooks.register_module_module_registration_hook(module),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
