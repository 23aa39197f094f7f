"""The drawn faces: the same everywhere, labeled truthfully, with boxes that fit; and a folder in their place."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo_core import Listing, OptionError, Picture, Record, UsageError, registry
from zoo_plugins.datasets import avatars
from zoo_plugins.datasets.artwork import definition
from zoo_plugins.datasets.avatars import BOXED
from zoo_plugins.datasets.looks import ATTRIBUTES, CLOTHES, LOOKS, Face, face

SAMPLE = 40
FIRST = Face(looks=(2, 2, 0, 0, 1, 3, 0, 0, 0, 3, 1), clothes=2, tilt=-3.454, turn=-0.5855, x=0.391, y=1.299, scale=1.0179)


def faces(**options: Any) -> Any:
    return registry.create("datasets", "faces", options)


def pixels(picture: Picture | Image.Image) -> Any:
    image = picture.image if isinstance(picture, Picture) else picture
    return np.asarray(image, dtype=np.int16)


def named(listing: Listing, record: Record) -> dict[str, str]:
    return {name: values[i] for (name, values), i in zip(listing.attributes.items(), record.attributes, strict=True)}


def rgb(color: str) -> Any:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


@pytest.fixture(scope="module")
def listing() -> Listing:
    found: Listing = faces(count=3000).listing()
    return found


@pytest.fixture(scope="module")
def sample(listing: Listing) -> list[tuple[Face, dict[str, str], Picture]]:
    drawn = faces(count=3000)
    return [(r.source, named(listing, r), drawn.decode(r)) for r in listing.records[:SAMPLE]]


def visible_parts(
    sample: list[tuple[Face, dict[str, str], Picture]],
) -> Iterator[tuple[str, Face, dict[str, str], Picture, Any]]:
    """Every visible part of the sample, with the pixels [H, W] that it alone changes."""
    for drawn, names, picture in sample:
        for part in BOXED:
            if names[part] in ("none", "bald", "hidden"):
                continue
            bare = avatars.render(drawn, resolution=picture.image.width, without=part)
            yield part, drawn, names, picture, np.abs(pixels(picture) - pixels(bare)).max(axis=2) > 8


def test_a_listing_has_keys_labels_and_one_vocabulary(listing: Listing) -> None:
    assert len(listing.records) == 3000 == len({r.key for r in listing.records})
    assert dict(listing.attributes) == dict(ATTRIBUTES)
    for values in listing.attributes.values():
        assert len(set(values)) == len(values)
        assert all(v.isalpha() and v == v.lower() for v in values)
    for record in listing.records:
        assert all(0 <= i < len(v) for i, v in zip(record.attributes, ATTRIBUTES.values(), strict=True))


def test_every_variant_and_color_exists_in_the_artwork() -> None:
    components = definition("avataaars")["components"]
    for part, name in (("hair", "top"), ("hat", "top"), ("glasses", "accessories"), ("facial_hair", "facialHair")):
        assert {look.drawn for look in LOOKS[part]} - {""} <= set(components[name]["variants"])
    for part in ("mouth", "eyes", "eyebrows"):
        assert {look.drawn for look in LOOKS[part]} <= set(components[part]["variants"])
    assert set(CLOTHES) <= set(components["clothes"]["variants"])
    for looks in LOOKS.values():
        assert sum(look.share for look in looks) == pytest.approx(1)


def test_the_first_face_is_the_same_on_every_machine() -> None:
    assert face(0, "train", 0) == FIRST


def test_the_same_seed_draws_the_same_pixels() -> None:
    one, two = faces(count=3, seed=4), faces(count=3, seed=4)
    for a, b in zip(one.listing().records, two.listing().records, strict=True):
        assert a == b
        assert (pixels(one.decode(a)) == pixels(two.decode(b))).all()


def test_a_larger_count_changes_no_face() -> None:
    assert faces(count=20).listing().records == faces(count=50).listing().records[:20]


def test_seeds_and_splits_draw_other_faces(listing: Listing) -> None:
    train = {r.source for r in listing.records}
    test = faces(count=3000, split="test").listing().records
    assert len(test) == 300
    assert not train & {r.source for r in test}
    assert not train & {r.source for r in faces(count=300, seed=1).listing().records}
    assert len(faces(count=3, split="test").listing().records) == 1


def test_the_fingerprint_follows_all_that_changes_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    before = faces(count=12).listing().fingerprint()
    assert faces(count=12).listing().fingerprint() == before
    others = [faces(count=12, **o).listing().fingerprint() for o in ({"seed": 1}, {"resolution": 64}, {"split": "test"})]
    monkeypatch.setattr(avatars, "DRAWING", avatars.DRAWING + 1)
    others.append(faces(count=12).listing().fingerprint())
    assert len({before, *others}) == 5


def test_values_are_balanced_and_independent(listing: Listing) -> None:
    rows = [named(listing, r) for r in listing.records]
    for name, values in ATTRIBUTES.items():
        counts = Counter(row[name] for row in rows)
        assert all(counts[value] > 0.02 * len(rows) for value in values), counts
    assert 0.38 < sum(row["glasses"] != "none" for row in rows) / len(rows) < 0.46
    assert 0.12 < sum(row["hat"] != "none" for row in rows) / len(rows) < 0.18
    smiles = [row["glasses"] != "none" for row in rows if row["mouth"] == "smile"]
    assert abs(np.mean(smiles) - np.mean([row["glasses"] != "none" for row in rows])) < 0.04


def test_labels_name_nothing_that_is_covered(listing: Listing) -> None:
    for record in listing.records:
        names = named(listing, record)
        assert (names["hair"] == "hidden") == (names["hat"] != "none")
        assert (names["hair_color"] == "hidden") == (names["hair"] in ("hidden", "bald"))
        assert (names["eyes"] == "hidden") == (names["eyebrows"] == "hidden") == (names["glasses"] == "sunglasses")
        drawn: Face = record.source
        assert names["turn"] == ("left" if drawn.turn < -1 / 3 else "right" if drawn.turn > 1 / 3 else "front")
        assert names["tilt"] == ("left" if drawn.tilt < -1.5 else "right" if drawn.tilt > 1.5 else "none")


def test_pictures_fill_their_square(sample: list[tuple[Face, dict[str, str], Picture]]) -> None:
    for drawn, names, picture in sample:
        assert picture.image.mode == "RGB"
        assert picture.image.size == (128, 128)
        corners = pixels(picture)[[0, 0], [0, -1]]
        if names["hair"] not in ("afro", "curly", "long", "bob") and names["hat"] != "brim":
            assert (corners == rgb(drawn.look("background").drawn)).all()


def test_every_labeled_part_is_visible_and_lies_in_its_box(sample: list[tuple[Face, dict[str, str], Picture]]) -> None:
    seen = set()
    for part, _, names, picture, changed in visible_parts(sample):
        assert changed.sum() >= 20, (part, names)
        left, top, right, bottom = picture.boxes[part]
        assert changed[int(top) : int(bottom), int(left) : int(right)].sum() >= 0.97 * changed.sum(), (part, names)
        seen.add(part)
    assert seen == set(BOXED)


def test_boxes_agree_with_the_difference_that_each_part_makes(sample: list[tuple[Face, dict[str, str], Picture]]) -> None:
    overlaps: dict[str, list[float]] = {}
    for part, _, _, picture, changed in visible_parts(sample):
        y, x = np.nonzero(changed)
        truth = (x.min(), y.min(), x.max() + 1, y.max() + 1)
        box = picture.boxes[part]
        width = min(box[2], truth[2]) - max(box[0], truth[0])
        height = min(box[3], truth[3]) - max(box[1], truth[1])
        inside = max(0.0, width) * max(0.0, height)
        both = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, truth)) - inside
        overlaps.setdefault(part, []).append(inside / both)
    assert {part: float(np.mean(found)) for part, found in overlaps.items() if np.mean(found) < 0.85} == {}
    assert min(min(found) for found in overlaps.values()) > 0.5


def test_only_what_is_visible_has_a_box(sample: list[tuple[Face, dict[str, str], Picture]]) -> None:
    for _, names, picture in sample:
        assert set(picture.boxes) == {part for part in BOXED if names[part] not in ("none", "bald", "hidden")}
        for left, top, right, bottom in picture.boxes.values():
            assert 0 <= left < right <= 128
            assert 0 <= top < bottom <= 128


def test_hair_and_skin_have_the_labeled_colors(sample: list[tuple[Face, dict[str, str], Picture]]) -> None:
    hair = {look.label: rgb(look.drawn) for look in LOOKS["hair_color"]}
    for part, _, names, picture, changed in visible_parts(sample):
        if part == "hair":
            color = np.median(pixels(picture)[changed], axis=0)
            assert min(hair, key=lambda name: float(np.abs(hair[name] - color).sum())) == names["hair_color"]
    for drawn, _, picture in sample:
        skin = rgb(drawn.look("skin_color").drawn)
        assert (np.abs(pixels(picture) - skin).max(axis=2) <= 3).mean() > 0.05


def test_no_hair_has_nearly_the_color_of_a_skin_or_background() -> None:
    for hair in LOOKS["hair_color"]:
        for other in (*LOOKS["skin_color"], *LOOKS["background"]):
            assert np.linalg.norm(rgb(hair.drawn) - rgb(other.drawn)) > 40, (hair.label, other.label)


def test_turned_heads_look_aside() -> None:
    drawn = face(0, "train", 0)._replace(tilt=0.0)
    left, front, right = (avatars.boxes(drawn._replace(turn=turn), resolution=256)["mouth"] for turn in (-1.0, 0.0, 1.0))
    for a, b in pairwise((left, front, right)):
        assert b[0] - a[0] > 6
        assert abs((b[2] - b[0]) - (a[2] - a[0])) <= 2


def test_boxes_scale_with_the_resolution() -> None:
    small, large = faces(count=4), faces(count=4, resolution=256)
    for a, b in zip(small.listing().records, large.listing().records, strict=True):
        one, two = small.decode(a).boxes, large.decode(b).boxes
        assert large.decode(b).image.size == (256, 256)
        assert one.keys() == two.keys()
        for name in one:
            assert np.abs(np.array(one[name]) * 2 - two[name]).max() <= 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"count": 0}, "dataset.count is 0; it must be at least 1"),
        ({"resolution": 4}, "dataset.resolution is 4; it must be at least 16 and at most 1024"),
        ({"split": "validation"}, "valid: train, test"),
        ({"count": 5, "data": "photos"}, "dataset.count .*photos"),
    ],
)
def test_bad_values_are_refused_in_words(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        faces(**options)
    assert caught.value.hint


def test_the_default_says_what_it_is_and_whose() -> None:
    drawn, meta = faces(), definition("avataaars")["meta"]
    assert "10,000" in drawn.notice
    assert "--data DIR" in drawn.notice
    for text in (drawn.notice, drawn.credit):
        assert meta["source"]["name"] in text
        assert meta["creator"]["name"] in text
        assert meta["source"]["url"] in text
    assert drawn.license.lower().startswith(meta["license"]["name"].lower())
    assert meta["license"]["url"] in drawn.license
    assert drawn.default_channels == 3
    assert set(drawn.boxed) <= set(ATTRIBUTES)


def test_with_data_it_is_that_folder(tmp_path: Path) -> None:
    for name in ("smiling/a b.png", "serious/ü.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("L", (9, 9)).save(tmp_path / name)
    found = faces(data=str(tmp_path))
    listing = found.listing()
    assert listing.classes == ("serious", "smiling")
    assert listing.attributes == {}
    assert found.decode(listing.records[0]).size == (9, 9)
    assert (found.notice, found.license, found.credit, found.boxed, found.default_channels) == ("", "", "", (), None)
    assert (
        found.listing().fingerprint()
        == registry.create("datasets", "folder", {"data": str(tmp_path)}).listing().fingerprint()
    )
    with pytest.raises(UsageError, match="valid: train"):
        faces(data=str(tmp_path), split="test").listing()


def test_it_crosses_to_a_worker_before_and_after_use() -> None:
    drawn = faces(count=2)
    record = drawn.listing().records[0]
    before = pixels(pickle.loads(pickle.dumps(drawn)).decode(pickle.loads(pickle.dumps(record))))
    assert (before == pixels(drawn.decode(record))).all()
    pickle.dumps(drawn)


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from zoo_core import registry; registry.create('datasets', 'faces', {'count': 5}).listing();"
        "print([m for m in ('torch', 'numpy', 'PIL', 'dicebear', 'resvg_py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
