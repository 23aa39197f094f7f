"""What a comparison is told, and whether one that goes on is told the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import CheckpointError, UsageError, registry

from ..metrics.images import training_request
from ..metrics.measuring import split_criterion
from ..runs.budget import Budget
from ..training.planning import Plan, plan

FORMAT = 1
FILE = "comparison.json"


@dataclass(frozen=True)
class Settings:
    """How recipes are compared; `plans` says how each is trained.

    Args:
        seeds: each recipe is trained with seeds 0, 1, …, seeds − 1.
        metric: what `--metric` takes, with the distribution before each name.
        features: all options of the feature extractor.
        samples: pictures drawn for each measurement.
        points: measurements in a training, at equal steps of the budget.
        lower_is_better: whether the best value of the metric is the least.
    """

    budget: Budget
    seeds: int
    metric: str
    features: Mapping[str, Any]
    samples: int
    points: int
    lower_is_better: bool = True

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("samples", 16), ("points", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"--{name} must be at least {least}, not {getattr(self, name)}")

    @property
    def explanation(self) -> str:
        """What the metric is, in words."""
        metric, features = split_criterion(self.metric)
        entries = registry.find("metrics", metric), registry.find("features", features)
        told = [f"“{entry.name}” ({entry.summary})" if entry.summary else f"“{entry.name}”" for entry in entries]
        return f"the metric {told[0]} of the features {told[1]}"

    def stage(self, number: int) -> Budget:
        """The budget up to measurement `number`, from 1 to `points`."""
        amount = self.budget.amount * number / self.points
        return Budget(self.budget.kind, round(amount) if self.budget.kind == "images" else amount)


def choose_budget(images: int | None, minutes: float | None) -> Budget:
    """Return the budget of each training; raises `UsageError` unless there is exactly one."""
    if images is None and minutes is None:
        raise UsageError(
            "name a budget that every recipe gets", hint="for example: --images 20000 (real images shown), or --minutes 10"
        )
    return Budget.choose({"images": images, "minutes": minutes}, Budget("images", 1))


def split_off_features(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `--set` says about the trainings, and, without "features.", about the extractor."""
    own = {key.removeprefix("features."): value for key, value in options.items() if key.startswith("features.")}
    return {key: value for key, value in options.items() if not key.startswith("features.")}, own


def plan_recipes(recipes: Sequence[str], dataset: str | None, out: Path, **choices: Any) -> dict[str, Plan]:
    """Plan each recipe's training, resolved and checked.

    Raises:
        UsageError: a name or an option is wrong, a recipe is named twice, or they would draw from different data.
    """
    if not recipes:
        raise UsageError("name the recipes to compare", hint="for example: zoo compare dcgan mlp-gan --dataset faces …")
    twice = sorted({name for name in recipes if recipes.count(name) > 1})
    if twice:
        raise UsageError(f"recipe {twice[0]!r} is named twice", hint="name each recipe once; --seeds repeats them all")
    if dataset is None:
        raise UsageError("name a dataset", hint=f"for example: zoo compare {shlex.join(recipes)} --dataset faces …")
    plans = {}
    for name in recipes:
        try:
            plans[name] = plan(name, dataset=dataset, out=out / "new", **choices)
        except UsageError as error:
            if len(recipes) > 1 and repr(name) not in error.message:
                error.message = f"recipe {name!r}: {error.message}"
            raise
    _refuse_different_data(plans)
    return plans


def _refuse_different_data(plans: Mapping[str, Plan]) -> None:
    first, *others = plans
    for other in others:
        sizes = [plans[name].config.training.size for name in (first, other)]
        if sizes[0] != sizes[1]:
            raise UsageError(
                f"{first} draws {sizes[0]}×{sizes[0]} pixels, {other} {sizes[1]}×{sizes[1]}: such distances say nothing",
                hint=f"give one size for all: --size {min(sizes)}",
            )
        if training_request(plans[first].config) != training_request(plans[other].config):
            raise UsageError(f"{first} and {other} set options of the dataset differently: their data would differ")


def describe(settings: Settings, plans: Mapping[str, Plan], pictures: str) -> dict[str, Any]:
    """Return what `comparison.json` is to hold: plain data.

    Args:
        pictures: key of the pack.
    """
    budget = settings.budget
    device = next(iter(plans.values()))
    return {
        "format": FORMAT,
        "settings": {
            **{key: getattr(settings, key) for key in ("metric", "samples", "points")},
            **{f"features.{key}": value for key, value in settings.features.items()},
            "budget": f"{budget.amount:g} {budget.kind}" if budget.amount < 1e6 else f"{budget.amount:.0f} {budget.kind}",
            "device": str(device.device),
            "precision": device.precision,
        },
        "seeds": settings.seeds,
        "pictures": pictures,
        "recipes": {name: _identity(plan) for name, plan in plans.items()},
    }


def refuse_other(out: Path, wanted: Mapping[str, Any]) -> None:
    """Raise `UsageError` unless a comparison can be begun in `out` or the one that is there may go on as `wanted`.

    More recipes and more seeds are welcome; all else must be as it was. Says what differs.
    """
    if not (out / FILE).exists():
        if out.exists() and (not out.is_dir() or any(path.name != ".lock" for path in out.iterdir())):
            raise UsageError(f"{out} exists and holds no comparison", hint="choose another folder: --out DIR")
        return
    found = _read(out / FILE)
    lines = _differences(found["settings"], wanted["settings"])
    missing = [name for name in found["recipes"] if name not in wanted["recipes"]]
    if missing:
        lines.append(f"recipes: {', '.join(found['recipes'])} in the comparison, without {', '.join(missing)} now")
    if wanted["seeds"] < found["seeds"]:
        lines.append(f"seeds: {found['seeds']} in the comparison, {wanted['seeds']} now")
    if wanted["pictures"] and wanted["pictures"] != found["pictures"]:
        lines.append("the pictures themselves: others than those that it was begun with")
    changed = {
        name: _differences(identity, wanted["recipes"].get(name, identity)) for name, identity in found["recipes"].items()
    }
    shared = set.intersection(*(set(of_one) for of_one in changed.values()))
    lines += sorted(shared)
    lines += [f"{name}: {line}" for name, of_one in changed.items() for line in of_one if line not in shared]
    if lines:
        raise UsageError(
            f"{out} holds a comparison with other settings:\n  " + "\n  ".join(lines),
            hint="to go on with it, give it the same settings (more recipes and seeds may be named); "
            "or choose another folder: --out DIR",
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] > FORMAT:
            raise CheckpointError(f"{path} was written by a later version of the zoo")
        for key, kind in (("settings", dict), ("seeds", int), ("pictures", str), ("recipes", dict)):
            if not isinstance(found[key], kind) or not found[key]:
                raise ValueError(f"{key} is {found[key]!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is damaged: {type(error).__name__}: {error}", hint="choose another folder: --out DIR"
        ) from error
    return dict(found)


def _identity(plan: Plan) -> dict[str, Any]:
    """What makes the trainings of a recipe, but for the seed; where the data lie may change, `pictures` tells."""
    identity = plan.config.identity()
    found = {key: value for key, value in identity.items() if key not in ("seed", "data", "channels")}
    return {**found, "channels": plan.config.channels}


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    lines = []
    for key in sorted({*old, *new}):
        before, now = (repr(side[key]) if key in side else "nothing" for side in (old, new))
        if before != now:
            lines.append(f"{key}: {before} in the comparison, {now} now")
    return lines
