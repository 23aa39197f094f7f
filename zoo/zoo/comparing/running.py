"""`zoo.compare`: one trial after another, and what is written about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import UsageError

from ..devices import check_device, resolve_precision
from ..files import Place, path_of, remove_unfinished, translate_errors, write_json
from ..locks import lock_folder
from ..metrics.measuring import FEATURES, check_counts, open_criterion
from ..notebook import reporter_for_caller
from ..packs import build_pack
from ..packs.download import download as fetch_dataset
from ..progress import Reporter
from ..reports.displaying import Displayed
from .measuring import REAL, measure_data
from .page import Row, summarize, write_csv, write_report
from .settings import FILE, Settings, describe, plan_recipes, refuse_other
from .trials import read_trial, run_trial

PAGE, TABLE = "report.html", "comparison.csv"


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """A comparison, as `zoo.compare` returns it."""

    path: Path  # its folder
    report: Path  # the page
    csv: Path  # the table
    rows: tuple[Row, ...]  # one for each recipe, in the order in which they were named
    metric: str  # of all distances: the feature extractor for a Fréchet distance, else "METRIC:FEATURES"
    floor: float  # distance between two halves of the data
    finished: bool  # whether every trial is done
    signal: str = ""  # what interrupted it ("SIGINT")

    def _describe(self) -> str:
        ranked = ", ".join(f"{row.recipe} {row.distance.mean:.4g}" for row in self.rows if row.distance.mean is not None)
        return f"{self.path}: {self.metric}: {ranked or 'nothing measured'}{'' if self.finished else ', not finished'}"


def compare(
    recipes: str | Sequence[str],
    *,
    dataset: str | None = None,
    data: Place | None = None,
    download: bool = False,
    limit: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    batch: int | None = None,
    out: Place,
    images: int | None = None,
    minutes: float | None = None,
    seeds: int = 3,
    metric: str | None = None,
    samples: int = 2048,
    points: int = 5,
    options: Mapping[str, Any] | None = None,
    feature_options: Mapping[str, Any] | None = None,
    precision: str | None = None,
    device: str = "auto",
    threads: int | str | None = None,
    workers: int | None = None,
    report: Reporter | None = None,
) -> Comparison:
    """Train recipes under the same budget, on the same data, with the same seeds, one after another, and measure them alike.

    Called again with the same arguments after an interruption, even a kill, it goes on where it was: what is finished is not
    repeated. More recipes and seeds may be named then.

    Args:
        recipes, dataset: names of the registry; of recipes one or several.
        data, download, limit, size, channels, batch, precision, device, threads: for every recipe, as in `zoo.train`.
        out: the folder of the comparison: report, table, run folders.
        images, minutes: the budget of each training; exactly one of them.
        seeds: each recipe is trained with seeds 0, 1, …, seeds − 1.
        metric: METRIC, METRIC:FEATURES, or FEATURES alone for their Fréchet distance; by default what needs no download.
        samples: pictures drawn for each measurement.
        points: measurements in a training, at equal steps of the budget.
        options: settings of every recipe, as `--set` takes them; "features.*" are the extractor's.
        feature_options: the extractor's, by their own names.
        workers: processes that decode pictures.
        report: hears notes and progress; by default the notebook or standard error does.

    Raises:
        UsageError: an argument is wrong, the recipes differ in size or data, or the folder holds a comparison with other
            settings.
        DataError: there are no usable pictures.
    """
    report, folder = report or reporter_for_caller(), Path(out)
    # 1. Everything is checked before anything is computed.
    for name, value, least in (("seeds", seeds, 1), ("samples", samples, 16), ("points", points, 1)):
        if value < least:
            raise UsageError(f"--{name} must be at least {least}, not {value}")
    own = {key: value for key, value in (options or {}).items() if not key.startswith("features.")}
    theirs = {key[len("features.") :]: value for key, value in (options or {}).items() if key not in own}
    theirs |= feature_options or {}
    recipes = [recipes] if isinstance(recipes, str) else recipes
    if download and dataset is not None:
        data = fetch_dataset(dataset, path_of(data))
    choices: dict[str, Any] = {"data": data, "limit": limit, "size": size, "channels": channels, "batch": batch}
    kind = resolve_precision(precision or "auto", check_device(device))  # one for all
    choices |= {"precision": kind, "device": device, "threads": threads}
    plans = plan_recipes(recipes, dataset, folder, images, minutes, options=own, **choices)
    first = next(iter(plans.values()))
    criterion = open_criterion(metric or FEATURES, options=theirs, device=first.device)
    check_counts({criterion.name: criterion.metric}, samples, REAL, criterion.extractor.network.dim)
    settings = Settings(first.budget, seeds, criterion, samples, points)
    refuse_other(folder, describe(settings, plans, ""), plans)
    with ExitStack() as stack:
        # 2. The folder, for this process alone; the pictures.
        _enter(folder, stack)
        pack = build_pack(first.config.request(), workers=workers, report=report)
        described = describe(settings, plans, pack.key)
        refuse_other(folder, described, plans)
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
