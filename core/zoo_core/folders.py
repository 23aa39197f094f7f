"""Going through a folder: which files are pictures, and what is left out and why."""

from __future__ import annotations

import os
import shlex
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from .errors import DataError, UsageError
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

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".7z", ".rar")

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


def is_here(data: str | Path) -> bool:
    """Return whether `data` is a path on this machine, even one that cannot be read or a broken link."""
    place = Path(os.path.expanduser(data))
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return any(parent.is_symlink() and not os.path.exists(parent) for parent in place.parents)
    except OSError:
        pass  # rights, or links in a circle: `locate` says so
    return True


def locate(data: str | Path) -> Path:
    """Return the absolute path that `--data` says, links followed; nothing need lie there.

    Raises:
        UsageError: it is empty.
        DataError: what lies there cannot be read, or links are broken or go in a circle.
    """
    if not str(data).strip():
        raise UsageError("--data is empty", hint="a variable that is not set? For the current folder: --data .")
    place = Path(os.path.expanduser(data))
    try:
        mode = os.stat(place).st_mode
        if stat.S_ISDIR(mode):
            os.stat(os.path.join(place, "."))  # refused where nothing in it may be opened
        elif stat.S_ISREG(mode):
            open(place, "rb").close()
    except (FileNotFoundError, NotADirectoryError):
        if place.is_symlink():
            wrong = f"{data} is a link to {printable(os.readlink(place))}, which does not exist"
            raise DataError(wrong, hint="mend the link, or give what it should lead to: --data DIR") from None
    except OSError as error:
        rights = isinstance(error, PermissionError)
        hint = "change its rights, or give what may be read" if rights else "give what can be read"
        hint += f"; to see what lies there: ls -ld {shlex.quote(str(place))}"
        raise DataError(f"{data} cannot be read: {error.strerror}", hint=hint) from error
    return Path(os.path.realpath(place))


def why_unreadable(folder: str | os.PathLike[str]) -> str:
    """Return why a folder cannot be listed or nothing in it opened, "" where it can."""
    try:
        os.scandir(folder).close()
        os.stat(os.path.join(folder, "."))
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


def note_on_strays(strays: Collection[str], folders: Collection[str]) -> list[str]:
    """Return a warning where pictures lie beside several folders, which therefore are no labels; else nothing."""
    if not strays or len(folders) < 2:
        return []
    shown = f"{min(strays)} and {len(strays) - 1:,} more" if len(strays) > 1 else min(strays)
    lie, them = ("pictures lie", "them") if len(strays) > 1 else ("a picture lies", "it")
    why = f"{lie} beside the folders ({shown}), so that the folders are no labels"
    return [f"{CAREFUL}{why}; to have labels, move {them} into a folder or away"]


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
        archives: paths of archives, which are left out.
        linked: path of a link that is left out → path of the same folder, which is read.
    """

    pictures: list[tuple[str, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    special: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    system: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    linked: dict[str, str] = field(default_factory=dict)

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
        if count := len(self.archives):
            what = "archive lies" if count == 1 else "archives lie"
            shown = _some(map(printable, self.archives))
            notes.append(f"{count:,} {what} among the pictures and {were(count)} left out: {shown}")
        if len(self.linked) == 1:
            notes += [f"{printable(path)} is a link to {printable(to)} and was left out" for path, to in self.linked.items()]
        elif self.linked:
            shown = _some(f"{printable(path)} to {printable(to)}" for path, to in self.linked.items())
            notes.append(f"{len(self.linked):,} links lead to folders that are read anyhow and were left out: {shown}")
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
        if self.archives:
            parts.append(f"{plural(len(self.archives), 'archive')} ({_some(map(printable, self.archives))})")
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
    """Go through `root` and what lies below, links included; hidden folders and those of systems are not entered.

    A folder to which links lead as well is read once: under its own name, else that of the first link.
    """
    found = Found()
    entered: dict[str, str] = {}  # resolved → the path under which it is read
    waiting = [str(root)]  # links wait until all that lies below is entered

    def below_root(path: str) -> str:
        return os.path.relpath(path, root).replace(os.sep, "/")

    def refused(error: OSError) -> None:
        found.unreadable[below_root(error.filename)] = error.strerror or str(error)

    while waiting:
        for folder, folders, files in os.walk(waiting.pop(0), onerror=refused):
            real, below = os.path.realpath(folder), below_root(folder)
            if real in entered:
                folders[:] = []
                if below in found.folders:
                    found.folders.remove(below)
                around = os.path.join(os.path.realpath(os.path.dirname(folder)), "")
                if os.path.islink(folder) and not around.startswith(os.path.join(real, "")):  # one to itself hides nothing
                    found.linked[below] = entered[real]
                continue
            entered[real] = below
            prefix = "" if below == "." else f"{below}/"
            for name in (name for name in folders if name.lower() in SYSTEM_FOLDERS):
                if why := why_unreadable(os.path.join(folder, name)):
                    found.unreadable[f"{prefix}{name}"] = why
                else:
                    found.system.append(f"{prefix}{name}")
            folders[:] = sorted(name for name in folders if not is_system_folder(name))
            if not prefix:
                found.folders = list(folders)
            waiting += [path for name in folders if os.path.islink(path := os.path.join(folder, name))]
            for name in files:
                _sort_in(found, folder, prefix, name)
    found.pictures.sort()
    found.archives.sort()
    found.special, found.unreadable = (dict(sorted(each.items())) for each in (found.special, found.unreadable))
    return found


def _sort_in(found: Found, folder: str, prefix: str, name: str) -> None:
    """Put a file of a folder where it belongs in `found`."""
    suffix = os.path.splitext(name)[1].lower()
    if name.startswith("."):
        return
    if suffix not in PICTURE_SUFFIXES:
        if name.lower().endswith(_ARCHIVES):
            found.archives.append(f"{prefix}{name}")
        else:
            found.others[suffix] += 1
        return
    path = os.path.join(folder, name)
    stamp = "unreadable"  # a link that is broken or goes in a circle: decoding it will say so
    with suppress(OSError):
        status = os.stat(path)
        if kind := special_kind(status.st_mode):
            found.special[f"{prefix}{name}"] = kind
            return
        stamp = f"{status.st_size}:{status.st_mtime_ns}"
    found.pictures.append((f"{prefix}{name}", stamp))
