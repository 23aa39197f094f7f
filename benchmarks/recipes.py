"""Do the successors' recipes keep what their papers promise? Each as it is and as it was before, on the same images.

    python benchmarks/recipes.py --data DIR [--size 32] [--width 16] [--images 30000] [--seeds 2] [--out DIR] [--json]
    python benchmarks/recipes.py --data DIR --size 64 --width 64 --images 500000 --features efficientnet-lite0 scattering

DIR is a folder of pictures (gray photographs of faces for what docs/results/recipes.md says); without --data faces are
drawn. `before` is a recipe with the options that it had when its distances fell far behind `dcgan`'s, see `BEFORE`;
`after` is the recipe of that name. Both see --images real images; where the generator learns from fewer than one minibatch
in each step, also as many more as give it the updates that it has in the others (`same updates`). A width is that of both
networks where half the image's size is; recipes whose networks count it elsewhere are given what fits.

Keys of the JSON object on the last line: for each recipe, side and features the mean and each seed's Fréchet distance,
precision and recall of --samples samples against --real images; `gain` is before / after of the distance's means. What is
done is kept in --out: the same command goes on after a kill. --markdown FILE writes the page from it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from whole import train_whole

import zoo
from zoo.files import write_json
from zoo.progress import SILENT
from zoo.runs.run import read_log
from zoo_core import Plugin, Recipe, TrainingError, registry

METRICS = ("frechet", "precision", "recall")
READINGS = ("real_logit", "fake_logit", "d_right")
ADAM = {"optimizer.lr": 2e-4, "optimizer.beta1": 0.5, "optimizer.beta2": 0.999}
BEFORE = {
    "sngan": Recipe("sngan-before", base="dcgan", loss="hinge", options={"discriminator.norm": "spectral", **ADAM}),
    "dcgan-r1": Recipe(
        "dcgan-r1-before",
        base="dcgan",
        loss="non-saturating-r1",
        options={"loss.r1": 1.0, "loss.every": 16, "discriminator.norm": "none", **ADAM},
    ),
    "wgan-gp": Recipe(
        "wgan-gp-before",
        base="dcgan",
        loss="wasserstein",
        options={
            "loss.gradient_penalty": 10.0,
            "discriminator.norm": "none",
            "algorithm.discriminator_steps": 5,
            "optimizer.lr": 1e-4,
            "optimizer.beta1": 0.0,
            "optimizer.beta2": 0.9,
        },
    ),
}
"""Recipes as they were, all that differed from `dcgan` written out."""
PRACTICAL = {"dcgan-sn": "sngan", "wgan-gp-ttur": "wgan-gp"}
"""A variant that takes less time, or fewer images, than the recipe that bears the paper's name → that recipe."""
OTHERS = ("lsgan", "dcgan-diffaug")
REFERENCE = "dcgan"
FULL_SIZE = ("sngan",)  # networks whose width counts the maps at the images' full size

HEAD = """# The successors' recipes, before and now

Written by `benchmarks/recipes.py --markdown` from what it measured; what each recipe changes and why stands in
[training](../training.md#what-came-after-dcgan). `before` is the recipe of the same name as it was; both see the same number
of real images. A distance orders rows of one table and compares with no other, and a row of one seed has no spread. A short
training says what learns quickly, not where a long one ends: `--size 64 --width 64 --images 500000 --seeds 3` asks that of a
GPU, and `--same-updates` compares `wgan-gp` at as many updates of the generator as the others have.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=f"all of {', '.join(names())}, unless named", metavar="RECIPE")
    parser.add_argument("--data", type=Path, help="a folder of pictures; without it faces are drawn")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="by default as the pictures have")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16, help="of both networks, at half the images' size")
    parser.add_argument("--images", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--limit", type=int, help="pictures that are learned from; all are measured against")
    parser.add_argument("--features", nargs="+", default=["scattering"])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--real", type=int, default=5000)
    parser.add_argument("--same-updates", action="store_true", help="also as many updates of the generator, where fewer")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=Path("recipes"))
    parser.add_argument("--markdown", type=Path, help="write the page of all that lies in --out")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    wrong = [name for name in given.recipes if name not in names()]
    if wrong:
        parser.error(f"{wrong[0]} is none of {', '.join(names())}")
    rows = []
    with registry.add(Plugin(recipes=list(BEFORE.values())), distribution="before"):
        for seed in range(given.seeds):
            for name, side, images in plan(given):
                rows.append({"recipe": name, "side": side, "seed": seed, **measure(name, side, images, seed, given)})
                if not given.json:
                    print(json.dumps(rows[-1]), flush=True)
    result = {**describe(given), "recipes": summarize(rows, given.features)}
    result["gain"] = gains(result["recipes"], given.features[0])
    chosen = "".join(f"-{name}" for name in given.recipes)
    write_json(given.out / f"{key(given)}-{given.images}{chosen}.summary.json", result)
    if given.markdown:
        results = [json.loads(path.read_text()) for path in sorted(given.out.glob("*.summary.json"))]
        given.markdown.write_text(page(results), encoding="utf-8")
    print(json.dumps(result))


def names() -> list[str]:
    return [REFERENCE, *BEFORE, *PRACTICAL, *OTHERS]


def plan(given: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Return recipe, side and images of each training."""
    found = []
    for name in given.recipes or names():
        sides = ["before", "after"] if name in BEFORE else ["as it is"]
        found += [(name, side, given.images) for side in sides]
        steps = registry.recipe(name).options.get("algorithm.discriminator_steps", 1)
        if given.same_updates and steps > 1:
            found += [(name, f"{side}, same updates", given.images * steps) for side in sides]
    return found


