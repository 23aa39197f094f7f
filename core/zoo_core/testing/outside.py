"""Checks of what reaches outside: trackers and pretrained models."""

from __future__ import annotations

import hashlib
import importlib.resources
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from ..records import PretrainedModel
from .subjects import Failed, Subject, listed, require

PUBLISHED = (".safetensors", ".json", ".png")
"""Endings of files that a model may consist of, besides `README.md`."""


def scalars_and_pictures(subject: Subject) -> None:
    """A run of two sittings: both record numbers and a picture, in one folder, and close."""
    with tempfile.TemporaryDirectory() as folder:
        for images in (0, 128):
            tracker: Any = subject.cls(folder=Path(folder), images=images, config={"recipe": "dcgan"}, **subject.options)
            tracker.scalars({"d_loss": 0.5, "g_loss": 1.5}, images + 64)
            tracker.picture("samples", torch.zeros(3, 8, 8, dtype=torch.uint8), images + 64)
            tracker.close()


def stated(record: PretrainedModel) -> None:
    """What is said of it: a license, and files of kinds that hold no code."""
    require(bool(record.license), "its license is not stated, expected that of the weights")
    paths = [PurePosixPath(name) for name in record.sha256 if name != "README.md"]
    odd = [str(path) for path in paths if path.suffix not in PUBLISHED or ".." in path.parts]
    require(not odd, f"it has {listed(odd)}, expected {', '.join(f'*{suffix}' for suffix in PUBLISHED)} and README.md only")
    weights = any(name.endswith(".safetensors") for name in record.sha256)
    require(weights, "sha256 names no *.safetensors, expected the checksum of every file")


def files(record: PretrainedModel) -> str:
    """Every file is there with its checksum, and no other."""
    package, inside, folder = record.where.partition(":")
    if not inside:
        return "not checked: lies on the Hub"
    try:
        place = importlib.resources.files(package).joinpath(*folder.split("/"))
    except ModuleNotFoundError as error:
        raise Failed(f"{record.where}: {error}") from error
    for name, expected in record.sha256.items():
        file = place.joinpath(*name.split("/"))
        require(file.is_file(), f"{record.where} has no {name}, expected every file of sha256")
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        require(found == expected, f"{record.where}: {name} has the checksum {found}, expected {expected}")
    extra = sorted({entry.name for entry in place.iterdir()} - {name.split("/")[0] for name in record.sha256})
    require(not extra, f"{record.where} has {listed(extra)} too, expected a checksum in sha256 for every file")
    return f"{len(record.sha256)} files"


TRACKERS = (scalars_and_pictures,)
MODELS = (stated, files)
