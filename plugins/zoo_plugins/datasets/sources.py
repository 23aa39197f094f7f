"""What to tell a person whose images are missing, lie elsewhere or are something else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo_core.errors import DataError, OptionError, UsageError, ZooError


@dataclass(frozen=True)
class Origin:
    """Where a dataset is to be had.

    Args:
        name: as a person calls it.
        where: address of its page, then what to take from there or to type.
        size: of the download, with the number of pictures.
        layout: what `--data` should name, after "expected".
    """

    name: str
    where: str
    size: str
    layout: str

    def existing(self, data: Path | None) -> Path:
        """Return `data` if it is there.

        Raises:
            UsageError: nobody said where the images lie.
            DataError: nothing lies there.
        """
        if data is None:
            raise UsageError(f"{self.name} must be downloaded first, and --data say where it lies", hint=self._hint())
        if not data.exists():
            raise DataError(f"{data} does not exist; expected {self.layout}", hint=self._hint())
        return data

    def wrong(self, data: Path, *, looked_for: str = "", hint: str = "") -> ZooError:
        """The error for a folder or file that is not this dataset: what was expected and what was found."""
        return DataError(
            f"{data} does not hold {self.name}: expected {looked_for or self.layout}; found {found(data)}",
            hint=hint or self._hint(),
        )

    def _hint(self) -> str:
        return f"get it: {self.where}; size: {self.size}; when it lies in DIR: --data DIR"


def check_split(name: str, split: str, valid: Sequence[str]) -> None:
    """Raise `OptionError` unless the dataset has this split."""
    if split not in valid:
        other = next((v for v in valid if v != "train"), valid[0])
        raise OptionError(f"{name} has no split {split!r}; valid: {', '.join(valid)}", hint=f"for example: --split {other}")


def found(data: Path, most: int = 6) -> str:
    """In a few words what lies in a folder, or what a file is."""
    if not data.is_dir():
        return f"a file of {data.stat().st_size:,} bytes"
    try:
        names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in data.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"{data} cannot be read: {error.strerror}") from error
    return few(names, most) or "nothing"


def few(names: Iterable[str], most: int = 5) -> str:
    """The first names, shortened, and how many more there are."""
    names = list(names)
    return few_of(names[:most], len(names))


def few_of(names: Sequence[str], number: int) -> str:
    """The names, shortened, as the first of `number`."""
    shown = ", ".join(name if len(name) <= 60 else f"{name[:57]}…" for name in names)
    return f"{shown} and {number - len(names):,} more" if number > len(names) else shown


def file_stamp(path: Path) -> str:
    """Size and modification time, which change when the content does."""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"
