"""`zoo.plan`: everything that a training is told, resolved and checked before any picture is read."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from zoo_core import OptionError, UsageError

from ..devices import check_device
from ..files import Place, path_of
from ..models.model import ModelLike
from ..names import dataset_not_found, infer_dataset, recipe_not_found
from ..packs import Pack
from ..packs.download import download as fetch_dataset
from ..packs.request import resolve_data
from ..packs.selection import limit_options
from ..reports.displaying import Displayed
from ..runs.budget import Budget, Kind
from ..runs.command import DEFAULT_SEED, name_place, replace_budget, replace_option, write_command
from ..runs.config import RunConfig
from ..runs.folders import RUNS, find_run, is_run
from ..runs.run import read_run
from .continuing import continue_run, refuse_existing, resume_config
from .finetuning import Parent, open_parent, resolve_child
from .precisions import choose_precision
from .threads import check_threads
from .tracking import resolve_trackers
from .watch_choice import check_watch, choose_watch, watch_words


@dataclass(frozen=True, repr=False)
class Plan(Displayed):
    """What a training will do, as `plan` resolved it.

    Args:
        folder: the run folder.
        resume: whether `folder` holds the run to go on with.
        command: how to type it again.
        again: whether `folder` was found by its configuration, and not named.
        track: name of a tracker → all its options.
        watch: what measures the training, None for nothing. evaluate_every: images between two looks, None for as often as
            3 % of the time allows.
        rescue: the settings of the ladder's rungs; empty where the training is not rescued.
        parent: the model that a new run begins with.
    """

    config: RunConfig
    budget: Budget
    folder: Path
    resume: bool
    device: torch.device
    precision: str
    command: str
    track: dict[str, dict[str, Any]]
    compile: bool = False
    deterministic: bool = False
    graphs: bool = True
    threads: int | None = None
    again: bool = False
    watch: str | None = None
    evaluate_every: int | None = None
    rescue: list[dict[str, Any]] = field(default_factory=list)
    parent: Parent | None = None

    @property
    def another(self) -> str:
        """What to type for another run than the one in `folder`."""
        return f"another run: --seed {self.config.seed + 1}, or --out DIR"

    def _describe(self) -> str:
        dataset = (self.config.dataset or {}).get("name", "nothing")
        where = self.folder or "the next free folder in runs/"
        return f"{self.config.recipe['name']} on {dataset}, {self.budget}, {self.precision} on {self.device}, into {where}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--dry-run`."""
        return {
            **self.config.to_json(),
            "budget": {self.budget.kind: self.budget.amount},
            "device": str(self.device),
            "precision": self.precision,
            "out": str(self.folder),
            "threads": self.threads or "auto",
            "watch": {"metric": self.watch, "every": self.evaluate_every or "auto"} if self.watch else None,
            "rescue": self.rescue,
            **{key: getattr(self, key) for key in ("resume", "track", "compile", "deterministic", "graphs", "command")},
        }


