"""What the dataset `faces` makes of CelebA, LFW and other folders."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from helpers.datasets import dataset, encoded, named_pipe, real, tar_bytes, write_zip
from zoo_core import DataError, OptionError, UsageError
from zoo_core.testing import assert_conforms
from zoo_plugins.datasets.readers.tables import read_lines

NAMES = ["5_o_Clock_Shadow", "Male", "Smiling"]
ROWS = [(-1, 1, 1), (1, -1, -1), (-1, -1, 1), (1, 1, -1)]
PARTS = [0, 0, 1, 2]
TXT = [f"00000{i + 1}.jpg" for i in range(4)]


def celeba(root: Path, *, form: str = "folder", tables: str = ".txt", partition: bool = True, at: str = "") -> Path:
    """Four pictures of CelebA in one of the ways in which it comes."""
    pictures = [(f"img_align_celeba/{name}", encoded(i, size=(178, 218))) for i, name in enumerate(TXT)]
    root.mkdir(parents=True, exist_ok=True)
    if form == "zip":
        write_zip(root / "img_align_celeba.zip", pictures)
    else:
        base = root / "img_align_celeba" if form == "nested" else root
        for name, value in pictures:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_bytes(value)
    (root / at).mkdir(exist_ok=True)
    if tables == ".txt":
        rows = "\n".join(f"{n} " + " ".join(f"{v:2d}" for v in row) for n, row in zip(TXT, ROWS, strict=True))
        (root / at / "list_attr_celeba.txt").write_text(f"4\n{' '.join(NAMES)} \n{rows}\n")
        parts = "\n".join(f"{n} {part}" for n, part in zip(TXT, PARTS, strict=True))
    elif tables == ".csv":
        rows = "\n".join(",".join([n, *map(str, row)]) for n, row in zip(TXT, ROWS, strict=True))
        (root / at / "list_attr_celeba.csv").write_text(f"image_id,{','.join(NAMES)}\n{rows}\n")
        parts = "\n".join(["image_id,partition", *(f"{n},{part}" for n, part in zip(TXT, PARTS, strict=True))])
    if tables and partition:
        (root / at / f"list_eval_partition{tables}").write_text(parts + "\n")
    return root


def test_celeba_conforms(tmp_path: Path) -> None:
    assert_conforms("datasets", "faces", options={"data": str(celeba(tmp_path / "a"))})
    assert_conforms("datasets", "faces", options={"data": str(celeba(tmp_path / "b", form="zip"))})


@pytest.mark.parametrize("form", ["folder", "zip", "nested"])
@pytest.mark.parametrize(("tables", "at"), [(".txt", ""), (".csv", ""), (".txt", "Anno")])
def test_attributes_and_official_partition(tmp_path: Path, form: str, tables: str, at: str) -> None:
    celeba(tmp_path, form=form, tables=tables, at=at)
    for split, numbers in (("train", [0, 1]), ("valid", [2]), ("test", [3]), ("all", [0, 1, 2, 3])):
        found = dataset("faces", tmp_path, split=split)
        listing = found.listing()
        assert listing.attributes == dict.fromkeys(NAMES, ("no", "yes"))
        assert [r.key.rsplit("/", 1)[-1] for r in listing.records] == [TXT[i] for i in numbers]
        assert [r.attributes for r in listing.records] == [tuple(int(v > 0) for v in ROWS[i]) for i in numbers]
        assert (listing.classes, listing.notes) == ((), ())
        assert np.asarray(found.decode(listing.records[0])).shape == (218, 178, 3)
    assert "non-commercial" in found.license
    assert "CelebA" in found.credit


def test_the_folder_or_the_zip_of_pictures_may_be_named_itself(tmp_path: Path) -> None:
    celeba(tmp_path / "a")
    assert len(dataset("faces", tmp_path / "a" / "img_align_celeba", split="test").listing().records) == 1
    celeba(tmp_path / "b", form="zip")
    assert len(dataset("faces", tmp_path / "b" / "img_align_celeba.zip", split="test").listing().records) == 1


def test_celeba_is_cropped_to_the_face(tmp_path: Path) -> None:
    celeba(tmp_path)
    assert dataset("faces", tmp_path).crop(178, 218) == (35, 55, 143, 163)
    assert dataset("faces", tmp_path, crop=178).crop(178, 218) == (0, 20, 178, 198)
    assert pickle.loads(pickle.dumps(dataset("faces", tmp_path))).crop(178, 218) == (35, 55, 143, 163)
    assert dataset("faces", tmp_path).crop(50, 60) == (0, 5, 50, 55)


def test_without_its_tables_celeba_is_what_is_there(tmp_path: Path) -> None:
    listing = dataset("faces", celeba(tmp_path, tables="")).listing()
    assert len(listing.records) == 4
    assert listing.attributes == {}
    assert [note.split(":")[0] for note in listing.notes] == ["no list_eval_partition.txt", "no list_attr_celeba.txt"]
    with pytest.raises(DataError, match=r"'valid' of CelebA needs list_eval_partition.txt") as caught:
        dataset("faces", tmp_path, split="valid").listing()
    assert caught.value.hint


def test_what_a_table_does_not_list_is_in_no_split_and_is_said(tmp_path: Path) -> None:
    celeba(tmp_path)
    for name in ("000009.jpg", "cover.png"):
        (tmp_path / "img_align_celeba" / name).write_bytes(encoded())
    for split, numbers in (("train", [0, 1]), ("valid", [2]), ("test", [3])):
        listing = dataset("faces", tmp_path, split=split).listing()
        assert [r.key for r in listing.records] == [TXT[i] for i in numbers]
        told = "2 of 6 pictures are not in list_eval_partition.txt and were left out: 000009.jpg, cover.png"
        assert listing.notes == (told,)
    listing = dataset("faces", tmp_path, split="all").listing()
    assert [r.attributes for r in listing.records[-2:]] == [(-1, -1, -1)] * 2
    assert listing.notes == (
        "2 of 6 pictures are not in list_attr_celeba.txt and have no attributes: 000009.jpg, cover.png",
    )


@pytest.mark.parametrize("tables", [".txt", ".csv"])
@pytest.mark.parametrize(
    "kind", ["img_align_celeba_png", "img_align_celeba_png.zip", "img_celeba", "img_align_celeba.tar.gz"]
)
def test_every_edition_has_the_official_splits_and_attributes(tmp_path: Path, kind: str, tables: str) -> None:
    """The tables name JPEGs, whatever the pictures' files are called; they lie in the folders of the official download."""
    celeba(tmp_path / "made", tables=tables)
    form = "png" if "png" in kind else "jpg"
    members = [
        (f"{kind.partition('.')[0]}/{n[:-3]}{form}", encoded(i, form="PNG", size=(178, 218))) for i, n in enumerate(TXT)
    ]
    (tmp_path / "Img").mkdir()
    if kind.endswith(".zip"):
        write_zip(tmp_path / "Img" / kind, members)
    elif kind.endswith(".gz"):
        (tmp_path / "Img" / kind).write_bytes(tar_bytes(members, mode="w:gz"))
    else:
        (tmp_path / "Img" / kind).mkdir()
        for name, value in members:
            (tmp_path / "Img" / name).write_bytes(value)
    for folder, name in (("Anno", "list_attr_celeba"), ("Eval", "list_eval_partition")):
        (tmp_path / folder).mkdir()
        (tmp_path / "made" / f"{name}{tables}").rename(tmp_path / folder / f"{name}{tables}")
    for data in (tmp_path, tmp_path / "Img" / kind):
        for split, numbers in (("train", [0, 1]), ("valid", [2]), ("test", [3]), ("all", [0, 1, 2, 3])):
            found = dataset("faces", data, split=split)
            listing = found.listing()
            assert [Path(r.key).name for r in listing.records] == [f"{TXT[i][:-3]}{form}" for i in numbers]
            assert [r.attributes for r in listing.records] == [tuple(int(v > 0) for v in ROWS[i]) for i in numbers]
            assert bool(listing.notes) == (kind == "img_celeba")
            assert found.decode(listing.records[0]).size == (178, 218)
            assert found.crop(178, 218) == (35, 55, 143, 163)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_as_a_spreadsheet_saves_them(tmp_path: Path, encoding: str, separator: str) -> None:
    celeba(tmp_path, tables="")
    rows = [["image_id", *NAMES], *([name, *map(str, row)] for name, row in zip(TXT, ROWS, strict=True))]
    text = "".join(separator.join(f'"{v}"' if i == 0 else v for i, v in enumerate(row)) + "\r\n" for row in rows)
    (tmp_path / "list_attr_celeba.csv").write_bytes(text.encode(encoding))
    parts = "".join(f"{name}{separator}{part}\r\n" for name, part in zip(TXT, PARTS, strict=True))
    (tmp_path / "list_eval_partition.csv").write_bytes(f"image_id{separator}partition\r\n{parts}".encode(encoding))
    listing = dataset("faces", tmp_path).listing()
    assert listing.attributes == dict.fromkeys(NAMES, ("no", "yes"))
    assert [r.attributes for r in listing.records] == [(0, 1, 1), (1, 0, 0)]
    assert listing.notes == ()


