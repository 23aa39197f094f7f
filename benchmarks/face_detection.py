"""How many faces detectors find in photographs, and what they find besides.

    python benchmarks/face_detection.py --faces DIR --without NAME:DIR [--photographs DIR --out DIR]

Crops of one face each (`--faces`) are pasted, in gray and at a known place, into pictures without faces, which any dataset
of the zoo reads (`--without lsun:DIR`). A face is found where a detection's center lies in the middle half of it and its
side is half to one and a half times the crop's. What else is detected there, and everything in the same pictures without a
face, is false. `--photographs` have faces that nobody has marked: all detections are counted, and drawn into one sheet for
each detector in `--out`, to be looked at.

Detectors, each where it is installed, on one thread, for faces of at least 43 pixels:

- `dlib`: what `zoo data faces` uses, dlib's detector of oriented gradients.
- `cascades`: two of OpenCV 4's Haar cascades that must agree, which it used before.
- `lbp`: the frontal cascade of local binary patterns that comes with scikit-image.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from zoo_core import FileDataset, registry
from zoo_plugins.datasets import detect

LEAST = 43  # pixels of the smallest face: 64 with a margin of a quarter on each side
SIDES = (64, 96, 128)  # of the crops that are pasted

Box = tuple[float, float, float]  # left, top, side
Detector = Callable[[Image.Image], Sequence[Box]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=Path, required=True, help="folder of crops of one face each")
    parser.add_argument("--without", required=True, metavar="NAME:DIR", help="dataset of pictures without faces")
    parser.add_argument("--photographs", type=Path, help="folder of photographs with and without faces")
    parser.add_argument("--count", type=int, default=300, help="faces to paste")
    parser.add_argument("--only", action="append", help="a detector; all by default")
    parser.add_argument("--out", type=Path, help="where sheets of detections go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    chance = random.Random(given.seed)
    empty = pictures(given.without)
    pasted = paste(given.faces, empty, given.count, chance)
    photographs = pictures(f"folder:{given.photographs}") if given.photographs else []
    result: dict[str, Any] = {"faces": len(pasted), "without": len(empty), "photographs": len(photographs), "detectors": {}}
    for name, make in DETECTORS.items():
        if given.only and name not in given.only:
            continue
        try:
            detector = make()
        except ImportError as error:
            say(f"{name}: left out: {error}")
            continue
        row = measure(detector, pasted, empty)
        if photographs:
            detected = [(image, detector(image)) for image in photographs]
            row["in_photographs"] = sum(len(boxes) for _, boxes in detected)
            if given.out:
                given.out.mkdir(parents=True, exist_ok=True)
                sheet(detected).save(given.out / f"{name}.png")
        result["detectors"][name] = row
        say(f"{name}: {', '.join(f'{key} {value}' for key, value in row.items())}")
    print(json.dumps(result))


def pictures(source: str) -> list[Image.Image]:
    """All pictures of a dataset, upright, in color."""
    name, _, place = source.partition(":")
    dataset = registry.create("datasets", name, {"data": place})
    return [dataset.decode(record).convert("RGB") for record in dataset.listing().records]


def paste(faces: Path, empty: list[Image.Image], count: int, chance: random.Random) -> list[tuple[Image.Image, Box]]:
    """Pictures into which a face was pasted, each with the place of the face."""
    dataset = FileDataset(data=str(faces))
    found = []
    for i, record in enumerate(chance.sample([*dataset.listing().records], count)):
        picture, side = empty[i % len(empty)].convert("L").convert("RGB"), SIDES[i % len(SIDES)]
        left, top = chance.randrange(picture.width - side), chance.randrange(picture.height - side)
        face = dataset.decode(record).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        picture.paste(face, (left, top))
        found.append((picture, (left, top, side)))
    return found


def measure(detector: Detector, pasted: list[tuple[Image.Image, Box]], empty: list[Image.Image]) -> dict[str, Any]:
    """Shares of the pasted faces that are found, by their side; false detections; seconds of CPU time for each picture."""
    hits: dict[int, list[bool]] = {side: [] for side in SIDES}
    false, start = 0, time.process_time()
    for picture, place in pasted:
        boxes = detector(picture)
        right = [box for box in boxes if fits(box, place)]
        false += len(boxes) - len(right)
        hits[int(place[2])].append(bool(right))
    false_in_empty = sum(len(detector(picture)) for picture in empty)
    seconds = (time.process_time() - start) / (len(pasted) + len(empty))
    every = [hit for found in hits.values() for hit in found]
    return {
        "recall": round(sum(every) / len(every), 3),
        "recall_by_side": {side: round(sum(found) / len(found), 3) for side, found in hits.items()},
        "false_beside_faces": false,
        "false_in_empty": false_in_empty,
        "seconds_per_picture": round(seconds, 4),
    }


def fits(box: Box, place: Box) -> bool:
    """Whether a detection is where the face is, and about as large."""
    centers = [box[axis] + box[2] / 2 - place[axis] for axis in (0, 1)]
    return all(place[2] / 4 <= c <= place[2] * 3 / 4 for c in centers) and 0.5 <= box[2] / place[2] <= 1.5


def sheet(detected: list[tuple[Image.Image, Sequence[Box]]], side: int = 96, columns: int = 12) -> Image.Image:
    """All detections with some of what is around them, the detection framed."""
    cuts = [(image, box) for image, boxes in detected for box in boxes]
    out = Image.new("RGB", (columns * side, -(-max(1, len(cuts)) // columns) * side), "white")
    for i, (image, (left, top, wide)) in enumerate(cuts):
        around = wide / 2
        area = [round(edge) for edge in (left - around, top - around, left + wide + around, top + wide + around)]
        cut = image.crop((area[0], area[1], area[2], area[3])).resize((side, side))
        draw = ImageDraw.Draw(cut)
        draw.rectangle((side / 4, side / 4, side * 3 / 4, side * 3 / 4), outline="red")
        draw.text((2, 2), str(i), fill="yellow")
        out.paste(cut, (i % columns * side, i // columns * side))
    return out


def dlib() -> Detector:
    """Return what `zoo data faces` uses."""
    if find_spec("dlib") is None:
        raise ImportError("there is no dlib")
    find = detect._detector(LEAST, 0.0)
    return lambda image: [(face.left, face.top, face.side) for face in find(np.asarray(image.convert("L")))]


def cascades() -> Detector:
    """Return two of OpenCV 4's cascades: one searches, the other must agree in a second look at what was found."""
    import cv2

    if not hasattr(cv2, "CascadeClassifier"):
        raise ImportError("this OpenCV has no cascades")
    cv2.setNumThreads(1)
    folder = Path(cv2.data.haarcascades)
    names = ("haarcascade_frontalface_alt2.xml", "haarcascade_frontalface_default.xml")
    search, confirm = (cv2.CascadeClassifier(str(folder / name)) for name in names)
    shrink = LEAST / 32

    def detector(image: Image.Image) -> Sequence[Box]:
        gray = np.asarray(image.convert("L"))
        height, width = gray.shape
        small = cv2.resize(gray, (round(width / shrink), round(height / shrink)), interpolation=cv2.INTER_AREA)
        found = []
        for box in search.detectMultiScale(small, 1.1, 5, minSize=(32, 32)):
            left, top, wide, high = (float(value) * shrink for value in box)
            x, y, side = detect._square((left, top, wide, high), 0.25, width, height)
            look = cv2.resize(gray[y : y + side, x : x + side], (96, 96), interpolation=cv2.INTER_AREA)
            _, windows = confirm.detectMultiScale2(look, 1.05, 1, minSize=(35, 35))
            if max(windows, default=0) >= 11:
                found.append((left, top, wide))
        return found

    return detector


def lbp() -> Detector:
    """Return scikit-image's cascade of local binary patterns."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    cascade = Cascade(lbp_frontal_face_cascade_filename())

    def detector(image: Image.Image) -> Sequence[Box]:
        most = min(image.size)
        found = cascade.detect_multi_scale(
            np.asarray(image), scale_factor=1.1, step_ratio=1, min_size=(LEAST, LEAST), max_size=(most, most)
        )
        return [(box["c"], box["r"], box["width"]) for box in found]

    return detector


DETECTORS: dict[str, Callable[[], Detector]] = {
    "dlib": dlib,
    "cascades": cascades,
    "lbp": lbp,
}


if __name__ == "__main__":
    main()
