"""`dataset.classes` and `--limit`: some of a dataset's pictures, the right ones, in packs, runs, comparisons and Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from helpers.workplace import run
from zoo.packs.request import changed_options
from zoo.packs.selection import select
from zoo_core import Listing, OptionError, Record, UnknownNameError, UsageError

COLORS = {"cat": 40, "dog": 120, "newt": 200}
EACH = 8


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A class folder of each animal, each with its own shade of gray."""
    for name, shade in COLORS.items():
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(EACH):
            Image.new("L", (20, 20), shade + i).save(tmp_path / "pets" / name / f"{i}.png")
    return tmp_path / "pets"


def build(data: Path, **options: object) -> zoo.Pack:
    return zoo.build_pack(zoo.PackRequest("folder", data=data, size=16, options=options))


def shades(pack: zoo.Pack) -> list[tuple[str, int]]:
    """Class and shade of every image of a pack."""
    names = pack.info["classes"] or [""]
    labels = [0] * len(pack) if pack.labels is None else pack.labels.tolist()
    pixels = np.concatenate([shard.numpy() for shard in pack.shards])
    return [(names[label], int(image[0, 0, 0])) for label, image in zip(labels, pixels, strict=True)]


@pytest.mark.parametrize("classes", [["newt", "cat"], "newt,cat", "newt, cat"])
def test_classes_are_the_labels_in_the_order_asked_for(pets: Path, classes: object) -> None:
    pack = build(pets, classes=classes)
    assert pack.info["classes"] == ["newt", "cat"]
    assert shades(pack) == [("cat", 40 + i) for i in range(EACH)] + [("newt", 200 + i) for i in range(EACH)]
    assert pack.info["notes"] == ["of 24 pictures the 16 of newt, cat"]


def test_one_class_is_no_label(pets: Path) -> None:
    pack = build(pets, classes="dog")
    assert (pack.info["classes"], pack.labels) == ([], None)
    assert shades(pack) == [("", 120 + i) for i in range(EACH)]


def test_limit_takes_the_same_ones_and_the_fewer_lie_within_the_more(pets: Path) -> None:
    few, more = (set(shades(build(pets, limit=n))) for n in (5, 12))
    assert (len(few), len(more)) == (5, 12)
    assert few < more
    assert set(shades(build(pets, limit=5, classes="cat,dog,newt"))) == few
    assert len({name for name, _ in more}) == 3  # not the first ones
    assert len(build(pets, limit=24)) == len(build(pets, limit=1000)) == 24


def test_limit_does_not_depend_on_the_order_of_a_listing() -> None:
    records = [Record(f"{i:03d}.png") for i in range(500)]
    one = select(Listing(records), {"limit": 50}).records
    two = select(Listing(records[::-1]), {"limit": 50}).records
    assert {r.key for r in one} == {r.key for r in two}
    assert [r.key for r in one] == sorted(r.key for r in one)
    assert list(one)[3:7] == one[3:7]
    assert np.mean([int(r.key[:3]) for r in one]) == pytest.approx(250, abs=80)


def test_each_selection_is_a_pack_of_its_own_and_is_found_again(pets: Path) -> None:
    packs = [
        build(pets),
        build(pets, limit=5),
        build(pets, limit=6),
        build(pets, classes="cat,dog"),
        build(pets, classes="dog,cat"),
    ]
    assert len({pack.key for pack in packs}) == len({pack.path for pack in packs}) == 5
    assert build(pets, limit=5).path == packs[1].path
    assert packs[0].info["dataset"]["options"].keys() & {"classes", "limit"} == set()
    assert build(pets, limit=None, classes=None).path == packs[0].path
    assert packs[3].info["dataset"]["options"]["classes"] == ["cat", "dog"]
    assert changed_options("folder", packs[3].info["dataset"]["options"]) == {"classes": "cat,dog"}


def test_a_pack_without_the_selection_is_not_taken_for_one_with_it(pets: Path) -> None:
    whole = build(pets)
    with pytest.raises(UsageError, match=r"is a pack whose dataset.limit is None, not 5"):
        zoo.build_pack(zoo.PackRequest("folder", data=whole.path, size=16, options={"limit": 5}))


def test_names_beside_the_class_are_names_too() -> None:
    records = [Record(str(i), label=i % 3) for i in range(6)]
    aliases = {"n01": ("tench", "Tinca tinca"), "n02": ("crane",), "n03": ("crane", "kit_fox")}
    listing = Listing(records, classes=("n01", "n02", "n03"), aliases=aliases)
    found = select(listing, {"classes": ["Kit fox", "tench"]})
    assert found.classes == ("n03", "n01")
    assert [(r.key, r.label) for r in found.records] == [("0", 1), ("2", 0), ("3", 1), ("5", 0)]
    with pytest.raises(UsageError, match="'crane' names several classes: n02, n03"):
        select(listing, {"classes": ["crane", "tench"]})
    with pytest.raises(UnknownNameError, match=r"unknown class 'tensh'; did you mean tench"):
        select(listing, {"classes": ["tensh"]})