@pytest.mark.parametrize("at", ["", "Img"])
def test_crops_in_a_folder_of_any_name_beside_the_tables(tmp_path: Path, at: str) -> None:
    celeba(tmp_path)
    if at:
        (tmp_path / at).mkdir()
    (tmp_path / "img_align_celeba").rename(tmp_path / at / "celeba_crops_64")
    for split, count in (("train", 2), ("valid", 1), ("test", 1)):
        assert len(dataset("faces", tmp_path, split=split).listing().records) == count
    (tmp_path / at / "celeba_crops_64" / TXT[0]).unlink()
    told = "1 of 2 pictures of split 'train' in list_eval_partition.txt are not there"
    assert dataset("faces", tmp_path).listing().notes == (told,)


def test_tables_that_list_none_of_the_pictures_are_refused(tmp_path: Path) -> None:
    celeba(tmp_path)
    for i, path in enumerate(sorted((tmp_path / "img_align_celeba").iterdir())):
        path.rename(path.with_name(f"photo {i}.jpg"))
    with pytest.raises(
        DataError, match=r"list_eval_partition.txt lists none of the 4 pictures: they are called photo 0.jpg"
    ):
        dataset("faces", tmp_path).listing()


def test_a_partition_of_other_numbers_is_refused(tmp_path: Path) -> None:
    celeba(tmp_path)
    (tmp_path / "list_eval_partition.txt").write_text("".join(f"{name} 7\n" for name in TXT))
    with pytest.raises(DataError, match=r"the row of 000001 is not 0, 1 or 2"):
        dataset("faces", tmp_path).listing()


