"""The records of a package of weights, written from its model folders: nobody types a checksum.

A package keeps model folders beside its `__init__.py`. `write_records` puts `MODELS`, name → `PretrainedModel`, into its
`records.py`, and its plugin says `Plugin(models=MODELS)`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from zoo_core import ModelError, PretrainedModel, Score, UsageError
from zoo_core.testing.other_kinds import PUBLISHED

from ..files import atomic_file, sha256
from ..models.card import read_metrics
from ..models.config import CONFIG, check_publishable
from ..models.folder import files_of_model, read_model

RECORDS = "records.py"
PLACEHOLDER = "your_package"
"""What stands for the package of a model folder that lies in none."""

_DIGITS = 6  # of a score
_HEAD = '''"""What the models of this package are, by `python -m zoo.catalog`, which writes this file."""

from zoo_core import {names}

MODELS = {{
'''


def describe_model_folder(folder: Path) -> PretrainedModel:
    """Return the record of a model folder, for `Plugin(models={NAME: …})`.

    Its place is that within the package around it, "your_package:FOLDER" where there is none. Raises `ModelError` where it
    is no model folder, or does not state its recipe, dataset or license, `UsageError` where its images allow no publishing.
    """
    model = read_model(folder)
    check_publishable(model.config)
    recipe, provenance = model.config.get("recipe") or {}, model.config.get("provenance", {})
    dataset = provenance.get("dataset") or {}
    stated = {"recipe": recipe.get("name"), "dataset": dataset.get("name"), "license": provenance.get("license")}
    missing = [key for key, value in stated.items() if not value]
    if missing:
        hint = "recipe and dataset come from zoo train; the license from --license ID"
        raise ModelError(f"{folder} does not state its {' and its '.join(missing)}", hint=hint)
    known = [folder / file for file in files_of_model(model.config)]
    beside = [file for file in sorted(folder.iterdir()) if file.suffix in PUBLISHED and file not in known]
    files = [file for file in (*known, *beside) if file.is_file()]
    images, options = int(provenance.get("images", 0)), dict(dataset.get("options") or {})
    data = ", ".join([stated["dataset"], *(f"{name} {value}" for name, value in options.items())])
    size = model.image.size
    return PretrainedModel(
        where=f"{package_of(folder.parent) or PLACEHOLDER}:{folder.resolve().name}",
        sha256={file.name: sha256(file) for file in files},
        **stated,
        summary=f"{stated['recipe']} on {data}, {size}×{size}" + (f", after {images:,} images" if images else ""),
        size=size,
        bytes=sum(file.stat().st_size for file in files),
        paper=recipe.get("paper", ""),
        dataset_options=options,
        images=images,
        parent=str((provenance.get("parent") or {}).get("model", "")),
        scores=list(_scores(read_metrics(folder) or {})),
    )


def package_of(folder: Path) -> str:
    """Return the import name of the package that a folder is, "" where it is none."""
    folder, names = folder.resolve(), list[str]()
    while (folder / "__init__.py").is_file():
        names, folder = [folder.name, *names], folder.parent
    return ".".join(names)


def model_folders(package: Path) -> list[Path]:
    """Return the model folders of a package of weights, by name."""
    return sorted(file.parent for file in package.glob(f"*/{CONFIG}"))


def records_source(package: Path) -> str:
    """Return what `records.py` of a package of weights has to hold; raises as `describe_model_folder` does."""
    if not package_of(package):
        wrong = f"{package} is neither a model folder nor a package: it has no {CONFIG} and no __init__.py"
        raise UsageError(wrong, hint="give what zoo export wrote, or the package that holds such folders")
    if not (folders := model_folders(package)):
        raise UsageError(f"{package} holds no model folder", hint=f"to make one: zoo export RUN {package / 'NAME'} --bf16")
    found = {folder.name: describe_model_folder(folder) for folder in folders}
    names = ["PretrainedModel", *(["Score"] if any(record.scores for record in found.values()) else [])]
    lines = [f"    {_quote(name)}: {record_source(record, 4)},\n" for name, record in found.items()]
    return _HEAD.format(names=", ".join(names)) + "".join(lines) + "}\n"


def write_records(package: Path) -> Path:
    """Write `records.py` of a package of weights, whole or not at all."""
    source = records_source(package)
    with atomic_file(path := package / RECORDS) as temporary:
        temporary.write_text(source, encoding="utf-8")
    return path


def record_source(record: PretrainedModel, indent: int = 0) -> str:
    """Return a record as Python source; what is at its default is left out."""
    given = {}
    for one in fields(record):
        value = getattr(record, one.name)
        default = one.default if one.default is not MISSING else None
        if value != default and value not in ({}, ()):
            given[one.name] = value
    lines = [f"{' ' * (indent + 4)}{name}={_source(value, indent + 4)},\n" for name, value in given.items()]
    return f"PretrainedModel(\n{''.join(lines)}{' ' * indent})"


def _source(value: Any, indent: int) -> str:
    inner, end = " " * (indent + 4), " " * indent
    if isinstance(value, Score):
        spread = [] if value.spread is None and not value.features else [repr(_rounded(value.spread))]
        features = [_quote(value.features)] if value.features else []
        return f"Score({', '.join([_quote(value.metric), repr(_rounded(value.value)), *spread, *features])})"
    if isinstance(value, Mapping):
        return "{\n" + "".join(f"{inner}{_quote(k)}: {_source(v, indent + 4)},\n" for k, v in value.items()) + end + "}"
    if isinstance(value, list | tuple):
        return "[\n" + "".join(f"{inner}{_source(v, indent + 4)},\n" for v in value) + f"{end}]"
    return _quote(value) if isinstance(value, str) else repr(value)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _scores(metrics: Mapping[str, Any]) -> Iterator[Score]:
    """Yield every number of a `metrics.json`, in its order."""
    for block in (metrics, *metrics.get("others", ())) if metrics else ():
        features = str(block["protocol"].get("features") or "").rpartition(":")[2]
        spread = {key: one for key, one in block.get("spread", {}).items() if isinstance(one, int | float)}
        for name, value in block["metrics"].items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                # The formula is one; the field calls it FID of Inception's features alone.
                metric = "frechet" if name == "fid" and features not in ("", "inception") else name
                yield Score(metric, _rounded(value) or 0.0, _rounded(spread.get(name)), features)
