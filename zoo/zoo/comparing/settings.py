"""What a comparison is told, and whether one that goes on is told the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import CheckpointError, UsageError, registry

from ..documents import fault, read_json
from ..metrics.measuring import Criterion
from ..runs.budget import Budget
from ..runs.config import add_later_settings
from ..runs.differences import list_differences, say_differences
from ..schemas import MapOf, Whole, find_problem
from ..training.planning import Plan, plan

FORMAT = 1
FILE = "comparison.json"
_SCHEMA = {
    **{"format": Whole(1), "settings": MapOf(Any, least=1), "seeds": Whole(1), "pictures": str},
    **{"recipes": MapOf(MapOf(Any), least=1), "*": Any},
}


@dataclass(frozen=True)
class Settings:
    """How recipes are compared; a `Plan` says how each is trained."""

    budget: Budget  # of each training
    seeds: int  # each recipe is trained with seeds 0, 1, …, seeds − 1
    criterion: Criterion  # what they are measured by
    samples: int  # pictures drawn for each measurement
    points: int  # measurements in a training, at equal steps of the budget

    @property
    def explanation(self) -> str:
        """What the metric is, in words."""
        names = {"metrics": self.criterion.name, "features": self.criterion.extractor.name}
        entries = [registry.find(kind, name) for kind, name in names.items()]
        told = [f"“{entry.name}” ({entry.summary})" if entry.summary else f"“{entry.name}”" for entry in entries]
        return f"the metric {told[0]} of the features {told[1]}"

    def stage(self, number: int) -> Budget:
        """Return the budget up to measurement `number`, from 1 to `points`."""
        amount = self.budget.amount * number / self.points
        return Budget(self.budget.kind, round(amount) if self.budget.kind == "images" else amount)


def plan_recipes(
    recipes: Sequence[str], dataset: str | None, out: Path, images: int | None, minutes: float | None, **choices: Any
) -> dict[str, Plan]:
    """Plan each recipe's training, resolved and checked; raises `UsageError` also where their data would differ."""
    if images is None and minutes is None:
        raise UsageError(
            "name a budget that every recipe gets", hint="for example: --images 20000 (real images shown), or --minutes 10"
        )
    Budget.choose({"images": images, "minutes": minutes}, Budget("images", 1))  # refused once, and not for each recipe
    if not recipes:
        raise UsageError("name the recipes to compare", hint="for example: zoo compare dcgan mlp-gan --dataset faces …")
    if twice := sorted({name for name in recipes if recipes.count(name) > 1}):
        raise UsageError(f"recipe {twice[0]!r} is named twice", hint="name each recipe once; --seeds repeats them all")
    if dataset is None:
        raise UsageError("name a dataset", hint=f"for example: zoo compare {shlex.join(recipes)} --dataset faces …")
    plans = {}
    for name in recipes:
        try:
            plans[name] = plan(
                name, dataset=dataset, out=out / "new", images=images, minutes=minutes, watch=False, rescue=False, **choices
            )
        except UsageError as error:
            if len(recipes) > 1 and repr(name) not in error.message:
                error.message = f"recipe {name!r}: {error.message}"
            raise
    first, *others = ((name, plan.config.training.size, plan.config.request()) for name, plan in plans.items())
    for name, size, request in others:
        if size != first[1]:
            raise UsageError(
                f"{first[0]} draws {first[1]}×{first[1]} pixels, {name} {size}×{size}: such distances say nothing",
                hint=f"give one size for all: --size {min(size, first[1])}",
            )
        if request != first[2]:
            raise UsageError(f"{first[0]} and {name} set options of the dataset differently: their data would differ")
    return plans


def describe(settings: Settings, plans: Mapping[str, Plan], pictures: str) -> dict[str, Any]:
    """Return what `comparison.json` is to hold, plain data; `pictures` is the key of the pack."""
    budget, criterion, first = settings.budget, settings.criterion, next(iter(plans.values()))
    recipes = {}
    for name, planned in plans.items():  # where the data lie may change, `pictures` tells
        identity = {key: value for key, value in planned.config.identity().items() if key not in ("seed", "data")}
        recipes[name] = {**identity, "channels": planned.config.channels}
    return {
        "format": FORMAT,
        "settings": {
            **{"metric": criterion.title, "samples": settings.samples, "points": settings.points},
            **{f"features.{key}": value for key, value in criterion.extractor.options.items()},
            "budget": f"{budget.amount:g} {budget.kind}" if budget.amount < 1e6 else f"{budget.amount:.0f} {budget.kind}",
            "device": str(first.device),
            "precision": first.precision,
        },
        "seeds": settings.seeds,
        "pictures": pictures,
        "recipes": recipes,
    }


def refuse_other(out: Path, wanted: Mapping[str, Any], plans: Mapping[str, Plan]) -> None:
    """Raise `UsageError` unless a comparison can be begun in `out` or the one that is there may go on as `wanted`.

    More recipes and more seeds are welcome, and settings that came later and stand at their defaults; all else must be as
    it was. Says what differs.
    """
    if not (out / FILE).exists():
        if out.exists() and (not out.is_dir() or any(path.name != ".lock" for path in out.iterdir())):
            raise UsageError(f"{out} exists and holds no comparison", hint="choose another folder: --out DIR")
        return
    found, where = _read(out / FILE), "the comparison"
    lines = list_differences(found["settings"], wanted["settings"], where)
    if missing := [name for name in found["recipes"] if name not in wanted["recipes"]]:
        lines.append(f"recipes: {', '.join(found['recipes'])} in the comparison, without {', '.join(missing)} now")
    if wanted["seeds"] < found["seeds"]:
        lines.append(f"seeds: {found['seeds']} in the comparison, {wanted['seeds']} now")
    if wanted["pictures"] and wanted["pictures"] != found["pictures"]:
        lines.append("the pictures themselves: others than those that it was begun with")
    known = {name: add_later_settings(old, plans[name].config) for name, old in found["recipes"].items() if name in plans}
    changed = {name: list_differences(old, wanted["recipes"][name], where) for name, old in known.items()}
    shared = set.intersection(*map(set, changed.values())) if changed else set()
    lines += sorted(shared)
    lines += [f"{name}: {line}" for name, of_one in changed.items() for line in of_one if line not in shared]
    if lines:
        hint = (
            "to go on with it, give it the same settings (more recipes and seeds may be named); or choose another --out DIR"
        )
        raise UsageError(f"{out} holds a comparison with other settings" + say_differences(lines, hint), hint=hint)


def _read(path: Path) -> dict[str, Any]:
    hint = "choose another folder: --out DIR"
    found = read_json(path, error=CheckpointError, hint=hint, ours=True)
    if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
        raise CheckpointError(f"{path} was written by a later version of the zoo")
    if problem := find_problem(found, _SCHEMA):
        raise fault(path, problem, error=CheckpointError, hint=hint, ours=True)
    return found  # type: ignore[no-any-return]
