"""Networks as ONNX graphs, by torch's exporter, and what their files say of the model.

A generator takes `latents` float32 [N, latent_dim], and `labels` int64 [N] where it is conditional, and returns `images`; a
discriminator takes `images`, and `labels`, and returns `logits` float32 [N]. Images are float32 [N, C, S, S] in [−1, 1], or
uint8 [N, S, S, C], as libraries of pictures have them. N may be any number.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from zoo_core import ModelError, ZooError

from ..models.folder import weight_file
from ..models.model import Model
from ..models.weights import tensors_of
from ..version import __version__

PIXELS = {"float": "float32 [N, C, S, S] in [-1, 1]", "uint8": "uint8 [N, S, S, C]"}
"""What images are in a graph, and that in words."""

EXAMPLES = 2  # of the batch that is traced; 0 and 1 would be taken for constants
LARGEST = 2**31 - 1  # bytes of a protocol buffer
_RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")


class Draws(nn.Module):
    """A generator as its file has it."""

    def __init__(self, generator: nn.Module, pixels: str) -> None:
        super().__init__()
        self.generator, self.pixels = generator, pixels

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents to images."""
        images: Tensor = self.generator(latents, labels)
        if self.pixels == "float":
            return images
        return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


class Judges(nn.Module):
    """A discriminator as its file has it."""

    def __init__(self, discriminator: nn.Module, pixels: str) -> None:
        super().__init__()
        self.discriminator, self.pixels = discriminator, pixels

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images to logits."""
        if self.pixels == "uint8":
            images = images.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
        logits: Tensor = self.discriminator(images, labels)
        return logits


def require_extra() -> None:
    """Raise `ZooError` unless everything of the extra is here."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        hint = 'install it with: pip install "dcgan-zoo[onnx]"'
        raise ZooError(f"this export needs {' and '.join(missing)}, which is not installed", hint=hint)


def simplify(network: Any) -> Any:
    """Return a copy of a network on the CPU, in float32 and evaluation mode."""
    return copy.deepcopy(network).to("cpu", torch.float32).eval().requires_grad_(False)


def trace_generator(model: Model, pixels: str = "float") -> Any:
    """Return the generator as an `onnx.ModelProto`; raises `ModelError` where it cannot be one, and says why."""
    generator = simplify(model.generator)
    return _trace(
        Draws(generator, pixels), {"latents": torch.zeros(EXAMPLES, generator.latent_dim)}, "images", model, "generator"
    )


def trace_discriminator(model: Model, pixels: str = "float") -> Any:
    """Return the discriminator as an `onnx.ModelProto`; raises as `trace_generator` does."""
    image = model.image
    shape = image.shape if pixels == "float" else (image.size, image.size, image.channels)
    images = torch.zeros(EXAMPLES, *shape, dtype=torch.float32 if pixels == "float" else torch.uint8)
    return _trace(Judges(simplify(model.discriminator), pixels), {"images": images}, "logits", model, "discriminator")


def _trace(network: nn.Module, inputs: dict[str, Tensor], output: str, model: Model, role: str) -> Any:
    if model.image.num_classes:
        inputs["labels"] = torch.zeros(EXAMPLES, dtype=torch.int64)
    name = type(getattr(network, role)).__name__
    program = _export(network.eval(), inputs, f"{role} {name}")
    try:
        with _quiet():
            found = torch.onnx.export(program, input_names=list(inputs), output_names=[output], dynamo=True, verbose=False)
        graph = found.model_proto  # type: ignore[union-attr]
    except Exception as error:  # whatever torch's exporter raises for what it does not know
        raise _impossible(f"{role} {name}", error) from error
    drawn = sorted({node.op_type for node in graph.graph.node} & set(_RANDOM))
    if drawn:
        raise ModelError(
            f"the {role} {name} cannot be exported: it draws random numbers of its own while it computes ({drawn[0]}), so "
            "that its inputs do not decide its output",
            hint="a network that takes all of its noise from its latents can be exported, as lapgan does",
        )
    if graph.ByteSize() > LARGEST:
        raise ModelError(f"the {role} {name} cannot be exported: one ONNX file holds at most 2 GB")
    _tidy(graph, role)
    return graph


