"""Rescue: a training that fails goes back to its best checkpoint, and on from there with gentler settings.

A rescue is a resumption. What failed, where it goes back to and what changes are first written into `run.json`, whole or
not at all; then the process begins again with what lies in the folder, as after a kill. So a run that is killed at any
moment, in the middle of a rescue too, goes on with the same bits: it finds the intervention written, or trains up to it once
more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo_core import OptionError, registry
from zoo_core.options import complete
from zoo_core.settings import OptimizerSettings
from zoo_core.words import plural

from ..files import atomic_file, remove_folder
from ..models.building import component_config
from ..runs.checkpoints import checkpoints, read_state, step_of
from ..runs.config import RunConfig
from ..runs.options import resolve_component
from ..runs.run import RunRecord, read_log, read_run, write_run
from .health import DivergenceError
from .state import State

MOST = 3  # rescues of a training
LADDER: tuple[Mapping[str, Any], ...] = ({"optimizer.lr": 1e-4}, {"optimizer.lr": 5e-5}, {"optimizer.lr": 2.5e-5})
"""What a recipe is rescued by that names no ladder of its own."""


def ladder_of(config: RunConfig) -> list[dict[str, Any]]:
    """Return the rungs that a recipe declares, without the settings that these parts cannot take."""
    found: list[dict[str, Any]] = []
    declared = registry.recipe(config.recipe["name"]).rescue or LADDER
    for rung in declared[:MOST]:
        fitting: dict[str, Any] = {}
        for key, value in rung.items():
            try:
                check = climb(config, [*found, {**fitting, key: value}]).check_networks
                if key.startswith(("loss", "algorithm")):
                    check()
            except OptionError:  # such as a penalty in an algorithm that wants none
                continue
            fitting[key] = list(value) if isinstance(value, tuple) else value
        if fitting:
            found.append(fitting)
    return found


def climb(config: RunConfig, rungs: Sequence[Mapping[str, Any]]) -> RunConfig:
    """Return a configuration after some rungs; raises `OptionError` for a setting that its parts do not have."""
    for rung in rungs:
        optimizer = {role: dict(settings) for role, settings in config.optimizer.items()}
        parts, algorithm, training = dict(config.parts), config.algorithm, config.training
        for key, value in rung.items():
            group, _, name = key.rpartition(".")
            role = group.partition(".")[2]
            if key == "training.augment":
                training = replace(training, augment=tuple(dict.fromkeys([*training.augment, *value])))
            elif key == "loss" and "loss" in parts:
                parts["loss"] = component_config("losses", value, resolve_component("loss", "losses", value, {}))
            elif group == "loss" and "loss" in parts:
                given = {**parts["loss"]["options"], name: value}
                parts["loss"] = {**parts["loss"], "options": given}
            elif group == "algorithm":
                algorithm = {**algorithm, "options": {**algorithm["options"], name: value}}
            elif group.partition(".")[0] == "optimizer" and (not role or role in optimizer):
                for settings in [optimizer[role]] if role else optimizer.values():
                    if name not in settings:
                        raise OptionError(f"{key} is no setting")
                    settings[name] = (
                        min(value, settings[name] / 2) if name == "lr" and isinstance(value, int | float) else value
                    )
            else:
                raise OptionError(f"{key} is no setting of {config.recipe['name']}")
        if training.augment and not config.build_algorithm().augmentable:
            raise OptionError(f"{config.recipe['name']} has no augmentation")
        for role, settings in optimizer.items():
            OptimizerSettings(**complete(OptimizerSettings, settings, where=f"optimizer.{role}"))
        config = replace(config, optimizer=optimizer, parts=parts, algorithm=algorithm, training=training)
    return config


def apply_interventions(record: RunRecord, config: RunConfig) -> RunConfig:
    """Return what a run goes on with after its interventions."""
    return climb(config, [intervention["settings"] for intervention in record.interventions])


def intervene(folder: Path, error: DivergenceError, state: State, batch: int) -> str:
    """Write down that a run goes back and takes its next rung; returns that in words, "" where it stays as it is."""
    record = read_run(folder)
    number = len(record.interventions) + 1
    finished = (folder / "model").exists()  # a smaller budget was spent: to begin again would lose what is there
    if number > len(record.rescue) or (state.anchor is None and finished):
        return ""
    step = state.anchor.step if state.anchor is not None else 0
    settings = record.rescue[number - 1]
    intervention = {
        "number": number,
        "reason": error.message,
        "at": {"step": state.step, "images": state.images},
        "back_to": {"step": step, "images": step * batch},
        "settings": settings,
        "seconds": round(state.seconds, 3),
    }
    log = folder / "metrics.jsonl"
    lost = [line for line in read_log(log) if line["step"] > step] if log.exists() else []
    with atomic_file(folder / f"abandoned-{number}.jsonl") as temporary:  # what is cut off metrics.jsonl, to be looked at
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lost), encoding="utf-8")
    write_run(folder, replace(record, interventions=[*record.interventions, intervention]))
    back = f"its best checkpoint, of {plural(step * batch, 'image')}" if step else "its beginning"
    return (
        f"rescue {number} of {len(record.rescue)}: {error.message}. It goes back to {back}, and on with {describe(settings)}"
    )


def describe(settings: Mapping[str, Any]) -> str:
    """Return a rung in words: "optimizer.lr at most 0.0001, training.augment with noise"."""
    words = []
    for key, value in settings.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        words.append(f"{key} {'at most ' if key.endswith('.lr') else 'with ' if key == 'training.augment' else ''}{shown}")
    return ", ".join(words)


def remove_abandoned(folder: Path, interventions: Sequence[Mapping[str, Any]]) -> None:
    """Remove the checkpoints of a run that its last intervention left behind."""
    if not interventions:
        return
    back = int(interventions[-1]["back_to"]["step"])
    for path in checkpoints(folder / "checkpoints"):
        if step_of(path) > back and int(read_state(path).get("rung", 0)) < len(interventions):
            remove_folder(path)
