"""Finding faces in photographs and cutting them out, as the authors of DCGAN did (Radford et al. 2015, section 4.2).

Two of OpenCV's frontal face cascades (Viola and Jones 2001) work together: one searches, the other must agree. Their models
come with OpenCV 4, not with 5, so that nothing is downloaded.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import FileDataset
from zoo_core.errors import DataError, OptionError
from zoo_core.words import plural

MANIFEST = "faces.jsonl"
_SEARCH, _CONFIRM = "haarcascade_frontalface_alt2.xml", "haarcascade_frontalface_default.xml"
_SEEN = 32  # pixels to which the smallest face wanted is shrunk before the search; the cascade itself sees 20
_NEIGHBORS = 5
_AGREE = 11  # of 27 finds in 400 photographs this refused 5 of the 6 that were no faces, and 1 of the 21 that were
_LOOK, _AROUND = 96, 0.25  # the second look is at a picture of this side, and at the box with this margin
_LISTED = 100


class Face(NamedTuple):
    """A square in a photograph: left, top and side in its pixels, and how many windows of the second look agree."""

    left: int
    top: int
    side: int
    score: int


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
        "photos", "faces", "without" (photographs in which none was found), and "unreadable" (count and the first records).

    Raises:
        OptionError: an impossible size or margin.
        DataError: no photographs, no faces, or OpenCV is missing.
    """
    if min_size < 8:
        raise OptionError(f"--min-size must be at least 8 pixels, not {min_size}", hint="for example: --min-size 64")
    if not 0 <= margin <= 2:
        raise OptionError(f"--margin must be between 0 and 2, not {margin:g}", hint="for example: --margin 0.25")
    from zoo_core.pictures import explain, read_picture

    find = _detector(min_size, margin)
    listing = FileDataset(data=str(photos)).listing()
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
        read = len(listing.records) - len(unreadable)
        none = f"no faces of at least {min_size} pixels in the {plural(read, 'photograph')} of {photos} that can be read"
        raise DataError(none, hint=f"try smaller ones: --min-size {max(8, min_size // 2)}")
    broken = {"count": len(unreadable), "records": unreadable[:_LISTED]}
    return {"photos": len(listing.records), "faces": faces, "without": without, "unreadable": broken}


def _detector(min_size: int, margin: float) -> Callable[[NDArray[np.uint8]], list[Face]]:
    """A function from gray pixels [H, W] to the faces in them, surest first, with the boxes of `min_size` and more."""
    try:
        cv2: Any = importlib.import_module("cv2")  # its type hints do not know its own data folder
        folder = Path(cv2.data.haarcascades)
        search, confirm = (cv2.CascadeClassifier(str(folder / name)) for name in (_SEARCH, _CONFIRM))
    except (ImportError, AttributeError) as error:
        raise DataError("finding faces needs OpenCV 4", hint="type: pip install 'dcgan-zoo[faces]'") from error
    if search.empty() or confirm.empty():
        raise DataError("this OpenCV has no face cascades", hint="type: pip install --force-reinstall 'dcgan-zoo[faces]'")
    least = min_size / (1 + 2 * margin)

    def score(gray: NDArray[np.uint8], left: int, top: int, side: int) -> int:
        look = cv2.resize(gray[top : top + side, left : left + side], (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
        smallest = int(_LOOK / (1 + 2 * _AROUND) / 1.8)
        _, windows = confirm.detectMultiScale2(look, 1.05, 1, minSize=(smallest, smallest))
        return int(max(windows, default=0))

    def find(gray: NDArray[np.uint8]) -> list[Face]:
        height, width = gray.shape
        shrink = max(1.0, least / _SEEN)
        small = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        searched = cv2.resize(gray, small, interpolation=cv2.INTER_AREA) if shrink > 1 else gray
        smallest = max(20, int(least / shrink))
        faces = []
        for box in search.detectMultiScale(searched, 1.1, _NEIGHBORS, minSize=(smallest, smallest)):
            original = [float(value) * shrink for value in box]
            sure = score(gray, *_square(original, _AROUND, width, height))
            left, top, side = _square(original, margin, width, height)
            if sure >= _AGREE and side >= min_size:
                faces.append(Face(left, top, side, sure))
        return sorted(faces, key=lambda face: (-face.score, face.left, face.top))

    return find


def _square(box: Sequence[float], margin: float, width: int, height: int) -> tuple[int, int, int]:
    """A detected box with a margin as (left, top, side) of a square that lies inside the photograph, moved if need be."""
    left, top, w, h = box
    side = min(round(max(w, h) * (1 + 2 * margin)), width, height)
    x = min(max(0, round(left + w / 2 - side / 2)), width - side)
    y = min(max(0, round(top + h / 2 - side / 2)), height - side)
    return x, y, side
