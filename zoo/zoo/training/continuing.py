"""Going on with a run: whether it is the one that is meant, what of it may be changed, and whether its budget is spent."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import UsageError
from zoo_core.settings import FREE

from ..files import LOCK, TEMPORARY
from ..runs.command import replace_budget
from ..runs.config import RunConfig, add_later_settings
from ..runs.differences import list_differences, say_differences
from ..runs.folders import is_run
from ..runs.run import read_run

if TYPE_CHECKING:
    from .planning import Plan

_LATER = re.compile(r"channels|optimizer\..*\.schedule_images")


def refuse_existing(folder: Path, config: RunConfig) -> None:
    """Raise `UsageError` unless a new run can be made at `folder`: nothing is there, or an empty folder."""
    if is_run(folder):  # how many channels the pictures turned out to have is no matter
        old, new = ({**c.identity(), "channels": None} for c in (read_run(folder).config, config))
        lines = list_differences(old, new)
        hint = f"go on with it: zoo train --resume {shlex.quote(str(folder))}; or choose another folder: --out DIR"
        what = "with another configuration" + say_differences(lines, hint) if lines else "with this very configuration"
        raise UsageError(f"{folder} holds a run {what}", hint=hint)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="choose another folder: --out DIR")
    # A training that is killed before it began leaves a lock and unfinished files.
    if folder.exists() and any(p.name != LOCK and not p.name.startswith(TEMPORARY) for p in folder.iterdir()):
        raise UsageError(f"{folder} exists and is not empty", hint="choose another folder: --out DIR")


def continue_run(folder: Path, config: RunConfig, planned: Plan) -> Plan:
    """Return `planned`, of a new run, as a plan to go on with the run in `folder` that was begun with this configuration."""
    record = read_run(folder)
    # Known only since its pictures were looked at, or decided by its budget, which the name tells.
    known = add_later_settings(record.config.identity(), config)
    old, new = ({k: v for k, v in found.items() if not _LATER.search(k)} for found in (known, config.identity()))
    if list_differences(old, new):  # two configurations of one name, or of one that a part counts differently today
        refuse_existing(folder, config)
    free = {key: getattr(config.training, key) for key in FREE}
    resumed = replace(record.config, training=replace(record.config.training, **free))
    threads = planned.threads or record.threads
    command = replace_budget(record.command, planned.budget.words)
    return replace(planned, config=resumed, command=command, threads=threads, again=True)


def resume_config(
    folder: Path, config: RunConfig, recipe: str | None, given: Mapping[str, Any], options: Mapping[str, Any]
) -> RunConfig:
    """Return a run's configuration, with the settings changed that may be; raises `UsageError` where another differs."""
    named = {key: value for key, value in given.items() if value is not None}
    assert config.dataset is not None
    old = {"recipe": config.recipe["name"], "dataset": config.dataset["name"]}
    asked = {"recipe": recipe, "dataset": named.get("dataset")}
    others = {key: name for key, name in asked.items() if name and name.rpartition(":")[2] != old[key]}
    lines = list_differences(old, {**old, **others})
    if (named or options) and not lines:
        wanted = _resolve_wanted(config, named, options)
        # Data that moved are the same data; the pack tells. Channels that nobody names stay what they are.
        old = {"channels": None, **config.identity(), "data": None}
        new = {**wanted.identity(), "data": None, "channels": named.get("channels", old["channels"])}
        # Options that parts have gained since are at their defaults, which the run goes on with.
        lines = list_differences(old, {key: value for key, value in new.items() if key in old or key in options})
        free = {key: getattr(wanted.training, key) for key in FREE}
        moved = {**config.dataset, "data": named.get("data", config.dataset["data"])}
        config = replace(config, training=replace(config.training, **free), dataset=moved)
    if lines:
        hint = "leave these out to go on with the run, or begin another: zoo train … without --resume"
        raise UsageError(f"{folder} was begun otherwise" + say_differences(lines, hint), hint=hint)
    return config


def _resolve_wanted(config: RunConfig, named: Mapping[str, Any], options: Mapping[str, Any]) -> RunConfig:
    """Return the configuration that a run would have, had it been begun with these flags and options too."""
    assert config.dataset is not None
    # An optimizer.* key speaks for all networks, so it must win over what the run holds for each.
    shared = tuple(key.removeprefix("optimizer") for key in options if re.fullmatch(r"optimizer\.\w+", key))
    held = {**config.identity(), **{f"training.{key}": getattr(config.training, key) for key in FREE}}
    stored = {
        key: value
        for key, value in held.items()
        if "." in key and not (shared and key.startswith("optimizer.") and key.endswith(shared))
    }
    flags = {"data": config.dataset["data"], "split": config.dataset["split"]}
    flags.update(dataset=config.request().dataset, channels=config.channels, seed=config.seed)
    wanted = RunConfig.resolve(config.recipe["name"], **{**flags, **named}, options={**stored, **options})
    return replace(wanted, parent=config.parent, frozen=config.frozen)


def is_spent(plan: Plan, counters: Mapping[str, Any]) -> bool:
    """Return whether a run that goes on has spent its budget by `counters`, "images" and "seconds"."""
    done = counters["seconds" if plan.budget.kind == "minutes" else "images"]
    return bool(done >= plan.budget.total(plan.config.facts["count"]))


def refuse_finished(plan: Plan, counters: Mapping[str, Any]) -> None:
    """Raise `UsageError` when a run's budget is spent by `counters`, "images" and "seconds"; says a larger one to type."""
    if not is_spent(plan, counters):
        return
    folder, budget = plan.folder, plan.budget
    count, images = plan.config.facts["count"], counters["images"]
    done = counters["seconds"] if budget.kind == "minutes" else images
    more = {"epochs": images / count * 2, "images": images * 2, "minutes": done / 30}[budget.kind]
    hint = f"to go on: zoo train --resume {shlex.quote(str(folder))} --{budget.kind} {max(1, round(more))}"
    hint += f"; {plan.another}" if plan.again else ""
    raise UsageError(f"{folder} is finished: {images:,} images shown, and its budget is {budget}", hint=hint)
