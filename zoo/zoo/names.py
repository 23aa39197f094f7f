"""What a name is that stands where another kind of thing is meant, and what was meant: for messages. Imports no torch."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import cast

from zoo_core import PretrainedModel, UsageError, registry
from zoo_core.errors import near
from zoo_core.records import KINDS, SINGULAR

RUN, MODEL, FOLDER, FILE = "a run folder", "a model folder", "a folder", "a file"
CATALOG = "a model of the catalog"
_MOST = 200  # folders that are looked into
_LOCAL = ("runs", "models", "checkpoints")  # first parts of names that no user of the Hub is meant by


def what_is(name: str | Path) -> str:
    """Return what bears a name, with its article: a run or model here, else something registered, else a path; or ""."""
    place = Path(name).expanduser()
    with suppress(OSError, ValueError):
        if (place / "run.json").is_file():
            return RUN
        if (place / "config.json").is_file():
            return MODEL
    bare = str(name)
    kinds = [kind for kind in ("recipes", *KINDS) if kind != "commands" and bare in registry.names(kind)]
    if "models" in kinds:
        return CATALOG
    if kinds:
        return f"{'an' if SINGULAR[kinds[0]][0] in 'aeiou' else 'a'} {SINGULAR[kinds[0]]}"
    with suppress(OSError, ValueError):
        if place.exists():
            return FOLDER if place.is_dir() else FILE
    return ""


def is_model(name: str | Path) -> bool:
    """Return whether a run or model folder here, or a model of the catalog, bears a name."""
    return what_is(name) in (RUN, MODEL, CATALOG)


def refuse_other_kinds(name: str | Path) -> None:
    """Raise `UsageError` where a name is that of something registered that is no model."""
    if what_is(name) not in (RUN, MODEL, CATALOG, FOLDER, FILE, ""):
        raise model_not_found(str(name))


def looks_local(name: str) -> bool:
    """Return whether a name that could be user/name on the Hub is rather a path here that does not exist: it begins as
    paths do, or with a folder here that holds runs. With a revision (user/name@main) it is a name on the Hub.
    """
    if "@" in name:
        return False
    first = name.replace("\\", "/").partition("/")[0]
    local = name.startswith((".", "/", "~")) or "\\" in name or first in _LOCAL
    return local or any(what_is(path) == RUN for path in _find_places(Path(first), 1))


def find_enclosing(place: Path) -> Path | None:
    """Return the run or model folder in which a file or folder lies, if it does."""
    return next((parent for parent in [*place.parents][:4] if what_is(parent) in (RUN, MODEL)), None)


def near_places(name: str | Path, *kinds: str, others: Iterable[str] = ()) -> list[str]:
    """Return paths of folders here of these kinds (`RUN`, `MODEL`), and `others`, whose names are close to `name`, best
    first.
    """
    place = Path(name).expanduser()
    around = dict.fromkeys([place.parent, Path("runs"), Path()])
    paths = dict.fromkeys(path for folder in around for path in _find_places(folder, 1) if what_is(path) in kinds)
    by_name = {path.name: path for path in [*map(Path, others), *reversed([*paths])]}
    same = [str(by_name[place.name])] if place.name in by_name else []
    return same or [str(by_name[close]) for close in near(place.name, by_name)]


def places_in(folder: Path, *kinds: str) -> list[str]:
    """Return paths of folders of these kinds in a folder, at most two floors below it."""
    return [str(path) for path in _find_places(folder, 2) if what_is(path) in kinds]


def join_meant(names: list[str]) -> str:
    """Return "; did you mean a or b?", "" for no names."""
    return f"; did you mean {' or '.join(names)}?" if names else ""


def run_not_found(where: str | Path, *, instead: str = "") -> UsageError:
    """Return an error for a place that is no run folder. `instead` says what to type for a trained model, which is none."""
    place, what = Path(where), what_is(where)
    inside = find_enclosing(place)
    if inside is not None and what_is(inside) == RUN:
        return UsageError(f"{where} is no run folder, but in one", hint=f"give the run folder: {_typed(inside)}")
    close = near_places(where, RUN)
    hint = "zoo train makes run folders in runs/"
    if what in (MODEL, CATALOG):
        wrong = f"{where} is no run folder but {what}, which keeps nothing of its training"
        return UsageError(wrong + join_meant(close), hint=instead or hint)
    if what in (FOLDER, FILE, ""):
        held = places_in(place, RUN)[:3] if what == FOLDER else []
        wrong = (
            f"{where} is no run folder: there is no run.json in it"
            if what
            else f"{where} is no run folder: nothing is there"
        )
        return UsageError(wrong + join_meant(held or close), hint=hint)
    makes = f"zoo train {where} --dataset faces makes one" if what == "a recipe" else hint
    return UsageError(f"{where} is no run folder but {what}{join_meant(close)}", hint=makes)


def model_not_found(where: str) -> UsageError:
    """Return an error for a name that no model has."""
    what, names = what_is(where), registry.names("models")
    close = near_places(where, RUN, MODEL, others=names)
    wrong = f"there is no model at {where!r}"
    if what == "a recipe":
        trained = [name for name in (f"{where}-faces", *names) if name.startswith(where) and name in names]
        hint = f"train one: zoo train {where} --dataset faces" + (f"; trained already: {trained[0]}" if trained else "")
        return UsageError(f"{wrong}, which is a recipe", hint=hint)
    hint = "give a run folder, a model folder, a name that zoo pull lists, or user/name on the Hub"
    if "/" in where and looks_local(where):
        hint = "give a run folder, a model folder or a name that zoo pull lists; on the Hub: user/name@main"
        if not close and (there := places_in(Path(where).parent, RUN, MODEL)):
            hint = f"there is: {', '.join(map(_typed, there[:3]))}" + (" …" if len(there) > 3 else "")
    return UsageError(wrong + (f", which is {what}" if what else "") + join_meant(close), hint=hint)


def no_model_in(place: Path) -> tuple[str, str]:
    """Return what is wrong with a file or folder that is meant as a model, and what to type."""
    wrong = f"{place} is {what_is(place) or FOLDER}" if place.is_file() else ""
    wrong = wrong or f"{place} is neither a run folder nor a model folder: no run.json and no config.json in it"
    inside = find_enclosing(place)
    if inside is not None:
        return wrong, f"give the folder around it: {_typed(inside)}"
    held = places_in(place, RUN, MODEL)[:3] if place.is_dir() else []
    return (
        wrong,
        f"give one of its folders: {', '.join(map(_typed, held))}" if held else "give a run folder or a model folder",
    )


def recipe_not_found(recipe: str) -> UsageError | None:
    """Return an error for what is no recipe but something else that one may give; None where the registry says it better."""
    what = what_is(recipe)
    if what == RUN:
        hint = f"to go on with it: zoo train --resume {_typed(recipe)}"
        return UsageError(f"{recipe} is a run folder, not a recipe", hint=hint)
    if what in (MODEL, FOLDER, FILE):
        hint = f"for example: zoo train dcgan --data {_typed(recipe)}" if what != MODEL else "zoo list recipes shows all"
        return UsageError(f"{recipe} is {what}, not a recipe", hint=hint)
    if what == CATALOG:
        made = cast(PretrainedModel, registry.find("models", recipe).value)
        hint = f"to train such a one: zoo train {made.recipe} --dataset {made.dataset}"
        return UsageError(f"{recipe} is a trained model, not a recipe", hint=hint)
    if what == "a dataset":
        return UsageError(f"{recipe} is a dataset, not a recipe", hint=f"for example: zoo train dcgan --dataset {recipe}")
    return None


def dataset_not_found(dataset: str) -> UsageError | None:
    """Return an error for a path or a name on the Hub that is given as a dataset; None where the registry says it better."""
    named = ":" in dataset and os.sep not in dataset and not PureWindowsPath(dataset).drive  # acme:faces, and not C:/faces
    if dataset in registry.names("datasets") or named:
        return None
    what = what_is(dataset)
    if what in (FOLDER, FILE):
        reads = infer_dataset(dataset)
        return UsageError(f"{dataset} is {what}, not a dataset", hint=f"type: --dataset {reads} --data {_typed(dataset)}")
    if dataset.count("/") == 1 and not dataset.startswith((".", "/", "~")):
        wrong = f"{dataset} is no dataset of the zoo's"
        return UsageError(wrong, hint=f"on the Hub: --dataset hub --data {dataset}; in a folder: --data DIR")
    return None


def infer_dataset(data: str | Path) -> str:
    """Return which dataset reads what `--data` names, where nobody said: "hub" for tables, and for user/name that is no path
    here; "folder" for all else. Raises `UsageError` for the name of a dataset.
    """
    from zoo_core.folders import is_here

    text = str(data)
    if is_here(text):
        return "hub" if Path(text).suffix.lower() in (".parquet", ".arrow") else "folder"
    parts = text.removeprefix("https://huggingface.co/datasets/").split("/")
    if text in registry.names("datasets"):
        raise UsageError(f"{text} is a dataset, and no path here", hint=f"type: --dataset {text}")
    named = len(parts) == 2 and all(parts) and not text.startswith((".", "/", "~")) and not Path(parts[0]).exists()
    return "hub" if named else "folder"


def _find_places(folder: Path, depth: int) -> Iterator[Path]:
    """Yield run and model folders in a folder, and below it, by name."""
    with suppress(OSError, ValueError):
        inside = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
        for path in map(Path, inside[:_MOST]):
            if (path / "run.json").is_file() or (path / "config.json").is_file():
                yield path
            elif depth > 1:
                yield from _find_places(path, depth - 1)


def _typed(place: str | Path) -> str:
    return shlex.quote(str(place))
