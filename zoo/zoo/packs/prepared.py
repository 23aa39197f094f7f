"""A pack, or a view of one, in the place of the pictures: it is used as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import UsageError, registry

from ..progress import Reporter
from .pack import Pack, open_pack

if TYPE_CHECKING:
    from .request import PackRequest


def open_existing_pack(request: PackRequest, report: Reporter) -> Pack | None:
    """The pack in the folder that `request.data` names, None where that folder holds no pack.

    Raises:
        UsageError: it holds other images than those asked for; says what to type.
        DataError: it is damaged.
    """
    if request.data is None:
        return None
    folder = Path(request.data).expanduser()
    if not (folder / "pack.json").is_file():
        return None
    pack = open_pack(folder)
    made = pack.info["dataset"]
    wanted = {
        "--dataset": (registry.find("datasets", request.dataset).qualified, made["name"]),
        "--size": (request.size, pack.spec.size),
        "--split": (request.split, made["split"]),
        "--channels": (request.channels or pack.spec.channels, pack.spec.channels),
        **{f"--set dataset.{key}": (value, made["options"].get(key, value)) for key, value in request.options.items()},
    }
    for flag, (asked, has) in wanted.items():
        if asked != has:
            typed = f"{flag}={has}" if flag.startswith("--set") else f"{flag} {str(has).partition(':')[2] or has}"
            what = flag.removeprefix("--set ").lstrip("-")
            raise UsageError(f"{folder} is a pack whose {what} is {has}, not {asked}", hint=f"type: {typed}")
    label = f"{made['name'].partition(':')[2]} at {pack.spec.size}×{pack.spec.size}"
    report.note(f"{len(pack):,} images of {label}, the pack {folder}")
    return pack
