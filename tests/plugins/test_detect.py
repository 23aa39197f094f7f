"""Faces cut out of photographs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from helpers.datasets import bomb, dataset, real
from helpers.packs import Heard
from zoo.packs.curation.faces import detect_faces
from zoo_cli.main import zoo
from zoo_core import DataError, OptionError, UsageError
from zoo_plugins.datasets import detect

pytest.importorskip("dlib")


def paste(photograph: Path, faces: list[tuple[Path, int, int, int]], size: tuple[int, int] = (500, 300)) -> Path:
    """A photograph with faces at (left, top, side)."""
    noise = np.random.default_rng(0).normal(128, 12, (size[1] // 10, size[0] // 10)).clip(0, 255).astype(np.uint8)
    canvas = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    for source, left, top, side in faces:
        canvas.paste(Image.open(source).convert("RGB").resize((side, side), Image.Resampling.BICUBIC), (left, top))
    photograph.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(photograph, quality=95)
    return photograph


@pytest.fixture
def found_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that finds two faces in every colored photograph and none in black ones."""

    def detector(min_size: int, margin: float) -> Any:
        return lambda gray: [detect.Face(10, 20, 40, 30), detect.Face(0, 0, 16, 12)] if gray.any() else []

    monkeypatch.setattr(detect, "_detector", detector)


