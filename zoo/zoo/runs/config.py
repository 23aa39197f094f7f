"""One resolved configuration for each run: printed, saved in `run.json`, and compared when a run is resumed."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import Any

import torch
from torch import nn

from zoo_core import Algorithm, Discriminator, ImageSpec, OptionError, UsageError, registry
from zoo_core.options import schema
from zoo_core.settings import FREE, OptimizerSettings, TrainingSettings

from ..models.building import NETWORKS, build_networks, component_config, meta_device
from ..models.config import FORMAT as MODEL_FORMAT
from ..packs import PackRequest
from ..randomness import seeded
from ..version import __version__
from .budget import Budget
from .options import RESERVED, resolve_component, resolve_options, split_options
from .upgrading import upgrade_config


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a training computes. All values are plain data.

    Args:
        recipe: {"name", "summary", "paper"}.
        algorithm: as `component_config` gives it.
        parts: role → likewise, for networks and losses, in the order in which the algorithm names them.
        dataset: likewise, with "data" and "split"; None for a model that is only created.
        image: None until the pictures have been looked at, when nobody said how many channels they have.
        channels: what `--channels` said, None where it said nothing.
        optimizer: role → all settings, for every role that has weights.
        training: batch, latents, average, …
        seed: of initial weights, order of the data, latents.
        pack: checksum of the pictures and labels, "" until they are packed.
        facts: what the pack says about them: count, classes, license, credit.
    """

    recipe: dict[str, Any]
    algorithm: dict[str, Any]
    parts: dict[str, dict[str, Any]]
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
        roles = registry.parts(found)
        learning = [role for role, (kind, _) in roles.items() if kind in NETWORKS]
        settings = {key: value for key, value in found.options.items() if dataset or not key.startswith("dataset.")}
        settings.update(options or {})
        for key, value in (("training.size", size), ("training.batch", batch)):
            if value is not None:
                settings[key] = value
        if channels not in (None, 1, 3):
            raise OptionError(f"--channels must be 1 (gray) or 3 (color), not {channels}")
        grouped = split_options(settings, roles, learning)

        def component(part: str, kind: str, name: str) -> dict[str, Any]:
            return component_config(kind, name, resolve_component(part, kind, name, grouped[part]))

        assert found.algorithm is not None
        shared = grouped["optimizer"]
        config = cls(
            recipe={"name": found.name, "summary": found.summary, "paper": found.paper},
            algorithm=component("algorithm", "algorithms", found.algorithm),
            parts={role: component(role, kind, name) for role, (kind, name) in roles.items()},
            dataset=_resolve_dataset(dataset, grouped["dataset"], {"data": data, "split": split}),
            optimizer={
                role: asdict(
                    OptimizerSettings(
                        **resolve_options(OptimizerSettings, {**shared, **grouped[f"optimizer.{role}"]}, "optimizer")
                    )
                )
                for role in learning
            },
            training=TrainingSettings(**resolve_options(TrainingSettings, grouped["training"], "training")),
            seed=seed,
            channels=channels,
        )
        config.check_networks()
        return config

    @property
    def roles(self) -> list[str]:
        """The roles that have weights, in the order in which the algorithm names them."""
        return [role for role, part in self.parts.items() if part["kind"] in NETWORKS]

    @property
    def conditional(self) -> bool:
        """Whether the networks are told the labels."""
        return self.build_algorithm().conditional

    def request(self) -> PackRequest:
        """The request for the pictures that the run is trained on."""
        assert self.dataset is not None
        dataset, size = self.dataset, self.training.size
        name = f"{dataset['distribution']}:{dataset['name']}"
        return PackRequest(name, dataset["data"], dataset["split"], size, self.channels, dataset["options"])

    def with_image(self, image: ImageSpec, *, pack: str = "", facts: Mapping[str, Any] | None = None) -> RunConfig:
        """This configuration for images that have been looked at."""
        return replace(self, image=image, pack=pack, facts=dict(facts or {}))

    def with_schedule(self, budget: Budget, count: int) -> RunConfig:
        """This configuration with the end of each learning-rate schedule that takes the budget's.

        Args:
            budget: for how long the run is begun; minutes are no end that every machine reaches alike.
            count: images in the dataset.

        Raises:
            UsageError: a schedule has no end.
        """
        found = {}
        for role, settings in self.optimizer.items():
            if settings["schedule"] != "constant" and not settings["schedule_images"]:
                if budget.kind == "minutes":
                    raise UsageError(
                        f"a {settings['schedule']} schedule has to end at a number of images, and the budget is {budget}",
                        hint="give --images or --epochs, or --set optimizer.schedule_images=N",
                    )
                settings = {**settings, "schedule_images": int(budget.total(count))}
            found[role] = settings
        return replace(self, optimizer=found)

    def check_networks(self, share: int | None = None) -> None:
        """Build all parts without memory for weights, so that a bad option is found at once.

        Args:
            share: images that go through the networks together; a piece of a minibatch unless processes share it.

        Raises:
            UsageError, PluginError: an option is impossible, or the networks cannot learn from minibatches of 1.
        """
        for name in self.training.augment:
            registry.load("augmentations", name)
        algorithm, losses = self.build_algorithm(), self.build_losses()
        image = self.image or ImageSpec(self.training.size, self.channels or 3, 2 if algorithm.conditional else 0)
        with meta_device():
            networks = build_networks(self.parts, image)
            algorithm.phases({**networks, **losses})
            if (share or self.training.batch // self.training.accumulate) == 1:
                _try_one(networks, image)  # only then, as torch takes seconds to compute without memory

    def build_networks(self) -> dict[str, nn.Module]:
        """Build the networks by role, on the CPU, initialized from the seed."""
        assert self.image is not None
        with seeded(self.seed, "weights"):
            networks = build_networks(self.parts, self.image)
        networks["generator"].latent = self.training.latent
        return networks

    def build_losses(self) -> dict[str, Any]:
        """Build the losses by role."""
        return {
            role: registry.create("losses", f"{part['distribution']}:{part['name']}", part["options"])
            for role, part in self.parts.items()
            if part["kind"] == "losses"
        }

    def build_algorithm(self) -> Algorithm:
        """Build the algorithm."""
        named = self.algorithm
        found: Algorithm = registry.create("algorithms", f"{named['distribution']}:{named['name']}", named["options"])
        return found

    def identity(self) -> dict[str, Any]:
        """What a resumed run may not change, flat: {"generator.width": 64, …}."""
        training = {key: value for key, value in asdict(self.training).items() if key not in FREE}
        flat: dict[str, Any] = {"recipe": self.recipe["name"], "seed": self.seed}
        for part, component in {"algorithm": self.algorithm, **self.parts, "dataset": self.dataset}.items():
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
        return _plain(flat)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `run.json`."""
        return {**_plain(asdict(self)), "versions": versions()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], format: int) -> RunConfig:
        """What `to_json` gave in a format up to today's; raises TypeError, KeyError or ValueError for something else."""
        plain = {key: item for key, item in value.items() if key != "versions"}
        plain = upgrade_config(plain, format)
        plain["training"] = TrainingSettings(**plain["training"])
        plain["optimizer"] = {role: asdict(OptimizerSettings(**s)) for role, s in plain["optimizer"].items()}
        plain["image"] = ImageSpec(**plain["image"]) if plain["image"] else None
        return cls(**plain)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """A mapping as JSON gives it back: tuples become lists."""
    found: dict[str, Any] = json.loads(json.dumps(value))
    return found


def _resolve_dataset(name: str | None, given: dict[str, Any], reserved: dict[str, Any]) -> dict[str, Any] | None:
    if name is None:
        if given:
            raise UsageError(f"dataset.{next(iter(given))} is set, and there is no dataset")
        return None
    options = resolve_component("dataset", "datasets", name, given)
    takes = schema(registry.load("datasets", name))
    unfit = [key for key in reserved if key not in takes]
    if unfit:
        raise UsageError(f"dataset {name!r} takes no {' and no '.join(unfit)}")
    kept = {key: value for key, value in options.items() if key not in RESERVED["dataset"]}
    return {**component_config("datasets", name, kept), **reserved}


def _try_one(networks: Mapping[str, Any], image: ImageSpec) -> None:
    """Raise `OptionError` where the networks cannot learn from one image at a time (batch normalization of vectors)."""
    generator, discriminator = networks["generator"], networks.get("discriminator")
    label = torch.zeros(1, dtype=torch.int64) if image.num_classes else None
    try:
        drawn = generator(torch.zeros(1, generator.latent_dim), label)
        if isinstance(discriminator, Discriminator):
            discriminator(drawn, label)
    except ValueError as error:
        raise OptionError(f"these networks cannot learn from minibatches of 1: {error}", hint="try: --batch 64") from error
    except (NotImplementedError, RuntimeError):  # not every network computes without numbers
        pass


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


def model_config(
    config: RunConfig, provenance: Mapping[str, Any] | None = None, weights: str = "untrained"
) -> dict[str, Any]:
    """The model folder's `config.json` for a run."""
    assert config.image is not None
    image = config.image
    return {
        "format": MODEL_FORMAT,
        "recipe": config.recipe,
        "algorithm": config.algorithm,
        "parts": {role: config.parts[role] for role in config.roles},
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
        **{name: metadata.version(name) for name in ("torchvision", "numpy", "Pillow")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": str(torch.get_num_threads()),
    }
