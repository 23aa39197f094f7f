"""Real images that belong to a model, and what they are labeled with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo_core import UsageError, ZooError

from ..loading import find_folder
from ..models.model import Model
from ..packs import Pack, PackRequest, build_pack
from ..packs.prepared import open_existing_pack
from ..packs.request import resolve
from ..progress import SILENT, Reporter
from ..runs.run import is_run, read_run

ImageSource = Pack | PackRequest | None
"""Images beside a model: a pack, a request for one, or None for those that the model was trained on."""

Vocabulary = Mapping[str, tuple[str, ...]]
"""Attribute → names of its values."""

CLASS = "class"
"""The name under which a dataset's classes count as an attribute."""

_HINT = "say which images: --dataset NAME [--data PATH]; zoo list datasets shows all"


@dataclass(frozen=True)
class ModelImages:
    """Real images that belong to a model, a pack or a request for one; `trained_on` describes those of its training."""

    source: Pack | PackRequest
    trained_on: Mapping[str, Any] | None = None

    def vocabulary(self) -> Vocabulary:
        """Return what the images are labeled with, without decoding any. Raises as `vocabulary_of` and `build_pack`."""
        if isinstance(self.source, Pack):
            return vocabulary_of(self.source)
        with self._advise():
            if (given := open_existing_pack(self.source, SILENT)) is not None:
                return vocabulary_of(given)
            found = resolve(self.source, SILENT)
        return _vocabulary(found.listing.attributes, found.listing.classes, found.entry.name)

    def pack(self, report: Reporter) -> Pack:
        """Return the pack of the images, built where it is not there.

        Raises:
            UsageError: they are not as many as the model was trained on.
            DataError: the images are not there.
        """
        if isinstance(self.source, Pack):
            return self.source
        with self._advise():
            pack = build_pack(self.source, report=report)
        count = (self.trained_on or {}).get("count", len(pack))
        if count != len(pack):  # a model folder does not say where its photographs lay
            what = f"the model was trained on {count:,} images of {self.source.dataset}"
            raise UsageError(f"{what}, and without --data there are {len(pack):,}", hint=_HINT)
        return pack

    @contextmanager
    def _advise(self) -> Iterator[None]:
        """Add to errors about images that nobody named how to name some."""
        try:
            yield
        except ZooError as error:
            if self.trained_on is not None:
                error.hint = f"{error.hint}\n{_HINT}" if error.hint else _HINT
            raise


def find_images(model: Model, where: Model | str | Path, images: ImageSource = None) -> ModelImages:
    """Return the images that belong to a model: `images` at its size and channels, or those that it was trained on.

    Args:
        where: what it was loaded from; a run folder knows where its pictures lie.
        images: a pack, or a request whose size and channels are replaced by the model's.

    Raises:
        UsageError: the model does not say what it was trained on, or the pack's images are of another size.
    """
    size, channels = model.image.size, model.image.channels
    if isinstance(images, Pack):
        if images.spec.shape != model.image.shape:
            raise UsageError(
                f"the pack has images of {images.spec.shape}, the model draws {model.image.shape}",
                hint="build the pack with the model's size and channels",
            )
        return ModelImages(images)
    if images is not None:
        return ModelImages(replace(images, size=size, channels=channels))
    place = find_folder(where) if not isinstance(where, Model) else None
    run = next((p for p in (place, place.parent) if is_run(p)), None) if place else None
    used = (read_run(run).config.dataset if run else None) or model.config.get("provenance", {}).get("dataset") or {}
    if not used.get("name"):
        raise UsageError("the model does not say what it was trained on", hint=_HINT)
    split, options = used.get("split", "train"), used.get("options", {})
    return ModelImages(PackRequest(used["name"], used.get("data"), split, size, channels, options), used)


def vocabulary_of(pack: Pack) -> Vocabulary:
    """Return what a pack's images are labeled with: attribute → names of its values. Classes are the attribute "class".

    Raises:
        UsageError: they have no labels.
    """
    name = pack.info["dataset"]["name"].partition(":")[2]
    return _vocabulary(pack.info["attributes"], pack.info["classes"], name)


def _vocabulary(attributes: Mapping[str, Any], classes: Any, dataset: str) -> Vocabulary:
    found = {name: tuple(values) for name, values in attributes.items()} | (
        {CLASS: tuple(classes)} if len(classes) > 1 else {}
    )
    if not found:
        raise UsageError(
            f"the images of dataset {dataset!r} have no labels, so nothing can learn to classify them",
            hint="choose a labeled dataset (--dataset faces), or give --data a folder with one sub-folder for each label",
        )
    return found


def attribute_labels(pack: Pack) -> dict[str, Tensor]:
    """Return attribute → int64 [N], index of each image's value in the vocabulary, −1 where it is unknown; {} without."""
    labels = dict(pack.attributes)
    if pack.labels is not None and len(pack.info["classes"]) > 1:
        labels.setdefault(CLASS, pack.labels)
    return labels
