"""Films of pictures that come one by one: animated WebP and GIF by Pillow, MP4 (H.264) by PyAV. The same bytes each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from PIL import Image

from zoo_core import UsageError

from ..files import atomic_file

ENDINGS = (".webp", ".gif", ".mp4")
HELD = 256e6
"""Bytes of pixels that may be in memory: Pillow holds the frames of a WebP or GIF until all are there, PyAV those of an MP4
one at a time."""
LONGEST = 3600  # frames of an MP4
_BYTES = {".webp": 3, ".gif": 2}  # for each pixel that Pillow holds


def check_film(path: Path, *, force: bool) -> None:
    """Raise `UsageError` unless a film can be written at `path`."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        hint = f"for example: --out {path.stem or 'film'}.webp"
        raise UsageError(f"{path.name!r} does not end like a film; valid: {', '.join(ENDINGS)}", hint=hint)
    if ending == ".mp4" and find_spec("av") is None:
        hint = f'install it with: pip install "dcgan-zoo[mp4]"; or take another: --out {path.with_suffix(".webp").name}'
        raise UsageError("an MP4 needs PyAV, which is not installed", hint=hint)
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="choose another file name")
    if path.exists() and not force:
        raise UsageError(f"{path} exists", hint="choose another file name, or replace it: --force")


def most_frames(path: Path, size: tuple[int, int]) -> int:
    """Return how many frames of a size (width, height) a film may have, so that its memory is bounded."""
    held = _BYTES.get(path.suffix.lower())
    return LONGEST if held is None else max(2, int(HELD // (held * size[0] * size[1])))


def save_film(frames: Iterable[Image.Image], path: Path, *, milliseconds: int, hold: int) -> None:
    """Write RGB pictures of one size as a film that begins anew when it ends (an MP4 as its player likes).

    Args:
        milliseconds: that a picture is shown; `hold`: that the last is shown longer.

    Raises:
        ZooError: the place cannot be written.
    """
    frames = iter(frames)
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".mp4":
            _save_mp4(frames, temporary, Fraction(1000, milliseconds), repeat=round(hold / milliseconds))
            return
        if path.suffix.lower() == ".gif":  # 256 colors to each frame; median cut takes 100 times as long
            frames = (frame.quantize(256, method=Image.Quantize.FASTOCTREE) for frame in frames)
        held = list(frames)
        times = [milliseconds] * (len(held) - 1) + [milliseconds + hold]
        how: dict[str, Any] = {"quality": 85, "method": 4} if path.suffix.lower() == ".webp" else {}
        held[0].save(temporary, save_all=True, append_images=held[1:], duration=times, loop=0, **how)


def _save_mp4(frames: Iterator[Image.Image], path: Path, rate: Fraction, repeat: int) -> None:
    """Write an MP4 that players everywhere show: H.264, 4:2:0, even sides, the last frame `repeat` times more."""
    av: Any = import_module("av")
    first = next(frames)
    even = (first.width + first.width % 2, first.height + first.height % 2)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as film:
        stream: Any = film.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *even, "yuv420p"
        # Macroblock trees read memory that nothing was written to: the same film is not the same bytes, one time in ten.
        stream.options = {"crf": "18", "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
        shown = first
        for shown in chain([first], frames):
            _encode(film, stream, shown, even)
        for _ in range(repeat):
            _encode(film, stream, shown, even)
        film.mux(stream.encode())


def _encode(film: Any, stream: Any, picture: Image.Image, size: tuple[int, int]) -> None:
    if picture.size != size:  # a white line at the right or bottom
        wider = Image.new("RGB", size, "white")
        wider.paste(picture, (0, 0))
        picture = wider
    film.mux(stream.encode(import_module("av").VideoFrame.from_image(picture)))
