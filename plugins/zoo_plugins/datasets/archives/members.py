"""What an archive holds: its pictures, what was left out and why, and the listing that comes of it."""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo_core.datasets import PICTURE_SUFFIXES, Listing, Record
from zoo_core.folders import is_system_folder, note_on_splits, note_on_strays
from zoo_core.words import printable

from ..sources import few
from .formats import is_compressed, suffix_of

WHY = {
    "outside": ("has a name that leads out of the archive", "have names that lead out of the archive"),
    "archive": ("is an archive itself", "are archives themselves"),
    "other": ("is no picture by its name", "are no pictures by their names"),
    "later": ("has the name of a later one", "have the name of a later one"),
    "special": ("is a link, a device or the like", "are links, devices or the like"),
    "encrypted": ("is encrypted", "are encrypted"),
    "hidden": ("is hidden or in a folder of the system", "are hidden or in folders of the system"),
    "method": ("is compressed by a method that is not read", "are compressed by a method that is not read"),
}
"""Why a member is left out, of one and of several."""

_EXAMPLES = 3


@dataclass
class Members:
    """The pictures of an archive in its order, with what was left out; plain data but for the path.

    `pictures` has for each name its stamp and, after the path, what `read` needs to find it; a name that occurs twice means
    the later one, as it would after unpacking.
    """

    path: Path
    pictures: dict[str, list[Any]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)  # that the archive mentions
    left: Counter[str] = field(default_factory=Counter)  # why members were left out (of `WHY`) → how many
    examples: dict[str, list[str]] = field(default_factory=dict)  # why → the first names
    damage: list[str] = field(default_factory=list)  # what could not be listed

    def add(self, name: str, stamp: str, *where: Any) -> None:
        """Take a file in if it is a picture with a decent name."""
        parts = name.split("/")
        if not is_inside(name):
            self.leave("outside", name)
        elif parts[-1].startswith(".") or any(is_system_folder(part) for part in parts[:-1]):
            self.leave("hidden", name)
        elif suffix_of(name):
            self.leave("archive", name)
        elif not is_picture(name):
            self.leave("other", name)
        else:
            if name in self.pictures:
                self.leave("later", name)
            self.pictures[name] = [stamp, *where]

    def leave(self, why: str, name: str) -> None:
        """Count a member that is left out."""
        self.left[why] += 1
        examples = self.examples.setdefault(why, [])
        if len(examples) < _EXAMPLES:
            examples.append(f"'{printable(name)}'")

    def listing(self) -> Listing:
        """Return the pictures with their first-level folders as labels; a single folder around everything does not count."""
        return list_members([("", self)])

    def notes(self) -> list[str]:
        """Return what could not be listed and what was left out, in words."""
        return [
            *self.damage,
            *(
                f"{n:,} {'members' if n > 1 else 'member'} {WHY[why][n > 1]} and {'were' if n > 1 else 'was'} left out: "
                f"{few(self.examples[why], number=n)}"
                for why, n in self.left.items()
                if why != "hidden" or not self.pictures  # litter beside pictures is nothing to speak of
            ),
        ]


def list_members(held: Sequence[tuple[str, Members]]) -> Listing:
    """Return the pictures of archives as one listing, as if each were unpacked into the folder named beside it.

    The first-level folders are the labels; a single folder around everything does not count. What is compressed as a whole
    is listed in its own order, as it can be read only from its beginning; all else by name.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for prefix, members in held:
        found |= {posixpath.join(prefix, name): (members.path, *where) for name, where in members.pictures.items()}
    names = sorted(found)
    around = posixpath.commonpath(names).split("/") if names else []
    depth = len([part for part in around if part])
    if len(found) == 1:
        depth = max(0, depth - 1)
    tops = {name: name.split("/")[depth] if name.count("/") > depth else "" for name in names}
    there = set(tops.values())
    classes = tuple(sorted(there)) if "" not in there and len(there) > 1 else ()
    labels, classes = {name: i for i, name in enumerate(classes)}, tuple(map(printable, classes))
    records = []
    for name in names:
        path, stamp, *where = found[name]
        records.append(Record(printable(name), (str(path), *where), stamp, labels.get(tops[name], -1)))
    if any(is_compressed(members.path) for _, members in held):
        records.sort(key=lambda record: record.source)
    notes = [note for _, members in held for note in members.notes()]
    if twice := sum(len(members.pictures) for _, members in held) - len(found):
        notes.append(f"{twice:,} pictures have the name of one in a later archive and were left out")
    folders = [posixpath.join(prefix, f) for prefix, members in held for f in members.folders if is_inside(f)]
    siblings = {f.split("/")[depth] for f in folders if classes and f.count("/") >= depth}
    if empty := sorted(n for n in siblings - there if n and not is_system_folder(n)):
        notes.append(f"folders without pictures are no class: {few(map(printable, empty))}")
    notes += note_on_strays([printable(posixpath.basename(name)) for name in names if not tops[name]], there - {""})
    return Listing(records, classes=classes, notes=(*notes, *note_on_splits(classes, "")))


def is_inside(name: str) -> bool:
    """Return whether a member's name would stay below the folder into which an archive is unpacked, on any system."""
    outside = name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name
    return bool(name) and not outside and ".." not in name.split("/")


def is_picture(name: str) -> bool:
    """Return whether a file is a picture by its name."""
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES
