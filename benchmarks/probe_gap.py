"""What brings a discriminator's features nearer to the paper's 82.8 % on CIFAR-10, without labels and without ImageNet.

    python benchmarks/probe_gap.py --data DIR [--epochs 100] [--trial NAME …] [--model NAME=PATH …]
        [--read READING …] [--threads N] [--out DIR] [--markdown FILE] [--json]
    python benchmarks/probe_gap.py --data DIR --tiny

DIR holds CIFAR-10. Each trial is recipe `dcgan-imagenet32` with one thing changed (`ssgan` has its networks), trained on the
50,000 training images without labels; --list shows them. `ssgan` updates both networks with each minibatch, so what turns
add is told beside `both updated`. `random` is the control, and --model NAME=PATH probes a model that is there (that of the
authors, which `zoo import newmu` makes). Each is probed as `zoo probe` does, with all labels, stage by stage (--per-layer)
and once more with features that are means of an image's and its mirror image's. `gain` is in points beside `as it is`.

What is done is kept in --out: the same command goes on after a kill, and other trials may be added. --read says which of
the readings are made: `plain`, `mirrored`, and `layers`, which takes the longest and has the plain one in it. --markdown
FILE writes what is there into the page, with the commands of what is not. 100 epochs of one trial are 5 million images.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from pathlib import Path
from typing import Any

from whole import train_whole

import zoo
from zoo.files import write_json
from zoo.progress import SILENT, PlainReporter
from zoo.runs.run import is_complete
from zoo_core import Plugin, Recipe, registry

RECIPE, PAPER = "dcgan-imagenet32", 0.828
IMAGES = 50_000
READINGS = ("layers", "plain", "mirrored")
MARKS = "<!-- trials -->", "<!-- end of trials -->"
TRIALS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "mirror": {"training.mirror": True},
    "normal latents": {"training.latent": "normal"},
    "both updated": {"algorithm.updates": "both"},
    "both updated, minibatches of 32": {"algorithm.updates": "both", "training.batch": 32},
    "both updated, minibatches of 16": {"algorithm.updates": "both", "training.batch": 16},
    "R1": {"loss": "non-saturating-r1"},
    "least squares": {"loss": "least-squares"},
    "augmented": {"training.augment": "color,translation,cutout"},
    "turns": {"base": "ssgan"},
    "turns, mirror": {"base": "ssgan", "training.mirror": True},
    "mirror, augmented, R1": {
        "training.mirror": True,
        "training.augment": "color,translation,cutout",
        "loss": "non-saturating-r1",
    },
}
"""Name → what is changed; "base" and "loss" are the recipe's, the others are settings."""