def plan(
    recipe: str | None = None,
    *,
    dataset: str | None = None,
    data: Place | None = None,
    download: bool = False,
    limit: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    out: Place | None = None,
    epochs: float | None = None,
    images: int | None = None,
    minutes: float | None = None,
    options: Mapping[str, Any] | None = None,
    precision: str | None = None,
    device: str = "auto",
    resume: Place | None = None,
    base: ModelLike | None = None,
    freeze: Sequence[str] = (),
    track: str | Sequence[str] | None = None,
    compile: bool = False,
    deterministic: bool = False,
    graphs: bool = True,
    threads: int | str | None = None,
    watch: str | bool | None = None,
    evaluate_every: int | None = None,
    rescue: bool | None = None,
) -> Plan:
    """Resolve and check everything that `train` takes, without training. Same arguments, same errors.

    Args:
        recipe: what to train; not needed with `resume`.
        dataset: registry name of the images.
        data: where they lie, for a dataset that is not drawn by itself.
        download: whether the dataset is fetched first, where its page allows that; see `zoo.download`.
        limit: at most so many pictures, always the same ones.
        size, channels, batch, seed: height and width, 1 or 3, images in a minibatch, any whole number.
        out: the run folder to make; by default runs/<recipe>-<dataset>-<size>-<hash of the configuration>. Where that
            configuration was begun before it is gone on with.
        epochs, images, minutes: the budget, one of them; counted from the beginning of the run.
        options: what `--set` takes: {"generator.width": 128}.
        precision: "auto", "fp32", "bf16" or "fp16". device: "auto", "cpu", "cuda", "cuda:1", "mps".
        resume: the run folder to go on with, or the beginning of its name.
        base: a model whose weights the training begins with: a folder, a run, a name of the catalog or of the Hub. It says
            recipe, size, channels and the networks' options, unless these are given.
        freeze: stages that keep its weights: ["discriminator.32x32"].
        track: registry name of a tracker ("tensorboard"), or several; options of theirs are {"tracker.wandb.project": …}.
        compile: whether the networks are compiled (`torch.compile`) before they are trained.
        deterministic: whether a GPU must compute the same, bit for bit, each time. CPUs do as long as the number of threads
            is the same, which is then kept.
        graphs: whether a CUDA GPU replays whole steps as graphs, which is several times as fast.
        threads: that compute on a CPU: "auto", or a number that is kept. By default what the run was begun with, or "auto".
        watch: what measures the training now and then, METRIC, METRIC:FEATURES, or FEATURES for their Fréchet distance;
            False for nothing. By default what the run was begun with, or "scattering".
        evaluate_every: images between two of these measurements; by default as often as 3 % of the time allows.
        rescue: whether a training that diverges or collapses goes back to its best checkpoint and on with gentler settings,
            those of its recipe's ladder, at most three times. Where nothing was measured yet it begins again. By default as
            the run was begun, or where it is watched.
    """
    told = limit_options(options or {}, limit)
    trackers, options = resolve_trackers(track, told)
    check_watch(watch, evaluate_every)
    where = check_device(device)
    if compile:
        check_compiler(where)
    how: dict[str, Any] = {"compile": compile, "deterministic": deterministic, "graphs": graphs}
    how["threads"] = check_threads(threads)
    given: dict[str, Any] = {"dataset": dataset, "data": data, "size": size, "channels": channels}
    given.update(batch=batch, seed=seed)
    budgets: dict[Kind, float | None] = {"epochs": epochs, "images": images, "minutes": minutes}
    if freeze and base is None and resume is None:
        hint = "name one: --from dcgan-faces"
        raise UsageError("--freeze keeps stages of a model that the training begins with, and there is none", hint=hint)
    if resume is not None:
        if base is not None or freeze:
            wrong = f"--resume goes on with a run, and --{'from' if base is not None else 'freeze'} belongs to a new one"
            raise UsageError(wrong, hint=f"leave one of them out: zoo train --resume {shlex.quote(os.fspath(resume))}")
        if out is not None:
            raise UsageError("a resumed run stays in its own folder", hint="leave --out out")
        folder = find_run(resume)
        record = read_run(folder)
        if data is not None and record.config.dataset is not None:
            given["data"] = resolve_data(dataset or record.config.request().dataset, os.fspath(data))
        config = resume_config(folder, record.config, recipe, given, options)
        kind = precision or ("auto" if record.precision == "fp16" and where.type != "cuda" else record.precision)
        budget = Budget.choose(budgets, record.budget)
        how["threads"] = record.threads if threads is None else how["threads"]
        how |= choose_watch(config, record, watch, evaluate_every, rescue)
        command = replace_budget(record.command, budget.words)
        for key, value in (("threads", threads), ("precision", precision)):
            command = command if value is None else replace_option(command, f"--{key}", str(value))
        return Plan(config, budget, folder, True, where, choose_precision(kind, config, where), command, trackers, **how)
    parent = open_parent(base) if base is not None else None
    recipe = recipe or (parent.recipe if parent else None)
    if recipe is None:
        raise UsageError("name a recipe", hint="for example: zoo train dcgan --dataset faces (zoo list recipes shows all)")
    if unfit := recipe_not_found(recipe):
        raise unfit
    if dataset is None and data is not None:
        dataset = infer_dataset(os.fspath(data))
    if dataset is None:
        example = f"zoo train {recipe} --dataset faces (zoo list datasets shows all)"
        raise UsageError("name a dataset", hint=f"for example: {example}")
    given["seed"] = seed or DEFAULT_SEED
    given["dataset"] = dataset
    if unfit := dataset_not_found(dataset):
        raise unfit
    place = fetch_dataset(dataset, path_of(data)) if download else data
    given["data"] = resolve_data(dataset, os.fspath(place)) if place is not None else None
    if parent is not None:
        config = resolve_child(recipe, given, options, parent, freeze)
    else:
        config = RunConfig.resolve(recipe, options=options, **given)
    budget = Budget.choose(budgets, Budget("epochs", config.training.epochs))
    config.with_schedule(budget, 1)  # refused before any picture is read
    resolved = choose_precision(precision or "auto", config, where)
    place = Path(out) if out is not None else RUNS / config.folder_name(budget)
    if out is None and is_run(place):
        how |= choose_watch(config, read_run(place), watch, evaluate_every, rescue)
        return continue_run(
            place, config, Plan(config, budget, place, True, where, resolved, "", trackers, parent=parent, **how)
        )
    refuse_existing(place, config)
    _refuse_unwritable(place)
    machine = {"out": out, "precision": precision, "device": None if device == "auto" else device}
    machine |= {"from": name_place(base), "freeze": ",".join(freeze) or None}
    words = shlex.split(write_command(recipe, given, budget, told, {**machine, "track": tuple(trackers), **how}))
    command = shlex.join([*words, *watch_words(watch, evaluate_every, rescue)])
    how |= choose_watch(config, None, watch, evaluate_every, rescue)
    return Plan(config, budget, place, False, where, resolved, command, trackers, parent=parent, **how)


