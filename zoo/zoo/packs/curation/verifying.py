"""Whether packs are still what they were when they were written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zoo_core import DataError

from ...progress import Reporter
from .. import open_pack
from ..cache import list_packs

_SILENT = Reporter()


def verify_packs(folders: Iterable[Path] | None = None, *, report: Reporter = _SILENT) -> list[tuple[Path, str]]:
    """Read every byte of packs and compare checksums.

    Args:
        folders: of the packs; None for all in the cache.
        report: hears of the progress.

    Returns:
        Each folder with what is wrong with it in one line, "" where nothing is.
    """
    chosen = [*folders] if folders is not None else [stored.path for stored in list_packs() if stored.kind != "unfinished"]
    results = []
    with report.task("verifying", len(chosen), "packs") as task:
        for done, folder in enumerate(chosen, start=1):
            try:
                open_pack(folder).verify()
                results.append((folder, ""))
            except DataError as error:
                results.append((folder, error.message))
            task.update(done)
    return results
