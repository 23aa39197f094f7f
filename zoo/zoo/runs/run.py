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
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from zoo_core import CheckpointError, ModelError
from zoo_core.words import duration

from ..documents import read_bytes
from ..files import atomic_file, write_json
from ..models.building import build_networks
from ..models.config import read_config
from ..models.curves import save_curves
from ..models.folder import read_model
from ..models.model import Model, estimate_statistics
from ..models.weights import fill
from ..names import run_not_found
from ..packs.selection import dataset_options
from ..reports.displaying import Displayed
from .budget import Budget
from .checkpoints import Choice, checkpoints, choose_checkpoint, step_of, tensors_below
from .command import leave_out, replace_budget
from .config import RunConfig, model_config
from .documents import FORMAT, read_lines, read_run_document
from .fitting import check_networks_fit
from .folders import find_run as find_run
from .folders import is_run as is_run
from .folders import is_training
from .folders import lock_run as lock_run

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, repr=False)
class Run(Displayed):
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

    def _describe(self) -> str:
        dataset = (self.config.dataset or {}).get("name", "nothing")
        state = "finished" if self.finished else "not finished"
        time = duration(self.seconds)
        return f"{self.path}: {self.config.recipe['name']} on {dataset}, {self.images:,} images in {time}, {state}"

    def _pictures(self) -> Iterable[Image.Image | bytes]:
        log, grids = self.path / "metrics.jsonl", sorted((self.path / "samples").glob("*.png"))
        with TemporaryDirectory() as place:
            if log.exists() and save_curves(read_log(log), file := Path(place, "curves.png")):
                yield file.read_bytes()
        if grids:
            yield read_bytes(grids[-1])

    def __fspath__(self) -> str:  # a run stands wherever its folder may
        return str(self.path)

    @property
    def resume_command(self) -> str:
        """What to type to go on."""
        return f"zoo train --resume {shlex.quote(str(self.path))}"


@dataclass(frozen=True)
class RunRecord:
    """What `run.json` holds; `precision` is resolved, `command` says how to type it again, `machine` what computed last.
    `threads` were asked for, None is auto; how many are in use stands in `machine`.

    Args:
        watch: what measures it, how often and at what cost; see `zoo.training.watching`. Empty where nothing does.
        rescue: the ladder, see `zoo_core.Recipe`; empty where it is not to be rescued.
        interventions: the rungs that were taken, each with the reason, and where it went back to.
    """

    config: RunConfig
    budget: Budget
    precision: str
    command: str
    machine: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None
    watch: dict[str, Any] = field(default_factory=dict)
    rescue: list[dict[str, Any]] = field(default_factory=list)
    interventions: list[dict[str, Any]] = field(default_factory=list)


def read_run(folder: Path) -> RunRecord:
    """What the `run.json` of a run folder says; raises `UsageError` where it is none, `CheckpointError` where the file is
    damaged or of a later version.
    """
    if not is_run(folder):
        raise run_not_found(folder)
    told = read_run_document(folder)
    ((kind, amount),) = told["budget"].items()
    threads = None if told.get("threads", "auto") == "auto" else told["threads"]
    config, kept = RunConfig.from_json(told["config"]), {key: told.get(key, []) for key in ("rescue", "interventions")}
    more: dict[str, Any] = {**kept, "machine": told.get("machine", {}), "watch": told.get("watch", {})}
    return RunRecord(config, Budget(kind, amount), told["precision"], told["command"], threads=threads, **more)


def write_run(folder: Path, record: RunRecord) -> None:
    """Write `run.json` atomically; see `read_run`."""
    told: dict[str, Any] = {"command": record.command, "precision": record.precision, "machine": record.machine}
    told |= {key: getattr(record, key) for key in ("watch", "rescue", "interventions")}
    told |= {"threads": record.threads or "auto", "config": record.config.to_json()}
    write_json(folder / "run.json", {"format": FORMAT, "budget": {record.budget.kind: record.budget.amount}, **told})


