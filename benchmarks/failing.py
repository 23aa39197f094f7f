"""Ten ways to fail on purpose, several seeds each: does a training end at its best all the same?

    python benchmarks/failing.py                                         # hours; interrupted, it goes on where it was
    python benchmarks/failing.py --ways "lr 1e-3" "batch 2" --seeds 1    # a part of it
    python benchmarks/failing.py --images 400 --width 4 --size 16 --limit 40 --every 100 --seeds 1   # seconds

Each is a `dcgan` on drawn faces, broken in one way, watched and rescued as by default. Keys of the JSON object on the last
line, over all trainings that are done:

- `near_best`: trainings whose model is within 10 % of the least distance that they ever had, before rescues too, of `runs`;
- `without`: those whose last checkpoint would be, as in a training that keeps the last;
- `tracebacks`: trainings that ended with anything but a model or a message;
- `stopped`: those that ended with a message, after their last rung;
- `watching`: the greatest and the mean share of the time that measuring took;
- `ways`: for each, over its seeds, the model's distance over the best one, and the last one's over the best.
"""

from __future__ import annotations

import argparse
import json
import traceback
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

import zoo
from zoo.progress import SILENT
from zoo.runs.run import is_run, read_log, read_run
from zoo_core import Loss, Plugin, Recipe, ZooError, registry

NAME, NEAR = "frechet_scattering", 1.1


class HalfPrecision(Loss):
    """Non-saturating, with logits times 4,096 in half precision, as a loss scale does it: above 16 they overflow."""

    language = "probabilities"

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (softplus(-_scaled(real_logits)).mean() + softplus(_scaled(fake_logits)).mean()) / 4096

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
        return softplus(-_scaled(fake_logits)).mean() / 4096


def _scaled(logits: Tensor) -> Tensor:
    return (4096 * logits).half().float()


WAYS: dict[str, dict[str, Any]] = {
    "no batch norm": {"options": {"generator.norm": "none", "discriminator.norm": "none"}},
    "beta1 0.9": {"options": {"optimizer.beta1": 0.9}},
    "lr 1e-3": {"options": {"optimizer.lr": 1e-3}},
    "lr 100": {"options": {"optimizer.lr": 100.0}},
    "relu in D": {"options": {"discriminator.activation": "relu"}},
    "batch 2": {"batch": 2},
    "overflow": {"recipe": "dcgan-half"},
    "tiny dataset": {"options": {"dataset.limit": 200}},
    # its discriminator takes 50 times as long as one of width 16, so a fifth of the images are an evening already
    "width 4 against 128": {"options": {"generator.width": 4, "discriminator.width": 128}, "part": 0.2},
    "30 pictures": {"options": {"dataset.limit": 30}, "batch": 16},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY", help=", ".join(WAYS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=90_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16, help="of both networks")
    parser.add_argument("--limit", type=int, default=5000, help="pictures, where the way is not about them")
    parser.add_argument("--every", type=int, help="images between two looks; by default as 3 %% of the time allows")
    parser.add_argument("--work", type=Path, default=Path("runs/failing"))
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    half = Plugin(
        losses={"half-precision": f"{__name__}:HalfPrecision"},
        recipes=[Recipe("dcgan-half", base="dcgan", loss="half-precision", options={"optimizer.lr": 2e-3})],
    )
    found: dict[str, list[dict[str, Any]]] = {}
    with registry.add(half, distribution="failing") if "overflow" in given.ways else nullcontext():
        for seed in range(given.seeds):
            for way in given.ways:
                result = once(way, seed, given)
                found.setdefault(way, []).append(result)
                if not given.json:
                    print(json.dumps({"way": way, "seed": seed, **result}), flush=True)
    every = [result for results in found.values() for result in results]
    shares = [result["share"] for result in every if result["share"] is not None]
    print(
        json.dumps(
            {
                "near_best": sum(bool(result["model"]) and result["model"] <= NEAR for result in every),
                "without": sum(bool(result["last"]) and result["last"] <= NEAR for result in every),
                "runs": len(every),
                "tracebacks": sum(bool(result["traceback"]) for result in every),
                "stopped": sum(bool(result["stopped"]) for result in every),
                "interventions": sum(result["interventions"] for result in every),
                "watching": {"most": max(shares), "mean": round(fmean(shares), 5)} if shares else None,
                "ways": {
                    way: {key: [r[key] for r in results] for key in ("model", "last")} for way, results in found.items()
                },
                "images": given.images,
                "size": given.size,
                "width": given.width,
                "torch": torch.__version__,
            }
        )
    )


def once(way: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Train once, or go on, and judge what came of it; what is written already is read."""
    folder = given.work / f"{way.replace(' ', '-')}-{seed}"
    record = folder.with_name(f"{folder.name}.json")
    if record.exists():
        return dict(json.loads(record.read_text(encoding="utf-8")))
    chosen = dict(WAYS[way])
    recipe, options = chosen.pop("recipe", "dcgan"), chosen.pop("options", {})
    part = chosen.pop("part", 1)
    widths = {"generator.width": given.width, "discriminator.width": given.width}
    options = {"dataset.limit": given.limit, **widths, "training.keep": 2, **options}
    error, trace = "", ""
    try:
        if (folder / "run.json").exists():
            if not (folder / "model").exists():
                zoo.train(resume=folder, report=SILENT, evaluate_every=given.every)
        else:
            images = round(given.images * part)
            chosen |= {"images": images, "size": given.size, "seed": seed, "evaluate_every": given.every}
            zoo.train(recipe, dataset="faces", out=folder, options=options, report=SILENT, **chosen)
    except ZooError as stopped:
        error = stopped.message
    except Exception:
        trace = traceback.format_exc()
    result = {**judge(folder), "stopped": error, "traceback": trace}
    record.write_text(json.dumps(result), encoding="utf-8")
    return result


def judge(folder: Path) -> dict[str, Any]:
    """Return how far the model, and the last look, are from the best distance that the run ever had."""
    files = [folder / "metrics.jsonl", *sorted(folder.glob("abandoned-*.jsonl"))]
    looks = [[line[NAME] for line in read_log(file) if NAME in line] for file in files if file.exists()]
    best = min((value for values in looks for value in values), default=None)
    if not is_run(folder):  # refused before it began
        return {"best": None, "model": None, "last": None, "share": None, "interventions": 0}
    run = read_run(folder)
    none = {"best": best, "model": None, "last": None, "share": run.watch.get("share")}
    none["interventions"] = len(run.interventions)
    if best is None:
        return none
    try:
        chosen = zoo.load(folder).config["provenance"]["chosen"]
    except ZooError:  # no checkpoint was ever written
        return none
    last = looks[0][-1] if looks[0] else None
    return {
        **none,
        "model": round(chosen["value"] / best, 4) if "value" in chosen else None,
        "last": round(last / best, 4) if last is not None else None,
        "distance": chosen.get("value"),
        "reported": chosen.get("reported"),
        "reasons": [step["reason"] for step in run.interventions],
    }


if __name__ == "__main__":
    main()
