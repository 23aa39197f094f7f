"""Which model came from which: the ancestors that a model's configuration names, checked where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from zoo_core import ZooError

from .files import Place, sha256
from .hub.client import is_hub_name, parse_name
from .hub.fetching import cached_folder
from .loading import find_folder, local_folder
from .models.config import CONFIG, read_config
from .runs.run import is_run, model_of_run

Verdict = Literal["the same", "differs", "not at hand", "no checksums"]


@dataclass(frozen=True)
class Ancestor:
    """A model of a lineage.

    Args:
        model: its name, as whoever began with it called it.
        revision: commit on the Hub, "" elsewhere.
        recipe, images, dataset: what it was trained as, for how many images, and on what; None where nobody said.
        licenses: its own and its images', as they are stated.
        sha256: file → checksum of its weights when its child began with them; of the youngest, as its configuration says.
        verdict: whether the weights that are on this machine are those.
        where: folder in which they were looked at; None where there is none.
    """

    model: str
    verdict: Verdict
    revision: str = ""
    recipe: str | None = None
    images: int | None = None
    dataset: str | None = None
    licenses: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    where: Path | None = None


def lineage(model: Place) -> list[Ancestor]:
    """Return a model and its ancestors, the youngest first; weights on this machine are compared with their checksums.

    Nothing is fetched but the model itself, where it lies on the Hub. Raises as `zoo.load` does.
    """
    folder = find_folder(model)
    config = model_of_run(folder).config if is_run(folder) else read_config(folder)
    provenance = config.get("provenance") or {}
    sums = {file: digest for file, digest in (config.get("sha256") or {}).items() if file != CONFIG}
    dataset = provenance.get("dataset") or {}
    youngest: dict[str, Any] = {
        "model": os.fspath(model),
        "recipe": (config.get("recipe") or {}).get("name"),
        "sha256": sums,
        **{key: provenance.get(key) for key in ("images", "license", "parent")},
        **{f"dataset_{key}": dataset.get(key) for key in ("name", "license")},
    }
    found, record = list[Ancestor](), youngest
    place: Path | None = folder
    while record:
        found.append(_look(record, place))
        record = record.get("parent") or {}
        place = _find(record) if record else None
    return found


def _look(record: Mapping[str, Any], place: Path | None) -> Ancestor:
    sums = record.get("sha256") or {}
    stated = [record.get("license"), record.get("dataset_license")]
    told = {key: record.get(key) for key in ("recipe", "images")}
    return Ancestor(
        str(record["model"]),
        _compare(sums, place),
        str(record.get("revision") or ""),
        **told,
        dataset=record.get("dataset_name"),
        licenses=tuple(dict.fromkeys(str(license) for license in stated if license)),
        sha256=sums,
        where=place,
    )


def _compare(sums: Mapping[str, str], place: Path | None) -> Verdict:
    if not sums:
        return "no checksums"
    if place is None:
        return "not at hand"
    files = place / "model" if is_run(place) else place
    same = all((files / name).is_file() and sha256(files / name) == digest for name, digest in sums.items())
    return "the same" if same else "differs"


def _find(record: Mapping[str, Any]) -> Path | None:
    """Return the folder of an ancestor: in the Hub's cache, at its commit, or an installed model."""
    name, revision = str(record["model"]), record.get("revision")
    try:
        if revision and is_hub_name(name):
            return cached_folder(parse_name(name, str(revision)))
        return local_folder(name)
    except ZooError:
        return None