def measure(name: str, side: str, images: int, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Train, or go on, and measure; what was written already is read."""
    recipe = BEFORE[name].name if side.startswith("before") else name
    folder = given.out / f"{recipe}-{key(given)}-{images}-{seed}"
    record = folder.with_suffix(".json")
    found: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {"images": images}
    where: dict[str, Any] = {"dataset": "folder", "data": given.data} if given.data else {"dataset": "faces"}
    if "cpu_seconds" not in found and "stopped" not in found:
        found |= train(recipe, folder, images, seed, where, given)
        write_json(record, found)
    for features in given.features:
        if found.get("protocol", {}).get(features) != [given.samples, given.real] and "stopped" not in found:
            own = {
                "samples": given.samples,
                "real": given.real,
                "resamples": 0,
                "device": given.device,
                "write": False,
                "report": SILENT,
            }
            measured = zoo.evaluate(folder, **where, metrics=METRICS, features=features, **own).metrics
            found[features] = {metric: round(float(measured[metric]), 4) for metric in METRICS}
            found.setdefault("protocol", {})[features] = [given.samples, given.real]
            write_json(record, found)
    return found


def train(
    recipe: str, folder: Path, images: int, seed: int, where: dict[str, Any], given: argparse.Namespace
) -> dict[str, Any]:
    """Train to the end; return the processor's seconds of this sitting and the readings of the last quarter."""
    options = {"dataset.limit": given.limit} if given.limit else {}
    parts = zoo.plan(recipe, **where, size=given.size).config.parts
    for role in ("generator", "discriminator"):
        halves = 2 if parts[role]["name"] in FULL_SIZE else 1
        options[f"{role}.width"] = max(1, given.width // halves)
    begun = time.process_time()
    quiet: dict[str, Any] = {"images": images, "device": given.device, "precision": given.precision, "report": SILENT}
    quiet |= {"watch": False, "rescue": False}  # the last weights are measured
    try:
        if not (folder / "run.json").exists():
            own = {"size": given.size, "channels": given.channels, "seed": seed, "options": options, "out": folder}
            train_whole(recipe, **where, **own, **quiet)
        elif not (folder / "model").exists():
            train_whole(resume=folder, **quiet)
    except TrainingError as error:
        return {"stopped": error.message}
    log = [line for line in read_log(folder / "metrics.jsonl") if "real_logit" in line]
    last = log[-max(1, len(log) // 4) :]
    readings = {name: round(statistics.fmean(line[name] for line in last), 3) for name in READINGS}
    steps = {key: line[key] for line in log[-1:] for key in ("step",)}
    return {"cpu_seconds": round(time.process_time() - begun, 1), "readings": readings, **steps}


def key(given: argparse.Namespace) -> str:
    """Return what trainings that compare with each other share."""
    data = given.data.name if given.data else "drawn"
    return f"{data}-{given.limit or 'all'}-{given.size}-{given.width}"


def describe(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "data": given.data.name if given.data else "drawn faces",
        "limit": given.limit,
        "size": given.size,
        "width": given.width,
        "images": given.images,
        "seeds": given.seeds,
        "samples": given.samples,
        "real": given.real,
        "precision": given.precision,
        "torch": torch.__version__,
    }


def summarize(rows: list[dict[str, Any]], features: list[str]) -> dict[str, Any]:
    """Return recipe → side → features → metric → mean and each seed's; and the readings of the first seed."""
    found: dict[str, Any] = {}
    for name, side in dict.fromkeys((row["recipe"], row["side"]) for row in rows):
        mine = [row for row in rows if (row["recipe"], row["side"]) == (name, side)]
        stopped = [row["stopped"] for row in mine if "stopped" in row]
        one: dict[str, Any] = {"images": mine[0]["images"], "stopped": stopped}
        done = [row for row in mine if "stopped" not in row]
        if done:
            one |= {"readings": done[0]["readings"], "cpu_seconds": [row["cpu_seconds"] for row in done]}
            one |= {kind: {metric: spread([row[kind][metric] for row in done]) for metric in METRICS} for kind in features}
        found.setdefault(name, {})[side] = one
    return found


def spread(values: list[float]) -> dict[str, Any]:
    return {"mean": round(statistics.fmean(values), 4), "each": values}


def gains(recipes: dict[str, Any], features: str) -> dict[str, float]:
    """Return how many times as far from the real images as now each recipe was before; a variant, the one it stands for."""
    found = {}
    for name, sides in recipes.items():
        before = recipes.get(PRACTICAL.get(name, name), {}).get("before", {}).get(features)
        after = sides.get("as it is" if name in PRACTICAL else "after", {}).get(features)
        if before and after:
            found[name] = round(before["frechet"]["mean"] / after["frechet"]["mean"], 2)
    return found


def page(results: list[dict[str, Any]]) -> str:
    """Return what was measured as Markdown."""
    lines = [HEAD]
    for result in results:
        limit = f", {result['limit']:,} pictures of it" if result["limit"] else ""
        seeds = f"{result['seeds']} seed{'s' if result['seeds'] > 1 else ''}"
        lines.append(f"## {result['data']}{limit}, {result['size']}×{result['size']}, width {result['width']}, {seeds}\n")
        for features in features_of(result):
            lines += table(result, features)
        lines += readings(result)
    return "\n".join(lines).rstrip() + "\n"


def features_of(result: dict[str, Any]) -> list[str]:
    sides = [side for sides in result["recipes"].values() for side in sides.values()]
    return list(
        dict.fromkeys(key for side in sides for key, value in side.items() if isinstance(value, dict) and "frechet" in value)
    )


def table(result: dict[str, Any], features: str) -> list[str]:
    counts = f"{result['samples']:,} samples against {result['real']:,} real images"
    lines = [
        f"Features: `{features}`; {counts}.\n",
        "| recipe | | images | Fréchet distance | precision | recall |",
        "|---|---|---|---|---|---|",
    ]
    for name, sides in result["recipes"].items():
        for side, one in sides.items():
            if features in one:
                cells = [cell(one[features][metric]) for metric in METRICS]
                lines.append(f"| `{name}` | {side} | {one['images']:,} | {' | '.join(cells)} |")
            elif one["stopped"]:
                lines.append(f"| `{name}` | {side} | {one['images']:,} | stopped: {one['stopped'][0]} | | |")
    found = gains(result["recipes"], features)
    said = ", ".join(f"`{name}` {value:g}" for name, value in found.items())
    return [*lines, "", *([f"Distance before, divided by the distance after: {said}.\n"] if said else [])]


def cell(one: dict[str, Any]) -> str:
    """Return a mean, and what each seed had in brackets."""
    each = ", ".join(f"{value:.3g}" for value in one["each"])
    return f"{one['mean']:.3g} ({each})" if len(one["each"]) > 1 else f"{one['mean']:.3g}"


def readings(result: dict[str, Any]) -> list[str]:
    """Return what the discriminators said of real and generated images at the end, and what each training took."""
    lines = [
        "| recipe | | logit of real images | of generated ones | told apart | CPU seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name, sides in result["recipes"].items():
        for side, one in sides.items():
            if "readings" in one:
                read = [f"{one['readings'][key]:.3g}" for key in READINGS]
                seconds = f"{statistics.fmean(one['cpu_seconds']):.0f}"
                lines.append(f"| `{name}` | {side} | {' | '.join(read)} | {seconds} |")
    return ["The last quarter of each training, first seed:\n", *lines, ""]


if __name__ == "__main__":
    main()
