"""What a training changes as it goes: networks, averages, optimizers, what it records, and what checkpoints hold of it."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from zoo_core import Algorithm, CheckpointError, Generator, TrainingError

from ..devices import Runtime
from ..models.model import STATISTICS, estimate_statistics
from ..models.weights import fill
from ..optimizers import Adam
from ..runs.checkpoints import tensors_below, write_checkpoint
from ..runs.config import RunConfig
from ..runs.documents import VALUES
from ..runs.evaluation import Best
from .health import divergence_error

COUNTERS = ("step", "images", "updates", "seconds")
CAPACITY = VALUES  # most names that an algorithm may record
RESERVED = frozenset(("step", "images", "epoch", "seconds", "images_per_s", "signs", "final", "stopped", "threads"))


class Meter:
    """Means of what is recorded between two lines of `metrics.jsonl`; `start` is the step of the last one. Sums are kept on
    the device, so that no step waits for one, and in checkpoints, so that an interruption leaves no trace.
    """

    def __init__(self, device: torch.device) -> None:
        self.start = 0
        self.sums = torch.zeros(CAPACITY, device=device)
        self.counts: dict[str, int] = {}  # in the order of the sums
        self.pending: dict[str, Tensor] = {}  # of this step

    def add(self, name: str, value: Tensor) -> None:
        """Add a scalar; a name is known from its first value on. Raises `TrainingError` for a reserved name, or one of
        more than 64."""
        if name in RESERVED:
            raise TrainingError(f"an algorithm logs {name!r}, which metrics.jsonl has of its own", hint="log another name")
        if name not in self.counts and len(self.counts) == CAPACITY:
            what = f"an algorithm can record {CAPACITY} values in metrics.jsonl, and {name!r} is one more"
            raise TrainingError(what, hint="let it log under fewer names")
        self.counts[name] = self.counts.get(name, 0) + 1
        value = value.detach().float()
        self.pending[name] = self.pending[name] + value if name in self.pending else value

    def flush(self) -> None:
        """Add what a step recorded to the sums, all of it at once."""
        if self.pending:
            zero = self.sums.new_zeros(())
            self.sums[: len(self.counts)] += torch.stack([self.pending.get(name, zero) for name in self.counts])
            self.pending.clear()

    def means(self, runtime: Runtime) -> dict[str, float]:
        """Return the mean of each, over all processes, all of which must call it; names without a value are left out."""
        return {name: total / count for name, (total, count) in self.to_json(runtime)["values"].items() if count}

    def reset(self, step: int) -> None:
        """Begin anew after the reading at `step`."""
        self.start = step
        self.pending.clear()
        self.sums.zero_()
        self.counts = dict.fromkeys(self.counts, 0)

    def to_json(self, runtime: Runtime) -> dict[str, Any]:
        """Plain data for a checkpoint, over all processes, all of which must call it: name → [sum, count]."""
        self.flush()
        totals = runtime.mean(self.sums).tolist()
        pairs = zip(self.counts.items(), totals, strict=False)
        return {"start": self.start, "values": {name: [total, count] for (name, count), total in pairs}}

    def load(self, value: Mapping[str, Any]) -> None:
        """Take over what `to_json` gave."""
        self.start, values = value["start"], value["values"]
        self.counts = {name: count for name, (_, count) in values.items()}
        self.pending.clear()
        self.sums.zero_()
        self.sums[: len(values)] = self.sums.new_tensor([total for total, _ in values.values()])


@dataclass
class State:
    """Everything that a checkpoint holds, on the device of the training. Networks are in training mode.

    Args:
        averages: role → moving average of the network's parameters; empty where the recipe keeps none.
        images: real images shown so far; also the position in the shuffled data.
        updates: role → optimizer steps so far.
        ages: role → the same plus 10, as a number on the device, for averages of a step that a graph replays; else empty.
        seconds: of training, over all sittings.
        best: the best evaluation so far, whose checkpoint is kept.
        anchor: the best of those that were due, without the one at the end of a budget: where a rescue goes back to.
        rung: how many interventions came before.
        threads: that compute, on a CPU.
        estimated: of what the last inference copy was, and its buffers: a grid, a measure and the model share them.
    """

    algorithm: Algorithm
    networks: dict[str, nn.Module]
    losses: dict[str, Any]
    averages: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    meter: Meter
    step: int = 0
    images: int = 0
    updates: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    best: Best | None = None
    ages: dict[str, Tensor] = field(default_factory=dict)
    threads: int | None = None
    anchor: Best | None = None
    rung: int = 0
    estimated: tuple[object, list[Tensor]] = (None, [])

    @classmethod
    def create(cls, config: RunConfig, runtime: Runtime) -> State:
        """Make a fresh state from the configuration's seed, on the runtime's device, weights in channels-last format."""
        device, algorithm, networks = runtime.device, config.build_algorithm(), config.build_networks()
        for network in networks.values():
            network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        averaged = [role for role in algorithm.averages if role in networks] if config.training.ema > 0 else []
        averages: dict[str, nn.Module] = {r: copy.deepcopy(networks[r]).requires_grad_(False).eval() for r in averaged}
        optimizers = {
            role: make_optimizer(network, config.optimizer[role], device, static=runtime.static)
            for role, network in networks.items()
        }
        state = cls(algorithm, networks, config.build_losses(), averages, optimizers, Meter(device))
        state.ages = {role: torch.full((), 10.0, device=device) for role in averages} if runtime.static else {}
        return state

    @property
    def generator(self) -> Generator:
        """The network that draws."""
        return cast(Generator, self.networks["generator"])

    def tensors(self) -> dict[str, nn.Module]:
        """Networks and averages by the name that a checkpoint gives them: "generator", …, "average.generator", …"""
        return {**self.networks, **{f"average.{role}": average for role, average in self.averages.items()}}

    def update_average(self, role: str, ceiling: float) -> None:
        """Move a role's average toward its network, with decay min(ceiling, (1 + t) / (10 + t)) at its update t."""
        mine: list[Tensor] = list(self.averages[role].parameters())
        theirs: list[Tensor] = list(self.networks[role].parameters())
        with torch.no_grad():
            if role in self.ages:  # 1 − (1 + t) / (10 + t) = 9 / (10 + t)
                age = self.ages[role].add_(1)
                steps = torch._foreach_sub(theirs, mine)
                torch._foreach_mul_(steps, age.reciprocal().mul_(9).clamp_(min=1 - ceiling))
                torch._foreach_add_(mine, steps)
                return
            count = self.updates[role]
            torch._foreach_lerp_(mine, theirs, 1 - min(ceiling, (1 + count) / (10 + count)))

    def inference_copy(self, role: str = "generator", *, raw: bool = False, latents: int = STATISTICS) -> Any:
        """Return a copy of a network to use: averaged (or raw) parameters, evaluation mode, statistics estimated for them
        (from so many latents), and the memory format that a loaded model has: kernels round differently in another one.
        """
        source: Any = self.networks[role] if raw else self.averages.get(role, self.networks[role])
        drawn = copy.deepcopy(source).requires_grad_(False).to(memory_format=torch.contiguous_format)
        with torch.no_grad():  # buffers that are not averaged, such as spectral norm's, are the network's own
            for mine, theirs in zip(drawn.buffers(), self.networks[role].buffers(), strict=True):
                mine.copy_(theirs)
        if isinstance(drawn, Generator):
            tensors = [*source.parameters(), *self.networks[role].buffers()]
            of = (role, raw, latents, self.step, sum(tensor._version for tensor in tensors))
            if self.estimated[0] == of:
                for mine, known in zip(drawn.buffers(), self.estimated[1], strict=True):
                    mine.copy_(known)
            else:
                estimate_statistics(drawn, latents)
                self.estimated = of, [buffer.clone() for buffer in drawn.buffers()]
        return drawn.eval()


