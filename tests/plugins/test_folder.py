"""Folders of pictures, by the door that everybody uses."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from zoo_core import DataError, FileDataset, PictureError, UnknownNameError, UsageError, folders, registry


def paint(path: Path, color: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), color).save(path)


def dataset(folder: Path | str | None, **options: Any) -> Any:
    return registry.create("datasets", "folder", {"data": None if folder is None else str(folder), **options})


def test_pictures_are_listed_in_order_and_decode(tmp_path: Path) -> None:
    paint(tmp_path / "b.png", "blue")
    paint(tmp_path / "a.JPG")
    found = dataset(tmp_path)
    listing = found.listing()
    assert [r.key for r in listing.records] == ["a.JPG", "b.png"]
    assert listing.classes == ()
    assert {r.label for r in listing.records} == {-1}
    image = found.decode(listing.records[1])
    assert image.size == (8, 6)
    assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 255)


def test_sub_folders_become_labels(tmp_path: Path) -> None:
    paint(tmp_path / "smiling" / "deeper" / "1.png")
    paint(tmp_path / "serious" / "2.png")
    listing = dataset(tmp_path).listing()
    assert listing.classes == ("serious", "smiling")
    assert {r.key: listing.classes[r.label] for r in listing.records} == {
        "serious/2.png": "serious",
        "smiling/deeper/1.png": "smiling",
    }


def test_a_picture_beside_the_class_folders_takes_the_labels_away(tmp_path: Path) -> None:
    for name in ("one/1.png", "two/2.png", "loose.png"):
        paint(tmp_path / name)
    listing = dataset(tmp_path).listing()
    assert listing.classes == ()
    assert all(r.label == -1 for r in listing.records)


def test_hidden_files_and_other_files_are_left_out(tmp_path: Path) -> None:
    for name in ("a.png", ".hidden.png", ".thumbnails/b.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    listing = dataset(tmp_path).listing()
    assert [r.key for r in listing.records] == ["a.png"]
    assert len(listing.notes) == 1
    assert listing.notes[0].startswith("1 file")


@pytest.mark.parametrize("name", ["mit leer zeichen", "Ümläute 写真", "100% #1 'quoted'"])
def test_any_path_can_be_read(tmp_path: Path, name: str) -> None:
    paint(tmp_path / name / f"{name}.png")
    found = dataset(tmp_path / name)
    (record,) = found.listing().records
    assert record.key == f"{name}.png"
    found.decode(record).load()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    paint(tmp_path / "in" / "a.png")
    try:
        os.symlink(tmp_path, tmp_path / "in" / "again", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert [r.key for r in dataset(tmp_path).listing().records] == ["in/a.png"]


def test_a_changed_picture_changes_the_fingerprint(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    before = dataset(tmp_path).listing().fingerprint()
    assert dataset(tmp_path).listing().fingerprint() == before
    Image.new("RGB", (80, 60), "green").save(tmp_path / "a.png")
    assert dataset(tmp_path).listing().fingerprint() != before


def test_without_data_it_says_what_to_type() -> None:
    with pytest.raises(UsageError, match=r"data=.DIR"):
        dataset(None).listing()


@pytest.mark.parametrize("what", ["missing", "file", "empty", "other files"])
def test_useless_data_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "data"
    if what == "file":
        paint(tmp_path / "a.png")
        folder = tmp_path / "a.png"
    elif what != "missing":
        folder.mkdir()
    if what == "other files":
        (folder / "notes.txt").write_text("no picture")
    says = {"missing": "does not exist", "file": "is a file", "empty": "found nothing", "other files": "1 other file"}
    with pytest.raises(DataError, match=says[what]) as caught:
        dataset(folder).listing()
    assert caught.value.hint
    assert str(folder) in caught.value.message


def test_only_train_exists(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    with pytest.raises(UsageError, match="valid: train"):
        dataset(tmp_path, split="test").listing()


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="data"):
        dataset(tmp_path, date="x")


def test_it_crosses_to_a_worker(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    found = pickle.loads(pickle.dumps(dataset(tmp_path)))
    found.decode(pickle.loads(pickle.dumps(found.listing().records[0]))).load()


def test_an_empty_class_folder_is_no_class_and_is_named(tmp_path: Path) -> None:
    for name in ("one/1.png", "two/2.png"):
        paint(tmp_path / name)
    (tmp_path / "three").mkdir()
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "notes.txt").write_text("no picture")
    listing = dataset(tmp_path).listing()
    assert listing.classes == ("one", "two")
    assert listing.notes[-1] == "folders without pictures are no class: four, three"


def test_names_that_are_no_text_can_be_read_and_printed(tmp_path: Path) -> None:
    for name in (b"one/\xff\xfe.png", b"tw\xe4/2.png"):
        path = os.path.join(os.fsencode(tmp_path), name)
        try:
            os.mkdir(os.path.dirname(path))
            with open(path, "wb") as file:
                Image.new("RGB", (8, 6)).save(file, "PNG")
        except (OSError, UnicodeDecodeError):
            pytest.skip("this system has no such names")
    found = dataset(tmp_path)
    listing = found.listing()
    assert [r.key for r in listing.records] == ["one/\\xff\\xfe.png", "tw\\xe4/2.png"]
    assert listing.classes == ("one", "tw\\xe4")
    for record in listing.records:
        found.decode(record).load()


def notes(folder: Path) -> str:
    return "\n".join(dataset(folder).listing().notes)


def test_only_regular_files_and_links_to_them_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    paint(folder / "a.png")
    paint(tmp_path / "elsewhere.png")
    os.symlink(tmp_path / "elsewhere.png", folder / "link.png")
    os.symlink(folder / "circle.png", folder / "circle.png")
    os.mkfifo(folder / "pipe.jpg")
    os.symlink("/dev/zero", folder / "zero.bmp")
    listing = dataset(folder).listing()
    assert [r.key for r in listing.records] == ["a.png", "circle.png", "link.png"]
    assert listing.notes == ("2 are no regular files and were left out: pipe.jpg (a named pipe), zero.bmp (a device)",)
    with pytest.raises(OSError, match="circle"):  # it is skipped, and named
        dataset(folder).decode(listing.records[1])


def test_a_folder_of_special_files_only_says_what_they_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match=r"no pictures in .*; found pipe.jpg \(a named pipe\)"):
        dataset(tmp_path).listing()
    with pytest.raises(DataError, match=r"pipe.jpg is a named pipe, not a folder"):
        dataset(tmp_path / "pipe.jpg").listing()


def test_a_folder_that_cannot_be_read_is_skipped_and_named(nobody: Path) -> None:
    for name in ("cat/1.png", "dog/2.png", "dog/secret/3.png", "lost+found/4.png"):
        paint(nobody / name)
    for name in ("dog/secret", "lost+found"):
        (nobody / name).chmod(0)
    found = dataset(nobody)
    listing = found.listing()
    assert listing.classes == ("cat", "dog")
    assert [(r.key, r.label) for r in listing.records] == [
        ("cat/1.png", 0),
        ("dog/2.png", 1),
        ("dog/secret/", -1),
        ("lost+found/", -1),
    ]
    for record in listing.records[2:]:
        with pytest.raises(PictureError, match="a folder that cannot be read: Permission denied"):
            found.decode(record)
    (nobody / "cat" / "1.png").unlink()
    (nobody / "dog" / "2.png").unlink()
    with pytest.raises(DataError, match="found dog/secret, a folder that cannot be read: Permission denied; lost"):
        found.listing()
    nobody.chmod(0)
    with pytest.raises(DataError, match=r"cannot be read: Permission denied$"):
        found.listing()
    for name in (".", "dog/secret", "lost+found"):
        (nobody / name).chmod(0o700)


def test_faces_skip_a_folder_that_cannot_be_read_too(nobody: Path) -> None:
    for name in ("a/1.png", "b/2.png", "secret/3.png"):
        paint(nobody / name)
    (nobody / "secret").chmod(0)
    listing = registry.create("datasets", "faces", {"data": str(nobody)}).listing()
    assert [r.key for r in listing.records] == ["a/1.png", "b/2.png", "secret/"]
    (nobody / "secret").chmod(0o700)


SYSTEM = ["@eaDir", "$RECYCLE.BIN", "__MACOSX", "System Volume Information", "lost+found", "#recycle", "@Recycle"]


@pytest.mark.parametrize("name", [*SYSTEM, ".ipynb_checkpoints", ".thumbnails", ".Trash-1000", ".git"])
def test_folders_of_the_system_are_no_classes(name: str, tmp_path: Path) -> None:
    for path in ("cat/1.png", "dog/2.png", f"{name}/3.png", f"cat/{name}/1.png/4.png"):
        paint(tmp_path / path)
    listing = dataset(tmp_path).listing()
    assert listing.classes == ("cat", "dog")
    assert [r.key for r in listing.records] == ["cat/1.png", "dog/2.png"]
    told = f"2 folders of the system were left out: {name}, cat/{name}"
    assert list(listing.notes) == ([told] if name in SYSTEM else [])


def test_a_data_folder_may_itself_be_hidden_or_a_systems(tmp_path: Path) -> None:
    for name in (".hidden", "lost+found", ".a/.b/@eaDir"):
        paint(tmp_path / name / "cat" / "1.png")
        assert len(dataset(tmp_path / name).listing().records) == 1


def test_names_of_splits_as_labels_are_pointed_out(tmp_path: Path) -> None:
    for name in ("Train/cat/1.png", "Train/dog/1.png", "val/cat/2.png", "test/cat/3.png"):
        paint(tmp_path / name)
    assert notes(tmp_path) == (
        "careful: the labels are Train, test, val, which are names of splits and no classes; "
        f"to read one of them: --data {tmp_path}/Train"
    )
    assert dataset(tmp_path / "Train").listing().classes == ("cat", "dog")
    paint(tmp_path / "bird" / "4.png")
    assert notes(tmp_path) == ""


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["x.svg"], "1 drawing was left out; draw them as PNG first"),
        (["1.MP4", "2.mov"], "2 videos were left out; to take pictures out of one: ffmpeg"),
        (["1.CR2", "2.nef", "3.dng"], "3 raw pictures of a camera were left out; save them as JPEG or TIFF first"),
        (["1.jxl"], "1 JPEG XL picture was left out"),
        (["1.txt"], "1 file is no picture by its name and was left out"),
        (["1.txt", "2"], "2 files are no pictures by their names and were left out"),
    ],
)
def test_what_is_left_out_is_named(names: list[str], words: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match="no pictures in") as caught:
        dataset(tmp_path).listing()
    assert caught.value.hint
    paint(tmp_path / "a.png")
    assert notes(tmp_path).startswith(words)


def test_heic_pictures_are_named_with_what_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint(tmp_path / "IMG_0.JPG")
    for name in ("IMG_1.HEIC", "IMG_2.heif"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr(folders, "PICTURE_SUFFIXES", folders.PICTURE_SUFFIXES - {".heic", ".heif"})
    assert notes(tmp_path) == "2 HEIC pictures were left out; to read them: pip install 'dcgan-zoo[heif]'"
    monkeypatch.setattr(folders, "PICTURE_SUFFIXES", folders.PICTURE_SUFFIXES | {".heic", ".heif"})  # as with the package
    assert len(dataset(tmp_path).listing().records) == 3
    (tmp_path / "IMG_0.JPG").unlink()
    monkeypatch.setattr(folders, "PICTURE_SUFFIXES", folders.PICTURE_SUFFIXES - {".heic", ".heif"})
    with pytest.raises(DataError, match="found 2 HEIC pictures") as caught:
        dataset(tmp_path).listing()
    assert caught.value.hint == "to read them: pip install 'dcgan-zoo[heif]'"


def test_control_characters_in_names_become_visible(tmp_path: Path) -> None:
    for name in ("\x1b[2Jred/a\nb.png", "right\u202eto left/c\td.png"):
        paint(tmp_path / name)
    found = dataset(tmp_path)
    listing = found.listing()
    assert listing.classes == ("\\x1b[2Jred", "right\\u202eto left")
    assert [r.key for r in listing.records] == ["\\x1b[2Jred/a\\nb.png", "right\\u202eto left/c\\td.png"]
    for record in listing.records:
        found.decode(record).load()


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.jp2", "JPEG2000"), ("a.ICO", "ICO"), ("a.icns", "ICNS"), ("a.pcx", "PCX"), ("a.sgi", "SGI"), ("a.dds", "DDS")],
)
def test_formats_that_are_opened_are_found_by_their_names(name: str, form: str, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 10, 20)).save(tmp_path / name, form)
    pictures = FileDataset(data=str(tmp_path))
    (record,) = pictures.listing().records
    assert pictures.decode(record).convert("RGB").getpixel((9, 9)) == pytest.approx((200, 10, 20), abs=8)
    assert {".psd", ".tga", ".j2k"} <= folders.PICTURE_SUFFIXES


def test_a_linked_class_is_the_real_folder_and_the_link_is_named(tmp_path: Path) -> None:
    paint(tmp_path / "zcats" / "1.png")
    paint(tmp_path / "dogs" / "2.png")
    paint(tmp_path.parent / f"{tmp_path.name}-outside" / "3.png")
    for link in ("a_link", "b_link"):
        (tmp_path / link).symlink_to("zcats")
    for link in ("owls", "parrots"):
        (tmp_path / link).symlink_to(tmp_path.parent / f"{tmp_path.name}-outside")
    listing = dataset(tmp_path).listing()
    assert listing.classes == ("dogs", "owls", "zcats")
    assert [r.key for r in listing.records] == ["dogs/2.png", "owls/3.png", "zcats/1.png"]
    links = "a_link to zcats, b_link to zcats, parrots to owls"
    assert listing.notes == (f"3 links lead to folders that are read anyhow and were left out: {links}",)
    for link in ("b_link", "parrots"):
        (tmp_path / link).unlink()
    assert dataset(tmp_path).listing().notes == ("a_link is a link to zcats and was left out",)


def test_pictures_beside_the_folders_are_told(tmp_path: Path) -> None:
    for name in ("one/1.png", "two/2.png", "top.png"):
        paint(tmp_path / "in" / name)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "in")
    one = "careful: a picture lies beside the folders (top.png), so that the folders are no labels; "
    expected = (one + "to have labels, move it into a folder or away",)
    assert dataset(tmp_path / "in").listing().notes == expected
    assert dataset(tmp_path / "packed.zip").listing().notes == expected
    paint(tmp_path / "in" / "top2.png")
    (note,) = dataset(tmp_path / "in").listing().notes
    assert note.startswith("careful: pictures lie beside the folders (top.png and 1 more), so")


def test_tables_are_pointed_to_hub_and_archives_are_named(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name in ("a.parquet", "b.parquet"):
        (tmp_path / "tables" / name).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"2 tables that may hold some: a.parquet, b.parquet\ntype: dataset=.hub., data="):
        dataset(tmp_path / "tables").listing()
    paint(tmp_path / "mixed" / "1.png")
    (tmp_path / "mixed" / "more.tar.gz").write_bytes(b"")
    (tmp_path / "mixed" / "notes.txt").write_bytes(b"")
    notes = dataset(tmp_path / "mixed").listing().notes
    assert notes == (
        "1 file is no picture by its name and was left out",
        "1 archive lies among the pictures and was left out: more.tar.gz",
    )


def test_a_class_that_cannot_be_read_is_not_called_empty(nobody: Path) -> None:
    for name in ("bird", "cat", "dog"):
        paint(nobody / name / "1.png")
    (nobody / "bird").chmod(0)
    listing = dataset(nobody).listing()
    (nobody / "bird").chmod(0o700)
    assert listing.classes == ("cat", "dog")
    assert [(r.key, r.label) for r in listing.records if r.label < 0] == [("bird/", -1)]
    assert listing.notes == ()
