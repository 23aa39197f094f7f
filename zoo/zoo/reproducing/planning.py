"""What a reproduction is going to do, and about how long that takes here. Computes nothing but how fast the machine is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo_core import CheckpointError, Claim, ImageSpec, Training, UsageError, Work, ZooError, registry
from zoo_core.errors import unknown
from zoo_core.papers import PROFILES
from zoo_core.words import duration, plural

from ..devices import check_device
from ..progress import SILENT, Reporter
from ..runs.config import RunConfig
from ..schemas import Number
from ..training.processor import count_granted
from ..training.speed import bench, flop_per_image
from .bench import CLAIMS, Shop, WorkBench, find_data, name_run, read_kept, write_kept

SPEED = "speed.json"  # how fast this machine trains, measured once
START = 1.5  # seconds that a training takes besides its steps: to begin, to save, to be loaded


@dataclass(frozen=True)
class PlannedClaim:
    """A claim, and what it is going to do.

    Args:
        wanted: whether somebody asked for it; `--only` leaves others out.
        lacking: datasets that it needs and that are not at hand.
        trainings: those that no claim before it has asked for.
        shared: how many trainings it shares with claims before it.
        seconds: of trainings and other work, about; None where nobody knows how fast this machine is.
    """

    name: str
    claim: Claim
    wanted: bool = True
    lacking: tuple[str, ...] = ()
    trainings: tuple[Training, ...] = ()
    shared: int = 0
    works: tuple[Work, ...] = ()
    seconds: float | None = None

    @property
    def why_not(self) -> str:
        """Why it is not tried, "" where it is."""
        if not self.wanted:
            return "not asked for (--only)"
        ways = ", ".join(f"--data {name}=PATH" for name in self.lacking)
        return f"{' and '.join(self.lacking)} not at hand: {ways}" if self.lacking else ""


@dataclass(frozen=True)
class ReproductionPlan:
    """All claims of a paper in its order, as planned for a profile, a device and the data at hand."""

    paper: str
    profile: str
    device: str
    claims: tuple[PlannedClaim, ...]
    data: Mapping[str, str] = field(default_factory=dict)
    processes: int = 1

    @property
    def seconds(self) -> float | None:
        """Until all claims are measured, by so many processes; None where nobody knows."""
        found = [planned.seconds for planned in self.claims if not planned.why_not]
        known = [seconds for seconds in found if seconds is not None]
        return None if len(known) < len(found) else max([sum(known) / self.processes, *known])

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return the plan as a table: claim, trainings, what else, how long; the head first, the sum last."""
        rows = [("claim", "trainings", "besides", "about")]
        for planned in self.claims:
            if planned.why_not:
                rows.append((planned.name, "–", planned.why_not, "–"))
                continue
            images = sum(training.images for training in planned.trainings)
            told = f"{plural(len(planned.trainings), 'training')} of {images:,} images" if planned.trainings else "none"
            told += f", {planned.shared} shared" if planned.shared else ""
            rows.append((planned.name, told, ", ".join(work.words for work in planned.works) or "–", _time(planned.seconds)))
        where = f"on {self.device}, profile {self.profile}"
        where += f", by {self.processes} processes" if self.processes > 1 else ""
        return [*rows, ("all", "", where, _time(self.seconds))]

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--dry-run --json`."""
        claims = [
            {
                "name": planned.name,
                "title": planned.claim.title,
                "criterion": planned.claim.criterion,
                "not_tried": planned.why_not or None,
                "trainings": [training.name for training in planned.trainings],
                "images": sum(training.images for training in planned.trainings),
                "shared": planned.shared,
                "besides": [work.words for work in planned.works],
                "seconds": planned.seconds,
            }
            for planned in self.claims
        ]
        told: dict[str, Any] = {"paper": self.paper, "profile": self.profile, "device": self.device, "data": dict(self.data)}
        told["processes"] = self.processes
        return {**told, "seconds": self.seconds, "claims": claims}


def plan_reproduction(
    paper: str,
    *,
    profile: str = "minutes",
    data: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    device: str = "auto",
    out: Path,
    processes: int | None = None,
    forecast: bool = True,
    report: Reporter = SILENT,
) -> ReproductionPlan:
    """Plan a reproduction; computes nothing but, with `forecast`, how fast this machine trains (a few seconds, once).

    Args:
        processes: how many measure claims at the same time, as `zoo.reproduce` takes them.

    Raises:
        UsageError: no such paper, profile, claim, dataset or device; a number that cannot be.
        PluginError: a claim is broken.
    """
    claims, where = registry.claims(paper), str(check_device(device))
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    for name in only:
        if name not in claims:
            raise unknown(f"claim of {paper}", name, claims)
    for name in data or {}:
        registry.find("datasets", name)
    count = choose_processes(processes, where)
    shop = Shop(out, profile, data=dict(data or {}), device=where, threads=choose_threads(count, where), report=report)
    known: set[str] = set()
    found: list[PlannedClaim] = []
    for name, claim in claims.items():
        wanted = not only or name in only
        lacking = tuple(dataset for dataset in claim.needs if find_data(dataset, shop.data) is None)
        if not wanted or lacking:
            found.append(PlannedClaim(name, claim, wanted, lacking))
            continue
        steps = claim.plan(WorkBench(shop, name))
        asked = {name_run(step): step for step in steps if isinstance(step, Training)}
        fresh = tuple(step for key, step in asked.items() if key not in known)
        known |= set(asked)
        works = tuple(step for step in steps if isinstance(step, Work))
        found.append(PlannedClaim(name, claim, True, (), fresh, len(asked) - len(fresh), works))
    planned = ReproductionPlan(paper, profile, where, tuple(found), shop.data, count)
    return foresee(planned, shop) if forecast else planned


def choose_processes(asked: int | None, device: str) -> int:
    """Return how many processes measure claims at the same time: by default one for each core, one where a GPU computes."""
    if asked is not None and asked < 1:
        raise UsageError(f"--processes must be at least 1, not {asked}")
    return asked or (count_granted() if device == "cpu" else 1)


def choose_threads(processes: int, device: str) -> int | None:
    """Return the threads of each process's trainings, its share of the cores; None leaves the choice to each training."""
    return max(1, count_granted() // processes) if processes > 1 and device == "cpu" else None


def foresee(planned: ReproductionPlan, shop: Shop) -> ReproductionPlan:
    """Return the plan with the seconds that everything takes, by the speed of this machine and what is done already."""
    trainings = [training for one in planned.claims for training in one.trainings]
    rate = 1.0
    if trainings:
        with suppress(ZooError):
            rate = measure_speed(max(trainings, key=lambda training: training.images), shop)
    needed: dict[str, float] = {}

    def seconds(training: Training) -> float:
        config = RunConfig.resolve(
            training.recipe, dataset=training.dataset, size=training.size, batch=training.batch, options=training.options
        )
        key = repr((training.recipe, training.size, sorted(training.options.items())))
        if key not in needed:
            classes = 10 if config.conditional else 0
            needed[key] = flop_per_image(config.with_image(ImageSpec(config.training.size, 3, classes)))
        return START + training.images * needed[key] / rate

    claims = []
    for one in planned.claims:
        if one.why_not or (shop.folder / CLAIMS / f"{one.name}.json").exists():
            claims.append(replace(one, seconds=None if one.why_not else 0.0))
            continue
        with suppress(ZooError):  # what cannot be trained is said when it is to be
            one = replace(one, seconds=sum(map(seconds, one.trainings)) + sum(work.seconds for work in one.works))
        claims.append(one)
    return replace(planned, claims=tuple(claims))


def measure_speed(training: Training, shop: Shop) -> float:
    """Return the operations a second with which this machine trains, as measured for the reproduction once."""
    file = shop.folder / SPEED
    kept = None
    with suppress(CheckpointError):  # then it is measured again
        kept = read_kept(file, {"device": str, "flops": Number(above=0), "*": Any})
    if kept is None or (kept["device"], kept.get("threads")) != (shop.device, shop.threads):
        found = bench(
            training.recipe,
            size=training.size,
            batch=training.batch,
            options=training.options,
            device=shop.device,
            compile=False,
            threads=shop.threads,
            rounds=3,
            report=shop.report,
        )
        kept = {"device": shop.device, "threads": shop.threads, "recipe": training.recipe}
        kept |= {"images_per_s": found.images_per_s, "flops": found.flops}
        if shop.folder.is_dir():
            write_kept(file, kept)
    return float(kept["flops"])


def read_data(given: Sequence[str]) -> dict[str, str]:
    """Return what `--data NAME=PATH` says, each dataset once; raises `UsageError` for anything else."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise UsageError(f"--data {text!r} names no dataset and place", hint="for example: --data cifar10=~/cifar10")
        if name in found:
            raise UsageError(f"--data names {name} twice", hint="give each dataset one place")
        found[name] = path
    return found


def _time(seconds: float | None) -> str:
    return "?" if seconds is None else "done" if seconds == 0 else duration(seconds)
