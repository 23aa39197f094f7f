"""From the state dictionaries of PyTorch's DCGAN example to a model of recipe `dcgan` at 64×64.

Both networks of the example are one `nn.Sequential` called `main`, whose keys are numbers of layers. Its first layer is a
transposed convolution of 1×1 latents, which is our projection, a matrix; its discriminator's last is a convolution of 4×4
maps, which is our linear layer. Everything else is the same layer under another name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile, is_zipfile

import torch
from torch import Tensor

from zoo_core import DataError, UsageError

if TYPE_CHECKING:
    import zoo

REPOSITORY = "https://github.com/pytorch/examples"
SIZE, LARGEST = 64, 1 << 30  # pixels of its images, most bytes of a file

GENERATOR = {  # number of the layer → ours
    0: "blocks.4x4.linear",
    1: "blocks.4x4.norm",
    3: "blocks.8x8.0",
    4: "blocks.8x8.1",
    6: "blocks.16x16.0",
    7: "blocks.16x16.1",
    9: "blocks.32x32.0",
    10: "blocks.32x32.1",
    12: "to_image.0",
}
DISCRIMINATOR = {
    0: "blocks.32x32.0",
    2: "blocks.16x16.0",
    3: "blocks.16x16.1",
    5: "blocks.8x8.0",
    6: "blocks.8x8.1",
    8: "blocks.4x4.0",
    9: "blocks.4x4.1",
    11: "to_logit",
}


def build_model(generator: Path, discriminator: Path | None = None) -> zoo.Model:
    """Return the model of a generator's checkpoint, with its discriminator where there is one; latents, widths and channels
    are told from the shapes.

    Raises:
        UsageError: a file does not exist.
        DataError: one is damaged, holds anything but tensors, or those of other networks.
    """
    import zoo

    weights = {"generator": read_weights(generator)}
    if discriminator is not None:
        weights["discriminator"] = read_weights(discriminator)
    latents, maps = _shape(weights["generator"], "main.0.weight", generator)[:2]
    width, channels = _shape(weights["generator"], "main.12.weight", generator)[:2]
    if min(latents, maps, width, channels) < 1 or maps != 8 * width or channels not in (1, 3):
        raise _other_network(
            generator, f"its first layer has {maps} maps, and its last draws {channels} channels of {width}"
        )
    options: dict[str, Any] = {
        "generator.latent_dim": latents,
        "generator.width": width,
        "generator.max_width": max(maps, 1024),
    }
    if discriminator is not None:
        their_width, seen = _shape(weights["discriminator"], "main.0.weight", discriminator)[:2]
        if seen != channels:
            raise DataError(f"{discriminator} judges images of {seen} channels, and {generator} draws {channels}")
        options |= {"discriminator.width": their_width, "discriminator.max_width": max(8 * their_width, 1024)}
    model = zoo.create("dcgan", size=SIZE, channels=channels, options=options)
    networks = model.networks if discriminator is not None else {"generator": model.generator}
    for role, file in (("generator", generator), ("discriminator", discriminator)):
        if file is not None:
            names = GENERATOR if role == "generator" else DISCRIMINATOR
            _fill(networks[role], translate(weights[role], names, file), file)
    found = zoo.Model.of(networks, model.config)
    if discriminator is None:
        del found.config["parts"]["discriminator"]
    del found.config["algorithm"]  # how it was trained is not known
    found.config["weights"] = "those of the file"
    found.config["batch_norm"] = "running averages of its training, as they stand in the file"
    files = {role: file for role, file in (("generator", generator), ("discriminator", discriminator)) if file is not None}
    sums = {role: hashlib.sha256(file.read_bytes()).hexdigest() for role, file in files.items()}
    found.config["provenance"] = {"source": {"repository": REPOSITORY, "folder": "dcgan", "sha256": sums}}
    return found


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dictionary, by name, float32 but for counters; no code of the file is run.

    Raises as `build_model` does.
    """
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise UsageError(f"{file} {what}", hint="name the file: netG_epoch_24.pth")
    if (size := file.stat().st_size) > LARGEST:
        raise DataError(f"{file} has {size:,} bytes, more than any network of the example")
    try:
        if is_zipfile(file):
            with ZipFile(file) as archive:
                if sum(info.file_size for info in archive.infolist()) > size:
                    raise ValueError("it is compressed, which torch.save never does")
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can end in nearly any
        hint = "a whole network that was pickled is not read: save network.state_dict()"
        raise DataError(f"{file} cannot be read as plain weights", hint=hint) from error
    if not isinstance(state, Mapping) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise DataError(f"{file} is no dictionary of tensors", hint="save network.state_dict()")
    if any(t.layout != torch.strided for t in state.values()) or sum(t.numel() * t.itemsize for t in state.values()) > size:
        raise DataError(f"{file} shows fewer numbers than its tensors claim to have")  # by strides of 0, say
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}  # as nn.DataParallel calls it


def translate(weights: Mapping[str, Tensor], names: Mapping[int, str], file: Path) -> dict[str, Tensor]:
    """Return the tensors under our names; raises `DataError` for one that the example's networks do not have."""
    found = {}
    for name, tensor in weights.items():
        layer, _, what = name.removeprefix("main.").partition(".")
        if not name.startswith("main.") or not layer.isdecimal() or int(layer) not in names or not what:
            raise _other_network(file, f"it has {name[:60]!r}")
        ours = names[int(layer)]
        if ours.endswith("linear") and tensor.ndim == 4:
            tensor = tensor.flatten(1).T  # [latents, maps, 4, 4] → [maps · 16, latents]
        elif ours == "to_logit" and tensor.ndim == 4:
            tensor = tensor.flatten(1)  # [1, maps, 4, 4] → [1, maps · 16]
        found[f"{ours}.{what}"] = tensor
    return found


def _fill(network: torch.nn.Module, weights: Mapping[str, Tensor], file: Path) -> None:
    own = network.state_dict()
    for name, target in own.items():
        tensor = weights.get(name)
        if tensor is None and name.endswith("num_batches_tracked"):  # files of before PyTorch 0.4.1 have none
            continue
        if tensor is None:
            raise _other_network(file, f"it lacks what is {name} here")
        if tensor.shape != target.shape:
            raise _other_network(file, f"{name} is {[*tensor.shape]} and not {[*target.shape]}")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise DataError(f"{file} holds numbers that are not finite")
        target.copy_(tensor)
    if extra := sorted(weights.keys() - own.keys()):
        raise _other_network(file, f"it has {', '.join(name[:30] for name in extra[:3])} besides")


def _shape(weights: Mapping[str, Tensor], name: str, file: Path) -> tuple[int, ...]:
    tensor = weights.get(name)
    if tensor is None or tensor.ndim != 4:
        raise _other_network(file, f"it has no {name} of four dimensions")
    return tuple(tensor.shape)


def _other_network(file: Path, why: str) -> DataError:
    hint = f"what can be imported is what dcgan/main.py of {REPOSITORY} saves, at 64×64"
    return DataError(f"{file} holds another network than the example's: {why}", hint=hint)
