"""Where models come from: `zoo.load`, `zoo.create` and `zoo.export`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_core import ImageSpec, ModelError, UsageError

from ..devices import check_device
from ..training.config import RunConfig, model_config
from ..training.runs import is_run, model_of_run
from .folder import read_model, write_model
from .model import Model


def load(where: str | Path, *, device: str = "cpu", raw: bool = False) -> Model:
    """Load a model, in evaluation mode.

    Args:
        where: a run folder or a model folder.
        device: "cpu", "cuda", "cuda:1", "mps" or "auto".
        raw: take the generator's weights themselves instead of their moving average; only a run folder has them.

    Raises:
        UsageError: there is no such place, or it does not have what is asked for.
        ModelError, CheckpointError, PluginError: it cannot be read.
    """
    place = Path(where)
    if is_run(place):
        return model_of_run(place, raw=raw).to(check_device(device))
    if (place / "config.json").is_file():
        if raw:
            raise UsageError(f"{place} holds one set of weights only; --raw needs the run folder that it came from")
        return read_model(place).to(check_device(device))
    if place.is_dir():
        raise ModelError(f"{place} is neither a run folder nor a model folder: no run.json and no config.json in it")
    raise UsageError(
        f"there is no model at {str(where)!r}", hint="give a run folder (runs/…) or a model folder; zoo train makes both"
    )


def create(
    recipe: str,
    *,
    size: int | None = None,
    channels: int = 3,
    num_classes: int = 0,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Model:
    """Make an untrained model of a recipe.

    Args:
        recipe: a recipe's name.
        size, channels, num_classes: of the images; the recipe's size by default.
        seed: of the initial weights.
        options: what `--set` takes: {"generator.width": 128, …}.

    Raises:
        UsageError: an unknown recipe or option.
    """
    config = RunConfig.resolve(recipe, size=size, channels=channels, seed=seed, options=options or {})
    config = config.with_image(ImageSpec(config.training.size, channels, num_classes if config.training.conditional else 0))
    generator, discriminator = config.build_networks()
    return Model(generator.eval(), discriminator.eval(), model_config(config))


def export(run: str | Path, folder: str | Path, *, raw: bool = False) -> Path:
    """Write the model folder of a run's latest checkpoint; raises `UsageError`, `ModelError` or `CheckpointError`."""
    place = Path(run)
    if not is_run(place):
        raise UsageError(
            f"{place} is no run folder: there is no run.json in it", hint="zoo train makes run folders in runs/"
        )
    return write_model(model_of_run(place, raw=raw), Path(folder))
