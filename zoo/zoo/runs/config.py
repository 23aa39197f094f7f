"""One resolved configuration for each run: printed, saved in `run.json`, and compared when a run is resumed."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import Any

import torch

from zoo_core import Discriminator, Generator, ImageSpec, Loss, OptionError, UsageError, registry
from zoo_core.errors import unknown
from zoo_core.options import check, complete, parse, schema
from zoo_core.settings import FREE, OptimizerSettings, TrainingSettings

from .. import __version__
from ..models.building import build_component, component_config, meta_device
from ..models.config import FORMAT as MODEL_FORMAT
from ..randomness import seeded

PARTS = {"generator": "generators", "discriminator": "discriminators", "loss": "losses", "dataset": "datasets"}
RESERVED = {"dataset": ("data", "split")}
"""Options that are no settings."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a training computes. All values are plain data.

    Args:
        recipe: {"name", "summary", "paper"}.
        generator, discriminator, loss: as `component_config` gives them.
        dataset: likewise, with "data" and "split"; None for a model that is only created.
        image: None until the pictures have been looked at, when nobody said how many channels they have.
        channels: what `--channels` said, None where it said nothing.
        optimizer: {"generator": …, "discriminator": …}, all settings of each.
        training: batch, schedule, latents, average, …
        seed: of initial weights, order of the data, latents.
        pack: checksum of the pictures and labels, "" until they are packed.
        facts: what the pack says about them: count, classes, license, credit.
    """

    recipe: dict[str, Any]
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    loss: dict[str, Any]
    dataset: dict[str, Any] | None
    optimizer: dict[str, dict[str, Any]]
    training: TrainingSettings
    seed: int = 0
    channels: int | None = None
    image: ImageSpec | None = None
    pack: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def resolve(
        cls,
        recipe: str,
        *,
        dataset: str | None = None,
        data: str | None = None,
        split: str = "train",
        size: int | None = None,
        channels: int | None = None,
        batch: int | None = None,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> RunConfig:
        """Put a recipe, the flags and the `--set` options together, later ones winning, and check all of it.

        Args:
            options: `--set` keys; values of type str are read as `--set` reads them.

        Raises:
            UsageError: a name, key or value that is not valid, in words.
        """
        found = registry.recipe(recipe)
        settings = {key: value for key, value in found.options.items() if dataset or not key.startswith("dataset.")}
        settings.update(options or {})
        for key, value in (("training.size", size), ("training.batch", batch)):
            if value is not None:
                settings[key] = value
        if channels not in (None, 1, 3):
            raise OptionError(f"--channels must be 1 (gray) or 3 (color), not {channels}")
        grouped = split_options(settings)
        names = {"generator": found.generator, "discriminator": found.discriminator, "loss": found.loss}
        components: dict[str, Any] = {"dataset": None}
        for part, name in {**names, "dataset": dataset}.items():
            if name is None:
                if grouped[part]:
                    raise UsageError(f"{part}.{next(iter(grouped[part]))} is set, and there is no {part}")
                continue
            components[part] = component_config(PARTS[part], name, _resolve_component(part, name, grouped[part]))
        if dataset is not None:
            reserved = {"data": data, "split": split}
            takes = schema(registry.load("datasets", dataset))
            unfit = [key for key in reserved if key not in takes]
            if unfit:
                raise UsageError(f"dataset {dataset!r} takes no {' and no '.join(unfit)}")
            components["dataset"]["options"] = {
                key: value for key, value in components["dataset"]["options"].items() if key not in reserved
            }
            components["dataset"].update(reserved)
        shared = grouped["optimizer"]
        optimizer = {
            part: asdict(
                OptimizerSettings(**_resolve(OptimizerSettings, {**shared, **grouped[f"optimizer.{part}"]}, "optimizer"))
            )
            for part in ("generator", "discriminator")
        }
        config = cls(
            recipe={"name": found.name, "summary": found.summary, "paper": found.paper},
            **components,
            optimizer=optimizer,
            training=TrainingSettings(**_resolve(TrainingSettings, grouped["training"], "training")),
            seed=seed,
            channels=channels,
        )
        config.check_networks()
        return config

    def with_image(self, image: ImageSpec, *, pack: str = "", facts: Mapping[str, Any] | None = None) -> RunConfig:
        """This configuration for images that have been looked at."""
        return replace(self, image=image, pack=pack, facts=dict(facts or {}))

    def check_networks(self, share: int | None = None) -> None:
        """Build the networks and the loss without memory for their weights, so that a bad option is found at once.

        Args:
            share: images that go through the networks together; a minibatch unless it is shared by processes or pieces.

        Raises:
            UsageError, PluginError: an option is impossible, or the networks cannot learn from minibatches of 1.
        """
        classes = 2 if self.conditional else 0
        image = self.image or ImageSpec(self.training.size, self.channels or 3, classes)
        with meta_device():
            generator: Generator = build_component("generators", self.generator, image)
            discriminator: Discriminator = build_component("discriminators", self.discriminator, image)
            if (
                share or self.training.batch
            ) == 1:  # only then, as torch takes seconds to get ready for computing without memory
                label = torch.zeros(1, dtype=torch.int64) if image.num_classes else None
                try:
                    discriminator(generator(torch.zeros(1, generator.latent_dim), label), label)
                except ValueError as error:
                    raise OptionError(
                        f"these networks cannot learn from minibatches of 1: {error}", hint="try: --batch 64"
                    ) from error
                except (NotImplementedError, RuntimeError):  # not every network computes without numbers
                    pass
        self.build_loss()

    def build_networks(self) -> tuple[Generator, Discriminator]:
        """Generator and discriminator on the CPU, initialized from the seed."""
        assert self.image is not None
        with seeded(self.seed, "weights"):
            generator: Generator = build_component("generators", self.generator, self.image)
            discriminator: Discriminator = build_component("discriminators", self.discriminator, self.image)
        generator.latent = self.training.latent
        return generator, discriminator

    def build_loss(self) -> Loss:
        """The loss."""
        loss: Loss = registry.create("losses", f"{self.loss['distribution']}:{self.loss['name']}", self.loss["options"])
        return loss

    def identity(self) -> dict[str, Any]:
        """What a resumed run may not change, flat: {"generator.width": 64, …}."""
        training = {key: value for key, value in asdict(self.training).items() if key not in FREE}
        flat: dict[str, Any] = {"recipe": self.recipe["name"], "seed": self.seed}
        for part in PARTS:
            component = getattr(self, part)
            if component is not None:
                flat[part] = component["name"]
                flat.update({f"{part}.{key}": value for key, value in component["options"].items()})
        if self.dataset is not None:
            flat.update({"data": self.dataset["data"], "split": self.dataset["split"]})
        if self.image is not None:
            flat["channels"] = self.image.channels
        for part, settings in self.optimizer.items():
            flat.update({f"optimizer.{part}.{key}": value for key, value in settings.items()})
        flat.update({f"training.{key}": value for key, value in training.items()})
        return flat

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `run.json`."""
        return {**asdict(self), "versions": versions()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunConfig:
        """What `to_json` gave; raises TypeError, KeyError or ValueError for something else."""
        plain = {key: item for key, item in value.items() if key != "versions"}
        plain["training"] = TrainingSettings(**plain["training"])
        plain["image"] = ImageSpec(**plain["image"]) if plain["image"] else None
        facts = dict(plain["facts"])
        if "licence" in facts:  # as runs of before version 0.2 spell it
            facts["license"] = facts.pop("licence")
        plain["facts"] = facts
        return cls(**plain)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line for each key whose value differs: "generator.width: 64 in the run, 128 now"."""
    absent = object()
    lines = []
    for key in sorted({*old, *new}):
        before, now = old.get(key, absent), new.get(key, absent)
        if before != now:
            words = ["nothing" if value is absent else repr(value) for value in (before, now)]
            lines.append(f"{key}: {words[0]} in the run, {words[1]} now")
    return lines


def split_options(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Group `--set` keys by what stands before the last dot; raises `UsageError` for a key that has no such group."""
    groups: dict[str, dict[str, Any]] = {
        name: {} for name in (*PARTS, "optimizer", "optimizer.generator", "optimizer.discriminator", "training")
    }
    for key, value in options.items():
        group, _, name = key.rpartition(".")
        if group not in groups:
            raise unknown("--set key", key, [f"{g}.*" for g in groups], hint="for example: --set generator.width=128")
        groups[group][name] = value
    return groups


def _resolve_component(part: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    target = registry.load(PARTS[part], name)
    reserved = [key for key in RESERVED.get(part, ()) if key in given]
    if reserved == ["data"]:
        raise OptionError(f"{part}.data has a flag of its own", hint=f"write: --data {given['data']}")
    if reserved:
        raise OptionError(f"{part}.{reserved[0]} is no setting of a training, which takes the split 'train'")
    return _resolve(target, given, part, hint=f"to see them: zoo show {name}")


def _resolve(target: Any, given: Mapping[str, Any], where: str, hint: str = "") -> dict[str, Any]:
    """All options of `target`; texts among `given` are read by the option's type."""
    known = schema(target)
    read = {
        key: parse(known[key], value, key=f"{where}.{key}") if isinstance(value, str) and key in known else value
        for key, value in given.items()
    }
    for key in known.keys() & read.keys():
        check(known[key], read[key], key=f"{where}.{key}")
    return complete(target, read, where=where, hint=hint)


def model_config(
    config: RunConfig, provenance: Mapping[str, Any] | None = None, weights: str = "untrained"
) -> dict[str, Any]:
    """The model folder's `config.json` for a run."""
    assert config.image is not None
    image = config.image
    return {
        "format": MODEL_FORMAT,
        "recipe": config.recipe,
        "generator": config.generator,
        "discriminator": config.discriminator,
        "image": asdict(image),
        "classes": list(config.facts.get("classes", ())) if image.num_classes else [],
        "latent": {"distribution": config.training.latent},
        "weights": weights,
        "batch_norm": "estimated once from 1,024 fixed latents, so that no image depends on its batch mates",
        "provenance": dict(provenance or {}),
    }


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {
        "dcgan-zoo": __version__,
        "torch": torch.__version__,
        **{name: metadata.version(name) for name in ("torchvision", "accelerate", "numpy", "Pillow")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": str(torch.get_num_threads()),
    }
