"""What to try for a training that is not well, as commands that can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo_core import ZooError

from ..runs.checkpoints import checkpoints, read_state, step_of
from ..runs.run import RunRecord

LEAST = 1e-4  # a learning rate above it is lowered to it at least


def advise(kind: str, record: RunRecord, folder: Path) -> list[str]:
    """Return commands for a kind of `HealthWarning` of a run, the most promising first."""
    found: dict[str, Callable[[], list[str]]] = {
        "discriminator-wins": lambda: [_slower(record, folder, "discriminator"), *_softer(record, folder)],
        "vanishing-gradient": lambda: [_slower(record, folder, "discriminator"), *_other_loss(record, folder)],
        "collapse": lambda: [*_best(record, folder), _slower(record, folder), _larger(record, folder)],
        "oscillation": lambda: [_slower(record, folder), *_calmer(record, folder)],
        "diverged": lambda: [*_best(record, folder), *_rescued(record, folder), _slower(record, folder)],
    }
    return found[kind]() if kind in found else []


def again(record: RunRecord, folder: Path, **settings: Any) -> str:
    """Return the command that trains a run again with other settings, into a folder of its own."""
    words = shlex.split(record.command)
    dataset, flags = record.config.dataset, ("--out", "--batch")
    for flag in [word for word in words if word in flags and (word == "--out" or word.removeprefix("--") in settings)]:
        at = words.index(flag)
        del words[at : at + 2]
    if dataset is not None and "--data" in words:  # the command of a card says DIR
        words[words.index("--data") + 1] = str(dataset["data"])
    if "batch" in settings:
        words += ["--batch", str(settings.pop("batch"))]
    for name, value in settings.items():
        key, shown = name.replace("__", "."), f"{value:g}" if isinstance(value, float) else value
        words += ["--set", f"{key}={shown}"]
    number = 2
    while (new := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return shlex.join([*words, "--out", str(new)])


def _rate(record: RunRecord, role: str) -> float:
    """Return half of a role's learning rate, or what is a usual one if that is less."""
    return min(LEAST, float(f"{float(record.config.optimizer[role]['lr']) / 2:.2g}"))


def _slower(record: RunRecord, folder: Path, role: str = "") -> str:
    roles = [role] if role in record.config.optimizer else []
    if roles:
        return again(record, folder, **{f"optimizer__{role}__lr": _rate(record, role)})
    return again(record, folder, optimizer__lr=min(_rate(record, other) for other in record.config.optimizer))


def _softer(record: RunRecord, folder: Path) -> list[str]:
    """Return what makes the discriminator's task harder."""
    config, found = record.config, []
    try:
        augmentable = config.build_algorithm().augmentable
    except ZooError:  # its plugin is gone
        augmentable = False
    if augmentable and "translation" not in config.training.augment:
        found.append(again(record, folder, training__augment=",".join([*config.training.augment, "color", "translation"])))
    if config.parts.get("loss", {}).get("options", {}).get("smoothing") == 0:
        found.append(again(record, folder, loss__smoothing=0.1))
    return found


def _calmer(record: RunRecord, folder: Path) -> list[str]:
    first = max(float(settings["beta1"]) for settings in record.config.optimizer.values())
    return [again(record, folder, optimizer__beta1=0.5 if first > 0.5 else 0.0)] if first > 0 else []


def _other_loss(record: RunRecord, folder: Path) -> list[str]:
    """Return the same networks with a loss that does not saturate, which is a recipe of its own."""
    if record.config.parts.get("loss", {}).get("name") != "minimax":
        return []
    words = shlex.split(again(record, folder))
    words[words.index("train") + 1] = "dcgan"
    return [shlex.join(words)]


def _larger(record: RunRecord, folder: Path) -> str:
    return again(record, folder, batch=2 * record.config.training.batch)


def _best(record: RunRecord, folder: Path) -> list[str]:
    """Return how to look at the best checkpoint, where one was measured and is not the last."""
    kept = checkpoints(folder / "checkpoints")
    best = read_state(kept[-1]).get("best") if kept else None
    if not best or best["step"] not in map(step_of, kept[:-1]):
        return []
    picture = folder / "best.png"
    return [shlex.join(["zoo", "sample", str(folder), "--out", str(picture)])]


def _rescued(record: RunRecord, folder: Path) -> list[str]:
    """Return how to go on from the best checkpoint with gentler settings, where that was not forbidden or used up."""
    if record.rescue:
        return []
    return [shlex.join(["zoo", "train", "--resume", str(folder), "--rescue"])]
