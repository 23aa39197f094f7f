"""How each row of a board is trained, resolved and checked before anything is computed; and what a board may become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo_core import UsageError, ZooError, registry
from zoo_core.errors import unknown
from zoo_core.options import schema
from zoo_core.settings import OptimizerSettings, TrainingSettings

from ..devices import check_device, resolve_precision
from ..files import LOCK, translate_errors
from ..models.config import NETWORKS
from ..names import dataset_not_found, recipe_not_found
from ..packs.request import parse_options
from ..packs.selection import dataset_options
from ..runs.config import add_later_settings
from ..runs.differences import list_differences, say_differences
from ..training.planning import Plan, plan
from .configuration import FEATURES, METRICS, Board, Cell, Row, hash_row, is_board, read_board, refuse_other, write_board
from .results import read_result
from .spelling import read_choice, read_choices

_OWN = ("seed", "data")  # what each cell has of its own, and where pictures lie, which their key tells


@dataclass(frozen=True)
class PlannedRow:
    """A row, and how each of its cells is trained, but for folder and seed; no plan where it cannot be."""

    row: Row
    plan: Plan | None = None


def read_given(folder: Path, given: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return fields of `Board` that somebody asks for, checked one by one; None stands for what stays as it is.

    Raises `UsageError` for what cannot be, and where a new board lacks something.
    """
    asked = {key: value for key, value in given.items() if value is not None}
    for key in ("recipes", "datasets", "features", "metrics"):
        if key in asked:
            asked[key] = tuple(map(str, read_choices(asked[key])))
            if not asked[key]:
                raise UsageError(f"--{key} names nothing", hint=f"for example: --{key} {_EXAMPLES[key]}")
    _check(asked)
    if not is_board(folder):
        refuse_other(folder)
        for key in _NEEDED:
            if key not in asked:
                raise UsageError(f"a new board needs --{key}", hint=f"for example: --{key} {_EXAMPLES[key]}")
        asked["precision"] = resolve_precision(asked.get("precision") or "auto", check_device(device))  # of every machine
    return asked


def resolve_board(
    folder: Path, asked: Mapping[str, Any], device: str, *, renew: bool
) -> tuple[Board, dict[str, PlannedRow]]:
    """Return the board that is asked for, new or grown from the one in the folder, and its rows by name; writes nothing.

    Args:
        asked: as `read_given` gives it.
        device: what computes here.
        renew: whether rows change whose recipes have changed since; what was measured of them counts no more then.

    Raises:
        UsageError: it is another one than the board that is there, or none of its rows can be.
    """
    board, _, planned = _resolve(folder, asked, device, renew=renew)
    return board, planned


def enter_board(
    folder: Path, asked: Mapping[str, Any], board: Board, planned: dict[str, PlannedRow], device: str, *, renew: bool
) -> tuple[Board, dict[str, PlannedRow]]:
    """Write what `resolve_board` has found, the board and its rows, into the board's file, which others begin or grow at the
    same time: then rows are planned anew.

    Returns and raises as `resolve_board` does.
    """
    with _alone(folder):
        board, before, planned = _resolve(folder, asked, device, renew=renew, known=(board, planned))
        rows = {name: one.row for name, one in planned.items()}
        if rows != before or read_board(folder)[0] != board:
            write_board(folder, board, rows)
    return board, planned


def _resolve(
    folder: Path,
    asked: Mapping[str, Any],
    device: str,
    *,
    renew: bool,
    known: tuple[Board, dict[str, PlannedRow]] | None = None,
) -> tuple[Board, dict[str, Row], dict[str, PlannedRow]]:
    """Return the board, its rows as they are on disk, and as they are to be; those of a board that is `known` are given."""
    before: dict[str, Row] = {}
    if is_board(folder):
        old, before = read_board(folder)
        board = _extend(folder, old, dict(asked))
    else:
        board = Board(**asked)
    planned = known[1] if known is not None and known[0] == board else plan_rows(board, device)
    planned = {name: keep_row(before.get(name), one) for name, one in planned.items()}
    _refuse_changed(folder, board, before, planned, renew=renew)
    return board, before, planned


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Have a board's file for this process, for the time of the block."""
    with translate_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=120)
        except Timeout:
            raise UsageError(f"another process has {folder} and does not let go", hint="look what it does") from None
    try:
        yield
    finally:
        lock.release()


_NEEDED = ("recipes", "datasets", "images")
_EXAMPLES = {
    "recipes": "dcgan,mlp-gan",
    "datasets": "faces,faces:style=notionists",
    "images": "20000",
    "features": ",".join(FEATURES),
    "metrics": ",".join(METRICS),
}


def _check(asked: Mapping[str, Any]) -> None:
    for key, least in (("seeds", 1), ("images", 1), ("samples", 16), ("real", 16), ("threads", 1)):
        if key in asked and asked[key] < least:
            raise UsageError(f"--{key} must be at least {least}, not {asked[key]}")
    for name in asked.get("recipes", ()):
        if unfit := recipe_not_found(name):
            raise unfit
    for text in asked.get("datasets", ()):
        choice = read_choice(text)
        if unfit := dataset_not_found(choice.name):
            raise unfit
        parse_options(choice.name, {f"dataset.{k}": v for k, v in choice.options.items() if k != "data"})