def _nothing_saved(folder: Path) -> CheckpointError:
    """Return the error for a run without a checkpoint."""
    if is_training(folder):
        hint = "try again in a minute: the first checkpoint comes within the first minute of training"
        return CheckpointError(f"{folder} is being trained, and nothing of it is saved yet", hint=hint)
    hint = f"to train it: zoo train --resume {shlex.quote(str(folder))}"
    return CheckpointError(f"nothing of {folder} was saved: there is no checkpoint in it", hint=hint)


def model_of_run(folder: Path, *, raw: bool = False, last: bool = False, at: int | None = None) -> Model:
    """The model at a run's best checkpoint, or its newest where nothing was measured: the finished model folder where that
    is of it, else with batch-norm statistics estimated anew. Its provenance says which one it is.

    Args:
        raw: take the weights themselves instead of their average.
        last, at: take the newest checkpoint instead, or the one after so many images.

    Raises:
        UsageError: there is no checkpoint after so many images.
        CheckpointError: there is no whole checkpoint.
    """
    record = read_run(folder)
    if not raw and not last and at is None and is_complete(folder):
        return read_model(folder / "model")
    if not checkpoints(folder / "checkpoints"):
        raise _nothing_saved(folder)
    return read_model_of(record, choose_checkpoint(folder, record.config.training.batch, last=last, at=at), raw=raw)


def read_model_of(record: RunRecord, choice: Choice, *, raw: bool = False) -> Model:
    """The model at a checkpoint of a run, with batch-norm statistics estimated for its weights."""
    config, stored = record.config, choice.tensors["networks.safetensors"]
    check_networks_fit(config, stored, choice.path)
    assert config.image is not None
    averaged = not raw and config.training.ema > 0
    networks = build_networks(config.parts, config.image)
    for role, network in networks.items():
        weights = tensors_below(stored, role)
        average = tensors_below(stored, f"average.{role}") if averaged else {}
        if average:  # only parameters are averaged; buffers are the network's own
            weights.update({name: average[name] for name, _ in network.named_parameters()})
        fill(network, weights, choice.path / "networks.safetensors")
        network.eval()
    networks["generator"].latent, networks["generator"].class_counts = config.training.latent, config.class_counts
    estimate_statistics(networks["generator"])
    provenance = provenance_of(config, choice.described, record.command)
    provenance |= choice.to_json(record.watch, record.interventions)
    return Model.of(networks, model_config(config, provenance, "moving average" if averaged else "raw"))


def is_complete(folder: Path) -> bool:
    """Return whether the model folder in a run folder is that of the training as far as its newest checkpoint."""
    found = checkpoints(folder / "checkpoints")
    if not found or not (folder / "model" / "config.json").is_file():
        return False
    try:
        provenance = read_config(folder / "model").get("provenance", {})
        step = provenance.get("trained", provenance).get("step")
    except ModelError:  # damaged: it can be made again from the checkpoint
        return False
    return bool(step == step_of(found[-1]))


def provenance_of(config: RunConfig, counters: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Where a model comes from, for its `config.json` and card."""
    assert config.dataset is not None
    known = ("count", "license", "credit", "restriction", "hub")
    facts = {key: config.facts[key] for key in known if config.facts.get(key)}
    if config.dataset["data"] is None and (chosen := _chosen_options(config.dataset)):
        facts["options"] = chosen  # those of pictures that lie here are no use elsewhere
    # The budget that was reached: minutes differ between machines, and a run may end early or go on.
    # Where it lay and who heard of it are the person's own affair.
    for option, beginning in (("--out", ""), ("--track", ""), ("--set", "tracker.")):
        command = leave_out(command, option, beginning)
    command = replace_budget(command, ["--images", str(counters["images"])])
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
        "command": command,
    }


def _chosen_options(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a dataset that are not its defaults."""
    known = dataset_options(f"{dataset['distribution']}:{dataset['name']}")
    return {key: value for key, value in dataset["options"].items() if key not in known or value != known[key].default}


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
    """Return all whole lines of a `metrics.jsonl`; raises `ZooError` where it cannot be read, or a line is none of ours.

    Every line has "step", "images", "epoch" and "seconds". Readings have losses and "images_per_s", measures "diversity" or
    the name of an evaluation, a training that could not go on says why under "stopped", one that goes on with another number
    of threads says so under "threads". "signs" names kinds of warnings.
    """
    return list(read_lines(path))