def is_scheduled(settings: Mapping[str, Any]) -> bool:
    """Return whether a role's learning rate changes while it is trained."""
    return bool(settings["schedule"] != "constant" or settings["warmup_images"])


def make_optimizer(
    network: nn.Module, settings: dict[str, Any], device: torch.device, *, static: bool = False
) -> torch.optim.Optimizer:
    """Make the optimizer that the settings of a role name; fused kernels where torch has them.

    A `static` one can be captured in a CUDA graph: it counts on the device, and a learning rate that changes lies there.
    """
    kind, first, second, eps = settings["kind"], settings["beta1"], settings["beta2"], settings["eps"]
    common: dict[str, Any] = {"lr": settings["lr"], "weight_decay": settings["weight_decay"]}
    if static and is_scheduled(settings) and device.type != "meta":  # where a rate has no value that could be checked
        common["lr"] = torch.tensor(float(settings["lr"]), device=device)
    fused = {"fused": True} if device.type in ("cpu", "cuda", "mps") else {}
    capturable = {"capturable": True} if static and device.type == "cuda" else {}
    if kind == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), alpha=second, momentum=first, eps=eps, **common, **capturable)
    if kind == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=first, **common, **fused)
    adam = Adam if kind == "adam" else torch.optim.AdamW  # Adam's own decay is L2, as the authors have it
    return adam(network.parameters(), betas=(first, second), eps=eps, **common, **fused, **capturable)


