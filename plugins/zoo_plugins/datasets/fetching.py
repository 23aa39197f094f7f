"""Files of datasets that everybody may fetch, by torchvision's downloader, with the checksums that torchvision knows."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from zoo_core.errors import DataError

from .sources import Origin, list_causes

_SECONDS = 60.0  # without a byte after which a server counts as silent
_FAILURES = (OSError, RuntimeError, HTTPException, ValueError)  # as torchvision and urllib raise them


def fetch(folder: Path, name: str, addresses: Sequence[str], md5: str, origin: Origin) -> None:
    """Fetch a file into a folder from the first address that has it, unless it is there; it appears whole or not at all.

    Raises:
        DataError: no address answers, what comes has another checksum, or another file of that name is there.
    """
    from torchvision.datasets.utils import check_integrity, download_url

    target = folder / name
    if target.exists():
        if check_integrity(str(target), md5):
            return
        raise DataError(f"{target} is not {origin.name}'s own file", hint="delete it, or choose another folder: --data DIR")
    problems = []
    for address in addresses:
        try:
            with _temporary(folder) as place, _patience():
                download_url(address, place, filename=name, md5=md5)
                os.replace(place / name, target)
                return
        except _FAILURES as error:
            words = "what came has another checksum" if "corrupted" in str(error) else list_causes(error)
            problems.append(f"{address}: {words}")
    hint = f"try again, or fetch it by hand; {origin.by_hand}"
    raise DataError(f"{origin.name} could not be fetched: {'; '.join(problems)}", hint=hint)


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A folder beside the file to be, for what may break off."""
    place = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _patience() -> Iterator[None]:
    """Let no server keep us waiting for ever: torchvision sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
