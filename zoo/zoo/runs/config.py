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
from zoo_core.errors import unknown
from zoo_core.options import complete, parse, schema
from zoo_core.settings import FREE, OptimizerSettings, TrainingSettings

from ..models.building import build_networks, component_config, meta_device
from ..models.config import FORMAT as MODEL_FORMAT
from ..models.config import NETWORKS
from ..packs import PackRequest
from ..packs.selection import SELECTION, dataset_options, split_selection
from ..randomness import seeded
from ..version import __version__
from .budget import Budget
from .folders import name_run
from .options import RESERVED, resolve_component, split_options


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a training computes. All values are plain data.

    Args:
        recipe: {"name", "summary", "paper"}.
        algorithm: as `component_config` gives it.
        parts: role → likewise, for networks and losses, in the order in which the algorithm names them.
        dataset: likewise, with "data" and "split"; None for a model that is only created.
        optimizer: role → all settings, for every role that has weights.
        seed: of initial weights, order of the data, latents.
        channels: what `--channels` said, None where it said nothing.
        image, pack, facts: what the pictures are, their checksum, and what their pack says (count, classes, license, …);
            not known until they have been looked at.
        parent: the model that the training begins with ("model", "revision", "sha256", "recipe", "images", licenses, its own
            "parent", and "where" it lay); empty where the weights are random.
        frozen: stages that are not trained, "discriminator.32x32".
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
    parent: dict[str, Any] = field(default_factory=dict)
    frozen: list[str] = field(default_factory=list)

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
        """Put a recipe, the flags and the `--set` options (texts are read as `--set` reads them) together, later ones
        winning, and check all of it; raises `UsageError` for a name, key or value that is not valid.
        """
        if abs(seed) >= 10**300:  # more cannot be read again
            raise OptionError("--seed must have at most 300 digits")
        found = registry.recipe(recipe)
        roles = registry.parts(found)
        learning = [role for role, (kind, _) in roles.items() if kind in NETWORKS]
        typed = {key for key in options or {} if key.startswith("optimizer.")}
        wide = {f"optimizer.{role}.{key.removeprefix('optimizer.')}" for key in typed for role in learning}  # all roles' own
        settings = {
            key: value
            for key, value in found.options.items()
            if key not in wide and (dataset or not key.startswith("dataset."))
        }
        settings.update(options or {})
        settings.update({key: n for key, n in (("training.size", size), ("training.batch", batch)) if n is not None})
        if channels not in (None, 1, 3):
            raise OptionError(f"--channels must be 1 (gray) or 3 (color), not {channels}")
        grouped = split_options(settings, roles, learning)

        def component(part: str, kind: str, name: str) -> dict[str, Any]:
            return component_config(kind, name, resolve_component(part, kind, name, grouped[part]))

        def read(target: type, where: str, given: Mapping[str, Any]) -> Any:
            return target(**complete(target, given, where=where, texts=True))

        assert found.algorithm is not None
        shared, dataset_flags = grouped["optimizer"], {"data": data, "split": split}
        config = cls(
            recipe={"name": found.name, "summary": found.summary, "paper": found.paper},
            algorithm=component("algorithm", "algorithms", found.algorithm),
            parts={role: component(role, kind, name) for role, (kind, name) in roles.items()},
            dataset=_resolve_dataset(dataset, grouped["dataset"], dataset_flags),
            optimizer={
                role: asdict(read(OptimizerSettings, "optimizer", {**shared, **grouped[f"optimizer.{role}"]}))
                for role in learning
            },
            training=read(TrainingSettings, "training", grouped["training"]),
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

    @property
    def class_counts(self) -> tuple[int, ...]:
        """How many images of each class a conditional training has; () where equally many, or nobody counted."""
        return tuple(self.facts.get("class_counts", ()))

    def request(self) -> PackRequest:
        """Return the request for the pictures that the run is trained on."""
        assert self.dataset is not None
        dataset, size = self.dataset, self.training.size
        name = f"{dataset['distribution']}:{dataset['name']}"
        return PackRequest(name, dataset["data"], dataset["split"], size, self.channels, dataset["options"])

    def folder_name(self, budget: Budget) -> str:
        """Return what the run folder is called unless somebody names it; `budget` counts where schedules end with it."""
        assert self.dataset is not None
        whole = {**self.identity(), "channels": self.channels}
        if any(s["schedule"] != "constant" and not s["schedule_images"] for s in self.optimizer.values()):
            whole["budget"] = str(budget)
        return name_run(self.recipe["name"], self.dataset["name"], self.dataset["data"], self.training.size, whole)

    def with_image(self, image: ImageSpec, *, pack: str = "", facts: Mapping[str, Any] | None = None) -> RunConfig:
        """This configuration for images that have been looked at."""
        return replace(self, image=image, pack=pack, facts=dict(facts or {}))

    def with_schedule(self, budget: Budget, count: int) -> RunConfig:
        """This configuration with the end of each learning-rate schedule that takes the budget's, for `count` images; raises
        `UsageError` where it has none, as minutes are none that every machine reaches alike.
        """
        open_ended = [s for s in self.optimizer.values() if s["schedule"] != "constant" and not s["schedule_images"]]
        if open_ended and budget.kind == "minutes":
            what = f"a {open_ended[0]['schedule']} schedule has to end at a number of images, and the budget is {budget}"
            raise UsageError(what, hint="give --images or --epochs, or --set optimizer.schedule_images=N")
        end = {"schedule_images": int(budget.total(count))}
        return replace(self, optimizer={r: {**s, **end} if s in open_ended else s for r, s in self.optimizer.items()})

    def check_networks(self, share: int | None = None) -> None:
        """Build all parts without memory for weights, so that a bad option is found at once, and that the networks cannot
        learn from minibatches of 1 where `share` (images that go through them together, by default a piece) is 1.
        """
        for name in self.training.augment:
            registry.load("augmentations", name)
        algorithm, losses = self.build_algorithm(), self.build_losses()
        if self.training.augment and not algorithm.augmentable:
            raise OptionError(f"algorithm {self.algorithm['name']} has no augmentation", hint="leave training.augment out")
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
        networks["generator"].latent, networks["generator"].class_counts = self.training.latent, self.class_counts
        return networks

    def build_losses(self) -> dict[str, Any]:
        return {role: _create("losses", part) for role, part in self.parts.items() if part["kind"] == "losses"}

    def build_algorithm(self) -> Algorithm:
        found: Algorithm = _create("algorithms", self.algorithm)
        return found

    def identity(self) -> dict[str, Any]:
        """Return what a resumed run may not change, flat: {"generator.width": 64, …}."""
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
        if self.parent:
            flat.update({"from": self.parent["model"], "from.sha256": self.parent.get("sha256", {}), "freeze": self.frozen})
        return _plain(flat)

    def defaults(self) -> dict[str, Any]:
        """Return what `identity` holds of options and settings where nobody, no recipe either, has chosen any."""
        flat: dict[str, Any] = {}
        for part, component in {"algorithm": self.algorithm, **self.parts, "dataset": self.dataset}.items():
            if component is not None:
                name = f"{component['distribution']}:{component['name']}"
                known = dataset_options(name) if part == "dataset" else schema(registry.load(component["kind"], name))
                flat.update({f"{part}.{key}": option.default for key, option in known.items()})
        for part in self.optimizer:
            flat.update({f"optimizer.{part}.{key}": value for key, value in asdict(OptimizerSettings()).items()})
        flat.update({f"training.{key}": value for key, value in asdict(TrainingSettings()).items()})
        return _plain(flat)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `run.json`."""
        return {**_plain(asdict(self)), "versions": versions()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunConfig:
        """Return what `to_json` gave, in today's format and checked; see `read_run_document`."""
        plain = {key: item for key, item in value.items() if key != "versions"}
        plain["training"] = TrainingSettings(**complete(TrainingSettings, plain["training"], where="training"))
        plain["optimizer"] = {
            role: asdict(OptimizerSettings(**complete(OptimizerSettings, settings, where="optimizer")))
            for role, settings in plain["optimizer"].items()
        }
        plain["image"] = ImageSpec(**plain["image"]) if plain.get("image") else None
        return cls(**plain)


def _create(kind: str, component: Mapping[str, Any]) -> Any:
    return registry.create(kind, f"{component['distribution']}:{component['name']}", component["options"])


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping as JSON gives it back: tuples become lists."""
    found: dict[str, Any] = json.loads(json.dumps(value))
    return found


def _resolve_dataset(name: str | None, given: dict[str, Any], reserved: dict[str, Any]) -> dict[str, Any] | None:
    if name is None:
        if given:
            raise UsageError(f"dataset.{next(iter(given))} is set, and there is no dataset")
        return None
    known = dataset_options(name)
    if other := next((key for key in given if key not in known), None):
        raise unknown("option of dataset", other, known, hint=f"to see them: zoo show {name}")
    chosen = {key: value for key, value in given.items() if key in SELECTION}
    read = {k: parse(known[k], v, key=f"dataset.{k}") if isinstance(v, str) else v for k, v in chosen.items()}
    given, selection = split_selection(name, {**given, **read})
    options = {**resolve_component("dataset", "datasets", name, given), **selection}
    takes = schema(registry.load("datasets", name))
    unfit = [key for key in reserved if key not in takes]
    if unfit:
        raise UsageError(f"dataset {name!r} takes no {' and no '.join(unfit)}")
    kept = {key: value for key, value in options.items() if key not in RESERVED["dataset"]}
    return {**component_config("datasets", name, kept), **reserved}


def pass_through(networks: Mapping[str, Any], image: ImageSpec, n: int) -> None:
    """Let `n` latents go through the generator, and what it draws through the discriminator."""
    generator, discriminator = networks["generator"], networks.get("discriminator")
    labels = torch.zeros(n, dtype=torch.int64) if image.num_classes else None
    drawn = generator(torch.zeros(n, generator.latent_dim), labels)
    if isinstance(discriminator, Discriminator):
        discriminator(drawn, labels)


def _try_one(networks: Mapping[str, Any], image: ImageSpec) -> None:
    """Raise `OptionError` where the networks cannot learn from one image at a time (batch normalization of vectors)."""
    try:
        pass_through(networks, image, 1)
    except ValueError as error:
        raise OptionError(f"these networks cannot learn from minibatches of 1: {error}", hint="try: --batch 64") from error
    except (NotImplementedError, RuntimeError):  # not every network computes without numbers
        pass


def add_later_settings(old: Mapping[str, Any], config: RunConfig) -> dict[str, Any]:
    """Return what an earlier version wrote of a configuration, with the settings that it did not know yet at their defaults.

    Only those are added that `config` leaves at their defaults too; a recipe that uses a later setting is another one.
    """
    defaults, new = config.defaults(), config.identity()
    return {**{key: value for key, value in defaults.items() if key in new and new[key] == value}, **old}


def model_config(
    config: RunConfig, provenance: Mapping[str, Any] | None = None, weights: str = "untrained"
) -> dict[str, Any]:
    """Return the model folder's `config.json` for a run."""
    assert config.image is not None
    image = config.image
    return {
        "format": MODEL_FORMAT,
        "recipe": config.recipe,
        "algorithm": config.algorithm,
        "parts": {role: config.parts[role] for role in config.roles},
        "image": asdict(image),
        "classes": list(config.facts.get("classes", ())) if image.num_classes else [],
        **({"class_counts": list(config.class_counts)} if config.class_counts else {}),
        "latent": {"distribution": config.training.latent},
        "weights": weights,
        "batch_norm": "estimated once from 1,024 fixed latents, so that no image depends on its batch mates",
        "provenance": dict(provenance or {}),
    }


def versions() -> dict[str, str]:
    """Versions of what computes."""
    packages = {name: metadata.version(name) for name in ("torchvision", "numpy", "Pillow")}
    here = {"python": platform.python_version(), "platform": platform.platform()}
    return {"dcgan-zoo": __version__, "torch": torch.__version__, **packages, **here}