def check_compiler(device: torch.device) -> None:
    """Raise `UsageError` where `torch.compile` cannot work on `device`."""
    if device.type == "mps":
        raise UsageError("--compile works on CUDA GPUs and CPUs, and this is mps", hint="leave --compile out")
    compilers = [os.environ.get("CXX", "g++"), "clang++", "cl"]
    if device.type == "cpu" and not any(map(shutil.which, compilers)):
        hint = "install g++, or leave --compile out"
        raise UsageError("--compile needs a C++ compiler, and there is none here", hint=hint)


def _refuse_unwritable(folder: Path) -> None:
    """Raise `UsageError` where `folder` cannot be made, before hours are spent on the way to it."""
    place = next(parent for parent in folder.absolute().parents if parent.exists())
    why = "is a file" if not place.is_dir() else "cannot be written" if not os.access(place, os.W_OK) else ""
    if why:
        raise UsageError(f"{folder} cannot be made: {place} {why}", hint="choose another folder: --out DIR")


def resolve_pictures(config: RunConfig, pack: Pack, budget: Budget) -> RunConfig:
    """Return the configuration with what the pack says; raises `UsageError` where the pictures are not those that a resumed
    run was begun with, or have no labels where the recipe wants some.
    """
    files = [*pack.info["shards"], pack.info["labels"]]
    content = hashlib.sha256("".join(file["sha256"] for file in files).encode()).hexdigest()
    if config.pack:
        if config.pack != content:
            hint = "give the folder that holds the same pictures: --data DIR; or begin another run"
            raise UsageError("the pictures are not those that the run was begun with", hint=hint)
        return config
    if config.conditional and not pack.spec.num_classes:
        hint = "put the pictures of each class into a folder of their own"
        raise OptionError(f"recipe {config.recipe['name']!r} wants labels, and these images have none", hint=hint)
    classes = pack.spec.num_classes if config.conditional else 0
    facts = {key: pack.info[key] for key in ("count", "classes", "license", "credit")}
    facts |= {key: pack.info[key] for key in ("restriction", "hub") if pack.info.get(key)}
    if classes and pack.labels is not None:
        counts = torch.bincount(pack.labels.clamp(min=0), minlength=classes).tolist()
        facts |= {"class_counts": counts} if len(set(counts)) > 1 else {}
    resolved = config.with_image(replace(pack.spec, num_classes=classes), pack=content, facts=facts)
    return resolved.with_schedule(budget, len(pack))
