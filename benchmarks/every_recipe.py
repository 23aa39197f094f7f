"""Does every recipe train? A few hundred steps of each, on drawn faces of 32×32 pixels.

    python benchmarks/every_recipe.py [--steps 300] [--width 16] [--out DIR] [--json] [RECIPE …]

A recipe passes when every reading of its losses is finite and its samples are; one that diverges is listed with what the
training said. Recipes that want labels get folders of faces with and without a hat. What is done is not repeated: the same
command goes on after a kill. The last line of standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from whole import train_whole

import zoo
from zoo.files import write_json
from zoo.packs import PackRequest, build_pack
from zoo.runs.run import is_complete, read_log
from zoo_core import TrainingError, registry

SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help="all there are, unless named")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--width", type=int, default=16, help="of convolutional networks whose default is 32 or more")
    parser.add_argument("--count", type=int, default=2000, help="faces that are drawn")
    parser.add_argument("--out", type=Path, default=Path("every-recipe"))
    parser.add_argument("--json", action="store_true", help="print nothing but the last line")
    given = parser.parse_args()
    found = {}
    for name in given.recipes or registry.names("recipes"):
        path = given.out / "results" / f"{name}-{given.steps}-{given.width}-{given.count}.json"
        if not path.exists():
            write_json(path, check(name, given))
        found[name] = json.loads(path.read_text())
        if not given.json:
            print(name, json.dumps(found[name]), flush=True)
    failed = [name for name, result in found.items() if not result["passed"]]
    described = {"steps": given.steps, "size": SIZE, "width": given.width, "count": given.count}
    print(json.dumps({**described, "passed": len(found) - len(failed), "failed": failed, "recipes": found}))


def check(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Train a recipe, or go on, and look at its losses and samples."""
    config = zoo.plan(name, dataset="faces", size=SIZE).config
    options: dict[str, Any] = {"dataset.count": given.count}
    for role in config.roles:
        if config.parts[role]["options"].get("width", 0) >= 32:
            options[f"{role}.width"] = given.width
    where: dict[str, Any] = {"dataset": "faces"}
    if config.conditional:
        where = {"dataset": "folder", "data": hats(given)}
        del options["dataset.count"]
    out = given.out / f"{name}-{given.steps}-{given.width}-{given.count}"
    images = given.steps * config.training.batch
    start = os.getloadavg()[0]
    begun = time.monotonic()
    try:
        if not (out / "run.json").exists():
            train_whole(name, **where, size=SIZE, images=images, options=options, out=out)
        elif not is_complete(out):  # killed on the way, not only before its result was written
            train_whole(resume=out)
    except TrainingError as error:
        return {"passed": False, "said": error.message}
    last = [line for line in read_log(out / "metrics.jsonl") if "images_per_s" in line][-1]
    samples = zoo.load(out).sample(64)
    return {
        "passed": bool(torch.isfinite(samples).all()),
        "steps": last["step"],
        **{name: value for name, value in last.items() if name.endswith("_loss")},
        "sample_deviation": round(float(samples.std(0).mean()), 4),
        "seconds": round(time.monotonic() - begun, 1),
        "load": start,
    }


def hats(given: argparse.Namespace) -> Path:
    """Drawn faces as pictures in two folders, made once."""
    folder: Path = given.out / f"hats-{given.count}"
    if (folder / ".done").exists():
        return folder
    pack = build_pack(PackRequest("faces", size=SIZE, options={"count": given.count}))
    bare = pack.info["attributes"]["hat"].index("none")
    pictures = pack.gather(torch.arange(len(pack))).numpy()
    for number, (picture, hat) in enumerate(zip(pictures, pack.attributes["hat"].tolist(), strict=True)):
        path = folder / ("bare" if hat == bare else "hat") / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    (folder / ".done").touch()
    return folder


if __name__ == "__main__":
    main()
