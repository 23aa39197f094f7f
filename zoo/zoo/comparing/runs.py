"""`zoo.compare_runs`: runs that are there, side by side, as they are: what was measured, what they cost, how they differ."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo_core import UsageError
from zoo_core.words import cell, printable

from ..documents import read_bytes
from ..files import atomic_file
from ..models.building import build_networks, meta_device
from ..models.card import name_metric, read_metrics
from ..models.curves import NETWORKS, curve
from ..reports.figures import COLORS, Curves, Line, svg
from ..reports.page import Picture, number, write_page
from ..runs.checkpoints import checkpoints
from ..runs.config import RunConfig
from ..runs.folders import find_run
from ..runs.listing import State, summarize
from ..runs.run import RunRecord, read_run
from ..training.diagnosing import Diagnosis, diagnose

PAGE, TABLE = "report.html", "comparison.csv"
COLUMNS = ("run", "images", "seconds", "measure", "value")
_OWN = ("images_shown", "weights")  # what each model has of its own in a protocol
_TEMPLATE = Path(__file__).with_name("runs.html")


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Args:
        path, name: the run folder, and what it is called beside the others.
        state: as `zoo.list_runs` says it.
        recipe, size: what is trained, at how many pixels.
        images, minutes, images_per_s: real images shown, of training, and what that makes.
        device, precision: what computed last, and in which precision.
        parameters: role → how many.
        bytes: on disk.
        measures: what was measured while it trained, by name: the last value.
        measure, best: name and value of its best evaluation, "" and None where there was none.
        evaluated: what `zoo evaluate` found of its model, and how ("protocol").
    """

    path: Path
    name: str
    state: State
    recipe: str
    size: int
    images: int
    minutes: float
    images_per_s: float | None
    device: str
    precision: str
    parameters: dict[str, int]
    bytes: int
    measures: dict[str, float]
    measure: str
    best: float | None
    evaluated: dict[str, float]
    protocol: dict[str, Any]


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side, as `zoo.compare_runs` returns it.

    Args:
        rows: one for each run, in the order in which they were named.
        differences: settings in which they differ → their values, one for each run; None where a run has no such setting.
        warnings: why some numbers do not compare.
        report, csv: the page and the table, None where no folder was named.
    """

    rows: tuple[ComparedRun, ...]
    differences: dict[str, tuple[Any, ...]]
    warnings: tuple[str, ...]
    report: Path | None = None
    csv: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        rows = [{**asdict(row), "path": str(row.path)} for row in self.rows]
        pages = {key: str(path) if path else None for key, path in (("report", self.report), ("csv", self.csv))}
        return {"runs": rows, "differences": self.differences, "warnings": self.warnings, **pages}


def compare_runs(runs: Sequence[str | Path], *, out: str | Path | None = None) -> RunComparison:
    """Compare runs as they are, without training or measuring anything; they may be training meanwhile.

    Args:
        runs: run folders, or the beginnings of their names.
        out: a folder for a page and a table; what an earlier comparison of runs left there is replaced.

    Raises:
        UsageError: one is no run folder or named twice, or `out` holds something else.
        CheckpointError, ZooError: one cannot be read, or `out` cannot be written.
    """
    folders = [find_run(run) for run in runs]
    if not folders:
        raise UsageError("name the runs to compare", hint="zoo runs shows them all")
    if twice := next((path for i, path in enumerate(folders) if path.resolve() in {p.resolve() for p in folders[:i]}), None):
        raise UsageError(f"run {twice} is named twice")
    folder = Path(out) if out is not None else None
    if folder is not None:
        _refuse_other(folder)
    records = [read_run(path) for path in folders]
    configs = [record.config for record in records]
    diagnoses = [diagnose(path) for path in folders]
    names = [path.name for path in folders]
    if len(set(names)) < len(names):
        names = [str(path) for path in folders]
    rows = tuple(_describe(*each) for each in zip(folders, names, records, diagnoses, strict=True))
    found = RunComparison(rows, _differences(records), tuple(_warn(rows, configs)))
    if folder is None:
        return found
    found = RunComparison(rows, found.differences, found.warnings, folder / PAGE, folder / TABLE)
    _write_csv(folder / TABLE, rows, diagnoses)
    _write_page(folder / PAGE, found, diagnoses)
    return found


def _refuse_other(folder: Path) -> None:
    """Raise `UsageError` where a folder holds anything but what `compare_runs` writes."""
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - {PAGE, TABLE}):
        raise UsageError(f"{folder} exists and holds something else", hint="choose another folder: --out DIR")


def _describe(folder: Path, name: str, record: RunRecord, found: Diagnosis) -> ComparedRun:
    summary = summarize(folder)
    result = (read_metrics(folder / "model") if (folder / "model").is_dir() else None) or {}
    protocol = dict(result.get("protocol", {}))
    numbers = {key: value for key, value in result.get("metrics", {}).items() if isinstance(value, int | float)}
    seconds = summary.minutes * 60
    return ComparedRun(
        path=folder,
        name=name,
        state=summary.state,
        recipe=summary.recipe,
        size=summary.size,
        images=summary.images,
        minutes=summary.minutes,
        images_per_s=summary.images / seconds if seconds else None,
        device=str(record.machine.get("device", "")),
        precision=record.precision,
        parameters=_count_parameters(record.config),
        bytes=summary.bytes,
        measures={measure: values[-1][1] for measure, values in found.measures_by_name().items()},
        measure=summary.measure if checkpoints(folder / "checkpoints") else "",
        best=summary.best,
        evaluated={name_metric(key, protocol): float(value) for key, value in numbers.items()},
        protocol=protocol,
    )


def _count_parameters(config: RunConfig) -> dict[str, int]:
    if config.image is None:
        return {}
    with meta_device():
        networks = build_networks(config.parts, config.image)
    return {role: sum(p.numel() for p in network.parameters()) for role, network in networks.items()}


def _differences(records: Sequence[RunRecord]) -> dict[str, tuple[Any, ...]]:
    identities = [{**r.config.identity(), "budget": str(r.budget), "precision": r.precision} for r in records]
    keys = dict.fromkeys(key for identity in identities for key in identity)
    values = {key: tuple(identity.get(key) for identity in identities) for key in keys}
    return {key: of_all for key, of_all in values.items() if any(value != of_all[0] for value in of_all)}


def _warn(rows: Sequence[ComparedRun], configs: Sequence[RunConfig]) -> Iterable[str]:
    sizes = sorted({row.size for row in rows})
    if len(sizes) > 1:
        yield f"they draw {' and '.join(f'{size}×{size}' for size in sizes)} pixels: their distances do not compare"
    elif len({config.pack for config in configs}) > 1:
        yield "they were trained on different pictures: each distance is to its own data, and they do not compare"
    protocols = [{k: v for k, v in row.protocol.items() if k not in _OWN} for row in rows if row.evaluated]
    if any(protocol != protocols[0] for protocol in protocols):
        yield "zoo evaluate measured them by different protocols: those numbers do not compare"
    if not any(_distances(row) or row.evaluated for row in rows):
        words = shlex.quote(str(rows[0].path))
        yield f"no distance was measured; to measure: zoo evaluate {words}, or zoo train … --evaluate-every 20000"


def _distances(row: ComparedRun) -> dict[str, float]:
    return {name: value for name, value in row.measures.items() if name != "diversity"}


def _write_csv(path: Path, rows: Sequence[ComparedRun], diagnoses: Sequence[Diagnosis]) -> None:
    """Write a line for each measurement, in the order of the runs and of their names."""
    with atomic_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row, found in zip(rows, diagnoses, strict=True):
            place = printable(str(row.path))
            place = f"./{place}" if cell(place) != place else place  # a path stays one
            for name in row.measures:
                lines = [line for line in found.measures if name in line]
                writer.writerows([place, line["images"], line["seconds"], cell(name), line[name]] for line in lines)


def _write_page(path: Path, found: RunComparison, diagnoses: Sequence[Diagnosis]) -> None:
    rows = found.rows
    colors = {row.name: COLORS[i % len(COLORS)] for i, row in enumerate(rows)}
    dashed = list(colors)[len(COLORS) :]  # where colors come a second time
    charts = {}
    for name in list_measures(rows):
        for label, key, unit in (("real images shown", "images", 1), ("minutes of training", "seconds", 60)):
            lines = []
            for row, diagnosis in zip(rows, diagnoses, strict=True):
                points = [(line[key] / unit, float(line[name])) for line in diagnosis.measures if name in line]
                lines.append(Line("", points, colors[row.name], row.name, dashed=row.name in dashed))
            charts[f"{name} over {label}"] = svg(Curves(lines, label, name, height=3), f"{name} over {label}")
    losses = {}
    for row, diagnosis in zip(rows, diagnoses, strict=True):
        drawn = [curve(diagnosis.readings, f"{network[0]}_loss", "", color) for network, color in NETWORKS.items()]
        chart = Curves(drawn, "real images shown", "loss", zero=False, height=2.2)
        losses[f"{row.name}: losses"] = svg(chart, f"losses of {row.name}")
    write_page(
        path,
        _TEMPLATE,
        title=" and ".join(colors) if len(rows) < 3 else f"{len(rows)} runs",
        lead="",
        found=found,
        colors=colors,
        dashed=dashed,
        measures=list_measures(rows),
        evaluated=list(dict.fromkeys(name for row in rows for name in row.evaluated)),
        roles=list(dict.fromkeys(role for row in rows for role in row.parameters)),
        charts=charts,
        losses=losses,
        best_of=best_of,
        format_value=format_value,
        networks=NETWORKS,
        samples=[picture for row in rows if (picture := _samples(row))],
        words={row.name: diagnosis.words for row, diagnosis in zip(rows, diagnoses, strict=True)},
        everything=json.dumps(found.to_json(), indent=1),
    )


def _samples(row: ComparedRun) -> Picture | None:
    """Return the newest grid of samples that a run has drawn."""
    drawn = sorted((row.path / "samples").glob("*.png"))
    if not drawn:
        return None
    images = int(drawn[-1].stem) if drawn[-1].stem.isdigit() else row.images
    return Picture(read_bytes(drawn[-1]), f"samples of {row.name}", row.name, f"{images:,} images")


def list_measures(rows: Sequence[ComparedRun]) -> list[str]:
    """Return the names of all that was measured while runs were trained, distances first."""
    return sorted({name for row in rows for name in row.measures}, key=lambda name: (name == "diversity", name))


def format_value(value: Any) -> str:
    """Return a setting as a table shows it."""
    if isinstance(value, float):
        return number(value) if abs(value) >= 0.01 else f"{value:g}"
    return "–" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def best_of(row: ComparedRun, name: str) -> str:
    """Return a measure as a table shows it: the last value, and the best where that is another one."""
    value = row.measures.get(name)
    if value is None:
        return "–"
    best = row.best if row.measure == name else None
    return number(value) + (f" (best {number(best)})" if best is not None and number(best) != number(value) else "")
