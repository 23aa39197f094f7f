"""Finding faces in photographs and cutting them out, as the authors of DCGAN did (Radford et al. 2015, section 4.2).

dlib's frontal face detector looks: histograms of oriented gradients and a structural support vector machine (King 2015,
arXiv:1502.00046). It is part of the library, so that nothing is downloaded.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo_core.datasets import CAREFUL, FileDataset
from zoo_core.errors import DataError, OptionError
from zoo_core.words import plural

MANIFEST = "faces.jsonl"
_SEEN = 72  # pixels to which the smallest face wanted is scaled; the detector's smallest box has 73
_MOST_SEARCHED = 64_000_000  # pixels of a scaled photograph: the search takes 5 to 7 bytes for each
_LISTED, _SHOWN = 100, 3


class _Photographs(FileDataset):
    given = "zoo data faces {} OUT"


class Face(NamedTuple):
    """A square in a photograph: left, top and side in its pixels, and how far the detector is beyond its threshold."""

    left: int
    top: int
    side: int
    score: float


def prepare(
    photos: Path,
    out: Path,
    *,
    min_size: int = 64,
    margin: float = 0.25,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Detect faces in the folder `photos` and write each as a square picture into the empty folder `out`.

    Every face of a photograph is kept. Sub-folders are repeated in `out`, so that labels survive. `out/faces.jsonl` has a
    line for each crop: file, source, box (left, top, right, bottom in the upright photograph) and score.

    Args:
        min_size: least side of a crop in pixels.
        margin: what is added to the detected box on each side, as a share of its side.
        progress: told after each photograph how many of how many are done.

    Returns:
        "photos", "faces", "without" (photographs in which none was found), "unreadable" (count and the first records), and
        "notes": what was left out of the folder, in sentences.

    Raises:
        OptionError: an impossible size or margin.
        DataError: no photographs, none that can be read, no faces, or dlib is missing.
    """
    if min_size < 8:
        raise OptionError(f"--min-size must be at least 8 pixels, not {min_size}", hint="for example: --min-size 64")
    if not 0 <= margin <= 2:
        raise OptionError(f"--margin must be between 0 and 2, not {margin:g}", hint="for example: --margin 0.25")
    from zoo_core.pictures import explain, read_picture

    find = _detector(min_size, margin)
    listing = _Photographs(data=str(photos)).listing()
    faces, without, unreadable = 0, 0, []
    with open(out / MANIFEST, "x", encoding="utf-8") as manifest:
        for number, record in enumerate(listing.records):
            try:
                upright = read_picture(photos / record.source).convert("RGB")
            except Exception as error:
                unreadable.append({"key": record.key, "reason": explain(error)})
                found = []
            else:
                found = find(np.asarray(upright.convert("L")))
                without += not found
            for i, face in enumerate(found):
                # numbered, as the names of photographs may be of any length, and differ in their ending only
                file = Path(record.source).parent / f"{number:07d}-{i}.jpg"
                box = (face.left, face.top, face.left + face.side, face.top + face.side)
                (out / file).parent.mkdir(parents=True, exist_ok=True)
                upright.crop(box).save(out / file, quality=95, subsampling=0)
                line = {"file": file.as_posix(), "source": record.key, "box": box, "score": face.score}
                manifest.write(json.dumps(line) + "\n")
            faces += len(found)
            progress(number + 1, len(listing.records))
    if not faces:
        raise _no_faces(photos, len(listing.records), unreadable, listing.notes, min_size)
    broken = {"count": len(unreadable), "records": unreadable[:_LISTED]}
    return {
        "photos": len(listing.records),
        "faces": faces,
        "without": without,
        "unreadable": broken,
        "notes": [*listing.notes],
    }


def _no_faces(
    photos: Path, count: int, unreadable: Sequence[Mapping[str, str]], notes: Sequence[str], min_size: int
) -> DataError:
    """The error that says why there are none: nothing can be read, or nothing was found in what can be."""
    why = "; ".join(f"{entry['key']}: {entry['reason']}" for entry in unreadable[:_SHOWN])
    why += ", …" if len(unreadable) > _SHOWN else ""
    left_out = "".join(f"; {note.removeprefix(CAREFUL)}" for note in notes)
    if len(unreadable) == count:
        which = (
            f"none of the {count:,} photographs of {photos} can" if count > 1 else f"the only photograph of {photos} cannot"
        )
        return DataError(f"{which} be read: {why}{left_out}")
    rest = f"; {len(unreadable):,} cannot be read: {why}" if unreadable else ""
    none = f"no faces of at least {min_size} pixels in the {plural(count - len(unreadable), 'photograph')} of {photos}"
    least = max(8, min_size // 2)
    smaller = (
        f"try smaller ones: --min-size {least}" if least < min_size else "give photographs that show faces from the front"
    )
    return DataError(f"{none} that can be read{rest}{left_out}", hint=smaller)


def _detector(min_size: int, margin: float) -> Callable[[NDArray[np.uint8]], list[Face]]:
    """A function from gray pixels [H, W] to the faces in them, surest first, with the boxes of `min_size` and more."""
    try:
        dlib: Any = importlib.import_module("dlib")
        detector = dlib.get_frontal_face_detector()
    except (ImportError, AttributeError) as error:
        raise DataError("finding faces needs dlib", hint="type: pip install 'dcgan-zoo[faces]'") from error
    least = min_size / (1 + 2 * margin)

    def find(gray: NDArray[np.uint8]) -> list[Face]:
        height, width = gray.shape
        scale = min(_SEEN / least, math.sqrt(_MOST_SEARCHED / gray.size))
        scaled = Image.fromarray(gray).resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR
        )
        boxes, scores, _ = detector.run(np.asarray(scaled), 0, 0.0)
        faces = []
        for box, score in zip(boxes, scores, strict=True):
            original = [value / scale for value in (box.left(), box.top(), box.width(), box.height())]
            left, top, side = _square(original, margin, width, height)
            if side >= min_size:
                faces.append(Face(left, top, side, round(score, 3)))
        return sorted(faces, key=lambda face: (-face.score, face.left, face.top))

    return find


def _square(box: Sequence[float], margin: float, width: int, height: int) -> tuple[int, int, int]:
    """A detected box with a margin as (left, top, side) of a square that lies inside the photograph, moved if need be."""
    left, top, w, h = box
    side = min(round(max(w, h) * (1 + 2 * margin)), width, height)
    x = min(max(0, round(left + w / 2 - side / 2)), width - side)
    y = min(max(0, round(top + h / 2 - side / 2)), height - side)
    return x, y, side
