"""What packs make of pictures from the field: color profiles, grays of many bits, decoders that warn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.odd_pictures import damaged_exif, damaged_tiff, encoded, gray_profile, swapped_profile
from helpers.packs import Heard
from zoo.packs import PackRequest, build_pack
from zoo.packs.decode import REMARKS, Decoded, decode_one
from zoo_core import DataError, FileDataset, Record


def decode(folder: Path, name: str, size: int = 8, channels: int | None = None, *, white: float | None = None) -> Decoded:
    dataset = FileDataset(data=str(folder))
    dataset.white = white
    found = decode_one(dataset, Record(name, source=name), size, channels)
    assert isinstance(found, Decoded), found
    return found


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("side", [8, 64])
def test_profiles_are_applied_at_any_size_and_to_any_channels(channels: int | None, side: int, tmp_path: Path) -> None:
    red = Image.new("RGB", (side, side), (200, 10, 20))
    exact: dict[str, Any] = {"quality": 100, "subsampling": 0}
    (tmp_path / "a.jpg").write_bytes(encoded(red, "JPEG", icc_profile=swapped_profile(), **exact))
    pixels = decode(tmp_path, "a.jpg", channels=channels).pixels
    expected = [35] if channels == 1 else [20, 10, 200]  # 0.299 · 20 + 0.587 · 10 + 0.114 · 200
    assert pixels.shape == (8, 8, len(expected))
    assert np.abs(pixels.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("profile", [gray_profile(1.0), None], ids=["linear", "none"])
def test_profiles_of_gray_pictures(channels: int | None, profile: bytes | None, tmp_path: Path) -> None:
    gray = Image.new("L", (8, 8), 128)
    (tmp_path / "a.jpg").write_bytes(encoded(gray, "JPEG", quality=100, **({"icc_profile": profile} if profile else {})))
    found = decode(tmp_path, "a.jpg", channels=channels)
    assert found.pixels.shape == (8, 8, channels or 1)
    assert np.abs(found.pixels.astype(int) - (188 if profile else 128)).max() <= 1
    assert not found.remarks


def test_one_pixel(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.new("L", (2, 2), 128), "PNG", icc_profile=gray_profile(1.0)))
    assert decode(tmp_path, "a.png", 1).pixels.shape == (1, 1, 1)


def test_what_was_met_is_counted_in_the_summary_and_printed_nowhere(
    tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    red = Image.new("RGB", (16, 16), "red")
    good, odd = encoded(red, "PNG"), encoded(red, "PNG", icc_profile=b"x")
    for name, data in {"a.png": good, "b.png": odd, "c.png": odd, "d.png": damaged_exif(), "e.tif": damaged_tiff()}.items():
        (tmp_path / name).write_bytes(data)
    heard = Heard()
    pack = build_pack(PackRequest("folder", data=tmp_path, size=8), report=heard)
    assert len(pack) == 4
    ignored, warned = REMARKS.values()
    assert pack.info["remarks"] == {ignored: 2, warned: 1}
    assert "packed 4 images of folder at 8×8, 1 skipped (e.tif: " in heard.text
    assert f"), 2 {ignored}, 1 {warned}, 3 channels" in heard.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "most", "form", "full"),
    [
        (np.uint16, 4080, "png", 4095),
        (np.uint16, 16380, "png", 16383),
        (np.int32, 250, "tif", 255),
        (np.uint16, 900, "tif", 1023),
        (np.float32, 20.5, "tif", 20.5),
    ],
)
def test_pictures_that_are_nearly_black_are_pointed_out_and_stretched_as_asked(
    kind: Any, most: float, form: str, full: float, tmp_path: Path, cache: Path
) -> None:
    ramp = np.linspace(0, most, 64).reshape(8, 8).astype(kind)
    for i in range(3):
        Image.fromarray(ramp).save(tmp_path / f"{i}.{form}")
    heard = Heard()
    pack = build_pack(PackRequest("folder", data=tmp_path, size=8), report=heard)
    white = 255 if kind is np.float32 else 65535
    words = (
        f"3 pictures of more than 8 bits are dark: the brightest value is {most:,g}, and {white:,g} is white; "
        f"to make {full:g} white: --set dataset.white={full:g}"
    )
    assert f"folder: {words}" in heard.lines
    assert pack.info["notes"][-1] == words
    stretched = decode(tmp_path, f"0.{form}", white=full).pixels[:, :, 0]
    assert np.abs(stretched - ramp.astype(float) * 255 / full).max() <= 0.51


@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.uint8])
def test_pictures_that_use_their_range_and_those_of_8_bits_are_not(kind: Any, tmp_path: Path, cache: Path) -> None:
    most = {np.uint16: 20000, np.float32: 0.5, np.uint8: 10}[kind]
    Image.fromarray(np.linspace(0, most, 64).reshape(8, 8).astype(kind)).save(tmp_path / "a.tif")
    heard = Heard()
    build_pack(PackRequest("folder", data=tmp_path, size=8), report=heard)
    assert "dark" not in heard.text


def test_a_folder_that_cannot_be_read_is_listed_as_skipped(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(nobody / "cache"))
    data = nobody / "data"
    (data / "secret").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(data / "a.png")
    (data / "secret").chmod(0)
    heard = Heard()
    pack = build_pack(PackRequest("folder", data=data, size=8), report=heard)
    (data / "secret").chmod(0o700)
    reason = "a folder that cannot be read: Permission denied"
    assert pack.info["skipped"] == {"count": 1, "records": [{"key": "secret/", "reason": reason}]}
    assert f"packed 1 image of folder at 8×8, 1 skipped (secret/: {reason})" in heard.text


def test_why_none_can_be_read_is_said_once(tmp_path: Path, cache: Path) -> None:
    for i in range(5):
        (tmp_path / f"{i}.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(DataError) as caught:
        build_pack(PackRequest("folder", data=tmp_path, size=8))
    assert caught.value.message == (
        "none of the 5 pictures of folder can be read: 0.jpg: not the picture but its pointer in Git LFS; "
        "to get what it stands for: git lfs pull; 1.jpg: the same; 2.jpg: the same, …"
    )
