"""Small JPEG files are decoded past Pillow's reading of metadata, to Pillow's pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo.packs import decode, jpeg
from zoo_core import FileDataset, Record


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(width * height)
    small = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


PLAIN = {
    "gray": encoded(picture(64, 64, "L")),
    "color, subsampled": encoded(picture(64, 64)),
    "color, full": encoded(picture(33, 57), subsampling=0),
    "progressive": encoded(picture(70, 50), progressive=True),
    "with a comment": encoded(picture(40, 40), comment=b"a comment of some length"),
    "restart intervals": encoded(picture(64, 64), restart_marker_blocks=2),
    "odd size": encoded(picture(9, 13, "L"), quality=30),
}

orientation = Image.Exif()
orientation[0x0112] = 6
LEFT_TO_PILLOW = {
    "turned by EXIF": encoded(picture(40, 30), exif=orientation),
    "a color profile": encoded(picture(40, 30), icc_profile=b"x" * 200),
    "four channels": encoded(picture(40, 30, "CMYK")),
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(60),
    "no scan": PLAIN["gray"][:100],
    "empty": b"",
    "12 bits": PLAIN["gray"].replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc0\x00\x0b\x0c"),
    "no height": PLAIN["gray"].replace(b"\x08\x00\x40\x00\x40", b"\x08\x00\x00\x00\x40"),
}


def as_usual(folder: Path, record: Record, size: int, channels: int | None, patch: pytest.MonkeyPatch) -> Any:
    with patch.context() as without:
        without.setattr(decode, "_quickly", lambda *given: None)
        return decode.decode_one(FileDataset(data=str(folder)), record, size, channels)


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("size", [8, 32, 64])
@pytest.mark.parametrize("name", [*PLAIN, *LEFT_TO_PILLOW])
def test_the_pixels_are_pillows(
    name: str, size: int, channels: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.jpg").write_bytes((PLAIN | LEFT_TO_PILLOW)[name])
    record = Record("x.jpg", source="x.jpg")
    found = decode.decode_one(FileDataset(data=str(tmp_path)), record, size, channels)
    expected = as_usual(tmp_path, record, size, channels, monkeypatch)
    if isinstance(expected, str):
        assert found == expected
        return
    assert not isinstance(found, str)
    assert found.pixels.shape == expected.pixels.shape
    assert (found.pixels == expected.pixels).all()
    assert found.side == expected.side


@pytest.mark.parametrize("name", PLAIN)
def test_size_and_mode(name: str) -> None:
    with Image.open(io.BytesIO(PLAIN[name])) as image:
        assert jpeg.header(PLAIN[name]) == (*image.size, image.mode)


@pytest.mark.parametrize("name", LEFT_TO_PILLOW)
def test_what_has_more_than_pixels_is_left_to_pillow(name: str) -> None:
    assert jpeg.header(LEFT_TO_PILLOW[name]) is None


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_file_that_is_cut_short_is_skipped_with_pillows_words(share: float, tmp_path: Path) -> None:
    whole = PLAIN["color, full"]
    cut = whole[: int(len(whole) * share)]
    (tmp_path / "x.jpg").write_bytes(cut)
    found = jpeg.header(cut)
    assert found is None or jpeg.pixels(cut, *found) is None
    result = decode.decode_one(FileDataset(data=str(tmp_path)), Record("x.jpg", source="x.jpg"), 16, None)
    assert isinstance(result, str)
    assert "truncated" in result


def test_any_bytes_are_a_picture_or_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    record = Record("x.jpg", source="x.jpg")
    for turn in range(300):
        data = bytearray(PLAIN["gray" if turn % 2 else "color, subsampled"])
        for place in rng.integers(0, len(data) if turn % 3 else 200, 4):
            data[place] = rng.integers(256)
        (tmp_path / "x.jpg").write_bytes(data)
        found = decode.decode_one(FileDataset(data=str(tmp_path)), record, 16, None)
        expected = as_usual(tmp_path, record, 16, None, monkeypatch)
        if isinstance(found, str) or isinstance(expected, str):
            assert found == expected
        else:
            assert (found.pixels == expected.pixels).all()


def test_large_files_and_decoding_of_ones_own_are_left_alone(tmp_path: Path) -> None:
    class Turned(FileDataset):
        def decode(self, record: Record) -> Image.Image:
            return super().decode(record).rotate(180)

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    (tmp_path / "large.jpg").write_bytes(encoded(noise, quality=95))
    (tmp_path / "small.jpg").write_bytes(PLAIN["gray"])
    (tmp_path / "small.png").write_bytes(PLAIN["gray"])
    usual, turned = FileDataset(data=str(tmp_path)), Turned(data=str(tmp_path))
    assert usual.read_jpeg(Record("l", source="large.jpg")) is None
    assert usual.read_jpeg(Record("s", source="small.png")) is None
    assert usual.read_jpeg(Record("s", source="small.jpg")) == PLAIN["gray"]
    assert turned.read_jpeg(Record("s", source="small.jpg")) is None
