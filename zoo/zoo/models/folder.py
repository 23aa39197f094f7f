"""The model folder: what a trained model is published as.

config.json                registry names and options, image, latents, provenance, checksums: plain data, never code
generator.safetensors      the averaged weights, batch-norm statistics included
discriminator.safetensors, and one file for every other role of the algorithm that has weights
README.md                  model card
samples.png                a grid of samples
metrics.json               what was measured, with its protocol; only where something was
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from zoo_core import ImageSpec, ModelError

from ..documents import fault
from ..files import atomic_folder, sha256
from .building import build_networks, check_fits, enough_memory, skip_initialization
from .card import model_card, read_metrics
from .config import CONFIG, digest, read_config
from .grids import save_grid
from .model import Model
from .weights import check_all_finite, read_header, read_into, tensors_of

SAMPLES = 64
"""Pictures in `samples.png`."""

OTHERS = ("README.md", "samples.png", "metrics.json")
"""Files of a model folder beside its configuration and weights."""


def weight_file(role: str) -> str:
    """Return the name of the file that holds a role's weights."""
    return f"{role}.safetensors"


def files_of_model(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all names that the model folder of a configuration has; nothing else is ever fetched."""
    return (CONFIG, *(weight_file(role) for role in config["parts"]), *OTHERS)


def write_model(model: Model, folder: Path, *, replace: bool = False, dtype: torch.dtype | None = None) -> Path:
    """Write a model folder, whole or not at all.

    The parameters are stored in `dtype`, torch.bfloat16 for half the size; None for what they are. Raises `ModelError` where
    `folder` exists and may not be replaced, or a weight is not finite, `ZooError` where it cannot be written.
    """
    if folder.exists() and not replace:
        raise ModelError(f"{folder} exists already", hint="choose another folder, or remove it first")
    with atomic_folder(folder, replace=replace) as new:
        for role, network in model.networks.items():
            tensors = tensors_of(network, dtype)
            check_all_finite(tensors, folder / weight_file(role))  # others would refuse to load it
            save_file(tensors, new / weight_file(role))
        config = dict(model.config)
        if dtype is not None:
            config["weights"] = f"{config.get('weights', 'weights')}, stored in {str(dtype).removeprefix('torch.')}"
        write_config(config, new)
        if dtype is not None:
            model = read_model(new)  # what others will see is drawn from the rounded weights
        (new / "README.md").write_text(model_card(model), encoding="utf-8")
        save_grid(model.sample(SAMPLES), new / "samples.png")
    return folder


def write_config(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write `config.json` beside the weights that lie in `folder`, with the checksums of both; returns what was written."""
    names = map(weight_file, config["parts"])
    sums = {name: sha256(folder / name) for name in names if (folder / name).is_file()}
    config = {**config, "sha256": {**sums, CONFIG: digest(config)}}
    (folder / CONFIG).write_text(json.dumps(config, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return config


def read_model(folder: Path) -> Model:
    """Load a model folder, on the CPU, in evaluation mode. Runs only code that is installed here.

    Nothing is allocated before the configuration fits what the weights' header says, and the weights are compared with the
    checksums in `config.json`, where it has any. Raises `ModelError` where something is missing, damaged, changed, or of a
    later format, `PluginError` where a component's plugin is not installed.
    """
    config = read_config(folder)
    image = ImageSpec(**config["image"])
    sums = config.get("sha256")
    parts: dict[str, dict[str, Any]] = config["parts"]
    roles = sorted(parts, key=lambda role: role != "generator")
    headers, latent_dim = {}, None
    for role in roles:
        file = folder / weight_file(role)
        headers[role] = read_header(file)
        found = check_fits(parts[role], image, headers[role], file, latent_dim)
        latent_dim = found if role == "generator" else latent_dim
    if sums is not None and set(sums) != {CONFIG, *map(weight_file, roles)}:
        wrong = f"sha256 names {', '.join(map(ascii, sorted(sums)[:5]))}, not its own files"
        raise fault(folder / CONFIG, wrong, error=ModelError)
    with skip_initialization(), enough_memory([*headers.values()], folder / CONFIG):
        networks = build_networks(parts, image)
    for role, network in networks.items():
        file = folder / weight_file(role)
        read_into(network, headers[role], file, sums[file.name] if sums is not None else None)
        network.eval()
    networks["generator"].latent = config["latent"]["distribution"]
    networks["generator"].class_counts = tuple(config.get("class_counts", ()))
    return Model.of(networks, config)


def rewrite_card(folder: Path, **extras: Any) -> None:
    """Write a model folder's README.md anew, with what lies beside it now; see `model_card` for `extras`."""
    beside = {key: (folder / file).is_file() for key, file in (("curves", "curves.png"), ("report", "report.html"))}
    extras = {"metrics": read_metrics(folder), **beside, **extras}
    (folder / "README.md").write_text(model_card(read_model(folder), **extras), encoding="utf-8")
