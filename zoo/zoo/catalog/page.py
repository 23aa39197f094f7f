"""The catalog as a page that needs no other file: pictures and numbers of every model."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from zoo_core import ZooError
from zoo_core.pictures import PictureError, read_picture
from zoo_core.registries import Entry
from zoo_core.words import plural

from ..files import Place
from ..reports.page import Picture, write_page
from . import describe_data, describe_score, installed_folder, model_of, name_score, read_catalog

_TEMPLATE = Path(__file__).with_name("catalog.html")
_SAMPLES = "samples.png"
_SIDE, _COLORS = 512, 256  # of a thumbnail, at most


def save_catalog(file: Place) -> Path:
    """Write a page of all models of the catalog, with samples of those that are installed.

    Raises `ZooError` where it cannot be written. A model whose files are missing or damaged is there without a picture.
    """
    entries = read_catalog()
    models = [model_of(entry) for entry in entries]
    weight = sum(model.bytes for model in models) / 1e6
    measures = dict.fromkeys(name_score(score) for model in models for score in model.scores)
    rows = [
        {
            "name": entry.name,
            "data": describe_data(model),
            "distribution": entry.plugin.distribution,
            "scores": {name_score(score): score for score in model.scores},
            "record": model,
        }
        for entry, model in zip(entries, models, strict=True)
    ]
    return write_page(
        Path(file),
        _TEMPLATE,
        title="Models of the zoo",
        lead=f"{plural(len(entries), 'model')}, {weight:.1f} MB. To draw from one: zoo sample NAME --out samples.png",
        pictures=[_show(entry) for entry in entries],
        rows=rows,
        measures=list(measures),
    )


def _show(entry: Entry) -> tuple[str, Picture | None, list[str], str]:
    """Return the name of a model, samples, what it is in lines, and why there are no samples."""
    model, picture, why = model_of(entry), None, ""
    lines = [f"{model.recipe} on {describe_data(model)}", f"{model.size}×{model.size}, {model.bytes / 1e6:.1f} MB"]
    lines += [describe_score(model.scores[0])] if model.scores else []
    try:
        folder = installed_folder(entry)
        if folder is None:
            why = f"on the Hub: {model.where}"
        elif _SAMPLES in model.sha256:
            picture = Picture(_thumbnail(folder / _SAMPLES), f"sixteen samples of {entry.name}")
        else:
            why = "without samples"
    except (ZooError, PictureError, OSError) as error:
        why = str(error)
    return entry.name, picture, lines, why


def _thumbnail(file: Path) -> Image.Image:
    """Return the upper left quarter of a grid of 8 × 8 samples: 4 × 4 of them."""
    grid = read_picture(file)
    quarter = grid.crop((0, 0, max(1, grid.width // 2), max(1, grid.height // 2)))
    quarter.thumbnail((_SIDE, _SIDE))
    return quarter.quantize(_COLORS, dither=Image.Dither.NONE)
