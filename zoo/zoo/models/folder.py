"""The model folder: what a trained model is published as.

config.json                registry names and options, image, latents, provenance: plain data, never code
generator.safetensors      the averaged weights, batch-norm statistics included
discriminator.safetensors
README.md                  model card
samples.png                a grid of samples
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from zoo_core import Discriminator, Generator, ImageSpec, ModelError, PluginError, UnknownNameError, registry

from ..files import atomic_folder
from .card import model_card
from .grids import save_grid
from .model import Model

FORMAT = 1
"""Version of the model folder. A reader refuses a later one."""

SAMPLES = 64
"""Pictures in `samples.png`."""


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
        PluginError: its plugin is not installed; the message names the distribution.
    """
    distribution, name = config["distribution"], config["name"]
    try:
        return registry.create(kind, f"{distribution}:{name}", config["options"], image=image)
    except UnknownNameError as error:
        if any(p.distribution == distribution and not p.problem for p in registry.plugins()):
            raise
        raise PluginError(
            f"this model needs {kind.removesuffix('s')} {name!r} of {distribution}, which is not installed",
            hint=f"install it with: pip install {distribution}",
        ) from error


def write_model(model: Model, folder: Path, *, replace: bool = False) -> Path:
    """Write a model folder, whole or not at all.

    Raises:
        ModelError: `folder` exists and `replace` is not set.
        ZooError: it cannot be written.
    """
    if folder.exists() and not replace:
        raise ModelError(f"{folder} exists already", hint="choose another folder, or remove it first")
    with atomic_folder(folder, replace=replace) as new:
        save_file(tensors_of(model.generator), new / "generator.safetensors")
        if model.discriminator is not None:
            save_file(tensors_of(model.discriminator), new / "discriminator.safetensors")
        (new / "config.json").write_text(json.dumps(model.config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (new / "README.md").write_text(model_card(model), encoding="utf-8")
        save_grid(model.sample(SAMPLES), new / "samples.png")
    return folder


def read_model(folder: Path) -> Model:
    """Load a model folder, on the CPU, in evaluation mode. Runs only code that is installed here.

    Raises:
        ModelError: something is missing, damaged, or written in a later format.
        PluginError: a component's plugin is not installed.
    """
    config = read_config(folder)
    image = ImageSpec(**config["image"])
    networks = {}
    for part in ("generator", "discriminator"):
        if config.get(part) is None:
            networks[part] = None
            continue
        network = build_component(f"{part}s", config[part], image)
        fill(network, read_tensors(folder / f"{part}.safetensors"), folder / f"{part}.safetensors")
        networks[part] = network.eval()
    generator: Generator | None = networks["generator"]
    discriminator: Discriminator | None = networks["discriminator"]
    if generator is None:
        raise ModelError(f"{folder / 'config.json'} names no generator")
    generator.latent = config["latent"]["distribution"]
    return Model(generator, discriminator, config)


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a model folder, checked for what every reader needs; raises `ModelError`."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}", hint="is this a model folder?") from error
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise ModelError(f"{file} is no configuration of a zoo model: it states no format")
    if config["format"] > FORMAT:
        raise ModelError(
            f"{file} has format {config['format']}; this zoo reads up to {FORMAT}",
            hint="upgrade it: pip install --upgrade dcgan-zoo",
        )
    shape = {"image": dict, "generator": dict, "latent": dict}
    for key, kind in shape.items():
        if not isinstance(config.get(key), kind):
            raise ModelError(f"{file}: {key!r} is missing or no object")
    for part in ("generator", "discriminator"):
        component = config.get(part)
        if component is None:
            continue
        fields = {"name": str, "distribution": str, "options": dict}
        if not isinstance(component, dict) or any(not isinstance(component.get(f), t) for f, t in fields.items()):
            raise ModelError(f"{file}: {part!r} must hold a name, a distribution and options")
    if config["latent"].get("distribution") not in ("normal", "uniform"):
        raise ModelError(f"{file}: the latent distribution must be normal or uniform")
    if set(config["image"]) != {"size", "channels", "num_classes"}:
        raise ModelError(f"{file}: 'image' must hold size, channels and num_classes")
    return config


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """A network's parameters and buffers, contiguous and on the CPU, as safetensors wants them."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file; raises `ModelError` where it is missing or damaged."""
    try:
        return load_file(file)
    except FileNotFoundError as error:
        raise ModelError(f"{file} is missing") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{file} is damaged: {error}") from error


def fill(network: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Load `tensors` into `network`; raises `ModelError` unless names and shapes agree and all numbers are finite."""
    own = network.state_dict()
    missing, extra = sorted(set(own) - set(tensors)), sorted(set(tensors) - set(own))
    if missing or extra:
        parts = [f"{what}: {', '.join(names[:3])}" for what, names in (("missing", missing), ("unexpected", extra)) if names]
        raise ModelError(f"{file} does not fit its configuration; {'; '.join(parts)}")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise ModelError(f"{file}: {name} is {list(tensor.shape)}, its configuration wants {list(own[name].shape)}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(f"{file}: {name} holds numbers that are not finite")
    network.load_state_dict(tensors)
