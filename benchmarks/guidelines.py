"""What each of DCGAN's guidelines is worth: the page of what `zoo compare` measured with each broken.

    zoo compare dcgan dcgan-maxpool … --dataset faces --size 32 --seeds 3 --images 150000 --out comparison
    python benchmarks/guidelines.py 'Drawn faces=comparison' [TITLE=OTHER …] [--markdown docs/results/guidelines.md] [--json]

Each comparison is a section of the page, in place of that with its title or behind the others, which stay; none of its
numbers is typed. A recipe's distance is divided by `dcgan`'s with the
same seed, at the first measurement (`early`) and at the last (`late`); over the seeds the mean logarithm of that ratio
has a 95 % interval of Student's t. Where it lies above 0 the guideline helps, where it lies below it harms, else nothing can
be told. A seed that diverges has no ratio, and where only the broken one does, those that are left judge nothing
(`diverges`); a comparison that is not finished, or of another metric than a Fréchet distance, is refused.

The last line is a JSON list. For each comparison: `title`, `command`, `settings`, `seeds`, `machine`, `count` (images of the
data) and `recipes`, of which each has `images`, `distances` (a list for each seed), `early` and `late` (`ratio`, `low`,
`high`, `pairs`, `verdict`), `collapsed` and `diverged`.
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
from zoo_core.words import plural

MARKS = "<!-- comparisons -->", "<!-- end of comparisons -->"
DCGAN = "dcgan"


def main() -> None:
    """Parse, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparisons", nargs="+", metavar="TITLE=DIR", help="what zoo compare wrote, and what to call it")
    parser.add_argument("--markdown", type=Path, help="the page whose sections are written")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    found = []
    for text in given.comparisons:
        title, _, folder = text.rpartition("=")
        if not title:
            parser.error(f"{text} has no title: TITLE=DIR")
        try:
            found.append({"title": title, **read(Path(folder))})
        except (OSError, ValueError) as error:
            parser.error(str(error))
    if given.markdown:
        before, begin, rest = given.markdown.read_text(encoding="utf-8").partition(MARKS[0])
        there, end, after = rest.partition(MARKS[1])
        if not begin or not end:
            parser.error(f"{given.markdown} lacks the lines {MARKS[0]} and {MARKS[1]}")
        sections = "\n".join(insert(there, [write_section(one) for one in found]))
        given.markdown.write_text(f"{before}{begin}\n\n{sections}\n{end}{after}", encoding="utf-8")
    elif not given.json:
        print("\n".join(write_section(one) for one in found))
    print(json.dumps(found))


def insert(there: str, written: Sequence[str]) -> list[str]:
    """Return the sections of a page with those just written in place of the ones with their titles, or behind all others."""
    sections = {text.partition("\n")[0]: text.rstrip("\n") + "\n" for text in re.split(r"(?m)^(?=### )", there)[1:]}
    return list((sections | {text.partition("\n")[0]: text for text in written}).values())


