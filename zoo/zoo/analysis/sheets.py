"""Pictures with words: rows of images under headings, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from ..models.sampling import FORMATS
from ..packs import to_uint8
from ..reports import pictures
from ..reports.pictures import save_gif, save_picture

__all__ = ["Block", "check_picture_name", "save_gif", "save_picture", "sheet"]


@dataclass(frozen=True)
class Block:
    """Images [N, C, S, S] in [−1, 1] under a heading, `columns` in a row."""

    heading: str
    images: Tensor
    columns: int | None = None


def sheet(blocks: Sequence[Block], *, beside: bool = False) -> Image.Image:
    """All blocks as one RGB picture: below each other, or `beside` each other."""
    converted = [pictures.Block(block.heading, to_uint8(block.images).cpu(), block.columns) for block in blocks]
    return pictures.sheet(converted, columns=len(blocks) if beside else 1)


def check_picture_name(out: str | Path, *, others: Sequence[str] = ()) -> Path:
    """The path, if its ending is one that a picture can have; raises `UsageError` otherwise, before any work is done."""
    path = Path(out)
    valid = (*FORMATS, *others)
    if path.suffix.lower() not in valid:
        raise UsageError(
            f"{path.name!r} does not end like a picture; valid: {', '.join(valid)}", hint="for example: --out picture.png"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="choose another file name")
    return path
