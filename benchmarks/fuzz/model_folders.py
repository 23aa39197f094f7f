"""Spoil model folders: each loads with the same pixels, or is refused with one clear error.

    python benchmarks/fuzz/model_folders.py [--tries N] [--seed S] [--only N] [--json]

Half of the changes leave the checksums as they were, as an accident does: the pixels must then be the same. The others have
them redone, as a person's edit or a later version would: whatever loads then draws numbers that are finite. The last line of
standard output is one JSON object.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from harness import Difference, Target, Try, give_away, main, set_up
from mutating import change_bytes, change_file, change_header, change_json, change_tensors, change_text, spoilable

set_up()

import torch  # noqa: E402

import zoo  # noqa: E402
from zoo.catalog.records import describe_model_folder  # noqa: E402
from zoo.files import sha256  # noqa: E402
from zoo.models.card import model_card, read_metrics  # noqa: E402
from zoo.models.config import digest, note_choice  # noqa: E402
from zoo.models.folder import write_model  # noqa: E402
from zoo.progress import Reporter  # noqa: E402

RECIPES = ("dcgan", "mlp-gan", "sngan", "lapgan", "bigan")
SMALL = {"generator.width": 4, "discriminator.width": 4}


def prepare(folder: Path) -> dict[str, Any]:
    """Write a small model of each recipe; returns name → pixels of its first sample."""
    pixels = {}
    for recipe in RECIPES:
        own = {"generator.hidden": 8, "discriminator.hidden": 8} if recipe == "lapgan" else {}
        own = {"encoder.width": 4} if recipe == "bigan" else own
        model = zoo.create(recipe, size=16, options={**SMALL, **own})
        dataset = {"name": "faces", "split": "train", "count": 1000, "license": "CC0-1.0", "credit": "drawn here"}
        chosen = {"as": "best", "of_images": 640, "measure": "frechet", "value": 12.3}
        model.config["provenance"] = {
            **{"step": 10, "images": 640, "seed": 0, "dataset": dataset, "chosen": chosen, "training": {"batch": 64}},
            **{"optimizer": {"generator": {"lr": 2e-4}}, "command": "zoo train dcgan --dataset faces --images 640"},
            "parent": {"model": "ada/other", "license": "mit", "images": 5, "sha256": {}, "parent": None},
        }
        write_model(model, folder / "models" / recipe)
        block = {
            "metrics": {"fid": 12.3},
            "spread": {"fid": 0.2},
            "protocol": {"measure": "evaluate", "features": "inception"},
        }
        (folder / "models" / recipe / "metrics.json").write_text(json.dumps({**block, "others": [block]}))
        pixels[recipe] = zoo.load(folder / "models" / recipe).sample(1)
    give_away(folder)
    return pixels


def redo_checksums(folder: Path) -> None:
    """Let `config.json` name the checksums of what lies beside it, where it still can."""
    if not spoilable([folder / "config.json"]):
        return
    try:
        config = json.loads((folder / "config.json").read_bytes())
        sums = {path.name: sha256(path) for path in spoilable(folder.glob("*.safetensors"))}
        wanted = {f"{role}.safetensors" for role in config["parts"]}
        config["sha256"] = {**{name: each for name, each in sums.items() if name in wanted}, "config.json": digest(config)}
        (folder / "config.json").write_text(json.dumps(config))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
        pass


def attempt(folder: Path, draw: random.Random, pixels: dict[str, Any]) -> Try:
    recipe = draw.choice(RECIPES)
    place, hows, redo = folder / recipe, [], draw.random() < 0.5
    for _ in range(draw.choice((1, 1, 1, 2))):
        files = spoilable(place.iterdir())
        if not files:
            break
        file = draw.choice([path for path in files if path.suffix in (".json", ".safetensors")] or files)
        if draw.random() < 0.15:
            hows.append(change_file(file, draw))
            continue
        data = file.read_bytes()
        if file.suffix == ".json" and draw.random() < 0.7:
            try:
                value, how = change_json(json.loads(data), draw)
                changed = json.dumps(value).encode("utf-8", "surrogatepass")
            except (ValueError, RecursionError):
                changed, how = change_text(data, draw)
        elif file.suffix == ".json":
            changed, how = change_text(data, draw)
        else:
            changed, how = draw.choice((change_header, change_tensors, change_tensors, change_bytes))(data, draw)
        file.write_bytes(changed)
        hows.append(f"{file.name}: {how}")
    if redo:
        redo_checksums(place)
    after = draw.choice(("card", "note", "repr", "pull", "catalog", "none"))

    def act() -> None:
        model = zoo.load(place)
        found = model.sample(1)
        if not torch.isfinite(found).all():
            raise Difference("it draws numbers that are not finite")
        if not redo and not torch.equal(found, pixels[recipe]):
            raise Difference("other pixels, though the checksums are those of before")
        if after == "card":
            model_card(model, metrics=read_metrics(place))
        elif after == "catalog":
            describe_model_folder(place)
        elif after == "note":
            note_choice(model.config, Reporter())
        elif after == "repr":
            repr(model)
        elif after == "pull":
            zoo.pull(place)

    return Try(f"{recipe}{' (checksums redone)' if redo else ''}: {'; '.join(hows)}; {after}", act)


TARGET = Target("model folders", prepare, attempt, fresh="models")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=200))
