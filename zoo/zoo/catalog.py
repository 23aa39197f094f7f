"""The catalog: names of trained models, and where each one is.

`catalog.json` holds one record for each. A bundled model is a model folder beside it, of the entry's name, whose files
have the checksums in the record. Imports no torch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoo_core import ModelError
from zoo_core.records import check_name

HERE = Path(__file__).parent / "pretrained"
FILE = "catalog.json"
BUNDLED = "bundled"
FORMAT = 1
LIMIT = 24_000_000
"""Most bytes of all bundled models together."""


@dataclass(frozen=True)
class CatalogEntry:
    """A trained model that a name stands for.

    Args:
        name: what `zoo pull`, `zoo sample` and `zoo.load` are told.
        where: "bundled", or "user/name@commit" on the Hub.
        sha256: file name → checksum.
        recipe, dataset: what it was trained with.
        license: of the model.
        summary: one line.
        size: height and width of its pictures in pixels.
        bytes: of all its files.
    """

    name: str
    where: str
    sha256: dict[str, str]
    recipe: str
    dataset: str
    license: str
    summary: str = ""
    size: int = 0
    bytes: int = 0
    root: Path = field(default=HERE, compare=False)

    def __post_init__(self) -> None:
        check_name(self.name, "model of the catalog")

    @property
    def folder(self) -> Path | None:
        """The model folder of a bundled model, None for one on the Hub."""
        return self.root / self.name if self.where == BUNDLED else None


def read_catalog() -> list[CatalogEntry]:
    """All entries, by name; raises `ModelError` where the file is damaged."""
    file = HERE / FILE
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            raise ValueError(f"format {described['format']}")
        entries = [CatalogEntry(**record, root=HERE) for record in described["models"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} is damaged: {error}", hint="pip install --force-reinstall dcgan-zoo") from error
    return sorted(entries, key=lambda entry: entry.name)


def names_in_catalog() -> list[str]:
    """The names of all entries."""
    return [entry.name for entry in read_catalog()]


def find_entry(name: str) -> CatalogEntry | None:
    """The entry of that name."""
    return next((entry for entry in read_catalog() if entry.name == name), None)


def check_entry(entry: CatalogEntry) -> None:
    """Compare a bundled model's files with the checksums in its record; raises `ModelError` where one differs."""
    from .files import sha256

    folder = entry.folder
    assert folder is not None
    for file, wanted in entry.sha256.items():
        if not (folder / file).is_file() or sha256(folder / file) != wanted:
            raise ModelError(
                f"{file} of the bundled model {entry.name!r} is missing or damaged",
                hint="pip install --force-reinstall dcgan-zoo",
            )


def add_entry(name: str, *, license: str, summary: str) -> CatalogEntry:
    """Put the model folder of that name, beside the catalog, into it; an entry of the name is replaced.

    The card is written anew with what `metrics.json` says, and the license into the configuration.

    Raises:
        ModelError: the folder is no model, states no recipe or no dataset, or makes the bundled models too large.
    """
    from .files import sha256, write_json
    from .models.folder import FILES, read_model, rewrite_card, write_config

    folder = HERE / check_name(name, "model of the catalog")
    model = read_model(folder)
    provenance = {**model.config.get("provenance", {}), "license": license}
    write_config({**{k: v for k, v in model.config.items() if k != "sha256"}, "provenance": provenance}, folder)
    rewrite_card(folder, place=name)
    recipe = (model.config.get("recipe") or {}).get("name")
    dataset = (provenance.get("dataset") or {}).get("name")
    if not recipe or not dataset:
        raise ModelError(f"{folder} does not say with which recipe and on which dataset it was trained")
    present = [file for file in FILES if (folder / file).is_file()]
    entry = CatalogEntry(
        name,
        BUNDLED,
        {file: sha256(folder / file) for file in present},
        recipe,
        dataset,
        license,
        summary,
        model.image.size,
        sum((folder / file).stat().st_size for file in present),
        HERE,
    )
    entries = [*(other for other in read_catalog() if other.name != name), entry]
    total = sum(other.bytes for other in entries if other.where == BUNDLED)
    if total > LIMIT:
        raise ModelError(f"the bundled models would take {total:,} bytes; the most is {LIMIT:,}")
    records = [_record(other) for other in sorted(entries, key=lambda other: other.name)]
    write_json(HERE / FILE, {"format": FORMAT, "models": records})
    return entry


def _record(entry: CatalogEntry) -> dict[str, Any]:
    return {key: value for key, value in asdict(entry).items() if key != "root"}
