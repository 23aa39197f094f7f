"""Whether an ONNX graph computes what its network does, by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from zoo_core import ModelError

from ..models.model import Model
from ..packs import to_uint8
from ..randomness import latents_for
from .graphs import Draws, Judges, simplify

BATCHES = (1, 2, 7, 16)
"""How many go together in the checks."""

MOST = 1 / 255
"""Largest difference of an image from torch's, of pixels in [0, 1]."""

LOGITS = 1e-3
"""Largest difference of a logit from torch's, as a part of the largest logit, or of 1."""

Array: TypeAlias = NDArray[Any]


def open_session(graph: bytes | Path) -> Any:
    """Return onnxruntime's session on the CPU for a file, or for what would be in one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    options.intra_op_num_threads = torch.get_num_threads()
    # Weights in 8 bits are turned into numbers once, when the graph is loaded, and not in every run.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    where = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(where, options, providers=["CPUExecutionProvider"])


def inputs_for(model: Model, numbers: range, seed: int = 0) -> dict[str, Array]:
    """Return the latents of samples by their numbers, and their labels where the model is conditional."""
    found: dict[str, Array] = {"latents": latents_for(model.generator, seed, numbers).numpy()}
    labels = model.labels_of(numbers)
    return found if labels is None else {**found, "labels": labels.cpu().numpy()}


def check_generator(file: Path, model: Model, pixels: str) -> float:
    """Return the largest difference of an image from torch's, pixels in [0, 1]; raises `ModelError` above 1/255."""
    session, network = open_session(file), Draws(simplify(model.generator), pixels)
    worst = 0.0
    for count in BATCHES:
        inputs = inputs_for(model, range(count), seed=count)
        drawn, wanted = session.run(["images"], inputs)[0], _run(network, inputs)
        worst = max(worst, _difference(drawn, wanted) / (2 if pixels == "float" else 255))
    _demand(worst <= MOST + 1e-6, file, f"its images differ from torch's by up to {worst * 255:.3g}/255, and may by 1/255")
    return worst


def check_discriminator(file: Path, model: Model, pixels: str) -> float:
    """Return the largest difference of a logit from torch's, as a part of the largest; raises `ModelError` above 1/1000."""
    session, network = open_session(file), Judges(simplify(model.discriminator), pixels)
    worst = 0.0
    for count in BATCHES:
        images = model.sample(count, seed=count)
        inputs = {"images": (images if pixels == "float" else to_uint8(images)).numpy()}
        inputs |= {key: value for key, value in inputs_for(model, range(count)).items() if key == "labels"}
        judged, wanted = session.run(["logits"], inputs)[0], _run(network, inputs)
        worst = max(worst, _difference(judged, wanted) / max(1.0, float(np.abs(wanted).max())))
    _demand(worst <= LOGITS, file, f"its logits differ from torch's by up to {worst:.2g} of the largest")
    return worst


@torch.no_grad()
def _run(network: torch.nn.Module, inputs: Mapping[str, Array]) -> Array:
    found: Array = network.eval()(*map(torch.from_numpy, inputs.values())).numpy()
    return found


def _difference(one: Array, other: Array) -> float:
    if one.shape != other.shape:
        return float("inf")
    found = float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())
    return found if np.isfinite(found) else float("inf")


def _demand(fits: bool, file: Path, words: str) -> None:
    if not fits:
        raise ModelError(
            f"{file.name.rpartition('-')[2]} is not kept: {words}", hint="keep the model folder, and report this"
        )
