"""Labeled Faces in the Wild (Huang et al. 2007): a folder for each of 5,749 persons. The dataset `faces` reads it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from zoo_core.datasets import FileDataset, Listing

_FOLDERS = ("", "lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-deepfunneled/lfw-deepfunneled")
_LOOKED_AT = 20


def find(data: Path) -> Path | None:
    """The folder of persons in or below `data`, known by its names (`Ann_Lee/Ann_Lee_0001.jpg`), or None."""
    for folder in (data / name for name in _FOLDERS):
        if folder.is_dir():
            persons = list(itertools.islice((p for p in folder.iterdir() if p.is_dir()), _LOOKED_AT))
            if persons and all((person / f"{person.name}_0001.jpg").is_file() for person in persons):
                return folder
    return None


class LFW(FileDataset):
    """LFW's pictures without labels: most persons have one picture only, so that their names are no classes."""

    credit = "LFW, Huang et al. 2007 (http://vis-www.cs.umass.edu/lfw/)"

    def listing(self) -> Listing:
        listing = super().listing()
        note = f"the names of {len(listing.classes):,} persons are not used as labels"
        return Listing([replace(r, label=-1) for r in listing.records], notes=(*listing.notes, note))
