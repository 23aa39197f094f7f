"""Tables as people have them: official texts, spreadsheets' CSV with a byte order mark, CRLF, semicolons, quotes, tabs."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

from zoo_core.errors import DataError

from ..sources import refuse_special

_MOST = 512 << 20  # bytes; the largest that is known, CelebA's, has 26 million
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_rows(path: Path) -> Iterator[list[str]]:
    """Return the rows of a table as texts, without empty ones.

    Columns are what the first of tab, semicolon and comma that occurs in the first lines separates, else what spaces do.
    In a comma-separated table a field may be quoted. Bytes that are no UTF-8 (nor UTF-16 with a mark) become "�".

    Raises:
        DataError: it cannot be read.
    """
    lines = read_lines(path)
    first = "\n".join(lines[:5])
    separator = next((mark for mark in "\t;," if mark in first), "")
    rows = csv.reader(lines, delimiter=separator) if separator else (line.split() for line in lines)
    try:
        for row in rows:
            yield [value.strip() for value in row]
    except csv.Error as error:
        raise DataError(f"{path} is no table: {error}") from error


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty; raises `DataError` where it cannot be read."""
    refuse_special(path)
    try:
        if path.stat().st_size > _MOST:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes, expected at most {_MOST:,}")
        held = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    encoding = next((encoding for mark, encoding in _MARKS.items() if held.startswith(mark)), "utf-8")
    text = held.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    return [line for line in text.split("\n") if line.strip()]
