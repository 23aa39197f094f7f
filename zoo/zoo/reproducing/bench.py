"""What a claim is given: trainings that claims share, measurements that outlive an interruption, pictures, data at hand."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from filelock import FileLock
from PIL import Image
from torch import Tensor

from zoo_core import (
    Bench,
    CheckpointError,
    Course,
    ImageDataset,
    Point,
    Training,
    TrainingError,
    UsageError,
    ZooError,
    registry,
)

from ..comparing.measuring import COLLAPSED, REAL, REPEATING, Reference, measure, measure_data
from ..comparing.training import NamedReporter, has_diverged, train_to
from ..documents import read_document
from ..files import write_json
from ..loading import load
from ..metrics.measuring import FEATURES, Criterion, open_criterion
from ..models.grids import grid_picture
from ..models.model import Model
from ..packs import Pack, build_pack
from ..packs.download import find_download
from ..progress import SILENT, Reporter
from ..reports.pictures import save_picture
from ..runs.budget import Budget
from ..runs.checkpoints import newest_checkpoint
from ..schemas import ListOf, MapOf, Number, Whole
from ..training.planning import Plan, plan

FOLDERS = CLAIMS, RUNS, COURSES, MEASUREMENTS, PICTURES = "claims", "runs", "courses", "measurements", "pictures"
"""Folders of a reproduction: what came of each claim, runs, what they were worth, what is remembered, pictures."""

COUNTS = {"seconds": (128, 512), "minutes": (512, 2048)}  # samples and real images of a measurement, by profile
MOST = 2048, REAL  # in all other profiles
_SECONDS = Number(0)
_POINT = {"images": Whole(0), "seconds": _SECONDS, "collapsed": bool}
_POINT |= dict.fromkeys(("distance", "floor", "diversity", "nearest"), Number())
_COURSE = {"points": ListOf(_POINT), "diverged": str, "done": bool, "seconds": _SECONDS}
CLAIM = {"facts": dict, "error": str, "measuring": _SECONDS, "trainings": MapOf(_SECONDS), "*": Any}
"""What the file of a claim says."""
_KEY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


class Interrupted(Exception):
    """A signal stopped a training; all that was done is kept."""

    def __init__(self, signal: str) -> None:
        super().__init__(signal)
        self.signal = signal


@dataclass
class Shop:
    """What the benches of one reproduction share.

    Args:
        data: dataset → where it lies, as somebody said.
        workers: processes that decode pictures.
        threads: of each training; None chooses.
        trainings: what was asked for so far, by the names of run folders.
        packs: the images that were opened, by what was asked for.
        references: what the data of each pack are worth to the metric.
    """

    folder: Path
    profile: str
    data: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    precision: str | None = None
    workers: int | None = None
    threads: int | None = None
    report: Reporter = SILENT
    trainings: dict[str, Training] = field(default_factory=dict)
    packs: dict[str, Pack] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)
    criterion: Criterion | None = None

    def plan(self, training: Training) -> Plan:
        """Resolve and check a training; its folder is chosen by who carries it out."""
        where = find_data(training.dataset, self.data)
        return plan(
            training.recipe,
            dataset=training.dataset,
            data=where or None,
            limit=training.limit,
            size=training.size,
            batch=training.batch,
            seed=training.seed,
            images=training.images,
            options=training.options,
            out=self.folder / "new",
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            watch=False,
            rescue=False,
        )


@dataclass
class Cost:
    """What one claim took: seconds of measuring, and of each training that it asked for, shared ones too."""

    measuring: float = 0.0
    trainings: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All seconds."""
        return self.measuring + sum(self.trainings.values())


