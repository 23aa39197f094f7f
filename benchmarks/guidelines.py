"""What each of DCGAN's guidelines is worth: the page of what `zoo compare` measured with each broken.

    zoo compare dcgan dcgan-maxpool … mlp-gan --dataset faces --size 32 --seeds 3 --images 150000 --out comparison
    python benchmarks/guidelines.py comparison [OTHER …] [--markdown docs/results/guidelines.md] [--json]

Each comparison is a section of the page; none of its numbers is typed. A recipe's distance is divided by `dcgan`'s with the
same seed, at the first measurement (`early`) and at the last (`late`); over the seeds the mean logarithm of that ratio
has a 95 % interval of Student's t. Where it lies above 0 the guideline helps, where it lies below it harms, else nothing can
be told. A training that diverged or was collapsed at its end counts as failed, and is named; one that has no last distance
has no ratio.

Keys of the JSON object on the last line: for each comparison the `command` and for each recipe `distances` (a list for each
seed), `early` and `late` (`ratio`, `low`, `high`, `verdict`), `collapsed`, `diverged`, `images_per_s`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from zoo.comparing.spreads import Spread
from zoo_core import registry
from zoo_core.intervals import mean_interval

MARKS = "<!-- comparisons -->", "<!-- end of comparisons -->"
DCGAN = "dcgan"


def main() -> None:
    """Parse, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparisons", nargs="+", type=Path, help="folders that zoo compare wrote")
    parser.add_argument("--markdown", type=Path, help="the page whose sections are written")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    found = [read(folder) for folder in given.comparisons]
    if given.markdown:
        before, begin, rest = given.markdown.read_text(encoding="utf-8").partition(MARKS[0])
        _, end, after = rest.partition(MARKS[1])
        if not begin or not end:
            parser.error(f"{given.markdown} lacks the lines {MARKS[0]} and {MARKS[1]}")
        sections = "\n".join(section(one) for one in found)
        given.markdown.write_text(f"{before}{begin}\n\n{sections}\n{end}{after}", encoding="utf-8")
    elif not given.json:
        print("\n".join(section(one) for one in found))
    print(json.dumps(found))


