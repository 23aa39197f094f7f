"""Train recipes well and badly, and write the curves beside which `zoo diagnose` shows a run's own.

python benchmarks/reference_curves.py                      # all recipes, minutes each
python benchmarks/reference_curves.py --recipes dcgan --images 2000 --out /tmp/curves

A training that exists below --work is not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from whole import train_whole

import zoo
from zoo.progress import SILENT
from zoo.runs.run import read_log, read_run
from zoo.training.references import FOLDER
from zoo_core import TrainingError

RECIPES = ("dcgan", "wgan-gp", "wgan-gp-ttur", "sngan", "dcgan-sn", "lsgan", "dcgan-r1", "mlp-gan")
NAMES = ("d_loss", "g_loss", "diversity", "frechet_scattering")
SICK = {"optimizer.lr": 0.2}  # 0.01 does no harm to networks as small as these
POINTS = 24
WIDTH = {"generator.width": 16, "discriminator.width": 16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--limit", type=int, default=2000, help="pictures of the dataset")
    parser.add_argument("--work", type=Path, default=Path("runs/reference-curves"))
    parser.add_argument("--out", type=Path, default=Path(zoo.__file__).parent / "training" / FOLDER)
    parser.add_argument("--json", action="store_true", help="only the last line")
    given = parser.parse_args()
    written = {}
    given.out.mkdir(parents=True, exist_ok=True)
    for recipe in given.recipes:
        references = [train(recipe, health, given, say=not given.json) for health in ("healthy", "sick")]
        file = given.out / f"{recipe}.json"
        best = [min((y for _, y in one["curves"].get("frechet_scattering", ())), default=None) for one in references]
        written[recipe] = {"best_distance": dict(zip(("healthy", "sick"), best, strict=True)), "bytes": 0}
        if best[0] is None or (best[1] is not None and best[1] < 1.5 * best[0]):
            sys.stderr.write(f"{recipe}: what was to be sick is not, so nothing is written\n")
            file.unlink(missing_ok=True)
            continue
        file.write_text(json.dumps(references, separators=(",", ":")) + "\n", encoding="utf-8")
        written[recipe]["bytes"] = file.stat().st_size
    sys.stdout.write(json.dumps({"images": given.images, "recipes": written}) + "\n")


def train(recipe: str, health: str, given: argparse.Namespace, *, say: bool) -> dict[str, object]:
    """Train once, and return what a file says of it."""
    folder = given.work / f"{recipe}-{health}"
    options = {**WIDTH, "dataset.limit": given.limit, "training.samples_every": given.images // 12}
    if recipe.startswith("mlp"):
        options = {key: value for key, value in options.items() if "width" not in key}
    options |= SICK if health == "sick" else {}
    if say:
        sys.stdout.write(f"{folder}\n")
        sys.stdout.flush()
    choices = {"images": given.images, "device": "cpu", "precision": "fp32", "report": SILENT}
    try:
        if (folder / "run.json").exists():
            if not (folder / "model").exists():
                train_whole(resume=folder, **choices)
        else:
            own = {"options": options, "size": 32, "out": folder, "rescue": False, "evaluate_every": given.images // 12}
            train_whole(recipe, dataset="faces", **own, **choices)
    except TrainingError as error:  # a sick one may
        sys.stderr.write(f"{folder}: {error.message}\n")
    lines, record = read_log(folder / "metrics.jsonl"), read_run(folder)
    curves = {name: curve(lines, name) for name in NAMES}
    shown = [*WIDTH.items(), *SICK.items()] if health == "sick" else list(WIDTH.items())
    names = {"generator.width": "width", "optimizer.lr": "learning rate"}
    how = "".join(f", {names[key]} {value:g}" for key, value in shown if key in names and key in options)
    label = f"{recipe} on {given.limit:,} faces of 32×32{how}"
    return {"health": health, "label": label, "command": record.command, "curves": {n: c for n, c in curves.items() if c}}


def curve(lines: list[dict[str, float]], name: str) -> list[list[float]]:
    """Return about `POINTS` points, each the mean of its neighbors, as losses swing."""
    points = [(line["images"], line[name]) for line in lines if name in line]
    size = max(1, len(points) // POINTS)
    pieces = [points[i : i + size] for i in range(0, len(points), size)]
    return [[round(sum(x for x, _ in p) / len(p)), float(f"{sum(y for _, y in p) / len(p):.4g}")] for p in pieces]


if __name__ == "__main__":
    main()
