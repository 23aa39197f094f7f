"""`zoo.train`: from names to a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from zoo_core import OptionError, UsageError, ZooError
from zoo_core.settings import FREE

from ..devices import check_device, make_accelerator, resolve_precision
from ..files import remove_unfinished
from ..models.folder import write_model
from ..models.model import Model
from ..packs import Pack, PackRequest, build_pack
from ..reporting import Reporter, reporter_for_terminal
from . import runs
from .batches import Batches
from .checkpoints import checkpoints, newest_checkpoint, restore, save_checkpoint
from .config import RunConfig, differences, model_config, split_options
from .control import Budget, Stop
from .loop import train_loop
from .metrics import Recorder, TensorBoard, Tracker
from .samples import save_samples
from .state import State

DEFAULT_SEED = 0


@dataclass(frozen=True)
class Plan:
    """What a training will do, resolved and checked, before any picture is read.

    Args:
        config: what is computed.
        budget: for how long.
        folder: the run folder, None for the next free name in runs/.
        resume: whether `folder` holds the run to go on with.
        device, precision: resolved.
        command: how to type it again.
        track: "tensorboard" or None.
    """

    config: RunConfig
    budget: Budget
    folder: Path | None
    resume: bool
    device: torch.device
    precision: str
    command: str
    track: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--dry-run`."""
        return {
            **self.config.to_json(),
            "budget": {self.budget.kind: self.budget.amount},
            "device": str(self.device),
            "precision": self.precision,
            "out": str(self.folder) if self.folder else None,
            "command": self.command,
        }


def plan(
    recipe: str | None = None,
    *,
    dataset: str | None = None,
    data: str | Path | None = None,
    size: int | None = None,
    channels: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    epochs: float | None = None,
    images: int | None = None,
    minutes: float | None = None,
    options: Mapping[str, Any] | None = None,
    precision: str | None = None,
    device: str = "auto",
    resume: str | Path | None = None,
    track: str | None = None,
) -> Plan:
    """Resolve and check everything that `train` takes, without training. Same arguments, same errors."""
    if track not in (None, "tensorboard"):
        raise UsageError(f"unknown tracker {track!r}; valid: tensorboard")
    where = check_device(device)
    given: dict[str, Any] = {
        "dataset": dataset,
        "data": str(Path(data).expanduser().resolve()) if data is not None else None,
        "size": size,
        "channels": channels,
        "batch": batch,
        "seed": seed,
    }
    budget_given = {"epochs": epochs, "images": images, "minutes": minutes}
    if resume is not None:
        if out is not None:
            raise UsageError("--resume goes on in its own folder; leave --out out")
        folder = Path(resume)
        config, described = _resumed(folder, recipe, given, options or {})
        stored = Budget(*next(iter(described["budget"].items())))
        chosen = Budget.choose(**budget_given, default=1) if any(v is not None for v in budget_given.values()) else stored
        kind = precision or described.get("precision", "auto")
        if precision is None and kind == "fp16" and where.type != "cuda":
            kind = "auto"
        resolved = resolve_precision(kind, where)
        return Plan(config, chosen, folder, True, where, resolved, described.get("command", ""), track)
    if recipe is None:
        raise UsageError("name a recipe", hint="for example: zoo train dcgan --dataset faces (zoo list recipes shows all)")
    if dataset is None:
        raise UsageError(
            "name a dataset", hint=f"for example: zoo train {recipe} --dataset faces (zoo list datasets shows all)"
        )
    given["seed"] = DEFAULT_SEED if seed is None else seed
    config = RunConfig.resolve(recipe, options=options, **given)
    chosen = Budget.choose(**budget_given, default=config.training.epochs)
    folder_or_none = Path(out) if out is not None else None
    if folder_or_none is not None:
        _refuse_existing(folder_or_none, config)
    command = _command(recipe, given, chosen, options or {})
    return Plan(config, chosen, folder_or_none, False, where, resolve_precision(precision or "auto", where), command, track)


