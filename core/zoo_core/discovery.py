"""Finding installed plugins: one entry point of the group `zoo.plugins` for each, each loaded under guard."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
import threading
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from glob import escape, iglob
from pathlib import Path
from typing import Any

import entrypoints

from .errors import PluginError
from .records import KINDS, Plugin

GROUP = "zoo.plugins"
OURS = "dcgan-zoo"
SLOW = 0.5  # seconds of import time above which a plugin is named
PATIENCE = 30.0  # seconds after which an import is given up
LARGEST = 1 << 20  # most bytes of an entry_points.txt
LETTERS = 200  # most characters of what is said of a problem


def normalize(distribution: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@dataclass(frozen=True)
class InstalledPlugin:
    """A plugin as it was found: name of its entry point, normalized name and version of the package that it came with, its
    record or what is wrong with it, and what its import took.
    """

    name: str
    distribution: str
    version: str = ""
    plugin: Plugin | None = None
    problem: str = ""
    seconds: float = 0.0

    def provides(self) -> dict[str, dict[str, Any]]:
        """Return all that it provides: kind → name → record; nothing where it is broken."""
        if self.plugin is None:
            return {}
        recipes = {recipe.name: recipe for recipe in self.plugin.recipes}
        return {**{kind: dict(getattr(self.plugin, kind)) for kind in (*KINDS, "commands")}, "recipes": recipes}


def entry_points(group: str = GROUP, path: list[str] | None = None) -> tuple[list[entrypoints.EntryPoint], list[str]]:
    """Return all entry points of a group, and a line about each entry-point file that could not be read."""
    problems: list[str] = []
    odd = set(_find_odd_files(path))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", entrypoints.BadEntryPoint)
        try:
            found = [] if odd else entrypoints.get_group_all(group, path=path)
        except Exception:  # one malformed file, of anybody's, ends the whole search: look file by file
            odd.add("")
        if odd:
            found = list(_one_by_one(group, path, odd, problems))
    problems += [_shorten(w.message) for w in caught if not issubclass(w.category, DeprecationWarning)]
    return found, problems


def _files(path: list[str] | None) -> Iterator[str]:
    for folder in sys.path if path is None else path:
        for suffix in ("dist-info", "egg-info"):
            yield from iglob(os.path.join(escape(folder), f"*.{suffix}", "entry_points.txt"))


def _find_odd_files(path: list[str] | None) -> Iterator[str]:
    """Yield what is called entry_points.txt and is no file, or too large for one. A named pipe keeps its reader waiting."""
    for file in _files(path):
        try:
            status = os.stat(file)
        except OSError:  # a broken link, which nobody opens
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            yield file


def _one_by_one(
    group: str, path: list[str] | None, odd: Collection[str], problems: list[str]
) -> Iterator[entrypoints.EntryPoint]:
    seen: set[str] = set()
    for file in _files(path):
        distro = entrypoints.Distribution.from_name_version(Path(file).parent.stem)
        if distro.name in seen:
            continue
        seen.add(distro.name)
        if file in odd:
            problems.append(_shorten(f"{distro.name}: its entry_points.txt is no file, or larger than {LARGEST:,} bytes"))
            continue
        parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",))
        try:
            parser.read([file], encoding="utf-8")
            items = list(parser[group].items()) if group in parser else []
            yield from [entrypoints.EntryPoint.from_string(target, name, distro) for name, target in items]
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            problems.append(_shorten(f"{distro.name}: its entry_points.txt cannot be read and was skipped: {reason}"))


class _ImpatientError(BaseException):
    """An import took too long; no handler of the module's own may take it for something else."""


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Give up what takes longer, where signals can do that: in the main thread of a system that has timers."""
    alarm: int = getattr(signal, "SIGALRM", 0)
    busy = not alarm or signal.getsignal(alarm) is not signal.SIG_DFL
    if busy or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(*_: object) -> None:
        raise _ImpatientError

    signal.signal(alarm, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(alarm, signal.SIG_DFL)


def _shorten(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= LETTERS else f"{line[: LETTERS - 1]}…"


def load(point: entrypoints.EntryPoint) -> InstalledPlugin:
    """Import one plugin's record; whatever goes wrong becomes its `problem`."""
    distribution = normalize(point.distro.name) if point.distro else "unknown"
    version = (point.distro.version or "") if point.distro else ""
    plugin, problem = None, ""
    start = time.perf_counter()
    try:
        with (
            _patience(PATIENCE),
            redirect_stdout(sys.stderr),
        ):  # what a module prints while it loads must not end up in --json
            plugin = point.load()
        if not isinstance(plugin, Plugin):
            problem = f"{point.module_name}:{point.object_name} is a {type(plugin).__name__}, not a zoo_core.Plugin"
            plugin = None
    except KeyboardInterrupt:
        raise
    except PluginError as error:
        problem = error.message
    except _ImpatientError:
        problem = f"its import takes more than {PATIENCE:.0f} s"
    except SystemExit as error:
        problem = f"its import exits (SystemExit({error.code!r}))"
    except BaseException as error:
        first = (str(error).splitlines() or [""])[0]
        problem = f"its import fails: {type(error).__name__}: {first}".rstrip(": ")
    return InstalledPlugin(point.name, distribution, version, plugin, _shorten(problem), time.perf_counter() - start)


def discover(path: list[str] | None = None) -> tuple[list[InstalledPlugin], list[str]]:
    """Load every installed plugin, broken ones included, our own first, then by distribution and name; and lines about files
    that could not be read. `ZOO_PLUGINS=a,b` limits the set to the entry points a and b and our own.
    """
    points, problems = entry_points(path=path)
    wanted = os.environ.get("ZOO_PLUGINS")
    if wanted is not None:
        names = {name.strip() for name in wanted.split(",")}
        known = {p.name for p in points}
        problems += [f"ZOO_PLUGINS names {n!r}, and no such plugin is installed" for n in sorted(names - known - {""})]
        points = [p for p in points if p.name in names or (p.distro and normalize(p.distro.name) == OURS)]
    plugins = [load(point) for point in points]
    slow = [p for p in plugins if p.seconds > SLOW]
    problems += [f"plugin {p.name!r} of {p.distribution} took {p.seconds:.1f} s to import" for p in slow]
    return sorted(plugins, key=lambda p: (p.distribution != OURS, p.distribution, p.name)), problems
