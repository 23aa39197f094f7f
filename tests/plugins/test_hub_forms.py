"""Every form of dataset that `datasets` decodes: pictures in folders, zips, tars, WebDataset, and columns of bytes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.datasets import dataset, decoded, encoded, tar_bytes, write_zip
from zoo_core import DataError, OptionError, UnknownNameError, UsageError
from zoo_core.testing import assert_conforms

datasets = pytest.importorskip("datasets")
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

PICTURES = [(f"{name}/{i}.png", encoded(10 * k + i, form="PNG")) for k, name in enumerate(("cat", "dog")) for i in range(3)]
COLORS = [(10 * k + i) * 37 % 256 for k in range(2) for i in range(3)]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def colors(found: Any) -> list[int]:
    return [int(picture[0, 0, 0]) for picture in decoded(found)]


def labeled(found: Any) -> list[tuple[str, int]]:
    """The class and the color of every picture, sorted."""
    listing = found.listing()
    return sorted((listing.classes[r.label], c) for r, c in zip(listing.records, colors(found), strict=True))


EXPECTED = [("cat" if i < 3 else "dog", color) for i, color in enumerate(COLORS)]


def write_folder(root: Path) -> None:
    for name, value in PICTURES:
        (root / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "train" / name).write_bytes(value)


def webdataset(form: str) -> bytes:
    held: list[tuple[str, bytes]] = []
    for i, (_, value) in enumerate(PICTURES):
        held += [
            (f"{i:04d}.png", value),
            (f"{i:04d}.cls", str(i // 3).encode()),
            (f"{i:04d}.json", json.dumps({"n": i}).encode()),
        ]
    return tar_bytes(held, mode=form)


@pytest.mark.parametrize("form", ["folder", "zip", "zip with splits", "tar", "tar.gz"])
def test_pictures_with_folders_as_labels(tmp_path: Path, form: str) -> None:
    root = tmp_path / "pets"
    root.mkdir()
    if form == "folder":
        write_folder(root)
    elif form == "zip":
        write_zip(root / "photos.zip", PICTURES)
    elif form == "zip with splits":
        write_zip(root / "train.zip", [(f"train/{name}", value) for name, value in PICTURES])
        write_zip(root / "test.zip", [(f"test/{name}", value) for name, value in PICTURES[:2]])
    else:
        (root / f"photos.{form}").write_bytes(tar_bytes(PICTURES, mode="w:gz" if form == "tar.gz" else "w"))
    found = dataset("hub", root)
    assert found.listing().classes == ("cat", "dog")
    assert labeled(found) == sorted(EXPECTED)
    assert_conforms("datasets", "hub", options={"data": str(root)})


@pytest.mark.parametrize(("names", "classes"), [(("cat", "dog"), ("cat", "dog")), (("part-0", "part-1"), ())])
def test_several_zips_without_folders_are_classes_unless_numbered(
    tmp_path: Path, names: tuple[str, str], classes: tuple[str, ...]
) -> None:
    (root := tmp_path / "pets").mkdir()
    for k, name in enumerate(names):
        write_zip(root / f"{name}.zip", [(inner.partition("/")[2], value) for inner, value in PICTURES[3 * k : 3 * k + 3]])
    found = dataset("hub", root)
    assert found.listing().classes == classes
    assert sorted(colors(found)) == sorted(COLORS)
    if classes:
        assert labeled(found) == sorted(EXPECTED)


def test_an_archive_of_another_kind_that_is_passed_over_is_named(tmp_path: Path) -> None:
    (root := tmp_path / "pets").mkdir()
    write_zip(root / "cats.zip", PICTURES[:3])
    (root / "dogs.tar").write_bytes(tar_bytes(PICTURES[3:], mode="w"))
    (note,) = dataset("hub", root).listing().notes
    assert "of 2 files, 1 is used for split 'train' and 1 for no split" in note
    assert f"left out: dogs.tar; to take them all: --dataset folder --data {root}" in note


def test_pictures_in_a_zip_without_folders(tmp_path: Path) -> None:
    (tmp_path / "pets" / "data").mkdir(parents=True)
    write_zip(tmp_path / "pets" / "data" / "train.zip", [(f"train/{i}.png", value) for i, (_, value) in enumerate(PICTURES)])
    found = dataset("hub", tmp_path / "pets")
    assert found.listing().classes == ()
    assert colors(found) == COLORS


@pytest.mark.parametrize("form", ["w", "w:gz"])
def test_webdataset(tmp_path: Path, form: str) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / f"train-0000.tar{'.gz' if form == 'w:gz' else ''}").write_bytes(webdataset(form))
    found = dataset("hub", tmp_path / "pets")
    listing = found.listing()
    assert listing.classes == ("0", "1")
    assert [r.label for r in listing.records] == [0, 0, 0, 1, 1, 1]
    assert colors(found) == COLORS


def test_a_table_of_labels_beside_the_pictures(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    root.mkdir()
    for i, (_, value) in enumerate(PICTURES):
        (root / f"{i}.png").write_bytes(value)
    rows = "".join(f"{i}.png,{'cat' if i < 3 else 'dog'}\r\n" for i in range(6))
    (root / "metadata.csv").write_text(f"file_name,kind\r\n{rows}", encoding="utf-8-sig", newline="")
    assert labeled(dataset("hub", root, label="kind")) == sorted(EXPECTED)


def parquet(path: Path, kind: str) -> Path:
    values = [value for _, value in PICTURES]
    y = [i // 3 for i in range(6)]
    held: dict[str, Any] = {
        "bytes": {"jpg": values, "y": y},
        "large bytes": {"jpg": pa.array(values, pa.large_binary()), "y": y},
        "struct": {"image": [{"bytes": v, "path": f"{i}.png"} for i, v in enumerate(values)], "y": y},
        "struct of bytes": {"image": [{"bytes": v} for v in values], "y": y},
    }[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(held), path, row_group_size=4)
    return path


@pytest.mark.parametrize("kind", ["bytes", "large bytes", "struct", "struct of bytes"])
@pytest.mark.parametrize("single", [False, True])
def test_parquet_columns_of_bytes(tmp_path: Path, kind: str, single: bool) -> None:
    """Columns that nobody declared to be pictures, found or named; in a folder, or as the one file that --data names."""
    path = parquet(tmp_path / "pets" / "train.parquet", kind)
    data = path if single else path.parent
    for options in ({}, {"column": "jpg" if "bytes" in kind and "struct" not in kind else "image"}):
        found = dataset("hub", data, label="y", **options)
        listing = found.listing()
        assert [r.label for r in listing.records] == [0, 0, 0, 1, 1, 1]
        assert listing.classes == ("0", "1")
        assert colors(found) == COLORS
    assert_conforms("datasets", "hub", options={"data": str(data)})


def test_a_single_file_that_changed_makes_another_pack(tmp_path: Path) -> None:
    path = parquet(tmp_path / "train.parquet", "bytes")
    before = dataset("hub", path).listing().fingerprint()
    assert dataset("hub", path).listing().fingerprint() == before
    parquet(path, "struct")
    assert dataset("hub", path).listing().fingerprint() != before


def test_paths_in_a_parquet_file_lie_beside_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets")
    rows = [{"bytes": None, "path": f"train/{name}"} for name, _ in PICTURES]
    table = pa.table({"image": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))})
    pq.write_table(table, tmp_path / "pets" / "train.parquet")
    assert colors(dataset("hub", tmp_path / "pets" / "train.parquet")) == COLORS


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/a.png", "zip://a.png::http://127.0.0.1:9/a.zip", "file:///etc/hosts"]
)
def test_a_row_that_refers_elsewhere_is_not_fetched(reference: str) -> None:
    from zoo_plugins.datasets.hub.rows import read_reference

    with pytest.raises(ValueError, match=r"refers to .*, which is not fetched"):
        read_reference(reference)


def test_what_has_no_pictures_says_what_its_columns_hold(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["http://x"], "n": [1]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"no column of images; its columns: url \(.*string.*\), n \(.*int64.*\)"):
        dataset("hub", tmp_path / "train.parquet").listing()


@pytest.mark.parametrize("word", ["my test.png", "valid_1.png", "eval 3.png"])
def test_a_word_in_a_name_that_makes_the_rest_disappear_is_said(tmp_path: Path, word: str) -> None:
    """`datasets` keeps one of eight pictures, as its name has a word for a split."""
    root = tmp_path / "pets"
    root.mkdir()
    for i in range(7):
        (root / f"photo{i}.png").write_bytes(encoded(i, form="PNG"))
    (root / word).write_bytes(encoded(9, form="PNG"))
    split = "validation" if "valid" in word else "test"
    found = dataset("hub", root, split=split)
    (told,) = found.listing().notes
    assert len(found.listing().records) == 1
    assert told.startswith(
        f"of 8 files, 1 is used for split {split!r} and 7 for no split, because {word!r} has a word for a split"
    )
    assert told.endswith(
        f"left out: photo0.png, photo1.png, photo2.png and 4 more; to take them all: --dataset folder --data {root}"
    )
    with pytest.raises(UnknownNameError, match=f"'train'; valid: {split}") as caught:
        dataset("hub", root).listing()
    assert "of 8 files, 0 are used for split 'train' and 7 for no split" in caught.value.hint
    assert len(dataset("folder", root).listing().records) == 8


def test_a_tar_that_datasets_takes_for_something_else_is_sent_to_folder(tmp_path: Path) -> None:
    """Its names have several dots, which WebDataset takes for kinds of files."""
    root = tmp_path / "pets"
    root.mkdir()
    members = [(f"cat/IMG.{i}.png", value) for i, (_, value) in enumerate(PICTURES)]
    (root / "photos.tar").write_bytes(tar_bytes(members))
    with pytest.raises(UsageError, match=r"several columns of images: 0.png, 1.png, ") as caught:
        dataset("hub", root).listing()
    assert f"--dataset folder --data {root}" in caught.value.hint
    assert colors(dataset("folder", root)) == COLORS


def test_files_that_a_card_leaves_out_are_its_own_affair(tmp_path: Path) -> None:
    parquet(tmp_path / "pets" / "a" / "train.parquet", "bytes")
    parquet(tmp_path / "pets" / "b" / "train.parquet", "bytes")
    card = "---\nconfigs:\n- config_name: default\n  data_files: a/*.parquet\n---\n"
    (tmp_path / "pets" / "README.md").write_text(card)
    listing = dataset("hub", tmp_path / "pets").listing()
    assert (len(listing.records), listing.notes) == (6, ())


def test_pictures_that_a_table_of_metadata_does_not_list_are_said(tmp_path: Path) -> None:
    """`datasets` drops them in silence."""
    root = tmp_path / "pets"
    root.mkdir()
    for i, (_, value) in enumerate(PICTURES):
        (root / f"{i}.png").write_bytes(value)
    (root / "metadata.csv").write_text("file_name,kind\n" + "".join(f"{i}.png,cat\n" for i in range(4)))
    listing = dataset("hub", root).listing()
    told = "of 6 pictures 2 are not in the table of metadata beside them and were left out: 4.png, 5.png"
    assert (len(listing.records), listing.notes) == (4, (told,))


def test_splits_of_pictures_are_counted(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets")
    (tmp_path / "pets" / "test").mkdir()
    (tmp_path / "pets" / "test" / "a.png").write_bytes(encoded(form="PNG"))
    assert dataset("hub", tmp_path / "pets").listing().notes == ("files of each split: train 6, test 1",)


def test_what_went_wrong_inside_is_said(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "train.csv").write_bytes(b'a,b\n1,2\n"x')
    with pytest.raises(DataError, match=r"DatasetGenerationError: .*, because of ") as caught:
        dataset("hub", tmp_path / "pets").listing()
    assert "ParserError" in caught.value.message or "EOF" in caught.value.message


@pytest.mark.parametrize(
    ("name", "says"), [("photos.zip", "it is an archive; type: --dataset folder --data"), ("a.txt", "parquet")]
)
def test_other_files_are_sent_where_they_are_read(tmp_path: Path, name: str, says: str) -> None:
    if name.endswith(".zip"):
        write_zip(tmp_path / name, PICTURES)
    else:
        (tmp_path / name).write_text("text")
    with pytest.raises(DataError, match="no table of pictures") as caught:
        dataset("hub", tmp_path / name).listing()
    assert says in caught.value.hint


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_table_that_is_cut_short_is_refused_and_ends_nobody(tmp_path: Path, form: str, keep: float) -> None:
    """Both are read through memory maps."""
    path = parquet(tmp_path / "train.parquet", "bytes")
    if form == "arrow":
        table, path = pq.read_table(path), tmp_path / "train.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        assert len(dataset("hub", path).listing().records) == 6
    held = path.read_bytes()
    path.write_bytes(held[: keep if isinstance(keep, int) else int(len(held) * keep)])
    with pytest.raises(DataError, match="cannot be loaded"):
        dataset("hub", path).listing()


def test_data_is_a_path_or_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo_plugins.datasets.hub import Hub

    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "pets").mkdir(parents=True)
    assert Hub.resolve_data("ada/pets") == "ada/pets"
    assert Hub.resolve_data("here/pets") == str(tmp_path / "here" / "pets")
    assert Hub.resolve_data("./there") == str(tmp_path / "there")
    with pytest.raises(UsageError, match="neither a folder nor a dataset 'user/name'"):
        Hub.resolve_data("pets")
    for data in ("ada/pets@v1", "https://huggingface.co/datasets/ada/pets@v1"):
        assert Hub.resolve_data(data) == data
        found = dataset("hub", data)
        assert (found.repository, found.revision) == ("ada/pets", "v1")
    with pytest.raises(OptionError, match=r"names a revision, and so does dataset.revision"):
        dataset("hub", "ada/pets@v1", revision="v2")


def test_folders_of_the_system_are_no_classes(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    write_folder(root)
    (root / "train" / "@eaDir").mkdir()
    (root / "train" / "@eaDir" / "0.png").write_bytes(PICTURES[0][1])
    found = dataset("hub", root)
    assert labeled(found) == EXPECTED
    assert any("1 picture in folders of the system was left out: " in note for note in found.listing().notes)
    litter = [("__MACOSX/0.png", PICTURES[0][1]), ("@eaDir/1.png", PICTURES[1][1]), ("cat/@eaDir/2.png", PICTURES[2][1])]
    (tmp_path / "zipped").mkdir()
    write_zip(tmp_path / "zipped" / "photos.zip", [*PICTURES, *litter])
    found = dataset("hub", tmp_path / "zipped")
    assert labeled(found) == EXPECTED
    assert found.listing().classes == ("cat", "dog")


def test_labels_that_are_splits_are_said(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    members = [(f"{split}/{i}.png", PICTURES[i][1]) for i, split in enumerate(("train", "test", "val"))]
    write_zip(tmp_path / "pets" / "photos.zip", members)
    listing = dataset("hub", tmp_path / "pets").listing()
    assert any("the labels are test, train, val, which are names of splits" in note for note in listing.notes)


def test_colons_in_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    write_zip(tmp_path / "pets" / "photos.zip", [(name.replace("dog/", "dog/b::"), value) for name, value in PICTURES])
    assert labeled(dataset("hub", tmp_path / "pets")) == EXPECTED


def test_the_reason_why_files_are_left_out_is_the_right_one(tmp_path: Path) -> None:
    from zoo_plugins.datasets.hub.files import describe_files

    for name in ("a.png", "b.png", "contest.png"):
        (tmp_path / name).write_bytes(PICTURES[0][1])
    told = describe_files(str(tmp_path), None, "train", {"train": [str(tmp_path / "contest.png")]})
    assert "because its library passes over them; left out: a.png, b.png" in told[0]
    assert "word for a split" not in told[0]


def test_unlisted_pictures_are_found_by_name(tmp_path: Path) -> None:
    from zoo_plugins.datasets.hub.files import describe_unlisted

    told = describe_unlisted(["/p/0.jpg", "/p/1.jpg", "/p/2.jpg"], 2, lambda: ["/p/0.jpg", "/p/nope.jpg"])
    assert told == ["of 3 pictures 2 are not in the table of metadata beside them and were left out: 1.jpg, 2.jpg"]


def test_configurations_are_named(tmp_path: Path) -> None:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.csv\n" for name in ("one", "two"))
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text("x\n1\n")
    with pytest.raises(UsageError, match=r"has several configurations: one, two\n"):
        dataset("hub", tmp_path).listing()


def test_a_hub_that_cannot_be_reached_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"nobody/pets on the Hub cannot be loaded: the Hub cannot be reached") as caught:
        dataset("hub", "nobody/pets").listing()
    assert time.monotonic() - begun < 10
    assert caught.value.hint.startswith("look at the network")
    assert not caplog.records
