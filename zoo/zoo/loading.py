"""Where models come from: `zoo.load`, `zoo.create` and `zoo.export`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zoo_core import ImageSpec, ModelError, UsageError
from zoo_core.errors import near

from .catalog import find_entry, names_in_catalog
from .devices import check_device
from .models.folder import read_model, write_model
from .models.model import Model
from .runs.config import RunConfig, model_config
from .runs.run import is_run, model_of_run


def load(where: str | Path, *, device: str = "cpu", raw: bool = False) -> Model:
    """Load a model, in evaluation mode.

    Args:
        where: a run folder, a model folder, a name of the catalog, or "user/name[@revision]" on the Hugging Face Hub.
            What lies here goes before what lies elsewhere.
        device: "cpu", "cuda", "cuda:1", "mps" or "auto".
        raw: take the generator's weights themselves instead of their moving average; only a run folder has them.

    Raises:
        UsageError: there is no such place, or it does not have what is asked for.
        ModelError, CheckpointError, PluginError: it cannot be read.
        HubError: the Hub does not have it or cannot be reached (a `ZooError`).
    """
    chosen = check_device(device)
    place = find_folder(where)
    if is_run(place):
        return model_of_run(place, raw=raw).to(chosen)
    if raw:
        raise UsageError(f"{where} holds one set of weights only; --raw needs the run folder that it came from")
    return read_model(place).to(chosen)


def find_folder(where: str | Path) -> Path:
    """The run or model folder that `where` means; fetches it from the Hub if it lies there. Raises as `load` does."""
    place = local_folder(where)
    if place is not None:
        return place
    from .hub.client import HubError  # the Hub's client takes a while to import, and most models lie here
    from .hub.fetching import fetch
    from .hub.names import is_hub_name, parse_name
    from .hub.pulling import fetch_entry

    text = str(where)
    entry = find_entry(text)
    if entry is not None:
        return fetch_entry(entry).folder
    if not is_hub_name(text):
        raise model_not_found(text)
    try:
        return fetch(parse_name(text)).folder
    except HubError as error:
        error.message = f"there is no folder {text!r} here, and from the Hub: {error.message}"
        raise


def local_folder(where: str | Path) -> Path | None:
    """The run or model folder of this machine that `where` means: a path, or a bundled model's name; None if there is none.

    Raises:
        ModelError: there is a folder, and it is neither a run nor a model.
        UsageError: there is a file, or no file can have this name.
    """
    place = Path(where).expanduser()
    try:
        if is_run(place) or (place / "config.json").is_file():
            return place
        found = place.exists()
    except (OSError, ValueError):  # a name that no file can have
        raise model_not_found(str(where)) from None
    entry = find_entry(str(where))
    if entry is not None and entry.folder is not None:
        return entry.folder
    if place.is_dir():
        raise ModelError(f"{place} is neither a run folder nor a model folder: no run.json and no config.json in it")
    if found:
        raise UsageError(f"{place} is a file", hint="give a run folder or a model folder")
    return None


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
    config = config.with_image(ImageSpec(config.training.size, channels, num_classes if config.conditional else 0))
    networks = {role: network.eval() for role, network in config.build_networks().items()}
    return Model.of(networks, model_config(config))


def export(run: str | Path, folder: str | Path, *, raw: bool = False, bf16: bool = False) -> Path:
    """Write the model folder of a run's latest checkpoint.

    Args:
        run: a run folder.
        folder: the model folder to make.
        raw: take the weights that are not averaged.
        bf16: store the parameters in bfloat16, half the size; they are computed in float32 when loaded.

    Raises:
        UsageError, ModelError, CheckpointError: there is no such run, or the folder exists.
    """
    place = Path(run)
    if not is_run(place):
        raise UsageError(
            f"{place} is no run folder: there is no run.json in it", hint="zoo train makes run folders in runs/"
        )
    return write_model(model_of_run(place, raw=raw), Path(folder), dtype=torch.bfloat16 if bf16 else None)


def model_not_found(where: str) -> UsageError:
    """An error for a name that no model has."""
    close = near(where, names_in_catalog())
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    return UsageError(
        f"there is no model at {where!r}{meant}",
        hint="give a run folder, a model folder, a name that zoo pull lists, or user/name on the Hub",
    )
