"""Fine-tuning a model against training from scratch: how many images does each need?

    python benchmarks/finetune.py --data DIR                                   # an hour on two cores
    python benchmarks/finetune.py --style personas --pictures 2000
    python benchmarks/finetune.py --data DIR --images 256 --every 64 --seeds 1 --pictures 40   # seconds to minutes

DIR is a folder of photographs; --style takes faces drawn in another style instead. For each seed the same recipe, networks
and learning rates are trained twice on the same pictures, once from random weights and once beginning with the model's
(`--from`), and measured alike at the same numbers of images.
Keys of the JSON object on the last line:

- `scratch`: least distance from scratch within the budget, mean and standard deviation over the seeds.
- `share`: images after which fine-tuning is as near, over the images at which scratch was nearest: mean, deviation and
  greatest; null where it never is.
- `curves`: for each seed the distances of both at each number of images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

import zoo
from zoo.progress import SILENT
from zoo.runs.run import read_log

NAME = "frechet_scattering"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", type=Path)
    where.add_argument("--style", help="of drawn faces")
    parser.add_argument("--model", default="dcgan-faces", help="what fine-tuning begins with")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--images", type=int, default=16_000, help="budget of each training")
    parser.add_argument("--every", type=int, default=800, help="images between two measurements")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    load, curves = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(given.seeds):
            both = {name: _curve(given, Path(scratch) / f"{name}-{seed}", seed, base) for name, base in _ways(given.model)}
            curves.append(both)
            if not given.json:
                print(json.dumps({"seed": seed, **both}), file=sys.stderr, flush=True)
    nearest = [min(curve["scratch"], key=lambda point: point[1]) for curve in curves]
    shares = [_share(curve["finetuned"], best) for curve, best in zip(curves, nearest, strict=True)]
    reached = [share for share in shares if share is not None]
    found = {
        "scratch": _spread([distance for _, distance in nearest]),
        "share": {**_spread(reached), "greatest": max(reached)} if len(reached) == len(shares) else None,
        "shares": shares,
        "curves": curves,
        **{key: getattr(given, key) for key in ("model", "style", "pictures", "images", "every", "seeds")},
        "load_before": round(load, 2),
        "torch": torch.__version__,
    }
    print(json.dumps(found))


def _ways(model: str) -> list[tuple[str, str | None]]:
    return [("scratch", None), ("finetuned", model)]


def _curve(given: argparse.Namespace, folder: Path, seed: int, base: str | None) -> list[tuple[int, float]]:
    """Train, and return (images, distance) of each measurement."""
    model = zoo.load(given.model)
    parts = {role: part["options"] for role, part in model.config["parts"].items()}
    options = {f"{role}.{key}": value for role, known in parts.items() for key, value in known.items()}
    rates = model.config["provenance"]["optimizer"]
    options |= {f"optimizer.{role}.lr": rates[role]["lr"] for role in parts}
    options |= {"dataset.style": given.style} if given.style else {}
    zoo.train(
        model.config["recipe"]["name"],
        dataset="faces" if given.style else "folder",
        data=given.data,
        size=model.image.size,
        channels=model.image.channels,
        seed=seed,
        images=given.images,
        base=base,
        options={**options, "dataset.limit": given.pictures},
        evaluate_every=given.every,
        rescue=False,
        device=given.device,
        out=folder,
        report=SILENT,
    )
    return [(line["images"], line[NAME]) for line in read_log(folder / "metrics.jsonl") if NAME in line]


def _share(curve: list[tuple[int, float]], best: tuple[int, float]) -> float | None:
    """Return after which share of `best`'s images a curve is as near."""
    reached = next((images for images, distance in curve if distance <= best[1]), None)
    return None if reached is None else round(reached / best[0], 4)


def _spread(values: list[float]) -> dict[str, Any]:
    return {"mean": round(mean(values), 4), "deviation": round(stdev(values), 4) if len(values) > 1 else None}


if __name__ == "__main__":
    main()