def main() -> None:
    """Parse, train, probe, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with CIFAR-10")
    parser.add_argument("--trial", action="append", choices=list(TRIALS), help="only these; repeatable")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=PATH", help="probe this one too; repeatable")
    parser.add_argument("--epochs", type=float, default=100)
    parser.add_argument("--width", type=int, default=128, help="of both networks; 128 gives 28,672 features")
    parser.add_argument("--labels", default="all", help="of each class, or all")
    parser.add_argument("--test", type=int, help="most test images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads of each training")
    parser.add_argument("--read", action="append", choices=READINGS, help="which readings to make; repeatable")
    parser.add_argument("--out", type=Path, default=Path("probe-gap"))
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing, to try this script")
    parser.add_argument("--list", action="store_true", help="show the trials, train nothing")
    parser.add_argument("--markdown", type=Path, help="write the page's table from all that lies in --out")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    if given.list:
        for name, changes in TRIALS.items():
            print(f"{name}: {changes or 'the recipe'}")
        return
    if given.tiny:
        given.epochs, given.width, given.labels, given.test = 0.02, 8, "30", 200
    given.out.mkdir(parents=True, exist_ok=True)
    if given.data:
        with registry.add(Plugin(recipes=[as_recipe(name) for name in TRIALS]), distribution="gap"):
            for name in [*(given.trial or TRIALS), "random"]:
                keep(name, given)
            for text in given.model:
                name, _, path = text.partition("=")
                keep(name, given, path)
    result = summarize(given.out)
    if given.markdown:
        write_table(given.markdown, result)
    print(json.dumps(result))


def as_recipe(name: str) -> Recipe:
    """Return a trial as a recipe."""
    changes = dict(TRIALS[name])
    return Recipe(key(name), base=changes.pop("base", RECIPE), loss=changes.pop("loss", None), options=changes)


def key(name: str) -> str:
    """Return the name that a trial has as a recipe and as a folder."""
    return "gap-" + "".join(c if c.isalnum() else "-" for c in name.lower()).replace("--", "-")


def keep(name: str, given: argparse.Namespace, model: str = "") -> None:
    """Train, and probe in each of the ways that are asked for; what was done already with the same choices is left."""
    trained = not model and name != "random"
    choice = f"{key(name)}-{given.width}-{f'{given.epochs:g}' if trained else 'untrained'}-{given.seed}"
    file = given.out / f"{choice}-{given.labels}.json"
    report = SILENT if given.json else PlainReporter()
    options = {f"{role}.width": given.width for role in ("generator", "discriminator")}
    told: dict[str, Any] = {"name": name, "width": given.width, "seed": given.seed, "labels": given.labels}
    told |= {"epochs": given.epochs if trained else None, "test": given.test, "model": model}
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8"))
        for word in ("test", "model"):
            if found[word] != told[word]:
                raise SystemExit(f"{file} was read with --{word} {found[word]}; choose another folder: --out DIR")
        told = found
    if name == "random":
        target: Any = zoo.create(RECIPE, options=options)
    elif model:
        target = model
    else:
        run = given.out / choice
        choices: dict[str, Any] = {"images": round(given.epochs * IMAGES), "device": given.device, "watch": False}
        choices |= {"threads": given.threads} if given.threads else {}
        if is_complete(run):
            target = run
        elif run.exists():
            target = train_whole(resume=run, report=report, **choices).path
        else:
            where = {"dataset": "cifar10", "data": given.data, "seed": given.seed, "options": options}
            target = train_whole(key(name), out=run, report=report, **where, **choices).path
    labels = "all" if given.labels == "all" else int(given.labels)
    for reading in given.read or READINGS:
        if reading in told:
            continue
        start = time.perf_counter()
        found = zoo.probe(
            target,
            dataset="cifar10",
            data=given.data,
            labels=labels,
            repeats=1,
            test=given.test,
            untrained=name == "random",
            mirror=reading == "mirrored",
            per_layer=reading == "layers",
            seed=given.seed,
            device=given.device,
            write=False,
            report=report,
        )
        accuracy = {"accuracy": found.metrics["probe_accuracy"], "c": found.protocol["c"]}
        told[reading] = {**accuracy, "seconds": round(time.perf_counter() - start, 1)}
        if reading == "layers":
            told[reading] |= {word: found.details[word] for word in ("layers", "layers_of")}
            told.setdefault("plain", accuracy)  # which is part of it
        told |= {"test_images": found.protocol["test_images"], "real_images": found.protocol["real_images"]}
        write_json(file, told)


def summarize(folder: Path) -> dict[str, Any]:
    """Return all that lies in a folder, beside the recipe as it is, with what is missing."""
    return compare([json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("gap-*.json"))])


def compare(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return trials with what they gain on the recipe as it is, trained and read alike, and the names of those to run."""
    alike = ("width", "labels", "test_images", "epochs", "seed")
    for row in rows:
        others = [o for o in rows if o["name"] == "as it is" and all(o[k] == row[k] for k in alike)]
        if others and "plain" in row and "plain" in others[0]:
            row["gain"] = round(100 * (row["plain"]["accuracy"] - others[0]["plain"]["accuracy"]), 2)
        if "plain" in row and "mirrored" in row:
            row["mirror_gain"] = round(100 * (row["mirrored"]["accuracy"] - row["plain"]["accuracy"]), 2)
    whole = {row["name"] for row in rows if "mirrored" in row and "plain" in row and is_full(row)}
    best = max((row[reading]["accuracy"] for row in rows for reading in READINGS if reading in row), default=None)
    return {"paper": PAPER, "best": best, "trials": rows, "not_run_in_full": [name for name in TRIALS if name not in whole]}


def is_full(row: dict[str, Any]) -> bool:
    """Return whether a trial was trained for 100 epochs at the paper's width, and read with all labels."""
    return (row["epochs"], row["labels"], row["width"], row["test_images"]) == (100, "all", 128, 10_000)


def write_table(file: Path, result: dict[str, Any]) -> None:
    """Write the table of trials, and the commands of what is missing, between the marks of a page."""
    head = ("trial", "epochs", "width", "labeled images", "test images", "accuracy", "gain", "with mirror images")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"] if result["trials"] else []
    for row in sorted(result["trials"], key=lambda row: (row["labels"] == "all", row["width"]), reverse=True):
        plain, mirrored = (f"{row[name]['accuracy']:.2%}" if name in row else "–" for name in ("plain", "mirrored"))
        gain = "–" if "gain" not in row else f"{row['gain']:+.2f}"
        cells = [
            row["name"],
            "–" if row["epochs"] is None else f"{row['epochs']:g}",
            f"{row['width']}",
            f"{row['real_images']:,}",
        ]
        cells += [f"{row['test_images']:,}", plain, gain, mirrored]
        lines.append(f"| {' | '.join(cells)} |")
    for row in result["trials"]:
        each = [
            f"{s['stage']} {s['alone']:.1%}, with those below {s['up_to']:.1%}"
            for s in row.get("layers", {}).get("layers", [])
        ]
        if each:
            read = f"width {row['width']}, {row['layers']['layers_of']:,} labeled images"
            lines += ["", f"Stages of “{row['name']}” ({read}): {'; '.join(each)}."]
    if result["not_run_in_full"]:
        lines += ["", "Not run yet for 100 epochs, with all labels, all test images and 28,672 features:", "", "```sh"]
        lines += [
            f"python benchmarks/probe_gap.py --data ~/cifar10 --epochs 100 --trial {shlex.quote(name)}"
            for name in result["not_run_in_full"]
        ]
        lines += ["```"]
    text = file.read_text(encoding="utf-8")
    before, after = text.partition(MARKS[0])[0], text.partition(MARKS[1])[2]
    file.write_text(f"{before}{MARKS[0]}\n\n" + "\n".join(lines) + f"\n\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
