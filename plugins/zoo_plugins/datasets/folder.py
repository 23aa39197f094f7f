"""A folder of pictures."""

from __future__ import annotations

from zoo_core.datasets import FileDataset


class Folder(FileDataset):
    """The pictures below `data`. All behavior is `FileDataset`'s, which other datasets share; this gives it a name."""