def read(folder: Path) -> dict[str, Any]:
    """Return what a comparison measured, and how it was asked for; raises `ValueError` where it is none of this kind."""
    told = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    metric = told["settings"]["metric"]
    if metric != "dcgan-zoo:scattering":
        raise ValueError(f"{folder} compares by {metric}; the page is of Fréchet distances of scattering features")
    with (folder / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names, seeds = list(dict.fromkeys(row["recipe"] for row in rows)), range(told["seeds"])
    if DCGAN not in names:
        raise ValueError(f"{folder} lacks {DCGAN}, which the others are beside")
    recipes = {name: read_recipe(rows, name, seeds, told["settings"]["points"], folder) for name in names}
    for one in recipes.values():
        one |= {"early": compare(one, recipes[DCGAN], 0), "late": compare(one, recipes[DCGAN], -1)}
    return {**describe(folder, told, names), "recipes": recipes}


def read_recipe(rows: Sequence[dict[str, str]], name: str, seeds: range, points: int, folder: Path) -> dict[str, Any]:
    """Return a recipe's measurements, an empty list for a seed that diverged."""
    found: dict[str, Any] = {"images": [], "distances": [], "collapsed": 0, "diverged": 0}
    for seed in seeds:
        own = [row for row in rows if row["recipe"] == name and row["seed"] == str(seed)]
        course = [row for row in own if not row["diverged"]]
        if len(course) < len(own):
            found["diverged"] += 1
            course = []
        elif len(course) < points:
            done = f"{name}, seed {seed} has {len(course)} of {points} measurements"
            raise ValueError(f"{folder} is not finished: {done}; the same zoo compare goes on with it")
        found["images"] = found["images"] or [int(row["images"]) for row in course]
        found["distances"].append([float(row["distance"]) for row in course])
        found["collapsed"] += bool(course) and course[-1]["collapsed"] == "1"
    return found


def compare(broken: dict[str, Any], kept: dict[str, Any], at: int) -> dict[str, Any]:
    """Return the ratio of distances over pairs of one seed, with its interval and what it says."""
    pairs = zip(broken["distances"], kept["distances"], strict=True)
    both = [(one, other) for one, other in pairs if other]
    logs = [math.log(one[at] / other[at]) for one, other in both if one]
    if not logs:
        return {"ratio": None, "low": None, "high": None, "pairs": 0, "verdict": "diverges" if both else "failed"}
    if len(logs) < len(both):
        return {"ratio": math.exp(fmean(logs)), "low": None, "high": None, "pairs": len(logs), "verdict": "diverges"}
    span = mean_interval(logs)
    verdict = "cannot be told" if span is None or span[0] <= 0 <= span[1] else "helps" if span[0] > 0 else "harms"
    low, high = (None, None) if span is None else map(math.exp, span)
    return {"ratio": math.exp(fmean(logs)), "low": low, "high": high, "pairs": len(logs), "verdict": verdict}


def describe(folder: Path, told: dict[str, Any], recipes: list[str]) -> dict[str, Any]:
    """Return what was compared, and the command: that of dcgan's first training with the comparison's own options."""
    run = json.loads((folder / "runs" / f"{DCGAN}-seed-0" / "run.json").read_text(encoding="utf-8"))
    words = shlex.split(run["command"])[3:]  # behind zoo train RECIPE
    for key in ("--seed", "--out"):
        if key in words:
            del words[words.index(key) : words.index(key) + 2]
    if "--data" in words:
        words[words.index("--data") + 1] = "DIR"
    words = [word for word in words if word not in ("--no-watch", "--no-rescue")]
    settings = told["settings"]
    own = ["--seeds", told["seeds"], "--samples", settings["samples"], "--points", settings["points"], "--out", "comparison"]
    return {
        "command": shlex.join(["zoo", "compare", *recipes, *map(str, [*words, *own])]),
        "settings": settings,
        "seeds": told["seeds"],
        "machine": run["machine"],
        "count": run["config"]["facts"]["count"],
        "size": run["config"]["training"]["size"],
    }


def write_section(found: dict[str, Any]) -> str:
    """Return a comparison as a section of Markdown."""
    settings, machine, recipes = found["settings"], found["machine"], found["recipes"]
    images = recipes[DCGAN]["images"]
    lines = [
        f"### {found['title']}, {found['size']}×{found['size']}\n",
        f"{found['count']:,} pictures, {images[-1]:,} images shown to each training; {found['seeds']} seeds; `scattering` "
        f"features of {settings['samples']:,} samples; {plural(machine['threads'], 'CPU thread')} ({machine['processor']}, "
        f"{machine['instructions']}), {settings['precision']}, torch {machine['torch']}.\n",
        "```sh",
        *wrap_command(found["command"]),
        "```\n",
        f"| recipe | what it changes | distance at {images[0]:,} | at {images[-1]:,} "
        f"| over `{DCGAN}`'s, early | late | ends badly |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in recipes.items():
        first, last = (say_mean([course[at] for course in one["distances"] if course]) for at in (0, -1))
        beside = ["", ""] if name == DCGAN else [say_ratio(one[key]) for key in ("early", "late")]
        bad = [f"{one[key]} {key}" for key in ("diverged", "collapsed") if one[key]]
        ends = f"{', '.join(bad)} of {found['seeds']}" if bad else f"0 of {found['seeds']}"
        change = "nothing" if name == DCGAN else registry.recipe(name).summary
        lines.append(f"| `{name}` | {change} | {first} | {last} | {' | '.join(beside)} | {ends} |")
    said = {
        verdict: [f"`{name}`" for name, one in recipes.items() if name != DCGAN and one["late"]["verdict"] == verdict]
        for verdict in ("helps", "diverges", "harms", "cannot be told", "failed")
    }
    told = {
        "helps": "The guideline helps, at the end, where it is broken by",
        "diverges": "Some trainings diverge with it broken by",
        "harms": "It harms where it is broken by",
        "cannot be told": "Nothing can be told of",
        "failed": "`dcgan` itself has no distance beside",
    }
    lines += ["", " ".join(f"{told[verdict]} {', '.join(names)}." for verdict, names in said.items() if names)]
    return "\n".join(lines) + "\n"


def say_mean(values: Sequence[float]) -> str:
    """Return a mean with its interval."""
    spread = Spread.of(values)
    if spread.mean is None:
        return "none"
    half = spread.half_width
    return f"{spread.mean:.3g}" + (f" ± {half:.2g}" if half is not None else "")


def say_ratio(one: dict[str, Any]) -> str:
    """Return a ratio with its interval, and what it says of the guideline."""
    if one["ratio"] is None:
        return "none"
    span = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f}) {one['verdict']}"
    return f"{one['ratio']:.2f}{span}"


def wrap_command(command: str, width: int = 118) -> list[str]:
    """Return a command in lines that end with a backslash, but the last; an option stays beside its value."""
    names, *options = re.split(r" (?=--)", command)
    lines = [""]
    for word in [*names.split(" "), *options]:
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


if __name__ == "__main__":
    main()
