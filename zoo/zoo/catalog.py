"""The catalog: trained models that plugins provide, each a `zoo_core.PretrainedModel` under a registry name.

`python -m zoo.catalog FOLDER` prints the record of a model folder as Python source, for the plugin of a package of weights.
Imports no torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo_core import ModelError, PretrainedModel, UnknownNameError, ZooError, registry

from .files import sha256


@dataclass(frozen=True)
class CatalogEntry:
    """A trained model that a name stands for.

    Args:
        name: what `zoo pull`, `zoo sample` and `zoo.load` are told.
        distribution: the package whose plugin provides it.
        model: where it is, its checksums, and what it was trained with.
    """

    name: str
    distribution: str
    model: PretrainedModel

    def as_dict(self) -> dict[str, Any]:
        """Return name, distribution and the record's fields as plain data."""
        record = {field.name: getattr(self.model, field.name) for field in fields(self.model)}
        return {"name": self.name, "distribution": self.distribution, **record, "sha256": dict(self.model.sha256)}


def read_catalog() -> list[CatalogEntry]:
    """Return the models of all plugins, by name; a name that two distributions claim is there twice."""
    return [_catalog_entry(entry) for entry in registry.entries("models")]


def find_entry(name: str) -> CatalogEntry | None:
    """Return the model of that name, or of "distribution:name"; None if there is none.

    Raises:
        AmbiguousNameError: two distributions claim the name.
    """
    try:
        return _catalog_entry(registry.find("models", name))
    except UnknownNameError:
        return None


def installed_folder(entry: CatalogEntry) -> Path | None:
    """Return the model folder of an entry, its files checked; None for a model on the Hub.

    Raises:
        ModelError: the folder or a file is missing, or a checksum is not the record's.
    """
    package, colon, within = entry.model.where.partition(":")
    if not colon:
        return None
    try:
        spec = find_spec(package)
    except Exception:  # a parent package that is not there, or that fails: no folder either
        spec = None
    places = [Path(place, within) for place in (spec.submodule_search_locations if spec else None) or ()]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise _damaged(entry, f"its folder {entry.model.where}")
    for file in differing_files(entry.model, folder):
        raise _damaged(entry, file)
    return folder


def differing_files(model: PretrainedModel, folder: Path) -> list[str]:
    """Return the names of a model's files that are missing from `folder` or have another checksum than its record."""
    return [
        file for file, wanted in model.sha256.items() if not (folder / file).is_file() or sha256(folder / file) != wanted
    ]


def describe_model_folder(folder: Path, *, where: str = "", summary: str = "") -> PretrainedModel:
    """Return the record of a model folder, as `Plugin(models={name: …})` wants it.

    Args:
        folder: what `zoo export` wrote.
        where: where it will lie, "package:folder/within"; "your_package:NAME" by default.
        summary: one line for `zoo pull`.

    Raises:
        ModelError: it is no model folder, or does not state its recipe, dataset or license.
    """
    from .models.folder import FILES, read_model

    model = read_model(folder)
    recipe, provenance = model.config.get("recipe") or {}, model.config.get("provenance", {})
    stated = {
        "recipe": recipe.get("name"),
        "dataset": (provenance.get("dataset") or {}).get("name"),
        "license": provenance.get("license"),
    }
    missing = [key for key, value in stated.items() if not value]
    if missing:
        raise ModelError(
            f"{folder} does not state its {' and its '.join(missing)}",
            hint="recipe and dataset come from zoo train; the license from --license ID",
        )
    present = [file for file in FILES if (folder / file).is_file()]
    return PretrainedModel(
        where=where or f"your_package:{folder.resolve().name}",
        sha256={file: sha256(folder / file) for file in present},
        **stated,
        summary=summary,
        size=model.image.size,
        bytes=sum((folder / file).stat().st_size for file in present),
        paper=recipe.get("paper", ""),
    )


def state_license(folder: Path, license: str) -> None:
    """Write a license into the configuration of a model folder, and its card anew with what `metrics.json` says now."""
    from .models.folder import read_config, rewrite_card, write_config

    config = read_config(folder)
    write_config({**config, "provenance": {**config.get("provenance", {}), "license": license}}, folder)
    rewrite_card(folder, place=folder.resolve().name)


def main(words: Sequence[str] | None = None) -> None:
    """Print the record of a model folder as Python source."""
    parser = argparse.ArgumentParser(prog="python -m zoo.catalog", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what zoo export wrote")
    parser.add_argument("--where", default="", help="where it will lie: package:folder/within")
    parser.add_argument("--license", help="of the weights; written into the folder's configuration and card")
    parser.add_argument("--summary", default="", help="one line for zoo pull")
    given = parser.parse_args(words)
    try:
        if given.license:
            state_license(given.folder, given.license)
        record = describe_model_folder(given.folder, where=given.where, summary=given.summary)
    except ZooError as error:
        sys.exit(f"error: {error}")
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    source = json.dumps({**values, "sha256": dict(record.sha256)}, indent=4, ensure_ascii=False)
    for name in values:  # the same as a call
        source = source.replace(f'\n    "{name}": ', f"\n    {name}=", 1)
    sys.stdout.write(f"PretrainedModel({source[1:-2]},\n)\n")


def _catalog_entry(entry: Any) -> CatalogEntry:
    return CatalogEntry(entry.name, entry.plugin.distribution, entry.value)


def _damaged(entry: CatalogEntry, what: str) -> ModelError:
    hint = "" if entry.distribution == "local" else f"pip install --force-reinstall {entry.distribution}"
    return ModelError(f"{what} of model {entry.name!r} of {entry.distribution} is missing or damaged", hint=hint)


if __name__ == "__main__":
    main()
