"""The catalog: trained models that plugins provide, each a `zoo_core.PretrainedModel` under a registry name.

`python -m zoo.catalog FOLDER` prints the record of a model folder as Python source, for the plugin of a package of weights.
Imports no torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from zoo_core import ModelError, PretrainedModel, UnknownNameError, ZooError, registry
from zoo_core.registries import Entry

from .files import sha256


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
    package, _, within = where.partition(":")
    spec = None
    with suppress(Exception):  # a parent package that is not there, or that fails: no folder either
        spec = find_spec(package)
    places = [Path(place, within) for place in (spec.submodule_search_locations if spec else None) or ()]
    return next((place for place in places if place.is_dir()), None)


def differing_files(entry: Entry, folder: Path) -> list[str]:
    """Return the names of a model's files that are missing from `folder` or have another checksum than its record."""
    sums = model_of(entry).sha256
    return [file for file in sums if not (folder / file).is_file() or sha256(folder / file) != sums[file]]


def describe_model_folder(folder: Path) -> PretrainedModel:
    """Return the record of a model folder, for `Plugin(models={NAME: …})`; its place is "your_package:FOLDER".

    Raises `ModelError` where it is no model folder, or does not state its recipe, dataset or license, `UsageError` where
    its images allow no publishing.
    """
    from .models.config import check_publishable
    from .models.folder import files_of_model, read_model

    model = read_model(folder)
    check_publishable(model.config)
    recipe, provenance = model.config.get("recipe") or {}, model.config.get("provenance", {})
    dataset = provenance.get("dataset") or {}
    stated = {"recipe": recipe.get("name"), "dataset": dataset.get("name"), "license": provenance.get("license")}
    missing = [key for key, value in stated.items() if not value]
    if missing:
        hint = "recipe and dataset come from zoo train; the license from --license ID"
        raise ModelError(f"{folder} does not state its {' and its '.join(missing)}", hint=hint)
    files = [folder / file for file in files_of_model(model.config) if (folder / file).is_file()]
    sums, count = {file.name: sha256(file) for file in files}, sum(file.stat().st_size for file in files)
    where, paper = f"your_package:{folder.resolve().name}", recipe.get("paper", "")
    return PretrainedModel(where=where, sha256=sums, **stated, size=model.image.size, bytes=count, paper=paper)


def main() -> None:
    """Print the record of a model folder as Python source, for the plugin of a package of weights."""
    from .models.config import read_config
    from .models.folder import rewrite_card, write_config

    parser = argparse.ArgumentParser(prog="python -m zoo.catalog", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="what zoo export wrote")
    parser.add_argument("--license", help="of the weights; written into the folder's configuration and card")
    given = parser.parse_args()
    try:
        if given.license:
            config = read_config(given.folder)
            write_config({**config, "provenance": {**config.get("provenance", {}), "license": given.license}}, given.folder)
            rewrite_card(given.folder, place=given.folder.resolve().name)
        record = describe_model_folder(given.folder)
    except ZooError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write("PretrainedModel(\n")
    for name, value in {**vars(record), "sha256": dict(record.sha256)}.items():
        source = json.dumps(value, indent=4, ensure_ascii=False)
        sys.stdout.write(f"    {name}={source},\n".replace("\n", "\n    ").rstrip(" "))
    sys.stdout.write(")\n")


if __name__ == "__main__":
    main()
