"""What is measured and against what: a model with its weights, a dataset, features, and how a protocol tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from zoo_core import UsageError

from ..loading import find_folder, load
from ..metrics.extractors import Extractor, Pool, StageFeatures, require_discriminator
from ..metrics.images import training_request
from ..models.model import Model
from ..packs import PackRequest
from ..progress import Reporter
from ..runs.run import is_run, read_run

CROPPED = "center crop, bicubic, antialiased (Pillow)"  # how the pictures of a pack were resized


class DiscriminatorFeatures(StageFeatures):
    """`StageFeatures` of a model that is named: a run folder, a model folder, a catalog name or user/name on the Hub.

    Raises:
        UsageError: no model is named, or it was published without its discriminator.
    """

    tiny = None

    def __init__(
        self,
        *,
        model: Annotated[str, "whose discriminator: what zoo sample takes"] = "",
        grid: Annotated[int, "side to which every stage's maps are pooled; the paper has 4"] = 1,
        pool: Annotated[Pool, "how they are pooled; the paper has max"] = "average",
    ) -> None:
        if not model:
            raise UsageError("whose discriminator?", hint="name a model: --set features.model=runs/dcgan-faces")
        super().__init__(require_discriminator(load(model).discriminator, model), grid=grid, pool=pool)


def open_model(where: str | Path | Model, *, device: str = "auto", raw: bool = False) -> Model:
    """Return the model at `where`, or itself; raises as `zoo.load` does."""
    return where if isinstance(where, Model) else load(where, device=device, raw=raw)


def choose_data(
    where: str | Path | Model,
    model: Model,
    dataset: str | None,
    data: str | Path | None,
    split: str = "train",
    *,
    report: Reporter,
) -> PackRequest:
    """Return the real images that a model is compared with: those that are named, else those that it was trained on.

    Raises:
        UsageError: nobody names any.
    """
    if dataset is not None:
        return PackRequest(dataset, data, split)
    place = find_folder(where) if not isinstance(where, Model) else None
    if place is not None and is_run(place) and (config := read_run(place).config).dataset is not None:
        used = training_request(config)
        report.note(f"comparing with the images that it was trained on: {used.dataset.rpartition(':')[2]}")
        return replace(used, data=data or used.data, split=split)
    known = (model.config.get("provenance", {}).get("dataset") or {}).get("name")
    hint = f"it was trained on {known}: --dataset {known}" if known else "for example: --dataset faces"
    raise UsageError("which images is it to be compared with?", hint=hint)


def describe(
    measure: str,
    data: PackRequest,
    count: int,
    own: Mapping[str, Any],
    *,
    model: Model | None = None,
    extractor: Extractor | None = None,
    precision: str = "float32",
) -> dict[str, Any]:
    """Return a protocol: what measured, against which and how many real images, what it has of its `own`, and, where there
    are any, which weights drew the samples and whose features were compared."""
    found: dict[str, Any] = {"measure": measure, "dataset": data.dataset.rpartition(":")[2], "split": data.split}
    found |= {"real_images": count, "real_resizing": CROPPED, **own}
    if model is not None:
        provenance = model.config.get("provenance", {})
        found |= {key: model.config.get(key, "not stated") for key in ("weights", "batch_norm")}
        found |= {"images_shown": provenance["images"]} if "images" in provenance else {}
        found["device"] = model.device.type
    if extractor is not None:
        found |= {
            "features": extractor.name,
            "feature_options": ", ".join(f"{key} {value}" for key, value in extractor.options.items()) or "none",
            "feature_count": extractor.network.dim,
            "feature_weights": extractor.describe()["weights"],
            "feature_resizing": extractor.network.resizing or "not stated",
            "precision": precision,
        }
    return found
