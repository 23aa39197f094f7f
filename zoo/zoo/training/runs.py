"""The run folder: what one training leaves on disk.

run.json        the whole resolved configuration, versions, and how to type it again
metrics.jsonl   one line for each reading of the losses
samples/        grids of the same latents, named by the real images shown
checkpoints/    see `zoo.training.checkpoints`
model/          the model folder, once the budget is spent
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from zoo_core import CheckpointError, UsageError

from ..files import explained, write_json
from ..models.folder import build_component, fill, read_config, read_model
from ..models.model import Model, estimate_statistics
from ..reporting import Reporter
from .checkpoints import newest_checkpoint
from .config import RunConfig, model_config

FORMAT = 1


@dataclass(frozen=True)
class Run:
    """A training, as `zoo.train` returns it.

    Args:
        path: the run folder.
        config: what was trained.
        finished: whether the budget is spent; False after an interruption.
        steps, images, seconds: how far it is.
        model: the model folder, None while the run is not finished.
        signal: what interrupted it ("SIGINT"), "" if nothing did.
    """

    path: Path
    config: RunConfig
    finished: bool
    steps: int
    images: int
    seconds: float
    model: Path | None = None
    signal: str = ""

    @property
    def resume_command(self) -> str:
        """What to type to go on."""
        return f"zoo train --resume {shlex.quote(str(self.path))}"


def is_run(folder: Path) -> bool:
    """Whether `folder` is a run folder."""
    return (folder / "run.json").is_file()


def read_run(folder: Path) -> tuple[RunConfig, dict[str, Any]]:
    """A run's configuration and the rest of `run.json`; raises `UsageError` or `CheckpointError`."""
    if not is_run(folder):
        raise UsageError(
            f"{folder} is no run folder: there is no run.json in it", hint="zoo train makes run folders in runs/"
        )
    file = folder / "run.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        if described["format"] > FORMAT:
            raise CheckpointError(
                f"{folder} was written by a later version of the zoo", hint="upgrade it: pip install --upgrade dcgan-zoo"
            )
        return RunConfig.from_json(described["config"]), described
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} is damaged: {error}") from error


def write_run(folder: Path, config: RunConfig, budget: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Write `run.json` atomically; see `read_run`."""
    write_json(folder / "run.json", {"format": FORMAT, "budget": dict(budget), **extra, "config": config.to_json()})


def lock_run(folder: Path) -> FileLock:
    """Take the run folder for this process; raises `UsageError` when another one has it."""
    lock = FileLock(folder / ".lock")
    try:
        with explained(folder):
            lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"another process is training in {folder}", hint="wait until it has ended, or choose another folder: --out DIR"
        ) from None
    return lock


def new_folder(recipe: str, dataset: str) -> Path:
    """runs/<recipe>-<dataset>, with a number behind it when that exists."""
    base = Path("runs") / f"{recipe}-{dataset}".replace(":", "-")
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def model_of_run(folder: Path, *, raw: bool = False) -> Model:
    """The model at a run's newest whole checkpoint: the finished model folder where it is of that checkpoint, else from the
    checkpoint with batch-norm statistics estimated anew.

    Args:
        folder: a run folder.
        raw: the weights themselves instead of their average.

    Raises:
        CheckpointError: there is no whole checkpoint.
    """
    config, described = read_run(folder)
    path, counters, tensors = newest_checkpoint(folder / "checkpoints", Reporter())
    finished = folder / "model"
    if not raw and (finished / "config.json").is_file():
        if read_config(finished).get("provenance", {}).get("step") == counters["step"]:
            return read_model(finished)
    if config.image is None:
        raise CheckpointError(f"{folder / 'run.json'} does not say what its images are")
    weights = tensors["networks.safetensors"]
    averaged = not raw and any(key.startswith("average.") for key in weights)
    networks = {}
    for part, source in (("generator", "average" if averaged else "generator"), ("discriminator", "discriminator")):
        networks[part] = build_component(f"{part}s", getattr(config, part), config.image)
        own = {key.partition(".")[2]: t for key, t in weights.items() if key.startswith(f"{source}.")}
        fill(networks[part], own, path / "networks.safetensors")
    networks["generator"].latent = config.training.latent
    estimate_statistics(networks["generator"])
    provenance = provenance_of(config, counters, described.get("command", ""))
    kind = "moving average" if averaged else "raw"
    return Model(networks["generator"], networks["discriminator"].eval(), model_config(config, provenance, kind))


def provenance_of(config: RunConfig, counters: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Where a model comes from, for its `config.json` and card."""
    assert config.dataset is not None
    facts = {key: config.facts[key] for key in ("count", "licence", "credit") if config.facts.get(key)}
    return {
        "step": counters["step"],
        "images": counters["images"],
        "seed": config.seed,
        "dataset": {"name": config.dataset["name"], "split": config.dataset["split"], **facts},
        "training": config.to_json()["training"],
        "optimizer": config.optimizer,
        "loss": config.loss,
        "torch": torch.__version__,
        "command": command,
    }
