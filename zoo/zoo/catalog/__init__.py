"""The catalog: trained models that plugins provide, each a `zoo_core.PretrainedModel` under a registry name.

`python -m zoo.catalog FOLDER` writes the records of the model folders in a package of weights. Imports no torch.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from zoo_core import ModelError, PretrainedModel, Score, UnknownNameError, registry
from zoo_core.registries import Entry

from ..files import sha256


def read_catalog() -> list[Entry]:
    """Return the models of all plugins, by name; a name that two distributions claim is there twice."""
    return registry.entries("models")


def find_entry(name: str) -> Entry | None:
    """Return the model of that name, or "distribution:name", if there is one; raises `UsageError` where two claim it."""
    try:
        return registry.find("models", name)
    except UnknownNameError:
        return None


def model_of(entry: Entry) -> PretrainedModel:
    """Return the record of an entry of the catalog."""
    return cast(PretrainedModel, entry.value)


def installed_folder(entry: Entry) -> Path | None:
    """Return the model folder of an entry, None for a model on the Hub; raises `ModelError` unless its files are intact."""
    where = model_of(entry).where
    if ":" not in where:
        return None
    folder = find_package_folder(where)
    damaged = [f"the folder {where}"] if folder is None else differing_files(entry, folder)
    if damaged:
        distribution = entry.plugin.distribution
        raise ModelError(
            f"{damaged[0]} of model {entry.name!r} of {distribution} is missing or damaged",
            hint=f"pip install --force-reinstall {distribution}" if entry.plugin.version else "",
        )
    return folder


def find_package_folder(where: str) -> Path | None:
    """Return a folder that lies in an installed package, "package:folder"; None where it is not there."""
    spec, within = find_package(where), where.partition(":")[2]
    places = [Path(place, within) for place in (spec.submodule_search_locations if spec else None) or ()]
    return next((place for place in places if place.is_dir()), None)


def find_package(where: str) -> ModuleSpec | None:
    """Return what is known of the package of "package:folder", which is not imported; None where it is not there."""
    with suppress(Exception):  # a parent package that is not there, or that fails
        return find_spec(where.partition(":")[0])
    return None


def differing_files(entry: Entry, folder: Path) -> list[str]:
    """Return the names of a model's files that are missing from `folder` or have another checksum than its record."""
    sums = model_of(entry).sha256
    return [file for file in sums if not (folder / file).is_file() or sha256(folder / file) != sums[file]]


def describe_data(model: PretrainedModel) -> str:
    """Return what a model was trained on: "faces, style lorelei"."""
    return ", ".join([model.dataset, *(f"{name} {value}" for name, value in model.dataset_options.items())])


def describe_score(score: Score) -> str:
    """Return a score with what it is: "frechet of scattering 1.78 ± 0.06"."""
    from ..reports.numbers import format_value

    return f"{name_score(score)} {format_value(score.value, score.spread)}"


def name_score(score: Score) -> str:
    """Return what a score is: "frechet of scattering"."""
    return f"{score.metric} of {score.features}" if score.features else score.metric


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Return all that a record says, as plain data."""
    model = model_of(entry)
    plain = {"sha256": dict(model.sha256), "dataset_options": dict(model.dataset_options)}
    scores = [vars(score) for score in model.scores]
    return {"name": entry.name, "distribution": entry.plugin.distribution, **vars(model), **plain, "scores": scores}
