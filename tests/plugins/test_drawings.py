"""Drawings and the styles that they come from: each style by itself, splits that share nothing, whose work it is."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from zoo.files import sha256
from zoo.packs.request import resolve
from zoo.progress import SILENT
from zoo_core import UsageError, registry
from zoo_plugins.datasets import artwork, styles
from zoo_plugins.datasets.drawings import free_styles


def make(name: str, **options: Any) -> Any:
    return registry.create("datasets", name, options)


def picture(style: str, text: str, resolution: int = 32) -> bytes:
    return artwork.render(styles.draw(style, text).svg, resolution=resolution).tobytes()


@pytest.mark.parametrize("style", artwork.style_names())
def test_no_picture_stands_in_both_splits(style: str) -> None:
    """Also for what is alike: drawings of few parts come back often, and each time in the same split."""
    found: dict[str, set[bytes]] = {}
    for split, count in (("train", 24), ("test", 6)):
        drawn = [styles.find(style, seed, split, number)[1] for number in range(count // 2) for seed in (0, 1)]
        assert {styles.split_of(one.identity) for one in drawn} == {split}
        found[split] = {artwork.render(one.svg, resolution=32).tobytes() for one in drawn}
    assert not found["train"] & found["test"]
    assert len(found["train"]) > 6


def test_a_split_does_not_depend_on_what_a_drawing_was_made_from() -> None:
    drawn = [styles.draw("disco", f"{i}") for i in range(200)]  # it has 45 choices of parts and colors
    assert len({one.identity for one in drawn}) <= 45
    assert 0.02 < sum(styles.split_of(one.identity) == "test" for one in drawn) / len(drawn) < 0.2


def test_a_drawing_depends_on_its_own_number_only() -> None:
    few, many = make("drawings", count=10, styles=["planets", "critters"]), make("drawings", count=40, styles=["critters"])
    one = next(r for r in few.listing().records if r.key == "train/critters/00003")
    other = next(r for r in many.listing().records if r.key == "train/critters/00003")
    assert one.source == other.source
    assert few.decode(one).tobytes() == many.decode(other).tobytes()
    assert few.decode(one).tobytes() != make("drawings", seed=1, styles=["critters"]).decode(other).tobytes()


def test_styles_take_turns() -> None:
    listing = make("drawings", count=200).listing()
    assert listing.classes == free_styles()
    assert len(listing.classes) >= 40
    counts = np.bincount([record.label for record in listing.records])
    assert counts.max() - counts.min() <= 1
    assert len(make("drawings", count=200, split="test").listing().records) == 20


def test_faces_in_another_style_have_its_labels() -> None:
    drawn = make("faces", style="lorelei", count=30)
    listing = drawn.listing()
    assert dict(listing.attributes) == dict(styles.attributes("lorelei"))
    assert {"hair", "mouth", "rear_hair", "skin_color"} <= set(styles.attributes("toon-head"))
    for record in listing.records:
        assert record.attributes == styles.draw("lorelei", record.source).labels
    image = drawn.decode(listing.records[0])
    assert (image.mode, image.size) == ("RGB", (128, 128))
    assert np.asarray(image)[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("style", styles.FACES)
def test_every_style_of_faces_can_be_told_of(style: str) -> None:
    assert len(styles.attributes(style)) >= 3
    labels = np.array([styles.draw(style, f"{i}").labels for i in range(30)])
    sizes = [len(values) for values in styles.attributes(style).values()]
    assert ((labels >= -1) & (labels < sizes)).all()
    assert (labels >= 0).any(axis=0).sum() >= 3


def test_license_and_credit_come_from_the_artwork() -> None:
    for name in free_styles():
        meta = artwork.definition(name)["meta"]
        one = make("drawings", styles=[name])
        assert meta["license"]["name"].rstrip(".") in one.license
        assert meta["license"]["url"] in one.license
        assert meta["creator"]["name"] in one.credit
        assert meta["source"]["name"] in one.credit
        assert one.restriction == ""
    every = make("drawings")
    assert "by Lisa Wischofsky" in every.credit
    assert every.license.count("creativecommons.org/licenses/by/4.0") == 1


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("faces", {"style": "lorelie"}, "did you mean lorelei"),
        ("faces", {"style": "planets"}, "dataset.style takes adventurer, "),
        ("faces", {"style": "lorelei", "data": "/tmp"}, "dataset.style belongs to the drawn faces"),
        ("drawings", {"styles": ["planet"]}, "did you mean planets"),
        ("drawings", {"styles": ["initials"]}, "unknown style 'initials'"),
        ("drawings", {"styles": ["planets", "", ""]}, "dataset.styles names no style"),
        ("drawings", {"count": 0}, "count"),
        ("drawings", {"resolution": 257}, "resolution"),
        ("drawings", {"data": "/tmp"}, "leave out --data"),
        ("drawings", {"split": "valid"}, "valid: train, test"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        make(name, **options)
    assert words in f"{refused.value.message}; {refused.value.hint}"


def test_a_pack_is_the_same_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"count": 80, "styles": ["blobs", "shapes", "stripes", "lorelei"], "resolution": 16}
    monkeypatch.setattr("zoo.packs.workers.FEW", 16)
    found = []
    for workers in (1, 2):
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / f"{workers}"))
        pack = zoo.build_pack(zoo.PackRequest("drawings", size=16, options=options), workers=workers, report=SILENT)
        found.append({file.name: sha256(file) for file in pack.path.iterdir()})
        assert len(pack) == 80
        assert pack.info["credit"]
    assert found[0] == found[1]


def test_a_pack_of_before_there_were_styles_is_found_and_is_avataaars(tmp_path: Path) -> None:
    pack = zoo.build_pack(zoo.PackRequest("faces", size=16, options={"count": 4}), report=SILENT)
    info = json.loads((pack.path / "pack.json").read_text())
    assert info["dataset"]["options"].pop("style") == "avataaars"
    folder = shutil.copytree(pack.path, tmp_path / "old")
    (folder / "pack.json").write_text(json.dumps(info))
    again = zoo.PackRequest("faces", data=folder, size=16, options={"count": 4, "style": "avataaars"})
    assert zoo.build_pack(again, report=SILENT).key == pack.key
    with pytest.raises(UsageError, match="style is avataaars, not micah"):
        zoo.build_pack(replace(again, options={"style": "micah"}), report=SILENT)


def test_an_added_option_leaves_the_key_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        style: resolve(zoo.PackRequest("faces", size=16, options={"count": 4, **given}), SILENT).key
        for style, given in {"none": {}, "avataaars": {"style": "avataaars"}, "micah": {"style": "micah"}}.items()
    }
    assert keys["none"] == keys["avataaars"] != keys["micah"]
    monkeypatch.setattr(registry.load("datasets", "faces"), "added_options", frozenset())
    assert resolve(zoo.PackRequest("faces", size=16, options={"count": 4}), SILENT).key != keys["none"]


def test_choices_are_what_they_were() -> None:
    """Models are measured against these splits: they change with `styles.DRAWING` or another version of DiceBear only."""
    if "dicebear-core 10.7.0, dicebear-styles 10.6.0" not in artwork.versions(""):
        pytest.skip("another version of DiceBear")
    digest = hashlib.sha256()
    for style in free_styles():
        for split in ("train", "test"):
            text, drawn = styles.find(style, 0, split, 3)
            digest.update(repr((text, drawn.labels, drawn.identity)).encode())
    assert (styles.DRAWING, digest.hexdigest()[:16]) == (1, "ab23885a16a6bf63")


def test_a_conditional_recipe_learns_styles_and_its_card_names_their_authors(tmp_path: Path) -> None:
    options = {
        **{"dataset.count": 16, "dataset.styles": ["lorelei", "critters", "adventurer"], "dataset.resolution": 16},
        **{"generator.width": 2, "discriminator.width": 2},
    }
    small: dict[str, Any] = {"size": 16, "batch": 8, "images": 16, "device": "cpu", "workers": 0}
    run = zoo.train("cdcgan", dataset="drawings", out=tmp_path / "run", options=options, report=SILENT, **small)
    model = zoo.load(run)
    assert list(model.classes) == ["lorelei", "critters", "adventurer"]
    provenance = model.config["provenance"]["dataset"]
    card = (run.path / "model" / "README.md").read_text()
    for text in ("“Lorelei”", "“Adventurer”", "by Lisa Wischofsky", "“Critters” by DiceBear"):
        assert text in provenance["credit"]
        assert text in card
    assert "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)" in card
    assert zoo.export(run, tmp_path / "model").is_dir()