def _extend(folder: Path, old: Board, asked: dict[str, Any]) -> Board:
    """Return the board that is there with more recipes, datasets and seeds, and settings of new recipes alone; raises
    `UsageError` for anything else.
    """
    known = old
    if given := asked.pop("options", None):
        own = {key: value for key, value in given.items() if key not in old.options and _is_new(key, old.recipes)}
        known = replace(old, options={**old.options, **own})
        asked["options"] = {**known.options, **given}
    for key in ("recipes", "datasets"):
        asked[key] = tuple(dict.fromkeys([*getattr(old, key), *asked.get(key, ())]))
    board = replace(known, **asked)
    if lines := known.differences(board):
        more = "more recipes, datasets and seeds may be named, and RECIPE/KEY=VALUE of new recipes"
        hint = f"leave them out to go on with it ({more}), or choose another folder"
        raise UsageError(f"{folder} holds a board with other settings" + say_differences(lines, hint), hint=hint)
    return board


def _is_new(key: str, recipes: Iterable[str]) -> bool:
    """Return whether a setting is RECIPE/KEY of recipes that are none of these."""
    owner = key.rpartition("/")[0]
    return bool(owner) and not any(fnmatchcase(recipe, owner) for recipe in recipes)


def plan_rows(board: Board, device: str) -> dict[str, PlannedRow]:
    """Plan every row; a row that cannot be says why. Raises `UsageError` for settings that no row knows, and where no row
    can be.
    """
    known: set[str] = set()
    for recipe, dataset in board.rows:
        with suppress(ZooError):  # of a part that is broken: its row says so
            known |= _keys(recipe, read_choice(dataset).name)
    for key in board.options:
        owner, _, bare = key.rpartition("/")
        meant = [recipe for recipe in board.recipes if fnmatchcase(recipe, owner or "*")]
        if not meant:
            hint = "write RECIPE/KEY=VALUE, where RECIPE may be a pattern, or KEY=VALUE for all"
            raise unknown("recipe of a setting", owner, board.recipes, hint=hint)
        if bare not in known:
            recipe, dataset = meant[0], read_choice(board.datasets[0]).name
            plan(
                recipe, dataset=dataset, options={bare: board.options[key]}, out=Path("new"), images=1
            )  # says what is wrong
            raise unknown("--set key", bare, known)
    planned = {Cell(*row, 0).row: plan_row(board, *row, device) for row in board.rows}
    if all(one.plan is None for one in planned.values()):
        name, first = next(iter(planned.items()))
        raise UsageError(f"no row of the board can be; {name}: {first.row.problem}")
    return planned


def plan_row(board: Board, recipe: str, dataset: str, device: str) -> PlannedRow:
    """Plan a row; one that cannot be says why."""
    choice = read_choice(dataset)
    try:
        known = _keys(recipe, choice.name)
    except ZooError as error:
        return PlannedRow(Row(problem=error.message))
    options = {key: value for key, value in board.options.items() if key in known}
    owned = [(*key.rpartition("/"), value) for key, value in board.options.items() if "/" in key]
    options |= {bare: value for owner, _, bare, value in owned if fnmatchcase(recipe, owner)}
    options |= {f"dataset.{key}": value for key, value in choice.options.items() if key != "data"}
    chosen = {key: getattr(board, key) for key in ("images", "size", "channels", "batch", "precision", "threads")}
    try:
        made = plan(
            recipe,
            dataset=choice.name,
            data=choice.options.get("data"),
            out=Path("new"),  # each cell has a folder of its own
            options=options,
            device=device,
            watch=False,
            rescue=False,
            **chosen,
        )
    except ZooError as error:
        return PlannedRow(Row(problem=error.message))
    identity = {key: value for key, value in made.config.identity().items() if key not in _OWN}
    identity["channels"] = made.config.channels
    return PlannedRow(Row(hash_row(board, identity), identity), made)


def keep_row(old: Row | None, planned: PlannedRow) -> PlannedRow:
    """Return a row as the board names it already, if all that is new in its configuration are settings at their defaults
    which the version that measured it did not have.
    """
    if old is None or not old.hash or planned.plan is None:
        return planned
    whole = add_later_settings(old.configuration, planned.plan.config)
    same = {key: whole.get(key) for key in planned.row.configuration} == planned.row.configuration
    return PlannedRow(old, planned.plan) if same and set(old.configuration) <= set(planned.row.configuration) else planned


def _keys(recipe: str, dataset: str) -> set[str]:
    """Return the `--set` keys that a training of a recipe on a dataset takes."""
    found = registry.recipe(recipe)
    roles = registry.parts(found)
    groups: dict[str, Iterable[str]] = {role: schema(registry.load(kind, name)) for role, (kind, name) in roles.items()}
    groups["algorithm"] = schema(registry.load("algorithms", str(found.algorithm)))
    groups |= {"dataset": dataset_options(dataset), "training": schema(TrainingSettings)}
    learning = [f"optimizer.{role}" for role, (kind, _) in roles.items() if kind in NETWORKS]
    groups |= {group: schema(OptimizerSettings) for group in ("optimizer", *learning)}
    return {f"{group}.{key}" for group, keys in groups.items() for key in keys}


def _refuse_changed(
    folder: Path, board: Board, before: Mapping[str, Row], planned: Mapping[str, PlannedRow], *, renew: bool
) -> None:
    """Raise `UsageError` where a row that was measured would be trained otherwise today, unless that is wanted."""
    lines = []
    for cell in board.cells if not renew else ():
        if cell.seed or (old := before.get(cell.row)) is None or old.hash == planned[cell.row].row.hash or not old.hash:
            continue
        if any(read_result(folder, replace(cell, seed=seed)) for seed in range(board.seeds)):
            new = planned[cell.row].row
            what = list_differences(old.configuration, new.configuration, "the board") if new.hash else [new.problem]
            lines += [f"{cell.row}: {line}" for line in what]
    if lines:
        hint = "--renew trains what has changed anew; or choose another folder"
        raise UsageError(
            f"recipes of {folder} have changed since they were measured" + say_differences(lines, hint), hint=hint
        )
