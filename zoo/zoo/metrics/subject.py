"""What is measured and against what: a model with its weights, a dataset, features, and how a protocol tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo_core import UsageError

from ..loading import find_folder, load
from ..models.model import Model
from ..progress import Reporter
from ..runs.run import is_run, read_run
from .extractors import Extractor

CROPPED = "center crop, bicubic, antialiased (Pillow)"
"""How the pictures of a pack were resized."""


@dataclass(frozen=True)
class Data:
    """Which real images.

    Args:
        dataset: registry name.
        data: where they lie, None where the dataset brings its own.
        split: which part.
        options: the dataset's own.
    """

    dataset: str
    data: str | Path | None = None
    split: str = "train"
    options: Mapping[str, Any] | None = None


def open_model(where: str | Path | Model, *, device: str = "auto", raw: bool = False) -> Model:
    """The model at `where`, or itself; raises as `zoo.load` does."""
    return where if isinstance(where, Model) else load(where, device=device, raw=raw)


def data_for(
    where: str | Path | Model,
    model: Model,
    dataset: str | None,
    data: str | Path | None,
    split: str = "train",
    *,
    report: Reporter,
) -> Data:
    """The real images that a model is compared with: those that are named, else those that it was trained on.

    Raises:
        UsageError: nobody names any.
    """
    if dataset is not None:
        return Data(dataset, data, split)
    place = find_folder(where) if not isinstance(where, Model) else None
    if place is not None and is_run(place) and (used := read_run(place).config.dataset) is not None:
        report.note(f"comparing with the images that it was trained on: {used['name']}")
        return Data(f"{used['distribution']}:{used['name']}", data or used["data"], split, used["options"])
    known = (model.config.get("provenance", {}).get("dataset") or {}).get("name")
    hint = f"it was trained on {known}: --dataset {known}" if known else "for example: --dataset faces"
    raise UsageError("which images is it to be compared with?", hint=hint)


def described_model(model: Model) -> dict[str, Any]:
    """What a protocol says of the weights that drew the samples."""
    provenance = model.config.get("provenance", {})
    return {
        "weights": model.config.get("weights", "not stated"),
        "batch_norm": model.config.get("batch_norm", "not stated"),
        **({"images_shown": provenance["images"]} if "images" in provenance else {}),
        "device": model.device.type,
    }


def described_data(data: Data, count: int) -> dict[str, Any]:
    """What a protocol says of the real images."""
    bare = data.dataset.rpartition(":")[2]
    return {"dataset": bare, "split": data.split, "real_images": count, "real_resizing": CROPPED}


def described_features(extractor: Extractor, **also: Any) -> dict[str, Any]:
    """What a protocol says of the features."""
    network = extractor.network
    options = ", ".join(f"{key} {value}" for key, value in extractor.options.items())
    return {
        "features": extractor.name,
        "feature_options": options or "none",
        "feature_count": network.dim,
        "feature_weights": extractor.described()["weights"],
        "feature_resizing": network.resizing or "not stated",
        "precision": "float32",
        **also,
    }


def version(distribution: str) -> str:
    """Of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not stated"
