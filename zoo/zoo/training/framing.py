"""The beginning and the end of a training: what is about to happen, in words, and the model that came of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from zoo_core.words import plural

from ..devices import Runtime, name_device, name_processor
from ..models.folder import write_model
from ..models.model import Model
from ..runs import run as runs
from ..runs.budget import Budget
from ..runs.checkpoints import choose_checkpoint
from ..runs.config import RunConfig, model_config
from .state import State
from .watching import Watch


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return what decides, beside the run's configuration, which bits come of it; plain data for `run.json`."""
    machine: dict[str, Any] = {"device": name_device(device), "torch": torch.__version__}
    if device.type == "cpu":
        instructions = torch.backends.cpu.get_cpu_capability()
        machine |= {"processor": name_processor(), "instructions": instructions, "threads": torch.get_num_threads()}
    return machine


def describe_move(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what computed so far and what goes on, where another torch, device or processor does; "" where none does.

    The number of threads is not spoken of here: it is gone on with.
    """
    kinds = ("torch", "device", "processor", "instructions")
    moved = [kind for kind in kinds if before.get(kind) and now.get(kind) and before[kind] != now[kind]]
    if not moved:
        return ""
    changes = ", ".join(f"{kind} {before[kind]} → {now[kind]}" for kind in moved)
    return f"the run goes on elsewhere ({changes}): bits may differ from those that it would have had where it was"


def describe_start(
    config: RunConfig, budget: Budget, folder: Path, state: State, runtime: Runtime, *, resumes: bool
) -> list[str]:
    """Say what is about to happen, in a few lines."""
    assert config.image is not None
    counts = {role: sum(p.numel() for p in network.parameters()) for role, network in state.networks.items()}
    sizes = [f"{role} {n / 1e6:.1f} M" if n >= 1e5 else f"{role} {n:,}" for role, n in counts.items()]
    sizes[0] += " parameters"
    verb = f"resuming at {plural(state.images, 'image')}" if resumes else "training"
    size, kind, count = config.image.size, "gray" if config.image.channels == 1 else "color", config.facts["count"]
    processes = f", {runtime.world} processes" if runtime.world > 1 else ""
    lines = [
        f"{verb}: {config.recipe['name']} on {plural(count, 'image')}, {size}×{size} {kind}, for {budget}"
        + (f" ({plural(int(budget.total(count)), 'image')})" if budget.kind == "epochs" else ""),
        f"{', '.join(sizes)}; batch {config.training.batch}, seed {config.seed}, {runtime.device} in {runtime.precision}"
        f"{processes}",
        f"run folder: {folder} (Ctrl-C saves and stops)",
    ]
    return [*lines, _describe_processes(config, state, runtime)] if runtime.world > 1 else lines


def _describe_processes(config: RunConfig, state: State, runtime: Runtime) -> str:
    """Say what several processes have in common and what each has by itself."""
    share = config.training.batch // runtime.world
    text = f"{runtime.world} processes of {share} images each: gradients are averaged, weights are the same"
    if not any(isinstance(m, _BatchNorm) for network in state.networks.values() for m in network.modules()):
        return text
    if config.training.sync_bn and runtime.device.type == "cuda":
        return f"{text}, and so are batch statistics"
    why = "; torch synchronizes them on GPUs only" if config.training.sync_bn else ""
    return f"{text}, but batch normalization sees the {share // config.training.accumulate} images of its own process{why}"


def ended_schedules(config: RunConfig, budget: Budget) -> str:
    """Say which learning rates are 0 before the budget is spent, as those of a run that goes on for longer; "" for none."""
    falling = {
        role: s for role, s in config.optimizer.items() if s["schedule"] != "constant" and not s.get("schedule_floor")
    }
    ends = {role: settings["schedule_images"] for role, settings in falling.items()}
    ends = {role: end for role, end in ends.items() if end < int(budget.total(config.facts["count"]))}
    if not ends or budget.kind == "minutes":
        return ""
    return f"nothing is learned by {' and '.join(ends)} from {min(ends.values()):,} images on: the schedule ends there"


def write_best_model(folder: Path, config: RunConfig, state: State, command: str, watch: Watch | None) -> None:
    """Write the model folder of a finished run: of its best checkpoint, measured anew on other samples, or of the last."""
    record = runs.read_run(folder)
    best = choose_checkpoint(folder, config.training.batch) if state.best is not None else None
    if best is not None and best.by == "best" and best.described["step"] != state.step:
        model = runs.read_model_of(record, best)
    else:
        provenance = runs.provenance_of(config, {"step": state.step, "images": state.images}, command)
        if best is not None:
            provenance |= best.to_json(record.watch, record.interventions)
        elif record.interventions:
            provenance["interventions"] = record.interventions
        described = model_config(config, provenance, "moving average" if state.averages else "raw")
        networks = {role: state.inference_copy(role) for role in state.networks}
        model = Model.of(networks, described).to("cpu")
    confirm = watch.evaluation.confirm if watch is not None and best is not None and best.best is not None else None
    if watch is not None and confirm is not None:
        began = time.monotonic()
        value = round(confirm(copy.deepcopy(model.generator).to(state.meter.sums.device)), 6)
        watch.seconds += time.monotonic() - began
        model.config["provenance"]["chosen"] |= {"reported": value, "reported_samples": watch.evaluation.confirmed}
        runs.write_run(folder, replace(record, watch=watch.to_json(state.seconds)))
    write_model(model, folder / "model", replace=True)
