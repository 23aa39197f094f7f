"""`zoo.compare`: one trial after another, and what is written about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from zoo_core import FeatureExtractor, UsageError, ZooError

from ..files import remove_unfinished, translate_errors
from ..metrics.extractors import open_extractor
from ..packs import Pack, build_pack
from ..progress import Reporter, reporter_for_terminal
from ..training.planning import Plan
from .measuring import Reference, keep_reference, kept_reference, measure_data
from .page import Report, write_report
from .settings import (
    DEFAULT_METRIC,
    Settings,
    choose_budget,
    describe,
    plan_recipes,
    refuse_other,
    request_of,
    split_off_features,
    write_settings,
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
        metric: the feature extractor of all distances.
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
        metric: name of the feature extractor whose Fréchet distance is measured; by default one that needs no download.
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
    settings = Settings(budget, seeds, metric or DEFAULT_METRIC, {}, samples, points)
    plans = plan_recipes(recipes, dataset, folder, images=images, minutes=minutes, options=options, **choices)
    first = next(iter(plans.values()))
    opened = open_extractor(settings.metric, options=own, device=first.device)
    settings, extractor = replace(settings, metric=opened.name, features=opened.options), opened.network
    refuse_other(folder, describe(settings, plans, ""))
    with ExitStack() as stack:
        # 2. The folder, for this process alone; the pictures.
        _enter(folder, stack)
        pack = build_pack(request_of(first), workers=workers, report=report)
        described = describe(settings, plans, pack.key)
        refuse_other(folder, described)
        write_settings(folder, described)
        reference = _reference(folder, pack, extractor, settings, first.device, report)

        # 3. One trial after another; the report is written anew after each.
        signal = ""
        for place in (places := _places(folder, plans, settings)):
            trial = read_trial(place)
            if trial.done(settings):
                continue
            report.note(f"{place.recipe}, seed {place.seed}: trial {places.index(place) + 1} of {len(places)}")
            trial = run_trial(place, plans[place.recipe], settings, reference, extractor, report=report, workers=workers)
            if trial.diverged:
                report.warn(f"{place.recipe}, seed {place.seed}: {trial.diverged}")
            _write(folder, described, settings, reference, places, pack)
            if trial.interrupted:
                signal = trial.interrupted
                break

        # 4. What came of it.
        rows, finished = _write(folder, described, settings, reference, places, pack)
        return Comparison(folder, folder / PAGE, folder / TABLE, rows, settings.metric, reference.floor, finished, signal)


def _places(folder: Path, plans: Mapping[str, Plan], settings: Settings) -> list[Place]:
    """All trials: every recipe with the first seed, then with the next, so that an unfinished comparison is a fair one."""
    return [Place(folder, recipe, seed) for seed in range(settings.seeds) for recipe in plans]


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


def _reference(
    folder: Path, pack: Pack, extractor: FeatureExtractor, settings: Settings, device: torch.device, report: Reporter
) -> Reference:
    path = folder / "reference.safetensors"
    found = kept_reference(path)
    if found is None:
        try:
            found = measure_data(pack, extractor, settings.samples, device, report)
        except ZooError as error:
            error.message = f"metric {settings.metric!r}: {error.message}"
            raise
        keep_reference(found, path)
    return found


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
    rows = tuple(summarize(name, [t for t in trials if t.recipe == name], settings.points) for name in recipes)
    metrics = {(place.recipe, place.seed): place.metrics() for place in places}
    write_csv(folder / TABLE, trials, metrics)
    write_report(folder / PAGE, Report(described, settings, reference, rows, trials, places, metrics, pack))
    return rows, all(trial.done(settings) for trial in trials)
