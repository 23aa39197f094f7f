"""Going through a folder: which files are pictures, and what is left out and why."""

from __future__ import annotations

import os
import shlex
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from .words import plural, printable, were

_SUFFIXES = (
    ".apng .avif .bmp .dds .dib .gif .icns .ico .j2c .j2k .jfif .jp2 .jpe .jpeg .jpf .jpg .jpx .pbm .pcx .pfm .pgm .png "
    ".pnm .ppm .psd .qoi .sgi .tga .tif .tiff .webp"
)
_HEIF = ".heic .heif .hif"
PICTURE_SUFFIXES = frozenset(f"{_SUFFIXES} {_HEIF if find_spec('pillow_heif') else ''}".split())
"""How the names of pictures end; those of HEIC only where pillow-heif reads them."""

# what is left out although it shows something: noun, nouns, how its names end, what to do
_RAW = ".3fr .arw .cr2 .cr3 .dng .erf .nef .nrw .orf .pef .raf .raw .rw2 .rwl .srw .x3f"
_VIDEO = ".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .mts .webm .wmv"
_DRAWING = ".ai .emf .eps .pdf .ps .svg .svgz .wmf"
_UNREAD = (
    ("HEIC picture", "", _HEIF, "to read them: pip install 'dcgan-zoo[heif]'"),
    ("raw picture of a camera", "raw pictures of a camera", _RAW, "save them as JPEG or TIFF first"),
    ("JPEG XL picture", "", ".jxl", "save them as PNG or JPEG first"),
    ("drawing", "", _DRAWING, "draw them as PNG first"),
    ("video", "", _VIDEO, "to take pictures out of one: ffmpeg -i FILE -vf fps=1 DIR/%05d.png"),
)
_KINDS = {suffix: kind for kind in _UNREAD for suffix in kind[2].split()}

_SYSTEM = "$recycle.bin #recycle #snapshot @eadir @recently-snapshot @recycle @tmp __macosx __pycache__ found.000 lost+found"
SYSTEM_FOLDERS = frozenset((*_SYSTEM.split(), "network trash folder", "system volume information", "temporary items"))
"""Folders that systems, disks and programs put beside pictures, in lower case; hidden ones are left out anyhow."""

_SPLITS = "dev eval evaluation test testing train training trn tst val valid validation"
SPLITS = frozenset(_SPLITS.split())
"""How people call the parts of a dataset, in lower case."""

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_SHOWN = 3
CAREFUL = "careful: "
"""How a note begins that is a warning."""


def special_kind(mode: int) -> str:
    """Return what has this mode (`os.stat`) that is no regular file; "" for a regular one."""
    return "" if stat.S_ISREG(mode) else _SPECIAL.get(stat.S_IFMT(mode), "something special")


def why_unreadable(folder: str | os.PathLike[str]) -> str:
    """Return why a folder cannot be listed, "" where it can."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def is_system_folder(name: str) -> bool:
    """Return whether a folder of this name is a system's or hidden, and no class of pictures."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def are_splits(classes: Iterable[str]) -> bool:
    """Return whether names of classes are those of the parts of a dataset: "train" and "test", say."""
    names = [name.lower() for name in classes]
    return len(names) > 1 and SPLITS.issuperset(names)


def note_on_splits(classes: Iterable[str], where: str, given: str = "--data {}") -> list[str]:
    """Return a warning where labels are names of splits, else nothing.

    Args:
        classes: the names.
        where: the folder that holds them, or "".
        given: what a person types to name a folder, for `str.format`.
    """
    if not are_splits(classes):
        return []
    names = list(classes)
    one = next((name for name in names if name.lower().startswith("tr")), names[0])
    what = f"{CAREFUL}the labels are {', '.join(names)}, which are names of splits and no classes; to read one of them: "
    return [what + (given.format(shlex.quote(f"{where}/{one}")) if where else f"unpack the archive, and --data DIR/{one}")]


