"""Fine-tuning: a training that begins with the weights of a model that somebody trained, instead of random ones."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from zoo_core import ImageSpec, OptionError, UsageError, ZooError
from zoo_core.errors import unknown
from zoo_core.words import plural

from ..loading import local_folder, pull
from ..models.building import build_networks, meta_device
from ..models.config import CONFIG
from ..models.folder import read_model
from ..models.model import Model, ModelLike
from ..progress import Reporter
from ..runs.config import RunConfig
from ..runs.run import is_complete, is_run, model_of_run
from .state import State

SHOWN = 3  # tensors that are named of those that did not fit


@dataclass(frozen=True)
class Parent:
    """A model that a training begins with, and what the run remembers of it (`RunConfig.parent`)."""

    model: Model
    record: dict[str, Any]

    @property
    def recipe(self) -> str | None:
        """Name of its recipe; None where its configuration names none."""
        name = (self.model.config.get("recipe") or {}).get("name")
        return str(name) if name else None

    def read_options(self, config: RunConfig) -> dict[str, Any]:
        """Return what `--set` would take to build the networks, and draw the latents, as this model has them; only for those
        parts of `config` that are the same components, and of the algorithm where the recipe is the same.
        """
        found: dict[str, Any] = {"training.latent": self.model.generator.latent}
        mine, theirs = config.parts, dict(self.model.config["parts"])
        if self.recipe == config.recipe["name"]:
            mine, theirs = (
                {**mine, "algorithm": config.algorithm},
                {**theirs, "algorithm": self.model.config.get("algorithm")},
            )
        for part, component in theirs.items():
            if component and part in mine and all(component[key] == mine[part][key] for key in ("name", "distribution")):
                known = mine[part]["options"]
                found |= {f"{part}.{key}": value for key, value in component["options"].items() if key in known}
        return found

    def scale_widths(self, options: Mapping[str, Any], size: int) -> dict[str, Any]:
        """Return options by which stages of a network for another size are as wide as this model's at the same resolution,
        where `width` counts maps at a fixed share of the size, as DCGAN's does.
        """
        widths = {key: value * self.model.image.size / size for key, value in options.items() if key.endswith(".width")}
        return {**options, **{key: int(width) for key, width in widths.items() if width >= 1 and width == int(width)}}

    def measure_share(self, config: RunConfig) -> float:
        """Return which share of the parameters of a configuration's networks this model has; nothing is allocated."""
        image = image_of(config)
        with meta_device():
            networks = build_networks(config.parts, image)
        fits = {
            role: _compare_networks(net, self.model.networks.get(role), image, self.model.image)
            for role, net in networks.items()
        }
        total = sum(parameter.numel() for network in networks.values() for parameter in network.parameters())
        return float(sum(fit.taken for fit in fits.values()) / max(1, total))


def open_parent(where: ModelLike, *, report: Reporter | None = None) -> Parent:
    """Load the model that a training begins with: a run or model folder, a name of the catalog, "user/name[@revision]", or
    a model in memory, which is remembered without checksums.

    Raises as `zoo.load` does.
    """
    if isinstance(where, Model):
        return Parent(where, _remember(where, "a model in memory", "", ""))
    folder, name, revision = local_folder(where), os.fspath(where), ""
    place = str(folder.resolve()) if folder is not None else name
    if folder is None:
        found = pull(where, report=report)
        folder, name, revision = found.folder, found.repo or name, found.commit
    elif Path(name).expanduser().exists():
        name = Path(name).expanduser().resolve().name  # where it lies on this machine is nobody else's affair
    if is_run(folder):
        model = read_model(folder / "model") if is_complete(folder) else model_of_run(folder)
    else:
        model = read_model(folder)
    return Parent(model, _remember(model, name, revision, place))


def _remember(model: Model, name: str, revision: str, place: str) -> dict[str, Any]:
    provenance = model.config.get("provenance") or {}
    dataset = provenance.get("dataset") or {}
    sums = {file: digest for file, digest in (model.config.get("sha256") or {}).items() if file != CONFIG}
    said = {
        "revision": revision,
        "sha256": sums,
        "recipe": (model.config.get("recipe") or {}).get("name"),
        "images": provenance.get("images"),
        "license": provenance.get("license"),
        **{f"dataset_{key}": dataset.get(key) for key in ("name", "license", "credit", "restriction")},
        "parent": provenance.get("parent"),
    }
    return {"model": name, **{key: value for key, value in said.items() if value}, "where": place}


def resolve_child(
    recipe: str, given: Mapping[str, Any], options: Mapping[str, Any], parent: Parent, freeze: Sequence[str]
) -> RunConfig:
    """Return the configuration of a training that begins with a model: what nobody says is as the model has it.

    Raises:
        UsageError: other channels than the model's, or whatever `RunConfig.resolve` and `check_frozen` refuse.
    """
    image, named = parent.model.image, {key: value for key, value in given.items() if value is not None}
    if named.get("channels") not in (None, image.channels):
        wrong = f"{parent.record['model']} draws pictures of {plural(image.channels, 'channel')}, not {named['channels']}"
        raise UsageError(wrong, hint=f"leave --channels out: your pictures get {image.channels}, whatever they have")
    named = {"size": image.size, **named, "channels": image.channels}
    own = parent.read_options(RunConfig.resolve(recipe, **named, options=options))
    ways = [own] if named["size"] == image.size else [own, parent.scale_widths(own, named["size"])]
    configs = [RunConfig.resolve(recipe, **named, options={**way, **options}) for way in ways]
    config = max(configs, key=parent.measure_share) if len(configs) > 1 else configs[0]
    config = replace(config, parent=parent.record, frozen=[*dict.fromkeys(freeze)])
    check_frozen(config)
    return config