def _export(network: nn.Module, inputs: Mapping[str, Tensor], what: str) -> Any:
    """Trace a network for any number of inputs: as it runs, or by its code where it takes their count as a plain number."""
    failures = []
    for strict in (False, True):
        shapes = {name: {0: torch.export.Dim("batch", min=1)} for name in inputs}
        try:
            with _quiet(), torch.no_grad():
                return torch.export.export(
                    network, tuple(inputs.values()), dynamic_shapes=tuple(shapes.values()), strict=strict
                )
        except Exception as error:  # of the network itself, or any of torch's
            failures.append(error)
    raise _impossible(what, failures[0]) from failures[0]


def _impossible(what: str, error: Exception) -> ModelError:
    text = " ".join((str(error).strip() or type(error).__name__).splitlines()[0].split())[:300]
    return ModelError(
        f"the {what} cannot be exported: torch cannot write it as a graph: {text}",
        hint="a forward pass of tensors alone, without decisions that depend on their numbers, can be exported",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from telling the person about its own affairs."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch._dynamo", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _tidy(model: Any, role: str) -> None:
    """Take out what names places on this machine, and name the first dimension."""
    model.producer_name, model.producer_version, model.graph.name = "dcgan-zoo", __version__, role
    graph = model.graph
    del graph.metadata_props[:], graph.value_info[:], model.functions[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (*graph.input, *graph.output):
        part.type.tensor_type.shape.dim[0].Clear()
        part.type.tensor_type.shape.dim[0].dim_param = "batch"


def describe_model(model: Model) -> dict[str, str]:
    """Return what is known of a model, as plain texts; what nobody said is left out."""
    config, image = model.config, model.image
    recipe, provenance = config.get("recipe") or {}, config.get("provenance") or {}
    dataset, parent = provenance.get("dataset") or {}, provenance.get("parent") or {}
    facts = {
        "recipe": recipe.get("name"),
        "paper": recipe.get("paper"),
        "license": provenance.get("license"),
        "dataset": dataset.get("name"),
        "dataset_license": dataset.get("license"),
        "dataset_credit": dataset.get("credit"),
        "parent": parent.get("model"),
        "parent_license": parent.get("license"),
        "parent_dataset": parent.get("dataset_name"),
        "parent_dataset_license": parent.get("dataset_license"),
        "parent_dataset_credit": parent.get("dataset_credit"),
        "trained_images": provenance.get("images"),
        "image_size": image.size,
        "image_channels": image.channels,
        "latent_dim": model.generator.latent_dim,
        "latent_distribution": model.generator.latent,
        "num_classes": image.num_classes,
        "classes": json.dumps(list(model.classes), ensure_ascii=False) if model.classes else None,
        "zoo_version": __version__,
    }
    return {key: str(value).encode("utf-8", "replace").decode() for key, value in facts.items() if value not in (None, "")}


def describe_graph(model: Model, role: str, pixels: str) -> dict[str, str]:
    """Return what the file of a role says: `describe_model`, what images are in it, and the checksum of its weights."""
    return {**describe_model(model), "role": role, "pixels": PIXELS[pixels], "sha256": checksum(model, role)}


def checksum(model: Model, role: str) -> str:
    """Return the SHA-256 of a role's weights as a safetensors file: of a model folder, that which its configuration states.

    A folder that stores bfloat16 is computed in float32; its own checksum is told where the weights are the stored ones.
    """
    network = model.networks[role]
    stated = (model.config.get("sha256") or {}).get(weight_file(role))
    sums = [hashlib.sha256(save(tensors_of(network, dtype))).hexdigest() for dtype in (None, torch.bfloat16)]
    return sums[1] if stated == sums[1] else sums[0]


def set_metadata(graph: Any, facts: Mapping[str, str]) -> None:
    """Write texts into the `metadata_props` of a graph."""
    del graph.metadata_props[:]
    for key, value in facts.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
