"""What a pack shows (counts, labels, the mean picture, a contact sheet), and whether it is what was written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zoo_core import DataError

from ...notebook import AUTOMATIC
from ...progress import Reporter
from ...reports.pictures import grid, save_picture, to_picture
from .. import Pack, open_pack
from ..cache import list_packs

_BLOCK = 32 << 20  # bytes of images that are read at once


def inspect_pack(pack: Pack, out: str | Path, *, images: int = 100, report: Reporter = AUTOMATIC) -> dict[str, Any]:
    """Write `sheet.png`, a contact sheet, and `mean.png`, the mean picture, into the folder `out`; describe the pack.

    The sheet has at most `images` images, evenly spread over the pack, so that every class is met.

    Returns:
        Plain data: "count", "size", "channels", "classes" (name → images), "attributes" (name → value → images),
        "unlabeled", "skipped", "side" (least, median and most pixels of the source that an image shows), "enlarged" (images
        that show fewer pixels than they have), "mean" and "std" of each channel from 0 to 255, the paths "sheet" and
        "mean_picture", license, credit and restriction.

    Raises:
        ZooError: the folder cannot be written.
    """
    out = Path(out)
    chosen = torch.linspace(0, len(pack) - 1, min(images, len(pack))).round().long()
    sheet = save_picture(grid(pack.gather(chosen)), out / "sheet.png")
    mean, std, picture = _statistics(pack, report)
    mean_picture = save_picture(picture, out / "mean.png")
    info, sides = pack.info, pack.sides
    return {
        "pack": str(pack.path),
        "key": pack.key,
        **{"count": len(pack), "size": pack.spec.size, "channels": pack.spec.channels, "bytes": pack.nbytes},
        "classes": _counts(pack.labels, info["classes"]),
        "unlabeled": int((pack.labels < 0).sum()) if pack.labels is not None else len(pack),
        "attributes": {name: _counts(pack.attributes[name], values) for name, values in info["attributes"].items()},
        "chosen": info.get("chosen", []),
        "side": {"least": int(sides.min()), "median": int(sides.median()), "most": int(sides.max())},
        "enlarged": int((sides < pack.spec.size).sum()),
        **{"mean": mean, "std": std, "sheet": str(sheet), "mean_picture": str(mean_picture)},
        **{key: info[key] for key in ("dataset", "skipped", "notes", "license", "credit")},
        "restriction": info.get("restriction", ""),
    }


def _counts(values: Tensor | None, names: list[str]) -> dict[str, int]:
    if values is None:
        return {}
    return dict(zip(names, torch.bincount(values[values >= 0], minlength=len(names)).tolist(), strict=True))


def _statistics(pack: Pack, report: Reporter) -> tuple[list[float], list[float], Image.Image]:
    """Mean and standard deviation of each channel, and the mean picture at four times its size or so."""
    size, channels = pack.spec.size, pack.spec.channels
    total = torch.zeros(size, size, channels, dtype=torch.float64)
    squares = torch.zeros(channels, dtype=torch.float64)
    step = max(1, _BLOCK // (size * size * channels))
    with report.task("reading", len(pack), "images") as task:
        for start in range(0, len(pack), step):
            block = pack.gather(torch.arange(start, min(start + step, len(pack)))).double()
            total += block.sum(0)
            squares += (block**2).sum((0, 1, 2))
            task.update(start + len(block))
    average = total / len(pack)  # [S, S, C]
    mean = average.mean((0, 1))
    std = (squares / (len(pack) * size * size) - mean**2).clamp_min(0).sqrt()
    picture = to_picture(average.round().to(torch.uint8))
    shown = max(1, 256 // size) * size
    return mean.tolist(), std.tolist(), picture.resize((shown, shown), Image.Resampling.NEAREST)


def verify_packs(folders: Iterable[Path] | None = None, *, report: Reporter = AUTOMATIC) -> list[tuple[Path, str]]:
    """Read every byte of the packs in `folders`, or of all in the cache, and compare checksums.

    Returns each folder with what is wrong with it in one line, "" where nothing is.
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