def begin_with(state: State, model: Model) -> list[str]:
    """Put a model's weights into a fresh state, of every role as far as they fit; return in words what did and did not.

    A tensor fits where name and shape are the same. One that is longer or shorter along one side only, by as many as there
    are more or fewer classes, is taken as far as it goes: labels come after everything else (`with_label`).

    Raises:
        UsageError: nothing fits.
    """
    lines, taken = [], 0
    for role, network in state.networks.items():
        fit = _compare_networks(network, model.networks.get(role), state.generator.image, model.image)
        _copy_weights(network, model.networks.get(role), fit)
        taken += fit.taken
        total = sum(parameter.numel() for parameter in network.parameters())
        words = f"{role}: all of its weights" if fit.taken == total else f"{role}: {fit.taken / total:.1%} of its weights"
        if fit.missing:
            rest = f" and {len(fit.missing) - SHOWN} more" if len(fit.missing) > SHOWN else ""
            words += f", without {'; '.join(fit.missing[:SHOWN])}{rest}"
        lines.append(words)
    if not taken:
        hint = "begin with a model of the same recipe, size and width, or leave --from out"
        raise UsageError(f"no weights of the model fit: {' / '.join(lines)}", hint=hint)
    for role, average in state.averages.items():
        average.load_state_dict(state.networks[role].state_dict())
    return lines


class Fit(NamedTuple):
    """What a network may take from another one."""

    overlaps: dict[str, tuple[slice, ...]]  # tensor → the part that both have
    taken: int  # numbers of parameters in these
    missing: list[str]  # what is not taken, in words


def _compare_networks(network: nn.Module, theirs: nn.Module | None, image: ImageSpec, their_image: ImageSpec) -> Fit:
    stored = theirs.state_dict() if theirs is not None else {}
    parameters = {name for name, _ in network.named_parameters()}
    found = Fit({}, 0, [])
    for name, mine in network.state_dict().items():
        if (other := stored.get(name)) is None:
            found.missing.append(f"{name}, which the model has not")
            continue
        overlap = _find_overlap(mine.shape, other.shape, image.num_classes - their_image.num_classes)
        if overlap is None:
            found.missing.append(f"{name}, which is {list(other.shape)} there and {list(mine.shape)} here")
            continue
        found.overlaps[name] = overlap
        if name in parameters:
            found = found._replace(taken=found.taken + math.prod(part.stop for part in overlap))
    return found


@torch.no_grad()
def _copy_weights(network: nn.Module, theirs: nn.Module | None, fit: Fit) -> None:
    if theirs is None:
        return
    own, stored = network.state_dict(), theirs.state_dict()
    taken = {name: own[name].clone() for name in fit.overlaps}
    for name, overlap in fit.overlaps.items():
        taken[name][overlap] = stored[name][overlap].to(taken[name])
    network.load_state_dict(taken, strict=False)


def _find_overlap(mine: Sequence[int], theirs: Sequence[int], classes: int) -> tuple[slice, ...] | None:
    """Return which part of two tensors is the same; None where they do not fit each other."""
    if len(mine) != len(theirs):
        return None
    differing = [side for side, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
    if differing and (len(differing) > 1 or not classes or mine[differing[0]] - theirs[differing[0]] != classes):
        return None
    return tuple(slice(min(a, b)) for a, b in zip(mine, theirs, strict=True))


def freeze(networks: Mapping[str, nn.Module], stages: Sequence[str]) -> None:
    """Keep stages ("discriminator.32x32") as they are while the rest is trained (Mo et al. 2020, arXiv:2002.10964).

    Raises:
        OptionError: no such stage, or one of a role that would then learn nothing.
    """
    known = {f"{role}.{name}": stage for role, network in networks.items() for name, stage in _find_stages(network).items()}
    for name in stages:
        if name not in known:
            raise unknown("stage to freeze:", name, known, hint="for example: --freeze " + next(iter(known), ""))
        known[name].requires_grad_(False)
    for role, network in networks.items():
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise OptionError(f"all of the {role} is frozen, and it would learn nothing", hint="leave some stages out")


def _find_stages(network: nn.Module) -> dict[str, nn.Module]:
    """Return a network's stages by name; of one that names none, its immediate parts."""
    named = getattr(network, "stages", None)
    found = dict(named()) if callable(named) else {}
    rest = {name: part for name, part in network.named_children() if not any(part is stage for stage in found.values())}
    whole = {name: part for name, part in rest.items() if not any(stage in part.modules() for stage in found.values())}
    return {name: part for name, part in {**found, **whole}.items() if any(True for _ in part.parameters())}


def check_frozen(config: RunConfig) -> None:
    """Raise `OptionError` where `config.frozen` names what no network has; nothing is allocated."""
    if config.frozen:
        with meta_device():
            freeze(build_networks(config.parts, image_of(config)), config.frozen)


def image_of(config: RunConfig) -> ImageSpec:
    """Return what the images are; before they have been looked at, of two classes where labels are wanted."""
    return config.image or ImageSpec(config.training.size, config.channels or 3, 2 if config.conditional else 0)


def reopen_parent(config: RunConfig, folder: Path | None) -> Parent:
    """Load the parent of a run without checkpoints; raises `ZooError` where it is gone or changed."""
    where = str(config.parent["where"]) or "a model in memory"
    again = f"it was stopped before its first checkpoint; begin anew: zoo train --from MODEL …, and remove {folder}"
    try:
        parent = open_parent(where)
    except ZooError as error:
        raise ZooError(
            f"{folder} begins with {where}, which cannot be read any more: {error.message}", hint=again
        ) from error
    if parent.record.get("sha256") != config.parent.get("sha256"):
        raise ZooError(f"{folder} begins with {where}, which has other weights now", hint=again)
    return parent
