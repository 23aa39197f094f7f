"""What a training says before it begins."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from torch.nn.modules.batchnorm import _BatchNorm

from zoo_core import Tracker, UsageError, registry

from ..devices import Runtime
from ..runs.budget import Budget
from ..runs.config import RunConfig
from .state import State


def check_tracker(name: str | None) -> None:
    """Raise `UsageError` unless `name` is a tracker that can be used here, or None."""
    if name is None:
        return
    found: type[Tracker] = registry.load("trackers", name)
    if found.requires and find_spec(found.requires) is None:
        hint = f'install it with: pip install "{found.extra or found.requires}"'
        raise UsageError(f"--track {name} needs {found.requires}, which is not installed", hint=hint)


def describe(config: RunConfig, budget: Budget, folder: Path, state: State, runtime: Runtime, *, resumes: bool) -> str:
    """Say what is about to happen, in a few lines."""
    assert config.image is not None
    sizes = [f"{role} {sum(p.numel() for p in net.parameters()) / 1e6:.1f} M" for role, net in state.networks.items()]
    sizes[0] += " parameters"
    verb = f"resuming at {state.images:,} images" if resumes else "training"
    size, kind, count = config.image.size, "gray" if config.image.channels == 1 else "color", config.facts["count"]
    processes = f", {runtime.world} processes" if runtime.world > 1 else ""
    lines = [
        f"{verb}: {config.recipe['name']} on {count:,} images, {size}×{size} {kind}, for {budget} "
        f"({budget.total(count):,.0f} {budget.unit})",
        f"{', '.join(sizes)}; batch {config.training.batch}, seed {config.seed}, {runtime.device} in {runtime.precision}"
        f"{processes}",
        f"run folder: {folder} (Ctrl-C saves and stops)",
    ]
    return "\n".join([*lines, _describe_processes(config, state, runtime)] if runtime.world > 1 else lines)


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
    ends = {role: s["schedule_images"] for role, s in config.optimizer.items() if s["schedule"] != "constant"}
    ends = {role: end for role, end in ends.items() if end < int(budget.total(config.facts["count"]))}
    if not ends or budget.kind == "minutes":
        return ""
    return f"nothing is learned by {' and '.join(ends)} from {min(ends.values()):,} images on: the schedule ends there"