def train(
    recipe: str | None = None, *, report: Reporter | None = None, workers: int | None = None, **choices: Any
) -> runs.Run:
    """Train a recipe on a dataset, or go on with a run.

    Ctrl-C and SIGTERM finish the step, save and return; a second Ctrl-C leaves at once.

    Args:
        recipe: what to train; not needed with `resume`.
        dataset: registry name of the images.
        data: where they lie, for a dataset that is not drawn by itself.
        size, channels, batch, seed: height and width, 1 or 3, images in a minibatch, any whole number.
        epochs, images, minutes: the budget, one of them; counted from the beginning of the run.
        options: what `--set` takes: {"generator.width": 128}.
        out: the run folder; by default runs/<recipe>-<dataset>.
        precision: "auto", "fp32", "bf16" or "fp16". device: "auto", "cpu", "cuda", "cuda:1", "mps".
        resume: the run folder to go on with.
        track: "tensorboard".
        report: hears notes and progress; by default standard error does.
        workers: processes that decode pictures.

    Returns:
        The run; its folder holds a model folder when the budget is spent.

    Raises:
        UsageError: an argument is wrong, or differs from the run that is resumed.
        DataError: there are no usable pictures.
        TrainingError: it diverged. Any `ZooError` leaves earlier checkpoints as they are.
    """
    return execute(plan(recipe, **choices), report=report, workers=workers)


def execute(plan: Plan, *, report: Reporter | None = None, workers: int | None = None) -> runs.Run:
    """Train what `plan` resolved; see `train`."""
    accelerator = make_accelerator(plan.device, plan.precision)
    report = (report or reporter_for_terminal()) if accelerator.is_main_process else Reporter()
    if plan.resume:
        _refuse_finished(plan, report)
    pack = build_pack(_request(plan.config), workers=workers, report=report)
    config = _with_pack(plan.config, pack)
    batches = Batches(
        pack,
        config.training.batch,
        config.seed,
        accelerator.device,
        conditional=config.training.conditional,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    with ExitStack() as stack:
        tracker: Tracker | None = None
        folder = _agree(
            plan.folder or runs.new_folder(config.recipe["name"], pack.info["dataset"]["name"].split(":")[-1]), accelerator
        )
        if accelerator.is_main_process:
            _open(folder, plan, config, stack)
            if plan.track:
                tracker = TensorBoard(folder / "tensorboard")
                stack.callback(tracker.close)
        accelerator.wait_for_everyone()
        if not plan.resume:
            torch.manual_seed(config.seed + accelerator.process_index)
        state = State.create(config, accelerator)
        if plan.resume:
            path, described, tensors = newest_checkpoint(folder / "checkpoints", report)
            restore(state, accelerator, described, tensors, path)
        report.note(_opening(plan, config, pack, folder, state, accelerator))
        stop = stack.enter_context(Stop().listening())
        try:
            finished = _run(plan, config, pack, folder, state, batches, accelerator, tracker, stop, report)
        except ZooError as error:
            if checkpoints(folder / "checkpoints"):
                again = f"the newest checkpoint is whole; go on from it with: zoo train --resume {shlex.quote(str(folder))}"
                error.hint = f"{error.hint}\n{again}".strip()
            raise
        model = folder / "model" if finished else None
        name = stop.signal.name if stop.signal is not None and not finished else ""
        return runs.Run(folder, config, finished, state.step, state.images, state.seconds, model, name)


def _run(
    plan: Plan,
    config: RunConfig,
    pack: Pack,
    folder: Path,
    state: State,
    batches: Batches,
    accelerator: Any,
    tracker: Tracker | None,
    stop: Stop,
    report: Reporter,
) -> bool:
    """The loop with its surroundings: progress before, checkpoint, grid and model folder after."""

    def save() -> None:
        save_checkpoint(folder / "checkpoints", state, accelerator, config.training.keep)

    def draw() -> None:
        if accelerator.is_main_process:
            picture = save_samples(Model(state.evaluated(), None, {}), folder / "samples", state.images)
            if tracker is not None:
                tracker.picture("samples", picture, state.images)

    unit = "s" if plan.budget.kind == "minutes" else "images"
    with report.task("training", plan.budget.total(len(pack)), unit) as task:
        recorder = Recorder(folder / "metrics.jsonl", state, len(pack), task, tracker, writes=accelerator.is_main_process)
        finished = train_loop(config, plan.budget, state, batches, accelerator, recorder, stop, save=save, draw=draw)
        task.update(plan.budget.done(state))
    save()
    if finished and accelerator.is_main_process:
        draw()
        counters = {"step": state.step, "images": state.images}
        provenance = runs.provenance_of(config, counters, plan.command)
        weights = "raw" if state.average is None else "moving average"
        networks = (state.evaluated().cpu(), state.discriminator.cpu().eval())
        write_model(Model(*networks, model_config(config, provenance, weights)), folder / "model", replace=True)
    return finished


def _open(folder: Path, plan: Plan, config: RunConfig, stack: ExitStack) -> None:
    """Make the run folder or enter it, and keep others out."""
    if not plan.resume:
        _refuse_existing(folder, config)
        folder.mkdir(parents=True, exist_ok=True)
    lock = runs.lock_run(folder)
    stack.callback(lock.release)
    for place in (folder, folder / "checkpoints", folder / "samples"):
        remove_unfinished(place)
    extra = {"command": plan.command, "precision": plan.precision}
    runs.write_run(folder, config, {plan.budget.kind: plan.budget.amount}, extra)


def _refuse_existing(folder: Path, config: RunConfig) -> None:
    if not folder.exists():
        return
    if runs.is_run(folder):
        old, _ = runs.read_run(folder)
        lines = differences({**old.identity(), "channels": None}, {**config.identity(), "channels": None})
        what = "with another configuration:\n  " + "\n  ".join(lines) if lines else "with this very configuration"
        hint = f"go on with it: zoo train --resume {shlex.quote(str(folder))}; or choose another folder: --out DIR"
        raise UsageError(f"{folder} holds a run {what}", hint=hint)
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="choose another folder: --out DIR")
    if any(folder.iterdir()):
        raise UsageError(f"{folder} exists and is not empty", hint="choose another folder: --out DIR")