def test_crops_of_celeba_that_others_made_are_taken_whole(tmp_path: Path) -> None:
    found = dataset("faces", celeba(tmp_path))
    assert found.crop(89, 109) == (17.5, 27.5, 71.5, 81.5)  # resized by half: the same part
    assert found.crop(64, 64) == (0, 0, 64, 64)
    assert found.crop(160, 160) == (0, 0, 160, 160)


@pytest.mark.parametrize("text", ["", "not a table", "000001.jpg\n", f"4\n{' '.join(NAMES)}\n000001.jpg 1 -1\n"])
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    celeba(tmp_path)
    (tmp_path / "list_attr_celeba.txt").write_text(text)
    with pytest.raises(DataError, match=r"list_attr_celeba.txt( is not|: the row of 000001 is not 3 times)"):
        dataset("faces", tmp_path).listing()


def test_a_split_that_celeba_has_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="valid: train, valid, test, all"):
        dataset("faces", celeba(tmp_path), split="val").listing()


def lfw(root: Path) -> Path:
    for i, (person, count) in enumerate((("Ann_Lee", 2), ("Émile_Zola", 1), ("Bo", 1))):
        for k in range(count):
            path = root / person / f"{person}_{k + 1:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(i + k, size=(250, 250)))
    return root


@pytest.mark.parametrize("below", ["", "lfw", "lfw_funneled"])
def test_names_of_persons_are_no_classes(tmp_path: Path, below: str) -> None:
    lfw(tmp_path / below)
    found = dataset("faces", tmp_path)
    listing = found.listing()
    assert len(listing.records) == 4
    assert listing.classes == ()
    assert {r.label for r in listing.records} == {-1}
    assert "3 persons" in listing.notes[0]
    assert found.decode(listing.records[0]).size == (250, 250)
    assert found.crop(250, 250) == (0, 0, 250, 250)


def test_lfw_conforms(tmp_path: Path) -> None:
    assert_conforms("datasets", "faces", options={"data": str(lfw(tmp_path)), "crop": 128})


def test_any_other_folder_keeps_its_classes_and_may_be_cropped(tmp_path: Path) -> None:
    for name in ("smiling/1.jpg", "serious/2.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(encoded())
    found = dataset("faces", tmp_path, crop=20)
    assert found.listing().classes == ("serious", "smiling")
    assert found.crop(40, 32) == (10, 6, 30, 26)


@pytest.mark.parametrize(
    ("options", "says"), [({"crop": 4}, "at least 8"), ({"crop": 108, "data": None}, "belongs to photographs")]
)
def test_bad_crops_are_refused(tmp_path: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=f"dataset.crop .*{says}"):
        dataset("faces", **{"data": tmp_path, **options})


@pytest.mark.data
def test_real_faces() -> None:
    listing = dataset("faces", real("faces")).listing()
    assert len(listing.records) == 3_690 + 9_475
    assert listing.classes == ("not-smiling", "smiling")


def test_what_a_table_lists_twice_is_refused_unless_alike(tmp_path: Path) -> None:
    table = celeba(tmp_path) / "list_eval_partition.txt"
    official = table.read_text()
    table.write_text(f"{official}{TXT[0]} 0\n")
    assert len(dataset("faces", tmp_path).listing().records) == 2
    table.write_text(f"{official}{TXT[0]} 2\n")
    with pytest.raises(DataError, match="lists 000001 twice, and not alike"):
        dataset("faces", tmp_path).listing()
    table.write_text(official)
    attributes = tmp_path / "list_attr_celeba.txt"
    attributes.write_text(attributes.read_text().replace(NAMES[1], NAMES[0]))
    with pytest.raises(DataError, match=f"several columns called {NAMES[0]}"):
        dataset("faces", tmp_path).listing()


def test_a_pipe_instead_of_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a named pipe, not a file"):
        read_lines(named_pipe(tmp_path / "list_attr_celeba.txt"))
