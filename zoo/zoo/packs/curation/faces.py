"""`zoo data faces`: faces cut out of photographs. How they are found is the business of the dataset `faces`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from zoo_core import PluginError, UsageError, registry
from zoo_core.datasets import CAREFUL

from ...files import atomic_folder
from ...notebook import AUTOMATIC
from ...progress import Reporter, Task


def detect_faces(
    photos: str | Path,
    out: str | Path,
    *,
    min_size: int = 64,
    margin: float = 0.25,
    dataset: str = "faces",
    report: Reporter = AUTOMATIC,
) -> dict[str, Any]:
    """Detect faces in photographs and write them as square pictures, ready for `--dataset faces --data OUT`.

    `out` bears its name once all is done; after an error or Ctrl-C nothing stays behind.

    Args:
        photos: folder of photographs; its sub-folders are repeated in `out`.
        out: new or empty folder.
        min_size: least side of a crop in pixels.
        margin: what is added to a detected box on each side, as a share of its side.
        dataset: registry name of a dataset that can be prepared from photographs; what its `prepare` says is returned.
        report: told of progress, and of each of the "notes" in what is returned.

    Raises:
        UsageError: `out` holds something, a number is impossible, or the dataset has no such step.
        DataError: no photographs, no faces, or the extra `[faces]` is missing.
        ZooError: `out` cannot be written.
    """
    photos, out = Path(photos).expanduser(), Path(out).expanduser()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already and not an empty folder", hint="name a new folder for the faces")
    prepare = registry.load("datasets", dataset).prepare
    if prepare is None:
        raise UsageError(f"dataset {dataset!r} is not made from photographs", hint="for example: zoo data faces PHOTOS OUT")
    tasks: list[Task] = []
    with atomic_folder(out) as folder, ExitStack() as stack:

        def progress(done: int, total: int) -> None:
            if not tasks:  # only now is it known how many there are
                tasks.append(stack.enter_context(report.task("finding faces", total, "photographs")))
            tasks[0].update(done)

        found = prepare(photos, folder, progress=progress, min_size=min_size, margin=margin)
        if not isinstance(found, Mapping):
            raise PluginError(f"dataset {dataset!r}: prepare gave a {type(found).__name__}, expected a summary")
        for note in found.get("notes", ()):
            (report.warn if note.startswith(CAREFUL) else report.note)(note.removeprefix(CAREFUL))
        if out.exists():
            out.rmdir()  # empty; not every system lets a folder be renamed to one that exists
    return dict(found)
