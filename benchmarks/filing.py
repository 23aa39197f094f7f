"""File trained model folders in the packages that they come with, with records, cards, credits and small pictures.

    python benchmarks/filing.py /somewhere/models    # take all from there that are of the catalog, then as below
    python benchmarks/filing.py                      # only write anew what follows from the folders

`dcgan-faces` goes into the core's wheel, all others into that of `dcgan-zoo-models`. Each gets its license, its parent by
name, and pictures of few colors, `samples.png` with one pixel for each of a sample's. `python -m zoo.catalog` writes both
`records.py`, and NOTICE names whose drawings they were trained on. The last line of standard output is one JSON object:
`models`, and `bytes` of each package.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

import zoo
from zoo.models.config import read_config
from zoo.models.folder import rewrite_card, write_config
from zoo.runs.command import replace_option

ROOT = Path(__file__).resolve().parent.parent
CORE, MODELS = ROOT / "plugins" / "zoo_plugins" / "pretrained", ROOT / "pretrained" / "zoo_models"
IN_CORE = ("dcgan-faces",)
LICENSE = "apache-2.0"
COLORS = {CORE: 20, MODELS: 128}  # of samples.png; the core's wheel has little room
COLUMNS, GAP, CURVE_COLORS = 8, 2, 32

_NOTICE = """dcgan-zoo-models
Copyright 2026 the dcgan-zoo authors

The weights are licensed under the Apache License, Version 2.0. They were trained on drawings that are assembled on
the user's machine from artwork that the package dicebear-styles brings. None of it is in this package, but for what
models learned of it and draw in their samples. Whose work that is:
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="model folders, as catalogue.py makes them")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of them")
    given = parser.parse_args()
    for source in sorted(given.folder.glob("*/config.json")) if given.folder else ():
        if not given.only or source.parent.name in given.only:
            take(source.parent)
    for package in (CORE, MODELS):
        for config in sorted(package.glob("*/config.json")):
            finish(config.parent)
        subprocess.run([sys.executable, "-m", "zoo.catalog", str(package)], check=True, stdout=subprocess.DEVNULL)
    (MODELS.parent / "NOTICE").write_text(notice(), encoding="utf-8")
    print(json.dumps({package.name: count(package) for package in (CORE, MODELS)}))


def take(source: Path) -> Path:
    """Copy a model folder into its package, in place of one of that name."""
    folder = (CORE if source.name in IN_CORE else MODELS) / source.name
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(source, folder))


def finish(folder: Path) -> None:
    """Write what a model of the catalog states: its license, its parent by name; small pictures; the card of it all."""
    config = read_config(folder)
    provenance: dict[str, Any] = {**config["provenance"], "license": LICENSE}
    provenance["dataset"] = {**provenance["dataset"], **_options(provenance)}
    if name := find_parent(provenance):
        provenance["parent"] = {**provenance["parent"], "model": name}
        provenance["command"] = replace_option(provenance["command"], "--from", name)
    if provenance != config["provenance"]:
        write_config({**config, "provenance": provenance}, folder)
    shrink_pictures(folder)
    rewrite_card(folder, place=folder.name)


def find_parent(provenance: Mapping[str, Any]) -> str:
    """Return the name of the filed model that has the weights of a model's parent, "" where there is none."""
    sums = (provenance.get("parent") or {}).get("sha256")
    for config in [*CORE.glob("*/config.json"), *MODELS.glob("*/config.json")] if sums else ():
        own = read_config(config.parent).get("sha256", {})
        if all(own.get(file) == value for file, value in sums.items() if file.endswith(".safetensors")):
            return config.parent.name
    return ""


def shrink_pictures(folder: Path) -> None:
    """Draw `samples.png` again, and `curves.png` in few colors, unless they are small already."""
    for file, colors in ((folder / "samples.png", COLORS[folder.parent]), (folder / "curves.png", CURVE_COLORS)):
        if not file.is_file():
            continue
        with Image.open(file) as before:
            if before.mode != "P":
                picture = draw_samples(folder) if file.stem == "samples" else before.convert("RGB")
                way = Image.Quantize.FASTOCTREE if colors < 32 else Image.Quantize.MEDIANCUT  # it keeps rare colors
                picture.quantize(colors, way, dither=Image.Dither.NONE).save(file, optimize=True)


def draw_samples(folder: Path) -> Image.Image:
    """Return the samples of a model folder's `samples.png`, pixel by pixel."""
    rows = COLUMNS if folder.parent != CORE else 4  # the core's wheel is small
    pictures = zoo.to_pictures(zoo.load(folder).sample(COLUMNS * rows))
    step = pictures[0].width + GAP
    sheet = Image.new("RGB", (step * COLUMNS + GAP, step * rows + GAP), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (GAP + i % COLUMNS * step, GAP + i // COLUMNS * step))
    return sheet


def notice() -> str:
    """Return NOTICE: whose drawings the models learned from, and under which license."""
    credits: dict[tuple[str, str], list[str]] = {}
    for config in sorted([*CORE.glob("*/config.json"), *MODELS.glob("*/config.json")]):
        dataset = read_config(config.parent)["provenance"]["dataset"]
        credits.setdefault((dataset.get("credit", ""), dataset.get("license", "")), []).append(config.parent.name)
    lines = [_NOTICE]
    for (credit, license), names in credits.items():
        lines += [f"{', '.join(names)}", f"  {credit}", f"  License of the artwork: {license}", ""]
    return "\n".join(lines)


def count(package: Path) -> dict[str, int]:
    """Return how many models a package has, and the bytes of all in it."""
    files = [file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return {"models": len(list(package.glob("*/config.json"))), "bytes": sum(file.stat().st_size for file in files)}


def _options(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dataset's options as the command sets them, for models of a time that did not record them."""
    told = [word.removeprefix("dataset.") for word in shlex.split(provenance["command"]) if word.startswith("dataset.")]
    options = {**dict(word.split("=", 1) for word in told), **(provenance["dataset"].get("options") or {})}
    return {"options": options} if options else {}


if __name__ == "__main__":
    main()