def learning_rate(settings: dict[str, Any], images: int) -> float:
    """Return the learning rate of a role after so many real images: a linear warm-up, then constant, or falling to its floor
    at `schedule_images`. It depends on nothing else, so that a resumed run needs no memory of it.
    """
    rate, warm, floor = float(settings["lr"]), int(settings["warmup_images"]), float(settings.get("schedule_floor", 0.0))
    if images < warm:
        return rate * images / warm
    return rate * (floor + (1 - floor) * schedule_left(settings, images))


def schedule_left(settings: Mapping[str, Any], images: int) -> float:
    """Return what is left of the schedule of a role's learning rate after so many real images: 1 during the warm-up and
    where it is constant, else falling to 0 at `schedule_images`, in a line or half a cosine.
    """
    warm = int(settings["warmup_images"])
    if settings["schedule"] == "constant" or images < warm:
        return 1.0
    done = min(1.0, (images - warm) / max(1, settings["schedule_images"] - warm))
    return 1 - done if settings["schedule"] == "linear" else (1 + math.cos(math.pi * done)) / 2


def save_checkpoint(folder: Path, state: State, runtime: Runtime, keep: int) -> None:
    """Write the state as the newest checkpoint below `folder`; see `write_checkpoint`. Every process calls it, the main one
    writes. Raises `TrainingError` where a weight is not finite: a run could not go on from there.
    """
    states, meter = _random_states(runtime), state.meter.to_json(runtime)
    if not runtime.is_main:
        return
    networks = {f"{name}.{key}": t for name, net in state.tensors().items() for key, t in net.state_dict().items()}
    for key, tensor in networks.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise divergence_error(f"{key} holds numbers that are not finite at step {state.step}")
    optimizers = {
        f"{role}.{index}.{key}": value
        for role, optimizer in state.optimizers.items()
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor)  # SGD without momentum holds None
    }
    version, internal, gauss = random.getstate()
    description = {
        **{counter: getattr(state, counter) for counter in COUNTERS},
        "meter": meter,
        "best": asdict(state.best) if state.best else None,
        "anchor": asdict(state.anchor) if state.anchor else None,
        "rung": state.rung,
        "threads": state.threads,
        "python_random": [version, list(internal), gauss],
        "scaler": runtime.scaler.state_dict() if runtime.scaler is not None else None,
    }
    tensors = {"networks.safetensors": networks, "optimizers.safetensors": optimizers, "random.safetensors": states}
    write_checkpoint(folder, description, tensors, keep)


def restore(
    state: State, runtime: Runtime, described: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]], path: Path
) -> None:
    """Put a checkpoint's content into `state` and into the global random generators; raises `ModelError` where it is of
    other networks.
    """
    for name, network in state.tensors().items():
        fill(network, tensors_below(tensors["networks.safetensors"], name), path / "networks.safetensors")
    for role, optimizer in state.optimizers.items():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        inner: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors_below(tensors["optimizers.safetensors"], role).items():
            index, _, what = key.partition(".")
            like = parameters[int(index)]
            if tensor.shape == like.shape:  # fused Adam pairs numbers by their place in memory, not by index
                tensor = torch.empty_like(like).copy_(tensor)
            inner.setdefault(int(index), {})[what] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": inner})
    for counter in COUNTERS:
        setattr(state, counter, described[counter])
    for role, age in state.ages.items():
        age.fill_(10 + state.updates.get(role, 0))
    state.meter.load(described["meter"])
    state.best, state.anchor = (Best(**kind) if (kind := described.get(key)) else None for key in ("best", "anchor"))
    if runtime.scaler is not None and described["scaler"]:
        runtime.scaler.load_state_dict(described["scaler"])
    version, internal, gauss = described["python_random"]
    random.setstate((version, tuple(internal), gauss))
    _restore_random(tensors_below(tensors["random.safetensors"], str(runtime.rank)), runtime.device.type, path)


def _random_states(runtime: Runtime) -> dict[str, Tensor]:
    """Return the global random states of every process, by "<process>.<what>"."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    assert kind == "MT19937"
    mine = {
        "torch": torch.get_rng_state(),
        "numpy_keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "numpy_rest": torch.tensor([position, has_gauss, cached], dtype=torch.float64),
    }
    if (kind := runtime.device.type) != "cpu":
        mine[kind] = getattr(torch, kind).get_rng_state()
    return {f"{rank}.{key}": tensor for rank, states in enumerate(runtime.gather(mine)) for key, tensor in states.items()}


def _restore_random(states: dict[str, Tensor], kind: str, path: Path) -> None:
    if "torch" not in states:  # a process that the run did not have before
        return
    try:
        torch.set_rng_state(states["torch"])
    except RuntimeError as error:
        raise CheckpointError(f"{path} is damaged: it holds no state of torch's random generator") from error
    position, has_gauss, cached = states["numpy_rest"].tolist()
    keys = states["numpy_keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), cached))
    if kind in states:
        getattr(torch, kind).set_rng_state(states[kind])