def test_bad_selections_are_refused_in_words(pets: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown class 'dgo'; did you mean dog\?"):
        build(pets, classes="cat,dgo")
    with pytest.raises(UsageError, match=r"dataset.classes=cat: these pictures have no classes"):
        build(pets / "cat", classes="cat")
    with pytest.raises(OptionError, match=r"dataset.limit must be at least 1, not 0"):
        build(pets, limit=0)
    with pytest.raises(OptionError, match=r"dataset.limit must be int"):
        build(pets, limit="many")
    with pytest.raises(OptionError, match="names no class"):
        build(pets, classes="cat,,dog")
    with pytest.raises(UsageError, match="they have attributes: hair, "):
        zoo.build_pack(zoo.PackRequest("faces", size=16, options={"count": 12, "classes": ["a"]}))


TINY = ["--size", "16", "--batch", "4", "--set", "generator.width=4", "--set", "discriminator.width=4", "--images", "8"]


def test_the_commands_take_them(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = ["--dataset", "folder", "--data", "pets", "--limit", "10", "--set", "dataset.classes=cat,dog"]
    built = run("data", "build", *data, "--size", "16", "--json")
    assert built.exit_code == 0, built.stderr
    assert (json.loads(built.stdout)["count"], json.loads(built.stdout)["classes"]) == (10, ["cat", "dog"])
    trained = run("train", "cdcgan", *data, *TINY, "--out", "run")
    assert trained.exit_code == 0, trained.stderr
    assert "10 images of folder at 16×16" in trained.stderr
    told = json.loads(Path("run", "run.json").read_text())["config"]
    assert told["dataset"]["options"]["classes"] == ["cat", "dog"]
    assert told["dataset"]["options"]["limit"] == 10
    assert run("train", "--resume", "run", "--images", "16").exit_code == 0
    other = run("train", "--resume", "run", "--images", "24", "--set", "dataset.limit=11")
    assert other.exit_code == 2
    assert "dataset.limit: 10 in the run, 11 now" in other.stderr
    short = ["--seeds", "1", "--samples", "16", "--points", "1", "--metric", "pixels", "--set", "features.size=8"]
    compared = run("compare", "dcgan", *data, *TINY, *short, "--out", "comparison")
    assert compared.exit_code == 0, compared.stderr
    assert "10 images of folder at 16×16" in compared.stderr
    wrong = run("train", "dcgan", "--dataset", "folder", "--data", "pets", *TINY, "--set", "dataset.clases=cat", "--dry-run")
    assert (wrong.exit_code, "did you mean classes" in wrong.stderr) == (2, True)
    shown = run("show", "folder")
    assert "classes" in shown.stdout
    assert "limit" in shown.stdout


def test_python_takes_them(pets: Path, tmp_path: Path) -> None:
    options = {"generator.width": 4, "discriminator.width": 4, "dataset.classes": ["newt", "dog"], "dataset.limit": 6}
    made = zoo.train(
        "cdcgan", dataset="folder", data=pets, size=16, batch=4, images=8, out=tmp_path / "run", options=options
    )
    facts = json.loads((made.path / "run.json").read_text())["config"]["facts"]
    assert (facts["count"], facts["classes"]) == (6, ["newt", "dog"])


def test_a_class_whose_name_holds_a_comma(tmp_path: Path, cache: Path) -> None:
    for name, shade in {"bird,x": 10, "cat": 20}.items():
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (16, 16), shade).save(tmp_path / "pets" / name / "0.png")
    command = ("data", "build", "folder", "--data", str(tmp_path / "pets"), "--size", "16")
    done = run(*command, "--set", 'dataset.classes=["bird,x"]', "--json")
    assert (done.exit_code, json.loads(done.stdout)["count"]) == (0, 1)
    wrong = run(*command, "--set", "dataset.classes=owl")
    assert wrong.exit_code != 0
    assert """for example: --set 'dataset.classes=["bird,x"]'""" in wrong.output
    assert changed_options("folder", {"classes": ["bird,x", "cat"]}) == {"classes": '["bird,x", "cat"]'}
    assert changed_options("folder", {"classes": ["dog", "cat"]}) == {"classes": "dog,cat"}


def test_the_hint_quotes_a_class_for_the_shell() -> None:
    with pytest.raises(UnknownNameError) as caught:
        select(Listing([Record("a", label=0)], classes=("a b",)), {"classes": ["owl"]})
    assert caught.value.hint == "for example: --set 'dataset.classes=a b'"


def test_limit_said_twice_is_refused(pets: Path, cache: Path) -> None:
    command = ("data", "build", "folder", "--data", str(pets), "--size", "16", "--limit", "3", "--set", "dataset.limit=4")
    refused = run(*command)
    assert refused.exit_code == 2
    assert "--limit 3 and --set dataset.limit=4 say the same option twice; leave one of them out" in refused.output
