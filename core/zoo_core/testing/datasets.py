"""Checks of datasets."""

from __future__ import annotations

import pickle
import random
from typing import TYPE_CHECKING, Any

from ..datasets import ImageDataset, Listing, Picture, Record
from ..options import schema
from ..words import plural
from .subjects import Failed, Subject, listed, require

if TYPE_CHECKING:
    from PIL.Image import Image

DECODED = 6
"""Records that are decoded."""


def listing(subject: Subject) -> str:
    """Twice the same, from one instance and from another, with keys that are unique and labels that exist."""
    dataset: ImageDataset = subject.build()
    found = dataset.listing()
    if not isinstance(found, Listing):
        raise Failed(f"listing() gave a {type(found).__name__}, expected a zoo_core.Listing")
    wrong = [type(r).__name__ for r in found.records if not isinstance(r, Record)]
    require(not wrong, f"listing().records holds a {wrong[0] if wrong else ''}, expected zoo_core.Record only")
    require(len(found.records) > 0, "listing() has no records, expected at least one")
    for again, how in ((dataset.listing(), "called twice"), (subject.build().listing(), "of a second instance")):
        same = [r.key for r in again.records] == [
            r.key for r in found.records
        ] and again.fingerprint() == found.fingerprint()
        require(same, f"listing() {how} gives other records, expected the same in the same order")
    keys = [r.key for r in found.records]
    odd = [repr(key) for key in keys if not isinstance(key, str) or not key]
    require(not odd, f"a key is {odd[0] if odd else ''}, expected a text")
    repeated = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    require(not repeated, f"{len(repeated)} keys stand twice ({listed(repeated)}), expected unique ones")
    stamps = [r.key for r in found.records if not isinstance(r.stamp, str)]
    require(not stamps, f"the stamp of {listed(stamps)} is no text")
    _labels(dataset, found)
    return plural(len(keys), "record")


def _labels(dataset: ImageDataset, found: Listing) -> None:
    sizes = {name: len(values) for name, values in found.attributes.items()}
    for record in found.records:
        require(
            -1 <= record.label < len(found.classes),
            f"record {record.key!r} has label {record.label}, expected −1 or an index into the {len(found.classes)} classes",
        )
        given = len(record.attributes)
        require(
            given == len(sizes),
            f"record {record.key!r} has {given} attributes, expected the {len(sizes)} of listing().attributes",
        )
        for (name, size), value in zip(sizes.items(), record.attributes, strict=True):
            require(
                -1 <= value < size,
                f"record {record.key!r} has {value} for attribute {name!r}, expected −1 or an index into its {size} values",
            )
    unknown = sorted(set(dataset.boxed) - set(sizes))
    require(not unknown, f"boxed names {listed(unknown)}, expected names of listing().attributes")


def _chosen(dataset: ImageDataset) -> list[Record]:
    records = dataset.listing().records
    step = max(1, len(records) // DECODED)
    return list(records[::step][:DECODED])


def _picture(dataset: ImageDataset, record: Record) -> tuple[Image, dict[str, Any]]:
    from PIL.Image import Image as PILImage

    found: Any = dataset.decode(record)
    image, boxes = (found.image, dict(found.boxes)) if isinstance(found, Picture) else (found, {})
    if not isinstance(image, PILImage):
        raise Failed(f"decode({record.key!r}) gave a {type(found).__name__}, expected a PIL image or a zoo_core.Picture")
    image.load()
    return image, boxes


def pictures(subject: Subject) -> None:
    """Some records decode to pictures, the same each time."""
    dataset: ImageDataset = subject.build()
    for record in _chosen(dataset):
        image, boxes = _picture(dataset, record)
        random.seed(99)
        again, boxes_again = _picture(dataset, record)
        same = image.size == again.size and image.mode == again.mode and image.tobytes() == again.tobytes()
        require(same, f"decode({record.key!r}) gives another picture the second time, expected the same")
        require(boxes == boxes_again, f"decode({record.key!r}) gives other boxes the second time, expected the same")
        _encoded_as_decoded(dataset, record, image)


def _encoded_as_decoded(dataset: ImageDataset, record: Record, image: Image) -> None:
    from ..pictures import open_picture

    data: Any = dataset.read_jpeg(record)
    if data is None:
        return
    require(isinstance(data, bytes), f"read_jpeg({record.key!r}) gave a {type(data).__name__}, expected bytes or None")
    with open_picture(data) as other:
        same = (
            other.format in ("JPEG", "MPO")
            and other.size == image.size
            and other.mode == image.mode
            and other.tobytes() == image.tobytes()
        )
    require(same, f"read_jpeg({record.key!r}) is not the picture of decode, expected the file that decode opens, or None")


def boxes(subject: Subject) -> None:
    dataset: ImageDataset = subject.build()
    for record in _chosen(dataset):
        image, found = _picture(dataset, record)
        extra = sorted(set(found) - set(dataset.boxed))
        require(not extra, f"decode({record.key!r}) has a box for {listed(extra)}, expected only those that boxed names")
        for name, (left, top, right, bottom) in found.items():
            inside = 0 <= left < right <= image.width and 0 <= top < bottom <= image.height
            require(
                inside,
                f"the box of {name!r} in {record.key!r} is {(left, top, right, bottom)}, expected left < right and "
                f"top < bottom inside {image.width} × {image.height} pixels",
            )


def can_be_pickled(subject: Subject) -> None:
    """Worker processes are sent the dataset and the records."""
    dataset: ImageDataset = subject.build()
    record = dataset.listing().records[0]
    try:
        twin, sent = pickle.loads(pickle.dumps((dataset, record)))
    except Exception as error:
        raise Failed(f"it cannot be pickled for a worker process: {type(error).__name__}: {error}") from error
    first, second = _picture(dataset, record)[0], _picture(twin, sent)[0]
    require(first.tobytes() == second.tobytes(), f"decode({record.key!r}) differs after pickling, expected the same picture")
    used = pickle.dumps(dataset)
    require(bool(used), "it cannot be pickled after it has decoded something")


def crop(subject: Subject) -> None:
    dataset: ImageDataset = subject.build()
    for width, height in ((64, 64), (178, 218), (640, 480), (5000, 1)):
        left, top, right, bottom = dataset.crop(width, height)
        inside = 0 <= left < right <= width and 0 <= top < bottom <= height
        square = abs((right - left) - (bottom - top)) < 1e-6
        require(
            inside and (square or dataset.fit != "crop"),
            f"crop({width}, {height}) is {(left, top, right, bottom)}, expected a square inside the picture",
        )


def texts(subject: Subject) -> None:
    dataset: ImageDataset = subject.build()
    channels = dataset.default_channels
    require(channels in (None, 1, 3), f"default_channels is {channels!r}, expected None, 1 or 3")
    for name in ("notice", "license", "credit", "restriction", "hub"):
        value = getattr(dataset, name)
        require(isinstance(value, str), f'{name} is {value!r}, expected a text, "" where nothing is known')
    require(not dataset.hub or dataset.hub.count("/") == 1, f"hub is {dataset.hub!r}, expected 'user/name'")
    if strange := sorted(set(dataset.added_options) - set(schema(type(dataset)))):
        raise Failed(f"added_options names {listed(strange)}, expected names of its options")


CHECKS = (listing, pictures, boxes, can_be_pickled, crop, texts)
