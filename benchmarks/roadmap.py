"""What does each idea between `dcgan` and R3GAN buy, at equal images and at equal time?

    python benchmarks/roadmap.py [--dataset faces] [--size 32] [--width 16] [--images 20000] [--seeds 3] [--out DIR] [--json]
    python benchmarks/roadmap.py [RECIPE …] --markdown docs/results/roadmap.md
    python benchmarks/roadmap.py [RECIPE …] … --again efficientnet-lite0:side=96 [--markdown docs/results/roadmap.md]
    python benchmarks/roadmap.py --costs [--rounds 5] [--markdown docs/results/roadmap.md]

Each recipe is trained with each seed on the same pictures, with one thread, and measured after a 16th, an 8th, a quarter,
half and all of --images: Fréchet distance, precision and recall of --samples samples against --real pictures. At equal
images they are compared after the last; at equal time after as many seconds of training as the fastest of all takes for
its images, on a line between the measurements before and after. On a CPU seconds are those that the training had a
processor for, so that it may share its machine. --markdown writes a section of the page and leaves the others. --width
counts maps at half the images' size; R3GAN's networks, which count them at the full size, are given half of it, groups of as
many, and at most 4 times as many at any stage. Narrow networks take higher rates: each recipe has its own times √(its own
width / the width here), the same factor for all.

--again measures what the same command without it has trained once more, at the end, by other features: NAME or
NAME:OPTION=VALUE. Of fewer samples or pictures than twice the features' length a Fréchet distance is biased, the more so
the more diverse the samples are: that is refused. A kernel distance (`kid`), which has no such bias, stands beside it.
--costs measures something else instead: what a step with penalties takes, divided by a step without (`ratio`), by turns in
one process. Keys of the JSON object on the last line: `recipes` → `images`, `seconds`, `frechet`,
`precision`, `recall` (a list of measurements for each seed), `equal_time`; or `again`; or `costs`. What is done is kept in
--out: the same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from whole import train_whole

import zoo
from zoo.allocator import keep_freed_memory_during
from zoo.comparing.spreads import Spread
from zoo.devices import Runtime
from zoo.files import write_json
from zoo.leaderboard.spelling import read_choice
from zoo.progress import SILENT
from zoo.runs.config import RunConfig
from zoo.runs.run import read_log
from zoo.training.engine import Engine
from zoo.training.state import State
from zoo.training.ways import random_minibatch
from zoo_core import ImageSpec, TrainingError, registry

RECIPES = ("dcgan", *(name for name in sorted(registry.names("recipes")) if name.startswith("roadmap-")), "r3gan-small")
METRICS = ("frechet", "precision", "recall")
AGAIN = ("frechet", "kid", "precision", "recall")
AGAIN_TITLE = ", by other features"
SHARES = (16, 8, 4, 2, 1)

HEAD = """# From `dcgan` to R3GAN, one idea at a time

Written by `benchmarks/roadmap.py --markdown` from what it measured. Each row has its own idea and those of the rows above
it ([training](../training.md#from-dcgan-to-r3gan-one-idea-at-a-time)). A distance orders rows of this table and compares
with no other; so short a training says what learns quickly, not where a long one ends. Means with 95 % intervals of
Student's t over the seeds: rows whose intervals overlap are not told apart, and three seeds make wide ones.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=f"all of {', '.join(RECIPES)}, unless named", metavar="RECIPE")
    parser.add_argument("--dataset", default="faces")
    parser.add_argument("--data", type=Path, help="where its pictures lie, if it wants that")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--real", type=int, default=2000)
    parser.add_argument("--features", default="scattering")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=Path("roadmap"))
    parser.add_argument("--markdown", type=Path, help="write the page")
    parser.add_argument("--again", metavar="FEATURES", help="other features, for models that are trained already")
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, help="of --costs; the median counts")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    wrong = [name for name in given.recipes if name not in RECIPES]
    if wrong:
        parser.error(f"{wrong[0]} is none of {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    if given.costs:
        costs = {name: cost(name, given) for name in given.recipes or RECIPES[1:]}
        if given.markdown:
            write_section(given.markdown, describe_costs(costs, given))
        print(json.dumps({"costs": costs}))
        return
    if given.again:
        again = {
            name: [measure_again(name, seed, given) for seed in range(given.seeds)] for name in given.recipes or RECIPES
        }
        if given.markdown:
            write_section(given.markdown, describe_again(again, given))
        print(json.dumps({"again": again}))
        return
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in given.recipes or RECIPES}
    for seed in range(given.seeds):
        for name in found:
            found[name].append(measure(name, seed, given))
            if not given.json:
                print(json.dumps({"recipe": name, "seed": seed, **found[name][-1]}), flush=True)
    result = {**describe(given), "recipes": summarize(found)}
    if given.markdown:
        write_section(given.markdown, section(result))
    print(json.dumps(result))


