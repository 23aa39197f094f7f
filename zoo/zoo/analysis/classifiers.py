"""Which attribute classifier tells what a model draws: one that the images' dataset brings, else one trained on them."""

from __future__ import annotations

import torch

from zoo_core import ImageDataset, UnknownNameError, registry

from ..catalog import find_package, find_package_folder
from ..devices import CPU
from ..files import sha256
from ..models.model import Model
from ..packs import Pack, PackRequest
from ..progress import SILENT, Reporter
from .attribute_classifier import DAMAGED, SIDE, WEIGHTS, AttributeClassifier, load_classifier, read_classifier
from .labels import ModelImages


def classifier_for(
    model: Model, images: ModelImages, *, device: torch.device = CPU, report: Reporter = SILENT
) -> AttributeClassifier:
    """Return the classifier of a model's labeled images, on a device.

    One that their dataset brings (`ImageDataset.classifiers`) for the same labels and size needs no image: nothing is packed
    and nothing trained. Elsewhere the pack is built, and `load_classifier` finds one in the cache or trains it; where the
    dataset's own are not installed, that is said once they would be of use.

    Raises:
        UsageError, DataError, ZooError: as `ModelImages.pack` and `load_classifier`.
    """
    found = ready_classifier(model, images, device, report)
    return found if found is not None else load_classifier(images.pack(report), device=device, report=report)


def ready_classifier(
    model: Model, images: ModelImages, device: torch.device = CPU, report: Reporter = SILENT
) -> AttributeClassifier | None:
    """Return the classifier that the dataset of a model's images brings, None where it brings none that fits."""
    name = images.source.info["dataset"]["name"] if isinstance(images.source, Pack) else images.source.dataset
    try:
        dataset: type[ImageDataset] = registry.load("datasets", name)
    except UnknownNameError:  # of a pack whose dataset is no longer installed
        return None
    vocabulary = dict(images.vocabulary()) if dataset.classifiers else {}
    absent: list[str] = []
    for where, checksum in dataset.classifiers.items():
        folder = find_package_folder(where)
        if folder is None and dataset.classifiers_come_by and find_package(where) is None:
            absent.append(where)
            continue
        try:
            if folder is None or sha256(folder / WEIGHTS) != checksum:
                raise ValueError("its files are missing or others")
            found = read_classifier(folder, device)
        except DAMAGED as error:
            report.warn(f"the classifier {where} that comes with {name} is damaged: {error}")
            continue
        if (found.attributes, found.side, found.channels) == (vocabulary, min(model.image.size, SIDE), model.image.channels):
            return found
    if absent and vocabulary == dict(ModelImages(PackRequest(name)).vocabulary()):
        report.note(f"classifiers of {name} that are ready may save a training here: {dataset.classifiers_come_by}")
    return None
