"""A model from anywhere: a run folder, a model folder, the catalog or the Hub. The only module that knows all of them.

Runs and the Hub's client take a while to import, and most models lie in a folder here: each is imported where it is needed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zoo_core import ImageSpec, ModelError, UsageError
from zoo_core.registries import Entry

from .catalog import differing_files, find_entry, installed_folder, model_of
from .devices import check_device
from .files import Place
from .models.folder import read_model, write_model
from .models.model import Model as Model
from .models.model import ModelLike
from .names import MODEL, RUN, is_model, looks_local, model_not_found, no_model_in, what_is
from .progress import Reporter
from .runs.folders import find_run, is_run

if TYPE_CHECKING:
    from .hub.fetching import FetchedModel
    from .hub.publishing import PushResult


def load(where: ModelLike, *, device: str = "cpu", raw: bool = False, last: bool = False, at: int | None = None) -> Model:
    """Load a model, in evaluation mode.

    Args:
        where: a run folder, a model folder, a name of the catalog, or "user/name[@revision]" on the Hugging Face Hub.
            What lies here goes before what lies elsewhere. A model in memory is returned as it is.
        device: "cpu", "cuda", "cuda:1", "mps" or "auto".
        raw: take the generator's weights themselves instead of their moving average; only a run folder has them.
        last, at: of a run, take its newest checkpoint instead of its best, or the one after so many images.

    Raises:
        UsageError: there is no such place, or it does not have what is asked for.
        ModelError, CheckpointError, PluginError: it cannot be read.
        HubError: the Hub does not have it or cannot be reached (a `ZooError`).
    """
    if isinstance(where, Model):
        if last or at is not None:
            flag = "--last" if last else f"--at {at}"
            raise UsageError(f"a model in memory is one; {flag} needs the run folder that it came from")
        if raw:
            raise UsageError("a model in memory has one set of weights only", hint="leave --raw out")
        return where
    chosen = check_device(device)
    place = find_folder(where)
    if is_run(place):
        from .runs.run import model_of_run

        return model_of_run(place, raw=raw, last=last, at=at).to(chosen)
    if last or at is not None:
        flag = "--last" if last else f"--at {at}"
        raise UsageError(f"{where} holds one model; {flag} needs the run folder that it came from")
    if raw:
        raise UsageError(f"{where} holds one set of weights only; --raw needs the run folder that it came from")
    return read_model(place).to(chosen)


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

    Size, channels and number of classes are those of the images, the recipe's size by default; the seed is that of the
    initial weights; options are what `--set` takes: {"generator.width": 128, …}. Raises `UsageError` for an unknown recipe
    or option.
    """
    from .runs.config import RunConfig, model_config

    config = RunConfig.resolve(recipe, size=size, channels=channels, seed=seed, options=options or {})
    config = config.with_image(ImageSpec(config.training.size, channels, num_classes if config.conditional else 0))
    networks = {role: network.eval() for role, network in config.build_networks().items()}
    return Model.of(networks, model_config(config))


def pull(
    model: Place, *, to: Place | None = None, revision: str | None = None, report: Reporter | None = None
) -> FetchedModel:
    """Fetch a model, check all of it, and say where it lies.

    Args:
        model: a name of the catalog, "user/name[@revision]" on the Hub, or a model folder, which is only checked.
        to: a new folder for a copy that is yours to keep; without it the model stays in the Hub's cache.
        revision: branch, tag or commit on the Hub.

    Raises as `load` does, and `UsageError` where `to` is not empty.
    """
    from .hub.fetching import FetchedModel, copy_model

    place, entry = _locate(model)
    if place is not None and is_run(place):
        raise UsageError(f"{place} is a run folder, not a model", hint=f"write its model: zoo export {place} DIR")
    if revision is not None and (place or entry):
        raise UsageError(f"{model} is no repository on the Hub and has no revisions", hint="leave --revision out")

    found = FetchedModel(place) if place is not None else _fetch(os.fspath(model), entry, revision, report)
    read_model(found.folder)  # as anybody will
    return found if to is None else replace(found, folder=copy_model(found, Path(to)))