def narrow(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a recipe's networks for a width."""
    own = {"width": given.width}
    if registry.recipe(name).generator == "r3gan":
        half = max(1, given.width // 2)
        own = {"width": half, "group": half, "max_width": 4 * given.width}
    found: dict[str, Any] = {f"{role}.{key}": value for role in ("generator", "discriminator") for key, value in own.items()}
    usual = RunConfig.resolve(name, size=given.size).identity()
    factor = math.sqrt(usual["generator.width"] / own["width"])
    return {**found, **{key: factor * rate for key, rate in usual.items() if re.fullmatch(r"optimizer\.\w+\.lr", key)}}


def measure(name: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Train, or go on, and measure on the way; what was written already is read."""
    folder = name_folder(name, seed, given)
    record = folder.with_suffix(".json")
    options = narrow(name, given)
    found: dict[str, Any] = {"options": options, "images": [], "seconds": []}
    if record.exists():
        found = read_record(record, options)
    where: dict[str, Any] = {"dataset": given.dataset, "data": given.data}
    quiet: dict[str, Any] = {"device": given.device, "precision": given.precision, "report": SILENT, "threads": 1}
    quiet |= {"watch": False, "rescue": False}
    for share in SHARES[len(found["images"]) :]:
        if "stopped" in found:
            break
        images = given.images // share
        clock, worked = time.perf_counter(), time.process_time()
        try:
            if (folder / "run.json").exists():
                if count_images(folder) < images:  # else it was killed before it was measured
                    train_whole(resume=folder, images=images, **quiet)
            else:
                own = {"size": given.size, "seed": seed, "options": options, "out": folder}
                train_whole(name, **where, **own, images=images, **quiet)
        except TrainingError as error:
            found["stopped"] = error.message
            write_json(record, found)
            break
        had = (time.process_time() - worked) / (time.perf_counter() - clock) if given.device == "cpu" else 1.0
        last = [line for line in read_log(folder / "metrics.jsonl") if "images_per_s" in line][-1]
        how = {"samples": given.samples, "real": given.real, "resamples": 0, "device": given.device, "write": False}
        values = zoo.evaluate(folder, **where, metrics=METRICS, features=given.features, report=SILENT, **how).metrics
        found["images"].append(last["images"])
        passed = last["seconds"] - sum(found.get("passed", []))
        found.setdefault("passed", []).append(passed)
        found["seconds"].append(round(sum(found["seconds"][-1:]) + passed * min(1.0, had), 2))
        for metric in METRICS:
            found.setdefault(metric, []).append(round(float(values[metric]), 4))
        write_json(record, found)
    return found


def read_record(record: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured of a training with these options, and refuse that of others."""
    found: dict[str, Any] = json.loads(record.read_text())
    if found.get("options") != options:
        raise SystemExit(f"{record} was measured with other options; choose another folder: --out DIR")
    return found


def count_images(folder: Path) -> int:
    """Return how many images a training has seen."""
    return int(max((line["images"] for line in read_log(folder / "metrics.jsonl") if "images" in line), default=0))


def name_folder(name: str, seed: int, given: argparse.Namespace) -> Path:
    """Return the run folder of a training."""
    folder = f"{name}-{given.dataset.replace(':', '-')}-{given.size}-{given.width}-{given.images}-{seed}"
    return Path(given.out, folder)


def measure_again(name: str, seed: int, given: argparse.Namespace) -> dict[str, float]:
    """Return what a finished training's model is worth by other features."""
    folder = name_folder(name, seed, given)
    record = folder.with_suffix(".json")
    if not record.exists() or len(read_record(record, narrow(name, given))["images"]) < len(SHARES):
        raise SystemExit(f"{folder} is not trained to its end; the same command without --again does that")
    choice = read_choice(given.again)
    length = zoo.extractor(choice.name, options=choice.options).dim
    if min(given.samples, given.real) < 2 * length:
        raise SystemExit(f"{given.again} has {length:,} numbers: take --samples and --real of at least {2 * length:,}")
    where = {"dataset": given.dataset, "data": given.data}
    how = {"samples": given.samples, "real": given.real, "resamples": 0, "device": given.device, "write": False}
    found = zoo.evaluate(
        folder, **where, metrics=AGAIN, features=choice.name, feature_options=choice.options, report=SILENT, **how
    )
    if found.protocol["real_images"] < 2 * length:
        raise SystemExit(
            f"{given.again} has {length:,} numbers, and there are only {found.protocol['real_images']:,} pictures"
        )
    return {metric: round(float(found.metrics[metric]), 5) for metric in AGAIN}


def summarize(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return recipe → lists of each seed, and the distance of each at the fastest recipe's time."""
    done = {name: [trial for trial in trials if "stopped" not in trial] for name, trials in found.items()}
    limit = min((trial["seconds"][-1] for trials in done.values() for trial in trials), default=0.0)
    rows: dict[str, Any] = {}
    for name, trials in found.items():
        rows[name] = {key: [trial.get(key, []) for trial in trials] for key in ("images", "seconds", *METRICS)}
        rows[name]["stopped"] = [trial["stopped"] for trial in trials if "stopped" in trial]
        rows[name]["limit"] = round(limit, 2)
        rows[name]["equal_time"] = [interpolate(trial, limit) for trial in done[name]]
    return rows


def interpolate(trial: dict[str, Any], seconds: float) -> float | None:
    """Return the distance after so many seconds, on a line between two measurements; None before the first."""
    points = list(zip(trial["seconds"], trial["frechet"], strict=True))
    if seconds < points[0][0]:
        return None
    for (begin, first), (end, second) in pairwise(points):
        if seconds <= end:
            return round(first + (second - first) * (seconds - begin) / max(end - begin, 1e-9), 4)
    return float(points[-1][1])


def describe(given: argparse.Namespace) -> dict[str, Any]:
    keys = ("dataset", "size", "width", "images", "seeds", "samples", "real", "features", "device", "precision")
    return {**{key: getattr(given, key) for key in keys}, "photographs": given.data is not None, "torch": torch.__version__}


def write_section(page: Path, section: str) -> None:
    """Write a section into the page, which is begun if need be."""
    before = page.read_text(encoding="utf-8") if page.exists() else HEAD
    page.write_text(insert(section, before), encoding="utf-8")


def insert(section: str, page: str) -> str:
    """Return the page with the section in place of that of its title, else behind that of its trainings, else last."""
    head, *others = re.split(r"(?m)^(?=## )", page)
    title = section.partition("\n")[0]
    titles = [other.partition("\n")[0] for other in others]
    at = titles.index(title) if title in titles else len(others)
    kept = others[at + 1 :]
    if at == len(others) and title.removesuffix(AGAIN_TITLE) in titles:
        at = titles.index(title.removesuffix(AGAIN_TITLE)) + 1
        kept = others[at:]
    return "\n".join(text.rstrip("\n") + "\n" for text in (head, *others[:at], section, *kept))


def section(result: dict[str, Any]) -> str:
    """Return what was measured as a section of Markdown."""
    title = f"{result['dataset']}{' from photographs' if result['photographs'] else ''}, {result['size']}×{result['size']}"
    lines = [
        f"## {title}, width {result['width']}, {result['seeds']} seeds\n",
        f"Features: `{result['features']}`; {result['samples']:,} samples against {result['real']:,} pictures; "
        f"one thread of {result['device']}, torch {result['torch']}. Rates: each recipe's own times √(its own width / the "
        "width here).\n",
    ]
    limit = next(iter(result["recipes"].values()))["limit"]
    head = f"distance after {result['images']:,} images", "precision", "recall", "images/s", f"distance after {limit:.0f} s"
    lines += [f"| recipe | what it adds | {' | '.join(head)} |", "|" + "---|" * (len(head) + 2)]
    for name, row in result["recipes"].items():
        if row["stopped"]:
            lines.append(f"| `{name}` | {registry.recipe(name).summary} | stopped: {row['stopped'][0]} | | | | |")
            continue
        last = [cell([values[-1] for values in row[metric]]) for metric in METRICS]
        speed = statistics.fmean(i[-1] / s[-1] for i, s in zip(row["images"], row["seconds"], strict=True))
        early = [value for value in row["equal_time"] if value is not None]
        then = cell(early) if len(early) == len(row["equal_time"]) else "not measured so early"
        lines.append(f"| `{name}` | {registry.recipe(name).summary} | {' | '.join(last)} | {speed:.0f} | {then} |")
    arguments = {"dataset": "faces", "size": 32, "width": 16, "images": 20000, "seeds": 3}
    changed = [] if set(result["recipes"]) == set(RECIPES) else list(result["recipes"])
    changed += ["--data PICTURES"] if result["photographs"] else []
    changed += [f"--{key} {result[key]}" for key, usual in arguments.items() if result[key] != usual]
    command = " ".join(["python benchmarks/roadmap.py", *changed, "--markdown docs/results/roadmap.md"])
    lines += ["", "To make it:", "", "```sh", command, "```"]
    return "\n".join(lines) + "\n"


def describe_again(again: dict[str, list[dict[str, float]]], given: argparse.Namespace) -> str:
    """Return what was measured by other features as a section of Markdown."""
    title = f"{given.dataset}{' from photographs' if given.data else ''}, {given.size}×{given.size}"
    lines = [
        f"## {title}, width {given.width}, {given.seeds} seeds{AGAIN_TITLE}\n",
        f"The same models after {given.images:,} images. Features: `{given.again}`; {given.samples:,} samples against "
        f"{given.real:,} pictures.\n",
        "| recipe | distance | kernel distance | precision | recall |",
        "|---|---|---|---|---|",
    ]
    for name, seeds in again.items():
        lines.append(f"| `{name}` | {' | '.join(cell([one[metric] for one in seeds]) for metric in AGAIN)} |")
    words = [
        *given.recipes,
        *(["--data PICTURES"] if given.data else []),
        f"--images {given.images}",
        f"--samples {given.samples} --real {given.real}",
        f"--again {given.again}",
    ]
    command = " ".join(["python benchmarks/roadmap.py", *words, "--markdown docs/results/roadmap.md"])
    return "\n".join([*lines, "", "```sh", command, "```"]) + "\n"


def describe_costs(costs: dict[str, dict[str, float]], given: argparse.Namespace) -> str:
    """Return what penalties cost as a section of Markdown."""
    lines = [
        "## What penalties cost\n",
        f"A step with R1 or R2 and one without, by turns in one process, {given.size}×{given.size}, width {given.width}; "
        f"time of the processor, medians of {given.rounds}, one thread, float32, torch {torch.__version__}.\n",
        "| recipe | ms with | ms without | ratio |",
        "|---|---|---|---|",
        *(f"| `{name}` | {one['with']:.0f} | {one['without']:.0f} | {one['ratio']:.2f} |" for name, one in costs.items()),
    ]
    words = [*given.recipes, "--costs", f"--rounds {given.rounds}", "--markdown docs/results/roadmap.md"]
    return "\n".join([*lines, "", "```sh", " ".join(["python benchmarks/roadmap.py", *words]), "```"]) + "\n"


def cell(values: list[float]) -> str:
    """Return a mean with its interval."""
    spread = Spread.of(values)
    half = spread.half_width
    return shorten(spread.mean, 3) + (f" ± {shorten(half, 2)}" if half else "")  # seeds that are alike tell no interval


def shorten(value: float, digits: int) -> str:
    """Return a number with so many digits, and all of those before the point."""
    return f"{value:,.0f}" if value >= 10**digits - 0.5 else f"{value:.{digits}g}"


def cost(name: str, given: argparse.Namespace) -> dict[str, float]:
    """Return milliseconds of a step with penalties and of one without, in turns, and their ratio."""
    image = ImageSpec(given.size, 3)
    config = RunConfig.resolve(name, size=given.size, options=narrow(name, given)).with_image(image)
    runtime = Runtime(torch.device("cpu"))
    state = State.create(config, runtime)
    engine = Engine(config, state, runtime)
    minibatch = random_minibatch(config, state, runtime.device)
    times: dict[bool, list[float]] = {True: [], False: []}
    with keep_freed_memory_during():  # as trainings do
        for number in range(given.rounds + 1):
            for penalties in times:
                begun = time.process_time()
                engine.step(minibatch, penalties=penalties)
                if number:  # the first of each warms up
                    times[penalties].append(1000 * (time.process_time() - begun))
    with_penalties, without = (statistics.median(times[kind]) for kind in (True, False))
    return {"with": round(with_penalties, 1), "without": round(without, 1), "ratio": round(with_penalties / without, 3)}


if __name__ == "__main__":
    main()