def read(folder: Path) -> dict[str, Any]:
    """Return what a comparison measured, and how it was asked for."""
    told = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    with (folder / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    courses = {name: read_courses(rows, name) for name in recipes}
    found: dict[str, Any] = {}
    for name in recipes:
        ends = [course[-1] for course in courses[name]]
        found[name] = {
            "images": [int(row["images"]) for row in max(courses[name], key=len)],
            "distances": [[number(row["distance"]) for row in course] for course in courses[name]],
            "diversity": [number(row["diversity"]) for row in ends],
            "collapsed": sum(row["collapsed"] == "1" for row in ends),
            "diverged": sum(row["diverged"] == "1" for row in ends),
            "images_per_s": fmean(float(row["images_per_s"]) for row in ends),
            "early": ratio(courses[name], courses[DCGAN], 0),
            "late": ratio(courses[name], courses[DCGAN], -1),
        }
    return {**describe(folder, told, recipes), "recipes": found}


def read_courses(rows: Sequence[dict[str, str]], recipe: str) -> list[list[dict[str, str]]]:
    """Return the measurements of each seed, in the order of their images."""
    seeds = sorted({int(row["seed"]) for row in rows if row["recipe"] == recipe})
    return [[row for row in rows if row["recipe"] == recipe and int(row["seed"]) == seed] for seed in seeds]


def number(text: str) -> float | None:
    return float(text) if text else None


def ratio(broken: list[list[dict[str, str]]], kept: list[list[dict[str, str]]], at: int) -> dict[str, Any]:
    """Return the ratio of distances over pairs of one seed, with its interval and what it says."""
    pairs = [(number(one[at]["distance"]), number(other[at]["distance"])) for one, other in zip(broken, kept, strict=True)]
    logs = [math.log(one / other) for one, other in pairs if one and other]
    if not logs:
        return {"ratio": None, "low": None, "high": None, "verdict": "failed"}
    span = mean_interval(logs)
    verdict = "cannot be told" if span is None or span[0] <= 0 <= span[1] else "helps" if span[0] > 0 else "harms"
    low, high = (None, None) if span is None else map(math.exp, span)
    return {"ratio": math.exp(fmean(logs)), "low": low, "high": high, "verdict": verdict}


def describe(folder: Path, told: dict[str, Any], recipes: list[str]) -> dict[str, Any]:
    """Return what was compared, on what, and the command for it."""
    run = json.loads(next((folder / "runs").glob("*/run.json")).read_text(encoding="utf-8"))
    words = shlex.split(run["command"])[3:]  # behind zoo train RECIPE
    left = ("--no-watch", "--no-rescue")
    if "--data" in words:
        words[words.index("--data") + 1] = "DIR"
    words = [word for word in words if word not in left]
    dropped = {words.index(key) + side for key in ("--seed", "--out") if key in words for side in (0, 1)}
    words = [word for place, word in enumerate(words) if place not in dropped]
    settings = told["settings"]
    own = ["--seeds", told["seeds"], "--samples", settings["samples"], "--points", settings["points"], "--out", "comparison"]
    dataset = run["config"]["dataset"]
    return {
        "title": f"{'Photographs of faces' if dataset['data'] else 'Drawn faces'}, {size(run)} pixels",
        "command": shlex.join(["zoo", "compare", *recipes, *map(str, [*words, *own])]),
        "settings": settings,
        "seeds": told["seeds"],
        "machine": run["machine"],
    }


def size(run: dict[str, Any]) -> str:
    return "{0}×{0}".format(run["config"]["training"]["size"])


def section(found: dict[str, Any]) -> str:
    """Return a comparison as a section of Markdown."""
    settings, machine, recipes = found["settings"], found["machine"], found["recipes"]
    images = recipes[DCGAN]["images"]
    lines = [
        f"### {found['title']}\n",
        f"{images[-1]:,} images, {found['seeds']} seeds, `{settings['metric'].rpartition(':')[2]}` features of "
        f"{settings['samples']:,} samples; "
        f"{machine['threads']} thread of {machine['device']} ({machine['processor']}, {machine['instructions']}), "
        f"{settings['precision']}, torch {machine['torch']}.\n",
        "```sh",
        *wrap(found["command"]),
        "```\n",
        f"| recipe | what it changes | distance at {images[0]:,} | at {images[-1]:,} "
        f"| over `{DCGAN}`'s, early | late | ends badly |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in recipes.items():
        first, last = (cell([course[at] for course in one["distances"]]) for at in (0, -1))
        beside = ["", ""] if name == DCGAN else [say(one[key]) for key in ("early", "late")]
        bad = [f"{one[key]} {key}" for key in ("diverged", "collapsed") if one[key]]
        ends = f"{', '.join(bad)} of {found['seeds']}" if bad else f"0 of {found['seeds']}"
        change = "nothing" if name == DCGAN else registry.recipe(name).summary
        lines.append(f"| `{name}` | {change} | {first} | {last} | {' | '.join(beside)} | {ends} |")
    said = {
        verdict: [f"`{name}`" for name, one in recipes.items() if name != DCGAN and one["late"]["verdict"] == verdict]
        for verdict in ("helps", "harms", "cannot be told", "failed")
    }
    told = {
        "helps": "The guideline helps, at the end, where it is broken by",
        "harms": "It harms where it is broken by",
        "cannot be told": "Nothing can be told of",
        "failed": "No distance at the end have",
    }
    lines += ["", " ".join(f"{told[verdict]} {', '.join(names)}." for verdict, names in said.items() if names)]
    return "\n".join(lines) + "\n"


def cell(values: Sequence[float | None]) -> str:
    spread = Spread.of(value for value in values if value is not None)
    if spread.mean is None:
        return "none"
    half = spread.half_width
    return f"{spread.mean:.3g}" + (f" ± {half:.2g}" if half is not None else "")


def say(one: dict[str, Any]) -> str:
    if one["ratio"] is None:
        return "none"
    span = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f}) {one['verdict']}"
    return f"{one['ratio']:.2f}{span}"


def wrap(command: str, width: int = 118) -> list[str]:
    """Return a command in lines that end with a backslash, but the last."""
    lines = [""]
    for word in re.split(r" (?=--)|(?<! --set) (?!--)", command):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


if __name__ == "__main__":
    main()
