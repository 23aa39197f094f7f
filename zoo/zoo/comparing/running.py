"""`zoo.compare`: one trial after another, and what is written about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import UsageError

from ..files import remove_unfinished, translate_errors, write_json
from ..locks import lock_folder
from ..metrics.measuring import FEATURES, check_counts, open_criterion
from ..packs import build_pack
from ..progress import Reporter, reporter_for_terminal
from .measuring import REAL, measure_data
from .page import Row, summarize, write_csv, write_report
from .settings import FILE, Settings, describe, plan_recipes, refuse_other
from .trials import read_trial, run_trial

PAGE, TABLE = "report.html", "comparison.csv"


@dataclass(frozen=True)
class Comparison:
    """A comparison, as `zoo.compare` returns it."""

    path: Path  # its folder
    report: Path  # the page
    csv: Path  # the table
    rows: tuple[Row, ...]  # one for each recipe, in the order in which they were named
    metric: str  # of all distances: the feature extractor for a Fréchet distance, else "METRIC:FEATURES"
    floor: float  # distance between two halves of the data
    finished: bool  # whether every trial is done
    signal: str = ""  # what interrupted it ("SIGINT")


def compare(
    recipes: Sequence[str],
    *,
    dataset: str | None = None,
    out: str | Path,
    images: int | None = None,
    minutes: float | None = None,
    seeds: int = 3,
    metric: str | None = None,
    samples: int = 2048,
    points: int = 5,
    report: Reporter | None = None,
    workers: int | None = None,
    options: Mapping[str, Any] | None = None,
    **choices: Any,
) -> Comparison:
    """Train recipes under the same budget, on the same data, with the same seeds, one after another, and measure them alike.

    Called again with the same arguments after an interruption, even a kill, it goes on where it was: what is finished is not
    repeated. More recipes and seeds may be named then.

    Args:
        recipes, dataset: names of the registry.
        out: the folder of the comparison: report, table, run folders.
        images, minutes: the budget of each training; exactly one of them.
        seeds: each recipe is trained with seeds 0, 1, …, seeds − 1.
        metric: METRIC, METRIC:FEATURES, or FEATURES alone for their Fréchet distance; by default what needs no download.
        samples: pictures drawn for each measurement.
        points: measurements in a training, at equal steps of the budget.
        report: by default standard error.
        options: what `--set` takes, for every recipe; "features.*" are the extractor's.
        choices: `data`, `size`, `channels`, `batch`, `precision`, `device`, for every recipe, as in `zoo.train`.

    Raises:
        UsageError: an argument is wrong, the recipes differ in size or data, or the folder holds a comparison with other
            settings.
        DataError: there are no usable pictures.
    """
    report, folder = report or reporter_for_terminal(), Path(out)
    # 1. Everything is checked before anything is computed.
    for name, value, least in (("seeds", seeds, 1), ("samples", samples, 16), ("points", points, 1)):
        if value < least:
            raise UsageError(f"--{name} must be at least {least}, not {value}")
    own = {key: value for key, value in (options or {}).items() if not key.startswith("features.")}
    theirs = {key[len("features.") :]: value for key, value in (options or {}).items() if key not in own}
    plans = plan_recipes(recipes, dataset, folder, images, minutes, options=own, **choices)
    first = next(iter(plans.values()))
    criterion = open_criterion(metric or FEATURES, options=theirs, device=first.device)
    check_counts({criterion.name: criterion.metric}, samples, REAL, criterion.extractor.network.dim)
    settings = Settings(first.budget, seeds, criterion, samples, points)
    refuse_other(folder, describe(settings, plans, ""))
    with ExitStack() as stack:
        # 2. The folder, for this process alone; the pictures.
        _enter(folder, stack)
        pack = build_pack(first.config.request(), workers=workers, report=report)
        described = describe(settings, plans, pack.key)
        refuse_other(folder, described)
        write_json(folder / FILE, described)
        reference = measure_data(pack, criterion, samples, report)
        # Every recipe with the first seed, then with the next, so that an unfinished comparison is a fair one.
        names = [(recipe, seed) for seed in range(seeds) for recipe in plans]

        def write() -> tuple[Row, ...]:
            """Write page and table from what has been measured so far."""
            found = [read_trial(folder, recipe, seed) for recipe, seed in names]
            of = {name: [trial for trial in found if trial.recipe == name] for name in plans}
            better = criterion.metric.lower_is_better
            rows = tuple(summarize(name, of[name], points, lower_is_better=better) for name in plans)
            write_csv(folder / TABLE, found)
            write_report(folder / PAGE, settings, reference, rows, found, pack, described)
            return rows

        # 3. One trial after another; the report is written anew after each.
        signal = ""
        for number, (recipe, seed) in enumerate(names, 1):
            trial = read_trial(folder, recipe, seed)
            if trial.done(settings):
                continue
            report.note(f"{trial}: trial {number} of {len(names)}")
            trial = run_trial(trial, plans[recipe], settings, reference, report=report, workers=workers)
            if trial.diverged:
                report.warn(f"{trial}: {trial.diverged}")
            write()
            if signal := trial.interrupted:
                break

        # 4. What came of it.
        return Comparison(
            folder, folder / PAGE, folder / TABLE, write(), criterion.title, reference.floor, not signal, signal
        )


def _enter(folder: Path, stack: ExitStack) -> None:
    """Keep other processes out, and clear away what a killed one left half-written."""
    with translate_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stack.callback(lock_folder(folder, "comparing").release)
    for place in (folder, folder / "measurements", folder / "samples", folder / "runs"):
        remove_unfinished(place)
