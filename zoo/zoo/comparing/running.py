"""`zoo.compare`: one trial after another, and what is written about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo_core import UsageError

from ..files import remove_unfinished, translate_errors, write_json
from ..metrics.images import training_request
from ..metrics.measuring import FEATURES, check_counts, open_criterion
from ..packs import Pack, build_pack
from ..progress import Reporter, reporter_for_terminal
from .measuring import REAL, Reference, measure_data
from .page import Report, write_report
from .settings import (
    FILE,
    Settings,
    choose_budget,
    describe,
    plan_recipes,
    refuse_other,
    split_off_features,
)
from .summary import Row, summarize, write_csv
from .trials import Place, read_trial, run_trial

PAGE, TABLE = "report.html", "comparison.csv"


@dataclass(frozen=True)
class Comparison:
    """A comparison, as `zoo.compare` returns it.

    Args:
        path: its folder.
        report, csv: the page and the table.
        rows: one for each recipe, in the order in which they were named.
        metric: of all distances: the feature extractor for a Fréchet distance, else "METRIC:FEATURES".
        floor: distance between two halves of the data.
        finished: whether every trial is done.
        signal: what interrupted it ("SIGINT"), "" if nothing did.
    """

    path: Path
    report: Path
    csv: Path
    rows: tuple[Row, ...]
    metric: str
    floor: float
    finished: bool
    signal: str = ""


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
        recipes: names of the registry.
        dataset: registry name of the images.
        out: the folder of the comparison: report, table, run folders.
        images, minutes: the budget of each training; exactly one of them.
        seeds: each recipe is trained with seeds 0, 1, …, seeds − 1.
        metric: METRIC, METRIC:FEATURES, or FEATURES alone for their Fréchet distance; by default what needs no download.
        samples: pictures drawn for each measurement.
        points: measurements in a training, at equal steps of the budget.
        report: hears notes and progress; by default standard error does.
        workers: processes that decode pictures.
        options: what `--set` takes, for every recipe; "features.*" are the extractor's.
        choices: `data`, `size`, `channels`, `batch`, `precision`, `device`, for every recipe, as in `zoo.train`.

    Raises:
        UsageError: an argument is wrong, the recipes differ in size or data, or the folder holds a comparison with other
            settings.
        DataError: there are no usable pictures.
    """
    report, folder = report or reporter_for_terminal(), Path(out)
    # 1. Everything is checked before anything is computed.
    budget = choose_budget(images, minutes)
    options, own = split_off_features(options or {})
    settings = Settings(budget, seeds, metric or FEATURES, {}, samples, points)
    plans = plan_recipes(recipes, dataset, folder, images=images, minutes=minutes, options=options, **choices)
    first = next(iter(plans.values()))
    criterion = open_criterion(settings.metric, options=own, device=first.device)
    extractor, better = criterion.extractor, criterion.metric.lower_is_better
    check_counts({criterion.name: criterion.metric}, samples, REAL, extractor.network.dim)
    settings = replace(settings, metric=criterion.title, features=extractor.options, lower_is_better=better)
    refuse_other(folder, describe(settings, plans, ""))
    with ExitStack() as stack:
        # 2. The folder, for this process alone; the pictures.
        _enter(folder, stack)
        pack = build_pack(training_request(first.config), workers=workers, report=report)
        described = describe(settings, plans, pack.key)
        refuse_other(folder, described)
        write_json(folder / FILE, described)
        reference = measure_data(pack, criterion, samples, report)

        # 3. One trial after another; the report is written anew after each.
        signal = ""
        # Every recipe with the first seed, then with the next, so that an unfinished comparison is a fair one.
        places = [Place(folder, recipe, seed) for seed in range(seeds) for recipe in plans]
        for place in places:
            trial = read_trial(place)
            if trial.done(settings):
                continue
            report.note(f"{place.recipe}, seed {place.seed}: trial {places.index(place) + 1} of {len(places)}")
            trial = run_trial(place, plans[place.recipe], settings, reference, criterion, report=report, workers=workers)
            if trial.diverged:
                report.warn(f"{place.recipe}, seed {place.seed}: {trial.diverged}")
            _write(folder, described, settings, reference, places, pack)
            if trial.interrupted:
                signal = trial.interrupted
                break

        # 4. What came of it.
        rows, finished = _write(folder, described, settings, reference, places, pack)
        return Comparison(folder, folder / PAGE, folder / TABLE, rows, settings.metric, reference.floor, finished, signal)


def _enter(folder: Path, stack: ExitStack) -> None:
    """Keep other processes out, and clear away what a killed one left half-written."""
    with translate_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"another process is comparing in {folder}", hint="wait until it has ended, or choose another: --out DIR"
            ) from None
    stack.callback(lock.release)
    for place in (folder, folder / "measurements", folder / "samples", folder / "runs"):
        remove_unfinished(place)


def _write(
    folder: Path,
    described: Mapping[str, Any],
    settings: Settings,
    reference: Reference,
    places: Sequence[Place],
    pack: Pack,
) -> tuple[tuple[Row, ...], bool]:
    """Write page and table from what has been measured so far; the rows, and whether every trial is done."""
    trials = [read_trial(place) for place in places]
    recipes = list(dict.fromkeys(place.recipe for place in places))
    of = {name: [trial for trial in trials if trial.recipe == name] for name in recipes}
    better = settings.lower_is_better
    rows = tuple(summarize(name, of[name], settings.points, lower_is_better=better) for name in recipes)
    metrics = {(place.recipe, place.seed): place.metrics() for place in places}
    write_csv(folder / TABLE, trials, metrics)
    write_report(folder / PAGE, Report(described, settings, reference, rows, trials, places, metrics, pack))
    return rows, all(trial.done(settings) for trial in trials)