def photographs(root: Path) -> Path:
    for i, name in enumerate(("a/one.jpg", "a/one.png", f"b/{'lang' * 55}.png", "b/Ümläut 写真.jpg")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(1, 255, (80, 100, 3), np.uint8)
        Image.fromarray(pixels).save(root / name)
    Image.new("RGB", (80, 80)).save(root / "b" / "zz-black.png")
    (root / "b" / "broken.jpg").write_bytes(b"no picture")
    (root / "b" / "bomb.png").write_bytes(bomb())
    return root


@pytest.mark.usefixtures("found_everywhere")
def test_every_face_becomes_a_picture_and_a_line(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos")
    summary = detect_faces(root, tmp_path / "out")
    assert (summary["photos"], summary["faces"], summary["without"]) == (7, 8, 1)
    assert summary["unreadable"]["count"] == 2
    assert {entry["key"] for entry in summary["unreadable"]["records"]} == {"b/broken.jpg", "b/bomb.png"}
    lines = [json.loads(line) for line in (tmp_path / "out" / "faces.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == len({line["file"] for line in lines}) == 8
    first = lines[0]
    assert (first["source"], first["box"], first["score"]) == ("a/one.jpg", [10, 20, 50, 60], 30)
    with Image.open(root / "b" / "Ümläut 写真.jpg") as whole:
        expected = np.asarray(whole.crop((10, 20, 50, 60)), np.int16)
    kept = next(line["file"] for line in lines if line["source"] == "b/Ümläut 写真.jpg")
    assert np.abs(np.asarray(Image.open(tmp_path / "out" / kept), np.int16) - expected).mean() < 4
    listing = dataset("faces", tmp_path / "out").listing()
    assert listing.classes == ("a", "b")
    assert len(listing.records) == 8


@pytest.mark.usefixtures("found_everywhere")
def test_boxes_are_those_of_the_upright_photograph(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.effect_noise((100, 60), 50).convert("RGB").save(tmp_path / "photos" / "a.jpg", exif=exif, quality=95)
    detect_faces(tmp_path / "photos", tmp_path / "out")
    with Image.open(tmp_path / "photos" / "a.jpg") as stored:
        upright = np.asarray(stored.transpose(Image.Transpose.ROTATE_270).crop((10, 20, 50, 60)), np.int16)
    assert np.abs(np.asarray(Image.open(tmp_path / "out" / "0000000-0.jpg"), np.int16) - upright).mean() < 5


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        ((40, 40, 20, 20), 0.0, (40, 40, 20)),
        ((40, 40, 20, 20), 0.25, (35, 35, 30)),
        ((0, 0, 20, 20), 0.5, (0, 0, 40)),  # moved into the picture
        ((90, 70, 10, 10), 1.0, (70, 50, 30)),
        ((10, 10, 60, 60), 1.0, (0, 0, 80)),  # no larger than the picture
        ((40, 40, 20, 10), 0.0, (40, 35, 20)),
    ],
)
def test_boxes_become_squares_inside_the_picture(box: Any, margin: float, expected: tuple[int, int, int]) -> None:
    assert detect._square(box, margin, 100, 80) == expected


@pytest.mark.usefixtures("found_everywhere")
def test_after_an_error_nothing_stays_behind(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (80, 80)).save(tmp_path / "photos" / "black.png")
    with pytest.raises(DataError, match="no faces of at least 64 pixels in the 1 photograph of") as caught:
        detect_faces(tmp_path / "photos", tmp_path / "out")
    assert "--min-size 32" in caught.value.hint
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == ["photos"]


@pytest.mark.usefixtures("found_everywhere")
def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos")
    (tmp_path / "out").mkdir()
    detect_faces(root, tmp_path / "out")
    with pytest.raises(UsageError, match="not an empty folder"):
        detect_faces(root, tmp_path / "out")


@pytest.mark.parametrize(("options", "says"), [({"min_size": 3}, "min_size"), ({"margin": -1}, "margin")])
def test_impossible_numbers_are_refused(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        detect_faces(tmp_path, tmp_path / "out", **options)


def test_a_dataset_that_is_not_made_from_photographs_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'cifar10' is not made from photographs"):
        detect_faces(tmp_path, tmp_path / "out", dataset="cifar10")


def test_without_dlib_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(DataError, match="needs dlib") as caught:
        detect_faces(tmp_path, tmp_path / "out")
    assert "dcgan-zoo[faces]" in caught.value.hint


def test_what_the_detector_says_is_scaled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs are shown so large that the smallest face wanted is 72 pixels, and no larger than memory allows."""

    class Box:
        def __init__(self, *edges: int) -> None:
            self.left, self.top, self.width, self.height = (lambda edge=edge: edge for edge in edges)

    class Detector:
        def run(self, image: Any, upsample: int, threshold: float) -> Any:
            shown.append(image.shape)
            return [Box(36, 18, 72, 72), Box(-18, 0, 180, 180)], [0.51234, 1.5], [0, 1]

    shown: list[tuple[int, int]] = []
    monkeypatch.setattr("dlib.get_frontal_face_detector", Detector)
    gray = np.zeros((100, 200), np.uint8)
    assert detect._detector(40, 0.0)(gray) == [detect.Face(0, 0, 100, 1.5), detect.Face(20, 10, 40, 0.512)]
    assert detect._detector(80, 0.5)(gray) == [detect.Face(0, 0, 100, 1.5), detect.Face(0, 0, 80, 0.512)]
    monkeypatch.setattr(detect, "_MOST_SEARCHED", 5000)
    detect._detector(40, 0.0)(gray)
    assert shown == [(180, 360), (180, 360), (50, 100)]


def test_walls_have_no_faces(tmp_path: Path) -> None:
    paste(tmp_path / "photos" / "wall.jpg", [])
    with pytest.raises(DataError, match="no faces"):
        detect_faces(tmp_path / "photos", tmp_path / "out")


@pytest.mark.data
def test_real_faces_are_found_where_they_are(tmp_path: Path) -> None:
    sources = sorted(real("faces/smiling").iterdir())[:12]
    hits = 0
    for i in range(0, 12, 2):
        places = [(sources[i], 60, 90, 110), (sources[i + 1], 310, 40, 140)]
        paste(tmp_path / "photos" / f"{i:02d}.jpg", places)
    detect_faces(tmp_path / "photos", tmp_path / "out", min_size=64, margin=0.1)
    for text in (tmp_path / "out" / "faces.jsonl").read_text().splitlines():
        left, top, right, bottom = json.loads(text)["box"]
        center = ((left + right) / 2, (top + bottom) / 2)
        assert bottom - top == right - left >= 64
        hits += any(x < center[0] < x + side and y < center[1] < y + side for x, y, side in ((60, 90, 110), (310, 40, 140)))
    assert hits >= 9


@pytest.mark.usefixtures("found_everywhere")
def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    root = photographs(tmp_path / "photos")
    (root / "notes.txt").write_text("no picture")
    heard = Heard()
    summary = detect_faces(root, tmp_path / "out", report=heard)
    assert summary["notes"] == ["1 file is no picture by its name and was left out"]
    assert summary["notes"][0] in heard.lines
    shown = CliRunner().invoke(zoo, ["data", "faces", str(root), str(tmp_path / "again")])
    assert shown.exit_code == 0
    assert summary["notes"][0] in shown.output
    assert "skipped b/broken.jpg: not a picture, or of a format that cannot be read" in shown.output


@pytest.mark.usefixtures("found_everywhere")
def test_where_no_photograph_can_be_read_it_says_why(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "photos" / "b.txt").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        detect_faces(tmp_path / "photos", tmp_path / "out")
    assert caught.value.message == (
        f"the only photograph of {tmp_path / 'photos'} cannot be read: "
        "a.jpg: not a picture, or of a format that cannot be read; 1 file is no picture by its name and was left out"
    )
    assert "--min-size" not in caught.value.hint


@pytest.mark.usefixtures("found_everywhere")
def test_hints_name_what_the_command_takes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as caught:
        detect_faces(tmp_path / "photos", tmp_path / "out")
    assert caught.value.hint == "give the folder that holds the pictures: zoo data faces DIR OUT"
    (tmp_path / "my pics").mkdir()
    (tmp_path / "my pics" / "prog").write_bytes(b"")
    with pytest.raises(DataError, match="a file, not a folder") as caught:
        detect_faces(tmp_path / "my pics" / "prog", tmp_path / "out")
    assert caught.value.hint == f"perhaps: zoo data faces '{tmp_path / 'my pics'}' OUT"