def _refuse_finished(plan: Plan, report: Reporter) -> None:
    """Say so when there is nothing left to do, before anything is built."""
    assert plan.folder is not None
    _, described, _ = newest_checkpoint(plan.folder / "checkpoints", Reporter())
    count = plan.config.facts.get("count", 0)
    done = described["seconds"] if plan.budget.kind == "minutes" else described["images"]
    if count and done >= plan.budget.total(count):
        more = {"epochs": described["images"] / count * 2, "images": described["images"] * 2, "minutes": done / 30}
        raise UsageError(
            f"{plan.folder} is finished: {described['images']:,} images shown, and its budget is {plan.budget}",
            hint=f"to go on: zoo train --resume {shlex.quote(str(plan.folder))} --{plan.budget.kind} "
            f"{max(1, round(more[plan.budget.kind]))}",
        )


def _resumed(
    folder: Path, recipe: str | None, given: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[RunConfig, dict[str, Any]]:
    """A run's configuration, with the settings changed that may be; raises `UsageError` with the differences otherwise."""
    config, described = runs.read_run(folder)
    lines = []
    if recipe is not None and recipe != config.recipe["name"]:
        lines.append(f"recipe: {config.recipe['name']!r} in the run, {recipe!r} now")
    named = {key: value for key, value in given.items() if value is not None}
    if (named or options) and not lines:
        stored = _stored(config)
        # A shared optimizer.* key speaks for both networks, so it must win over what the run holds for each.
        shared = {key: value for key, value in options.items() if key.startswith("optimizer.") and key.count(".") == 1}
        split_options(options)
        for key, value in shared.items():
            name = key.partition(".")[2]
            stored.update({f"optimizer.{part}.{name}": value for part in ("generator", "discriminator")})
        dataset = config.dataset or {}
        wanted = RunConfig.resolve(
            config.recipe["name"],
            **{
                "dataset": dataset.get("name"),
                "data": dataset.get("data"),
                "channels": config.channels,
                "seed": config.seed,
                **named,
            },
            options={**stored, **options},
        )
        old, new = config.identity(), wanted.identity()
        # Data that moved are the same data; the pack tells (see _with_pack). Channels that nobody names stay what they are.
        for identity in (old, new):
            identity.pop("data", None)
        if "channels" in named:
            new["channels"] = named["channels"]
        else:
            old.pop("channels", None)
        lines = differences(old, new)
        if not lines:
            free = {key: getattr(wanted.training, key) for key in FREE}
            moved = {**dataset, "data": named.get("data", dataset.get("data"))}
            config = replace(config, training=replace(config.training, **free), dataset=moved)
    if lines:
        raise UsageError(
            f"{folder} was begun otherwise:\n  " + "\n  ".join(lines),
            hint="leave these out to go on with the run, or begin another: zoo train … without --resume",
        )
    return config, described


def _stored(config: RunConfig) -> dict[str, Any]:
    """A run's settings as `--set` keys."""
    stored: dict[str, Any] = {f"training.{key}": value for key, value in config.to_json()["training"].items()}
    for part in ("generator", "discriminator", "loss", "dataset"):
        component = getattr(config, part)
        if component is not None:
            stored.update({f"{part}.{key}": value for key, value in component["options"].items()})
    for part, settings in config.optimizer.items():
        stored.update({f"optimizer.{part}.{key}": value for key, value in settings.items()})
    return stored


def _request(config: RunConfig) -> PackRequest:
    dataset = config.dataset
    assert dataset is not None
    channels = config.image.channels if config.image is not None else config.channels
    return PackRequest(
        dataset=f"{dataset['distribution']}:{dataset['name']}",
        data=dataset["data"],
        split=dataset["split"],
        size=config.training.size,
        channels=channels,
        options=dataset["options"],
    )


def _with_pack(config: RunConfig, pack: Pack) -> RunConfig:
    """The configuration with what the pack says; a resumed run must find the pack that it was begun with."""
    content = "-".join(shard["sha256"][:16] for shard in pack.info["shards"])
    if config.pack:
        if config.pack != content:
            raise UsageError(
                "the pictures are not those that the run was begun with",
                hint="give the folder that holds the same pictures: --data DIR; or begin another run",
            )
        return config
    if config.training.conditional and not pack.spec.num_classes:
        raise OptionError(
            f"recipe {config.recipe['name']!r} wants labels, and these images have none",
            hint="put the pictures of each class into a folder of their own",
        )
    classes = pack.spec.num_classes if config.training.conditional else 0
    facts = {key: pack.info[key] for key in ("count", "classes", "licence", "credit")}
    resolved = config.with_image(replace(pack.spec, num_classes=classes), pack=content, facts=facts)
    resolved.check_networks()
    return resolved


def _agree(folder: Path, accelerator: Any) -> Path:
    """The main process's choice, on every process."""
    if accelerator.num_processes == 1:
        return folder
    chosen = [str(folder)]
    torch.distributed.broadcast_object_list(chosen)
    return Path(chosen[0])


def _opening(plan: Plan, config: RunConfig, pack: Pack, folder: Path, state: State, accelerator: Any) -> str:
    """What is about to happen, in a few lines."""
    assert config.image is not None
    sizes = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (state.generator, state.discriminator)]
    verb = f"resuming at {state.images:,} images" if plan.resume else "training"
    kind = "grey" if config.image.channels == 1 else "colour"
    return "\n".join(
        [
            f"{verb}: {config.recipe['name']} on {len(pack):,} images, {config.image.size}×{config.image.size} {kind}, for "
            f"{plan.budget} ({plan.budget.total(len(pack)):,.0f} {'seconds' if plan.budget.kind == 'minutes' else 'images'})",
            f"generator {sizes[0]:.1f} M parameters, discriminator {sizes[1]:.1f} M; batch {config.training.batch}, seed "
            f"{config.seed}, {accelerator.device} in {plan.precision}"
            + (f", {accelerator.num_processes} processes" if accelerator.num_processes > 1 else ""),
            f"run folder: {folder} (Ctrl-C saves and stops)",
        ]
    )


def _command(recipe: str, given: Mapping[str, Any], budget: Budget, options: Mapping[str, Any]) -> str:
    """The command line that trains this; where the pictures lie is the person's own affair."""
    words = ["zoo", "train", recipe]
    for key, value in given.items():
        if value is not None and not (key == "seed" and value == DEFAULT_SEED):
            words += [f"--{key}", "DIR" if key == "data" else str(value)]
    words += [f"--{budget.kind}", f"{budget.amount:g}" if budget.amount < 1e6 else f"{budget.amount:.0f}"]
    for key, value in options.items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)
