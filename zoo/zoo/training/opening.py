"""What a training says of itself before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch.nn.modules.batchnorm import _BatchNorm

from ..devices import Runtime
from ..packs import Pack
from ..runs.budget import Budget
from ..runs.config import RunConfig
from .state import State

if TYPE_CHECKING:
    from .planning import Plan


def describe(plan: Plan, config: RunConfig, pack: Pack, folder: Path, state: State, runtime: Runtime) -> str:
    """Say what is about to happen, in a few lines."""
    assert config.image is not None
    sizes = {role: sum(p.numel() for p in network.parameters()) / 1e6 for role, network in state.networks.items()}
    parameters = ", ".join(
        f"{role} {millions:.1f} M" + (" parameters" if number == 0 else "")
        for number, (role, millions) in enumerate(sizes.items())
    )
    verb = f"resuming at {state.images:,} images" if plan.resume else "training"
    size, kind = config.image.size, "gray" if config.image.channels == 1 else "color"
    processes = f", {runtime.world} processes" if runtime.world > 1 else ""
    return "\n".join(
        [
            f"{verb}: {config.recipe['name']} on {len(pack):,} images, {size}×{size} {kind}, for {plan.budget} "
            f"({plan.budget.total(len(pack)):,.0f} {unit_of(plan.budget)})",
            f"{parameters}; batch {config.training.batch}, seed {config.seed}, {runtime.device} in {plan.precision}"
            f"{processes}",
            f"run folder: {folder} (Ctrl-C saves and stops)",
        ]
    )


def describe_processes(config: RunConfig, state: State, runtime: Runtime) -> str:
    """Say what several processes have in common and what each has by itself."""
    share = config.training.batch // runtime.world
    text = f"{runtime.world} processes of {share} images each: gradients are averaged, weights are the same"
    if not any(isinstance(m, _BatchNorm) for network in state.networks.values() for m in network.modules()):
        return text
    if config.training.sync_bn and runtime.device.type == "cuda":
        return f"{text}, and so are batch statistics"
    why = "; torch synchronizes them on GPUs only" if config.training.sync_bn else ""
    return f"{text}, but batch normalization sees the {share // config.training.accumulate} images of its own process{why}"


def ended_schedules(config: RunConfig, budget: Budget, count: int) -> str:
    """Say which learning rates are 0 before the budget is spent, as those of a run that goes on for longer; "" for none."""
    ends = {role: s["schedule_images"] for role, s in config.optimizer.items() if s["schedule"] != "constant"}
    ends = {role: end for role, end in ends.items() if budget.kind != "minutes" and end < int(budget.total(count))}
    if not ends:
        return ""
    return f"nothing is learned by {' and '.join(ends)} from {min(ends.values()):,} images on: the schedule ends there"


def unit_of(budget: Budget) -> str:
    """What a budget's progress counts."""
    return "seconds" if budget.kind == "minutes" else "images"