def push(
    where: ModelLike,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str | None = None,
    tag: str | None = None,
    license: str | None = None,
    space: bool = False,
    space_name: str | None = None,
    out: Place | None = None,
    dry_run: bool = False,
    last: bool = False,
    at: int | None = None,
    report: Reporter | None = None,
) -> PushResult:
    """Publish a model on the Hugging Face Hub.

    Configuration, weights, card and samples arrive in one commit, based on the one that was there when the push began: if
    somebody else pushes meanwhile, nothing of this one appears.

    Args:
        where: a run folder, a model folder, a name of the catalog, or a model in memory.
        repo, private: "user/name", made if it does not exist, on demand as one that only its owner sees.
        revision: a branch, made if it does not exist; "main" by default.
        message, tag: of the commit; the tag is given when it is complete.
        license: of this model ("apache-2.0"), for its card; not stated otherwise.
        space: also make or update a Gradio Space with the demo, pinned to the commit of the model.
        space_name: its name, "user/name"; by default that of `repo` with "-demo".
        out: a folder to write the Space into, in place of the Hub.
        dry_run: write the folder that would be published to dry-run/user/name, and ask nobody.
        last, at: of a run, take its newest checkpoint instead of its best, or the one after so many images.

    Raises as `load` does, `UsageError` for a name that is not valid, and `HubError` where the Hub refused or could not be
    reached; it has what it had before.
    """
    from .hub.client import check_names, parse_name
    from .hub.publishing import Which, preview, publish
    from .hub.spaces import Space

    if what_is(repo) in (RUN, MODEL) and not isinstance(where, Model) and not is_model(os.fspath(where)):
        hint = f"the model comes first: zoo push {shlex.quote(repo)} {shlex.quote(str(where))}"
        raise UsageError(f"{repo} lies here, and is no name for a repository on the Hub", hint=hint)
    name = parse_name(repo, revision)
    check_names(tag, license)
    demo = Space.of(name, space_name, out) if space or space_name is not None else None
    if out is not None and demo is None:
        raise UsageError(
            "--out is where a Space is written", hint=f"add --space, or for a copy of the model: zoo pull {repo}"
        )
    which: Which = {"last": last, "at": at}
    with _folder_of(where) as source:
        if (last or at is not None) and not is_run(source):
            flag = "--last" if last else "--at"
            raise UsageError(f"{where} holds one model; {flag} needs the run folder that it came from")
        if dry_run:
            return preview(source, name, tag, license, which, report or Reporter(), demo)
        return publish(source, name, private, message, tag, license, which, report or Reporter(), demo)


@contextmanager
def _folder_of(where: ModelLike) -> Iterator[Path]:
    """Yield the folder on this machine that holds a model; one in memory is written into a temporary one."""
    if isinstance(where, Model):
        with TemporaryDirectory() as place:
            yield write_model(where, Path(place, "model"))
        return
    source = local_folder(where)
    if source is None:
        raise model_not_found(os.fspath(where))
    yield source


def find_folder(where: Place) -> Path:
    """Return the run or model folder that `where` means; fetch it from the Hub if it lies there. Raises as `load` does."""
    place, entry = _locate(where)
    if place is not None:
        return place
    from .hub.client import HubError

    try:
        return _fetch(os.fspath(where), entry).folder
    except HubError as error:
        if entry is None:
            said = error.message.removeprefix("pull: ")
            error.message = f"there is no folder {os.fspath(where)!r} here, and from the Hub: {said}"
        raise


def local_folder(where: Place) -> Path | None:
    """Return the run or model folder of this machine that `where` means: a path, or the name of an installed model.

    Raises `ModelError` for a folder of anything else and a damaged installed model, `UsageError` for a file or no name.
    """
    return _locate(where)[0]


def _locate(where: Place) -> tuple[Path | None, Entry | None]:
    """Return the folder on this machine and the entry of the catalog that `where` means, each None if there is none."""
    place = Path(where).expanduser()
    try:
        if is_run(place) or (place / "config.json").is_file():
            return place, None
        found = place.exists()
    except (OSError, ValueError):  # a name that no file can have
        raise model_not_found(os.fspath(where)) from None
    entry = find_entry(os.fspath(where))
    if entry is not None:
        return installed_folder(entry), entry
    if found:
        wrong, hint = no_model_in(place)
        raise (ModelError if place.is_dir() else UsageError)(wrong, hint=hint)
    place = find_run(place)
    return (place if is_run(place) else None), None


def _fetch(name: str, entry: Entry | None, revision: str | None = None, report: Reporter | None = None) -> FetchedModel:
    """Fetch from the Hub what an entry of the catalog, or else a name of the Hub, means."""
    from .hub.client import is_hub_name, parse_name
    from .hub.fetching import fetch

    if entry is not None:
        where = model_of(entry).where
        found = fetch(parse_name(where), report=report)
        for file in differing_files(entry, found.folder):
            raise ModelError(f"{file} of {where} is not the one that the catalog means by {entry.name!r}")
        return found
    if not is_hub_name(name) or (revision is None and looks_local(name)):
        raise model_not_found(name)
    return fetch(parse_name(name, revision), report=report)


class _Exchange:
    """What `Model.from_pretrained`, `save_pretrained` and `push_to_hub` do."""

    def load(self, where: Place, *, revision: str | None, device: str) -> Model:
        return load(where if revision is None else pull(where, revision=revision), device=device)

    def save(self, model: Model, folder: Place) -> Path:
        return write_model(model, Path(folder))

    def push(self, model: Model, repo: str, **choices: Any) -> str:
        pushed = push(model, repo, **choices)
        return f"{pushed.url}/commit/{pushed.commit}"


Model.exchange = _Exchange()
