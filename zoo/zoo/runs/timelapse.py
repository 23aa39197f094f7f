"""`zoo.timelapse`: a film of the grids that a training saved, of the same latents each time."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from zoo_core import OptionError, UsageError, ZooError
from zoo_core.pictures import PictureError, read_picture
from zoo_core.words import plural

from ..files import Place
from ..progress import SILENT, Reporter
from .films import check_film, most_frames, save_film
from .folders import find_run
from .run import read_run

EACH, LENGTH = 0.25, 20.0  # seconds that a grid is shown, and that a film lasts at most, unless somebody says otherwise
FASTEST = 30  # grids a second
HOLD = 1000  # milliseconds that the last grid is shown longer
WIDTHS = (512, 1024)
"""What a film is about as wide as, in pixels, unless somebody says otherwise: the first, or the images of a grid beside each
other at their own size if that is more, up to the second. Grids become that wide by a whole factor."""


@dataclass(frozen=True)
class Timelapse:
    """A film, as `zoo.timelapse` has written it.

    Args:
        path: the file.
        grids: how many there were; a film has at most 30 of them a second, evenly chosen, the first and the last always.
        images: of each frame, how many real images had been shown to the networks.
        seconds: how long it lasts.
        width, height: in pixels.
    """

    path: Path
    grids: int
    images: tuple[int, ...]
    seconds: float
    width: int
    height: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "path": str(self.path), "images": list(self.images)}


def timelapse(
    run: Place,
    out: Place,
    *,
    seconds: float | None = None,
    fps: float | None = None,
    width: int | None = None,
    caption: bool = True,
    force: bool = False,
    report: Reporter = SILENT,
) -> Timelapse:
    """Write the grids that a run has saved as a film; also while it trains.

    Args:
        run: a run, or its folder.
        out: the file; its ending says the format: .webp, .gif or .mp4 (which needs PyAV).
        seconds: how long it lasts; by default a quarter of a second for each grid, 20 seconds at most. The last grid stays
            a second longer.
        fps: grids a second, instead of `seconds`.
        width: of the film, in pixels; by default about 512, for images of 128 pixels and more about 1,024.
        caption: whether the number of images shown stands below each grid.
        force: whether a file that exists is replaced.
        report: hears which grids are left out, and the progress.

    Raises:
        UsageError: the run has fewer than two grids, `out` cannot be a film, a number is impossible.
        ZooError: `out` cannot be written.
    """
    path = Path(out)
    check_film(path, force=force)
    _check_numbers(seconds, fps, width)
    folder = find_run(run)
    found = find_grids(folder)
    first = _first_readable(found)
    width = width or _choose_width(first.width, read_run(folder).config.training.size)
    room = _lay_out(first, width, caption)[1]
    length = seconds or (len(found) / fps if fps else min(LENGTH, EACH * len(found)))
    most = min(most_frames(path, room), len(found) if fps else math.ceil(FASTEST * length))
    chosen = _readable(thin(found, max(2, most)), report)
    if len(chosen) < 2:
        raise _too_few(folder, len(chosen))
    shown = _round_duration(1000 * length / len(chosen), path)
    scale, size = _lay_out(read_picture(chosen[0]), width, caption)
    with report.task("making the film", unit="frames") as task:

        def frames() -> Iterator[Image.Image]:
            for done, grid in enumerate(chosen, 1):
                yield _frame(grid, scale, size, caption)
                task.update(done)

        save_film(frames(), path, milliseconds=shown, hold=HOLD)
    lasts = (shown * len(chosen) + HOLD) / 1000
    return Timelapse(path, len(found), tuple(images_of(grid) for grid in chosen), lasts, *size)


def find_grids(folder: Path) -> list[Path]:
    """Return the grids of a run, oldest first.

    Raises:
        UsageError: it is no run folder, or has fewer than two.
    """
    read_run(folder)
    named = [path for path in folder.glob("samples/*.png") if re.fullmatch(r"\d{9,}", path.stem)]
    if len(named) < 2:
        raise _too_few(folder, len(named))
    return sorted(named, key=images_of)


def images_of(grid: Path) -> int:
    """Return how many real images had been shown when a grid was drawn, which its name tells."""
    return int(grid.stem)


def thin(grids: Sequence[Path], most: int) -> list[Path]:
    """Return at most so many of the grids (2 or more), evenly chosen, the first and the last among them."""
    last = len(grids) - 1
    return list(grids) if last < most else [grids[round(i * last / (most - 1))] for i in range(most)]


def _too_few(folder: Path, count: int) -> UsageError:
    every = read_run(folder).config.training.samples_every
    what = f"a film needs two grids, and {folder} has {'none' if not count else 'one'} that can be read"
    go_on = f"to train on: zoo train --resume {shlex.quote(str(folder))}"
    return UsageError(what, hint=f"a training saves one every {plural(every, 'image')}; {go_on}")


def _check_numbers(seconds: float | None, fps: float | None, width: int | None) -> None:
    if seconds is not None and fps is not None:
        raise UsageError("--seconds and --fps say the same twice", hint="leave one of them out")
    if seconds is not None and not 0.1 <= seconds <= 3600:
        raise OptionError(f"--seconds must be from 0.1 to 3600, not {seconds:g}")
    if fps is not None and not 0.1 <= fps <= 50:
        raise OptionError(f"--fps must be from 0.1 to 50, not {fps:g}")
    if width is not None and not 64 <= width <= 4096:
        raise OptionError(f"--width must be from 64 to 4096 pixels, not {width}")


def _first_readable(grids: Sequence[Path]) -> Image.Image:
    for grid in grids:
        try:
            return read_picture(grid)
        except (PictureError, OSError):
            continue
    raise _too_few(grids[0].parent.parent, 0)


def _readable(grids: Sequence[Path], report: Reporter) -> list[Path]:
    """Return the grids that can be read and have the size that most have; the others are named."""
    sizes, left_out = {}, []
    for grid in grids:
        try:
            sizes[grid] = read_picture(grid).size
        except (PictureError, OSError) as error:
            left_out.append(f"{grid.name} ({error})")
    usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else None
    left_out += [f"{grid.name} (of another size)" for grid, size in sizes.items() if size != usual]
    if left_out:
        report.warn(f"left out {plural(len(left_out), 'grid')}: {', '.join(left_out[:3])}{', …' if left_out[3:] else ''}")
    return [grid for grid, size in sizes.items() if size == usual]


def _round_duration(milliseconds: float, path: Path) -> int:
    """Return how long a grid is shown: a GIF counts in hundredths of a second, and viewers slow down less than two."""
    return max(20, 10 * round(milliseconds / 10)) if path.suffix.lower() == ".gif" else max(20, round(milliseconds))


def _choose_width(grid: int, side: int) -> int:
    """Return the width of a film of grids so wide, of images of `side` pixels, eight beside each other."""
    target = min(max(WIDTHS[0], 8 * side), WIDTHS[1])
    return round(grid / (grid // target)) if grid >= target else grid * math.ceil(target / grid)


def _lay_out(grid: Image.Image, width: int, caption: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size of a grid in the film, and that of the film."""
    scaled = (width, max(1, round(grid.height * width / grid.width)))
    return scaled, (width, scaled[1] + (_strip(width) if caption else 0))


def _strip(width: int) -> int:
    """Return the height of the caption's strip."""
    return max(16, width // 18)


def _frame(grid: Path, scaled: tuple[int, int], size: tuple[int, int], caption: bool) -> Image.Image:
    try:
        picture = read_picture(grid).convert("RGB")
    except (PictureError, OSError) as error:
        raise ZooError(f"{grid} changed while the film was made: {error}", hint="try again") from error
    if picture.size != scaled:
        larger = scaled[0] % picture.width == 0 and scaled[1] % picture.height == 0
        smaller = picture.width % scaled[0] == 0 and picture.height % scaled[1] == 0
        kernels = Image.Resampling
        picture = picture.resize(scaled, kernels.NEAREST if larger else kernels.BOX if smaller else kernels.LANCZOS)
    if not caption:
        return picture
    frame, strip = Image.new("RGB", size, "white"), size[1] - scaled[1]
    frame.paste(picture, (0, 0))
    font = ImageFont.load_default(size=strip * 0.6)
    place = (max(2, strip // 4), scaled[1] + strip // 2)
    ImageDraw.Draw(frame).text(place, plural(images_of(grid), "image"), fill="black", font=font, anchor="lm")
    return frame
