"""The run folder: what one training leaves on disk.

run.json        the whole resolved configuration, versions, and how to type it again
metrics.jsonl   one line for each reading of the losses
samples/        grids of the same latents, named by the real images shown
checkpoints/    see `zoo.runs.checkpoints`
model/          the model folder, once the budget is spent
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from zoo_core import CheckpointError, ModelError, OptionError, UsageError, ZooError

from ..files import atomic_file, translate_errors, write_json
from ..models.building import build_networks
from ..models.config import read_config
from ..models.folder import read_model
from ..models.model import Model, estimate_statistics
from ..models.weights import fill
from ..progress import reporter_for_terminal
from .budget import Budget
from .checkpoints import checkpoints, later_version, newest_checkpoint, step_of, tensors_below
from .config import RunConfig, model_config
from .upgrading import upgrade_command

FORMAT = 2


@dataclass(frozen=True)
class Run:
    """A training, as `zoo.train` returns it.

    Args:
        path: the run folder.
        finished: whether the budget is spent; False after an interruption.
        model: the model folder, None while the run is not finished.
        signal: what interrupted it ("SIGINT"), "" if nothing did.
        main: whether this is the only process, or the one of several that writes and speaks.
    """

    path: Path
    config: RunConfig
    finished: bool
    steps: int
    images: int
    seconds: float
    model: Path | None = None
    signal: str = ""
    main: bool = True

    @property
    def resume_command(self) -> str:
        """What to type to go on."""
        return f"zoo train --resume {shlex.quote(str(self.path))}"


def is_run(folder: Path) -> bool:
    """Return whether `folder` is a run folder."""
    return (folder / "run.json").is_file()


@dataclass(frozen=True)
class RunRecord:
    """What `run.json` holds; `precision` is resolved, `command` says how to type it again, `machine` what computed last.
    `threads` were asked for, None is auto; how many are in use stands in `machine`.
    """

    config: RunConfig
    budget: Budget
    precision: str
    command: str
    machine: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None


def read_run(folder: Path) -> RunRecord:
    """What the `run.json` of a run folder says; raises `UsageError` where it is none, `CheckpointError` where the file is
    damaged or of a later version.
    """
    if not is_run(folder):
        hint = "zoo train makes run folders in runs/"
        raise UsageError(f"{folder} is no run folder: there is no run.json in it", hint=hint)
    file = folder / "run.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        if described["format"] > FORMAT:
            raise later_version(folder)
        ((kind, amount),) = described["budget"].items()
        config = RunConfig.from_json(described["config"], described["format"])
        command = upgrade_command(described["command"], described["format"])
        machine, threads = dict(described.get("machine", {})), described.get("threads", "auto")
        threads = None if threads == "auto" else int(threads)
        return RunRecord(config, Budget(kind, amount), described["precision"], command, machine, threads)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OptionError) as error:
        raise CheckpointError(f"{file} is damaged: {type(error).__name__}: {error}") from error


def write_run(folder: Path, record: RunRecord) -> None:
    """Write `run.json` atomically; see `read_run`."""
    told: dict[str, Any] = {"command": record.command, "precision": record.precision, "machine": record.machine}
    told |= {"threads": record.threads or "auto", "config": record.config.to_json()}
    write_json(folder / "run.json", {"format": FORMAT, "budget": {record.budget.kind: record.budget.amount}, **told})


def lock_run(folder: Path) -> FileLock:
    """Take the run folder for this process; raises `UsageError` when another one has it."""
    lock = FileLock(folder / ".lock")
    with translate_errors(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            hint = "wait until it has ended, or choose another folder: --out DIR"
            raise UsageError(f"another process is training in {folder}", hint=hint) from None
    return lock


def make_folder(recipe: str, dataset: str) -> Path:
    """Make runs/<recipe>-<dataset>, with a number behind it when that exists; raises `ZooError` where it cannot be."""
    base = Path("runs") / f"{recipe}-{dataset}"
    folder, number = base, 1
    with translate_errors(base):
        base.parent.mkdir(exist_ok=True)
        while True:
            try:
                folder.mkdir()
                return folder
            except FileExistsError:  # perhaps by another training, a moment ago
                number += 1
                folder = base.with_name(f"{base.name}-{number}")


def model_of_run(folder: Path, *, raw: bool = False) -> Model:
    """The model at a run's newest whole checkpoint: the finished model folder where it is of that checkpoint, else with
    batch-norm statistics estimated anew. `raw` takes the weights themselves instead of their average. Raises
    `CheckpointError` where there is no whole checkpoint.
    """
    record = read_run(folder)
    config = record.config
    if not raw and is_complete(folder):
        return read_model(folder / "model")
    path, counters, tensors = newest_checkpoint(folder / "checkpoints", reporter_for_terminal())
    if config.image is None:
        raise CheckpointError(f"{folder / 'run.json'} does not say what its images are")
    stored = tensors["networks.safetensors"]
    averaged = not raw and config.training.ema > 0
    networks = build_networks(config.parts, config.image)
    for role, network in networks.items():
        weights = tensors_below(stored, role)
        average = tensors_below(stored, f"average.{role}") if averaged else {}
        if average:  # only parameters are averaged; buffers are the network's own
            weights.update({name: average[name] for name, _ in network.named_parameters()})
        fill(network, weights, path / "networks.safetensors")
        network.eval()
    networks["generator"].latent = config.training.latent
    estimate_statistics(networks["generator"])
    provenance = provenance_of(config, counters, record.command)
    return Model.of(networks, model_config(config, provenance, "moving average" if averaged else "raw"))


def is_complete(folder: Path) -> bool:
    """Return whether the model folder in a run folder is that of its newest checkpoint."""
    found = checkpoints(folder / "checkpoints")
    if not found or not (folder / "model" / "config.json").is_file():
        return False
    try:
        step = read_config(folder / "model").get("provenance", {}).get("step")
    except ModelError:  # damaged: it can be made again from the checkpoint
        return False
    return bool(step == step_of(found[-1]))


def provenance_of(config: RunConfig, counters: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Where a model comes from, for its `config.json` and card."""
    assert config.dataset is not None
    facts = {key: config.facts[key] for key in ("count", "license", "credit") if config.facts.get(key)}
    words = shlex.split(command)
    # The budget that was reached: minutes differ between machines, and a run may end early or go on.
    for at in [words.index(flag) for flag in ("--epochs", "--images", "--minutes") if flag in words]:
        words[at : at + 2] = ["--images", str(counters["images"])]
    parent = {key: value for key, value in config.parent.items() if key != "where"}
    inherited = {"license": parent["license"]} if "license" in parent else {}
    return {
        **{key: counters[key] for key in ("step", "images")},
        **({"parent": parent, **inherited} if parent else {}),
        "seed": config.seed,
        "dataset": {"name": config.dataset["name"], "split": config.dataset["split"], **facts},
        "training": asdict(config.training),
        "optimizer": config.optimizer,
        "losses": {role: part for role, part in config.parts.items() if part["kind"] == "losses"},
        "torch": torch.__version__,
        "command": shlex.join(words),
    }


def cut_log(path: Path, reading: int, step: int) -> list[dict[str, Any]]:
    """Keep readings up to step `reading` and measures up to `step`, and return them; final measures and half-written lines
    go.
    """
    if not path.exists():
        return []

    def stays(line: dict[str, Any]) -> bool:
        return bool(line["step"] <= (reading if "images_per_s" in line else step)) and not line.get("final")

    kept = [line for line in read_log(path) if stays(line)]
    with atomic_file(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    return kept


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return all whole lines of a `metrics.jsonl`; raises `ZooError` where it cannot be read.

    Every line has "step", "images", "epoch" and "seconds". Readings have losses and "images_per_s", measures "diversity" or
    the name of an evaluation, a training that could not go on says why under "stopped", one that goes on with another number
    of threads says so under "threads". "signs" names kinds of warnings.
    """
    lines = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror}") from error
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            lines.append(value)
    return lines