class WorkBench(Bench):
    """The bench of one claim within a reproduction, on which trainings are really made; keys and pictures are its own."""

    def __init__(self, shop: Shop, claim: str) -> None:
        self.shop, self.claim, self.cost = shop, claim, Cost()
        self.remembered: list[Path] = []  # files of measurements that were there already
        self.folder, self.profile, self.device, self.report = shop.folder, shop.profile, shop.device, shop.report

    def train(self, training: Training) -> Path:
        course = self._run(training, 1, measured=False)
        if course.diverged:
            raise TrainingError(f"{training.name}: {course.diverged}")
        return course.run

    def follow(self, training: Training, points: int = 1) -> Course:
        if points < 1:
            raise UsageError(f"a training is measured {points} times; the least is 1")
        return self._run(training, points, measured=True)

    def measure(self, model: Model, training: Training) -> Point:
        return self._measure(model, training, {"images": 0, "seconds": 0.0})

    def pack(self, training: Training) -> Pack:
        request = self.shop.plan(training).config.request()
        key = repr(request)
        if key not in self.shop.packs:
            self.shop.packs[key] = build_pack(request, workers=self.shop.workers, report=self.report)
        return self.shop.packs[key]

    def find_data(self, dataset: str) -> str | None:
        return find_data(dataset, self.shop.data)

    def remember(self, key: str, measure: Callable[[], Any]) -> Any:
        file = self._file(MEASUREMENTS, key, "json")
        kept = read_kept(file, {"seconds": _SECONDS, "value": Any})
        if kept is None:
            begun, before = time.monotonic(), self.cost.total
            value = measure()
            counted = self.cost.total - before  # trainings, and their measurements
            kept = {"seconds": round(max(0.0, time.monotonic() - begun - counted), 2), "value": value}
            write_kept(file, kept)
            kept = json.loads(json.dumps(kept))  # the same now as when it is read again
        else:
            self.remembered.append(file)
        self.cost.measuring += kept["seconds"]
        return kept["value"]

    def picture(self, name: str, image: Any, *, columns: int | None = None) -> Path:
        image = grid_picture(image, columns=columns) if isinstance(image, Tensor) else image
        file = self.find_picture(name)
        make_folder(file.parent)
        return save_picture(cast(Image.Image, image), file)

    def find_picture(self, name: str) -> Path:
        """Return the file of a picture that this claim keeps, which need not exist yet."""
        return self._file(PICTURES, name, "png")

    def _file(self, folder: str, key: str, ending: str) -> Path:
        if not _KEY.fullmatch(key):
            raise UsageError(f"{key!r} is no key: lower-case letters and digits, joined by single '-', '_' or '.'")
        return self.folder / folder / f"{self.claim}-{key}.{ending}"

    def _run(self, training: Training, points: int, *, measured: bool) -> Course:
        """Train in so many stages, and measure after each if that is wanted; wait where another process does that."""
        name = name_run(training, points)
        self.shop.trainings[name] = training
        with FileLock(make_folder(self.folder / COURSES) / f".{name}.lock"):
            return self._run_stages(name, training, points, measured=measured)

    def _run_stages(self, name: str, training: Training, points: int, *, measured: bool) -> Course:
        run, file = self.folder / RUNS / name, self.folder / COURSES / f"{name}.json"
        kept = read_kept(file, _COURSE) or {"points": [], "diverged": "", "done": False, "seconds": 0.0}
        while not kept["diverged"] and (len(kept["points"]) < points if measured else not kept["done"]):
            stage = min(len(kept["points"]) + 1, points)
            begun = time.monotonic()
            try:
                self._train_to(run, training, round(training.images * stage / points))
            except TrainingError as error:
                if not has_diverged(error):
                    raise
                kept |= {"diverged": error.message, "seconds": round(kept["seconds"] + time.monotonic() - begun, 2)}
            else:
                counters = newest_checkpoint(run / "checkpoints", SILENT)[1]
                kept |= {"done": stage == points, "seconds": round(counters["seconds"], 2)}
                if measured:
                    kept["points"].append(asdict(self._measure(load(run, device=self.device), training, counters)))
            write_kept(file, kept)
        self.cost.trainings[name] = kept["seconds"]
        return Course(run, tuple(Point(**point) for point in kept["points"]), kept["diverged"])

    def _train_to(self, folder: Path, training: Training, images: int) -> None:
        planned, report = self.shop.plan(training), NamedReporter(self.report, folder.name)
        found = train_to(folder, planned, training.seed, Budget("images", images), report=report, workers=self.shop.workers)
        if found is not None and not found.finished:
            raise Interrupted(found.signal or "an interruption")

    def _measure(self, model: Model, training: Training, counters: Mapping[str, Any]) -> Point:
        samples, real = COUNTS.get(self.profile, MOST)
        criterion = self.shop.criterion = self.shop.criterion or open_criterion(FEATURES, device=self.device)
        pack = self.pack(training)
        begun = time.monotonic()
        if pack.key not in self.shop.references:
            self.shop.references[pack.key] = measure_data(pack, criterion, samples, self.report, most=real)
        reference = self.shop.references[pack.key]
        distance, diversity, nearest = measure(model, criterion, reference, samples)
        self.cost.measuring += time.monotonic() - begun
        collapsed = diversity < COLLAPSED or nearest < REPEATING
        shown = counters["images"], round(counters["seconds"], 2)
        return Point(*shown, distance, reference.floor, diversity, nearest, collapsed)


def make_folder(folder: Path) -> Path:
    """Return a folder, made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def name_run(training: Training, points: int = 1) -> str:
    """Return the name of a training's run folder; one that is measured on its way is another."""
    return training.name if points == 1 else f"{training.name}-in-{points}"


def find_data(dataset: str, given: Mapping[str, str]) -> str | None:
    """Return where the data of a dataset lie: as somebody said, "" where it is drawn by itself, where `zoo data build
    --download` has put it, None where they are not at hand.
    """
    if dataset in given:
        return given[dataset]
    target: type[ImageDataset] = registry.load("datasets", dataset)
    if target.tiny is not None:  # it can be made of nothing
        return ""
    fetched = find_download(dataset)
    return str(fetched) if fetched.is_dir() else None


def read_kept(
    file: Path,
    schema: Mapping[str, Any],
    error: type[ZooError] = CheckpointError,
    hint: str = "delete it, and it is made again",
) -> dict[str, Any] | None:
    """Return what a file of ours holds, None where there is none; raises `error` where it is not as the schema says."""
    if not file.exists() and not file.is_symlink():
        return None
    found: dict[str, Any] = read_document(file, schema, error=error, hint=hint, limit=64 << 20, ours=True)
    return found


def write_kept(file: Path, value: Mapping[str, Any]) -> None:
    """Write a file of ours, whole or not at all."""
    make_folder(file.parent)
    write_json(file, value)