@dataclass
class Found:
    """What lies in a folder and below.

    Args:
        pictures: (path with '/', stamp), sorted by path.
        folders: names of the first-level folders that may be classes.
        others: suffix in lower case → how many files have it and are no pictures by their name, or are hidden.
        special: path → what it is: no regular file.
        unreadable: path of a folder → why it cannot be read.
        system: folders that are left out as a system's.
    """

    pictures: list[tuple[str, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    special: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    system: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return in sentences what was left out."""
        notes = []
        for count, words, advice in self._unread():
            notes.append(f"{words} {were(count)} left out; {advice}")
        if rest := sum(count for suffix, count in self.others.items() if suffix not in _KINDS):
            what = "file is no picture by its name" if rest == 1 else "files are no pictures by their names"
            notes.append(f"{rest:,} {what} and {were(rest)} left out")
        if self.special:
            what = "is no regular file" if len(self.special) == 1 else "are no regular files"
            shown = _some([f"{printable(path)} ({kind})" for path, kind in self.special.items()])
            notes.append(f"{len(self.special):,} {what} and {were(len(self.special))} left out: {shown}")
        if self.system:
            what = plural(len(self.system), "folder of the system", "folders of the system")
            notes.append(f"{what} {were(len(self.system))} left out: {_some(map(printable, self.system))}")
        return notes

    def _unread(self) -> Iterator[tuple[int, str, str]]:
        for noun, nouns, suffixes, advice in _UNREAD:
            if count := sum(self.others[suffix] for suffix in suffixes.split()):
                yield count, plural(count, noun, nouns), advice

    def inventory(self) -> str:
        """Return in words what there is where there are no pictures."""
        parts = [words for _, words, _ in self._unread()]
        if rest := sum(count for suffix, count in self.others.items() if suffix not in _KINDS):
            parts.append(plural(rest, "other file"))
        if self.special:
            parts.append(_some([f"{printable(path)} ({kind})" for path, kind in self.special.items()]))
        if self.system:
            parts.append(plural(len(self.system), "folder of the system", "folders of the system"))
        parts += [f"{printable(path)}, a folder that cannot be read: {why}" for path, why in self.unreadable.items()]
        return "; ".join(parts) or "nothing"

    def advice(self) -> str:
        """Return what to do where there are no pictures, "" where that is unknown."""
        return next((advice for _, _, advice in self._unread()), "")


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def walk(root: Path) -> Found:
    """Go through `root` and what lies below, links included; hidden folders and those of systems are not entered."""
    found = Found()
    entered: set[str] = set()

    def refused(error: OSError) -> None:
        path = os.path.relpath(error.filename, root).replace(os.sep, "/")
        found.unreadable[path] = error.strerror or str(error)

    for folder, folders, files in os.walk(root, onerror=refused, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:  # a link back to a folder that contains it
            folders[:] = []
            continue
        entered.add(real)
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        for name in (name for name in folders if name.lower() in SYSTEM_FOLDERS):
            if why := why_unreadable(os.path.join(folder, name)):
                found.unreadable[f"{prefix}{name}"] = why
            else:
                found.system.append(f"{prefix}{name}")
        folders[:] = sorted(name for name in folders if not is_system_folder(name))
        if not prefix:
            found.folders = list(folders)
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith("."):
                continue
            if suffix not in PICTURE_SUFFIXES:
                found.others[suffix] += 1
                continue
            path = os.path.join(folder, name)
            stamp = "unreadable"  # a link that leads nowhere, or in a circle: decoding it will say so
            with suppress(OSError):
                status = os.stat(path)
                if kind := special_kind(status.st_mode):
                    found.special[f"{prefix}{name}"] = kind
                    continue
                stamp = f"{status.st_size}:{status.st_mtime_ns}"
            found.pictures.append((f"{prefix}{name}", stamp))
    found.pictures.sort()
    found.special, found.unreadable = (dict(sorted(each.items())) for each in (found.special, found.unreadable))
    return found
