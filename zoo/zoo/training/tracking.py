"""The trackers of a training: named and checked when it is planned, told everything at once, left out where they fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Any

import torch

from zoo_core import OptionError, Tracker, UsageError, registry
from zoo_core.errors import unknown
from zoo_core.options import complete, schema

from ..devices import Runtime
from ..progress import Reporter
from ..randomness import preserve_rng_state
from .state import State

PREFIX = "tracker."
PATIENCE = 5.0  # seconds of closing a tracker, after which the person is told what takes so long


def resolve_trackers(
    track: str | Iterable[str] | None, options: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the options of each tracker that is named, all of them, and the `--set` options that are no tracker's.

    `tracker.NAME.option` is meant for one, `tracker.option` for every one that has it.

    Raises:
        UsageError: a tracker does not exist, or an option is wrong. One whose package is missing is left out later.
    """
    names = list(dict.fromkeys([track] if isinstance(track, str) else track or ()))
    given: dict[str, dict[str, Any]] = {name: {} for name in names}
    classes: dict[str, type[Tracker]] = {name: registry.load("trackers", name) for name in names}
    rest = {key: value for key, value in options.items() if not key.startswith(PREFIX)}
    theirs = {key: value for key, value in options.items() if key not in rest}
    for key in sorted(theirs, key=lambda key: key.count(".")):  # what is said to one wins over what is said to all
        who, _, option = key.removeprefix(PREFIX).rpartition(".")
        if not names:
            hint = f"name the tracker too: --track {who or 'wandb'} (zoo list trackers shows all)"
            raise OptionError(f"{key} is set, and no tracker is named", hint=hint)
        if who and who not in names:
            raise unknown("tracker of this training", who, names, hint=f"add it: --track {who}")
        takers = [who] if who else [name for name in names if option in schema(classes[name])]
        if not takers:
            takes = sorted({f"{PREFIX}{name}.{known}" for name in names for known in schema(classes[name])})
            raise unknown("--set key", key, takes, hint=f"to see them: zoo show {names[0]}")
        for name in takers:
            given[name][option] = theirs[key]
    found = {}
    for name, target in classes.items():
        hint = f"to see them: zoo show {name}"
        found[name] = complete(target, given[name], where=f"{PREFIX}{name}", hint=hint, texts=True)
    return found, rest


def check_installed(name: str) -> None:
    """Raise `UsageError` where what a tracker needs is not installed."""
    found: type[Tracker] = registry.load("trackers", name)
    if found.requires and not is_installed(found.requires):
        wanted = found.extra or found.requires
        raise UsageError(f'it needs {found.requires}, which is not installed; install it with: pip install "{wanted}"')


def is_installed(module: str) -> bool:
    """Return whether a module can be imported. A folder of its name in the current one, as trackers leave them, is none."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # the package around it
        return False
    if spec is None or spec.origin is not None:
        return spec is not None
    return any(Path(place).parent != Path.cwd() for place in spec.submodule_search_locations or ())


class Trackers(Tracker):
    """Tells several trackers at once, also what the training costs; one that fails is left out, with a warning."""

    def __init__(self, state: State, runtime: Runtime, report: Reporter) -> None:
        self.state, self.runtime, self.report = state, runtime, report
        self.open: dict[str, Tracker] = {}

    def add(self, name: str, options: Mapping[str, Any], folder: Path, config: Mapping[str, Any]) -> None:
        """Open a tracker, and say how to look at what it records."""

        def make() -> None:
            check_installed(name)
            supplied = {"folder": folder, "images": self.state.images, "config": config}
            made = self.open[name] = registry.create("trackers", name, options, **supplied)
            if made.trouble:
                self.report.warn(f"{name}: {made.trouble}")
            if made.look:
                self.report.note(f"{name}: {made.look}")

        self._try(name, make)

    def scalars(self, values: Mapping[str, float], images: int) -> None:
        if "images_per_s" in values:
            values = {**values, "seconds": self.state.seconds, **measure_memory(self.runtime.device)}
        self._each(lambda tracker: tracker.scalars(values, images))

    def picture(self, name: str, image: Any, images: int) -> None:
        self._each(lambda tracker: tracker.picture(name, image, images))

    def text(self, name: str, text: str, images: int) -> None:
        self._each(lambda tracker: tracker.text(name, text, images))

    def close(self) -> None:
        for name, tracker in list(self.open.items()):
            note = f"{name} is sending what is left; a second Ctrl-C leaves at once"
            timer = Timer(PATIENCE, self.report.note, [note])
            timer.start()
            try:
                self._try(name, tracker.close)
            finally:
                timer.cancel()
        self.open.clear()

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self.open.items()):
            self._try(name, lambda tracker=tracker: tell(tracker))  # type: ignore[misc]

    def _try(self, name: str, tell: Callable[[], None]) -> None:
        try:
            with preserve_rng_state(self.runtime.device):  # a run is the same with and without trackers
                tell()
        except Exception as error:  # whatever it is, it is not worth the training
            self.open.pop(name, None)
            what = str(error).strip() or type(error).__name__
            self.report.warn(f"tracker {name} is left out from here on: {what}")


def open_trackers(
    trackers: Mapping[str, Mapping[str, Any]],
    folder: Path,
    config: Mapping[str, Any],
    state: State,
    runtime: Runtime,
    report: Reporter,
) -> Tracker | None:
    """Open what `resolve_trackers` found; None for none."""
    if not trackers:
        return None
    found = Trackers(state, runtime, report)
    for name, options in trackers.items():
        found.add(name, options, folder, config)
    return found


def measure_memory(device: torch.device) -> dict[str, float]:
    """Return the most memory that was in use so far, "peak_memory_mb": of the GPU, or else of this process, in 10⁶ bytes;
    empty where the system does not tell.
    """
    if device.type == "cuda":
        return {"peak_memory_mb": torch.cuda.max_memory_allocated(device) / 1e6}
    try:
        import resource
    except ImportError:  # Windows
        return {}
    unit = 1 if sys.platform == "darwin" else 1024
    return {"peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}
