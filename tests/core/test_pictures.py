"""Pictures of every kind through the one door: what is refused, and what the pixels become."""

from __future__ import annotations

import gc
import io
import os
import socket
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from helpers.odd_pictures import chunk, damaged_tiff, encoded, gray_profile, png, swapped_profile
from zoo_core.pictures import (
    MAX_PIXELS,
    Findings,
    PictureError,
    as_plain,
    changes_colors,
    explain,
    guard,
    open_picture,
    read_picture,
)
from zoo_core.pictures.opening import _formats


def colors(source: Any) -> list[Any]:
    """The pixels of a picture of one row."""
    image = read_picture(source)
    return [image.getpixel((x, 0)) for x in range(image.width)]


RED = Image.new("RGB", (8, 8), (200, 10, 20))


class TestRefused:
    @pytest.mark.parametrize(
        ("head", "words"),
        [
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n", "EPS is not read"),
            (b"\xc5\xd0\xd3\xc6" + bytes(99), "EPS is not read"),
            (b"%PDF-1.7\n", "PDF is not read"),
            (b"\xd7\xcd\xc6\x9a" + bytes(99), "WMF is not read"),
            (b"\x01\0\0\0" + bytes(36) + b" EMF" + bytes(60), "EMF is not read"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"),
            (b"PK\x03\x04" + bytes(99), "zip"),
            (b"<!DOCTYPE html><html>Not found", "web page"),
            (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is not read"),
            (b"\0\0\0\x18ftypmp42" + bytes(99), "video"),
            (b"\x1a\x45\xdf\xa3" + bytes(99), "video"),
            (b"", "empty"),
            (bytes(600), "zeros"),
            (b"just words", "not a picture, or of a format that cannot be read"),
        ],
    )
    def test_what_is_no_picture_of_pixels_is_named(self, head: bytes, words: str, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").write_bytes(head)
        for source in (tmp_path / "photo.jpg", str(tmp_path / "photo.jpg"), head, io.BytesIO(head)):
            with pytest.raises(PictureError, match=words):
                read_picture(source)

    @pytest.mark.parametrize("form", ["EPS", "WMF"])
    def test_no_program_is_started_whoever_opened_it(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def start(*given: Any, **named: Any) -> Any:
            raise AssertionError("a program is started")

        monkeypatch.setattr(subprocess, "check_call", start)
        monkeypatch.setattr(subprocess, "Popen", start)
        data = encoded(RED, "EPS")
        image = Image.open(io.BytesIO(data))
        image.format = form
        with pytest.raises(PictureError, match=f"{form} is not read"):
            as_plain(image)

    def test_formats_that_open_others_or_start_programs_are_not_tried(self) -> None:
        assert set(_formats()).isdisjoint(("EPS", "WMF", "IPTC", "FPX", "MIC", "MPEG"))

    def test_only_regular_files_and_links_to_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        RED.save(tmp_path / "a.png")
        os.symlink(tmp_path / "a.png", tmp_path / "link.png")
        assert read_picture(tmp_path / "link.png").size == (8, 8)
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(PictureError, match="a named pipe, not a file"):
            open_picture(tmp_path / "pipe.jpg")
        with pytest.raises(PictureError, match="a device, not a file"):
            open_picture("/dev/zero")
        with pytest.raises(PictureError, match="a folder, not a file"):
            open_picture(tmp_path)
        with socket.socket(socket.AF_UNIX) as listening:
            monkeypatch.chdir(tmp_path)  # a socket's path may not be long
            listening.bind("s.jpg")
            with pytest.raises(PictureError, match="a socket, not a file"):
                open_picture(tmp_path / "s.jpg")
        os.symlink(tmp_path / "circle.jpg", tmp_path / "circle.jpg")
        with pytest.raises(OSError, match="circle"):
            open_picture(tmp_path / "circle.jpg")

    def test_the_limits_hold_where_a_script_has_lifted_pillows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        huge = encoded(RED, "PNG").replace(struct.pack(">II", 8, 8), struct.pack(">II", 50_000, 50_000))
        huge = huge[:8] + chunk(b"IHDR", huge[16:29]) + huge[33:]
        icon = bytearray(encoded(Image.new("RGBA", (16, 16)), "ICO", sizes=[(16, 16)]))
        (at,) = struct.unpack("<I", icon[18:22])
        for limit in (Image.MAX_IMAGE_PIXELS, None):
            monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
            with pytest.raises(PictureError, match=f"more than the limit of {MAX_PIXELS:,} pixels"):
                open_picture(huge)
            with pytest.raises(PictureError, match="more than the limit"):  # the icon says 16 × 16, what it holds does not
                read_picture(bytes(icon[:at]) + huge)
            assert limit == Image.MAX_IMAGE_PIXELS

    def test_a_damaged_picture_says_what_is_wrong(self) -> None:
        data = encoded(Image.effect_noise((64, 64), 90), "PNG")
        with pytest.raises(PictureError, match="truncated"):
            read_picture(data[: len(data) // 2])

    def test_a_missing_file_is_no_damaged_one(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_picture(tmp_path / "none.png")

    @pytest.mark.parametrize("raw", [{50706: (1, b"\x01\x04\0\0")}, {254: (4, 1), 330: (4, 8)}], ids=["DNG", "NEF"])
    def test_a_preview_is_not_taken_for_a_cameras_picture(self, raw: dict[int, tuple[int, Any]]) -> None:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, (kind, value) in raw.items():
            tags.tagtype[tag] = kind
            tags[tag] = value
        with pytest.raises(PictureError, match="only a preview could be read"):
            open_picture(encoded(RED, "TIFF", tiffinfo=tags))

    @pytest.mark.parametrize("brand", [b"heic", b"mif1", b"msf1"])
    def test_heic_without_its_package_says_what_to_install(self, brand: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(PictureError, match=r"HEIC picture, .* pip install 'dcgan-zoo\[heif\]'"):
            open_picture(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(99))


FORMS = [
    "AVIF",
    "BMP",
    "DDS",
    "DIB",
    "GIF",
    "ICO",
    "IM",
    "JPEG",
    "JPEG2000",
    "PCX",
    "PNG",
    "PPM",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_format_of_pixels_is_read(form: str) -> None:
    try:
        data = encoded(RED.resize((16, 16)), form)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {form}")
    assert np.abs(np.asarray(read_picture(data), int) - (200, 10, 20)).max() <= 4


def test_heic_is_read_with_its_package() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(RED.resize((64, 64))).save(buffer, quality=95)
    image = open_picture(buffer.getvalue())
    assert image.format == "HEIF"
    assert np.abs(np.asarray(read_picture(buffer.getvalue()), int) - (200, 10, 20)).max() <= 6


class TestTransparency:
    @pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
    def test_alpha_channels(self, mode: str) -> None:
        image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
        image.putpixel((1, 0), (0, 0, 0, 51))
        if mode == "PA":
            alpha, image = image.getchannel("A"), Image.new("P", (2, 1))
            image.putpalette([0, 0, 0])
            image.putalpha(alpha)
        else:
            image = image.convert("LA" if mode[0] == "L" else "RGBA").convert(mode)
        assert image.mode == mode
        assert np.asarray(read_picture(image).convert("L")).tolist() == [[0, 204]]

    def test_one_value_of_every_depth(self) -> None:
        assert colors(png(4, 2, 0, bytes([0b00011011]), struct.pack(">H", 1))) == [
            (0,) * 3,
            (255,) * 3,
            (170,) * 3,
            (255,) * 3,
        ]
        assert colors(png(2, 4, 0, bytes([0x5A]), struct.pack(">H", 10))) == [(85,) * 3, (255,) * 3]
        assert [v[0] for v in colors(png(8, 1, 0, bytes([0b01000000]), struct.pack(">H", 0)))] == [255] * 8
        assert [v[0] for v in colors(png(2, 8, 0, bytes([40, 41]), struct.pack(">H", 40)))] == [255, 41]
        assert colors(png(2, 16, 0, struct.pack(">HH", 2570, 2571), struct.pack(">H", 2570))) == [255, 10]
        row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x0A0A, 0x1414, 0x1E1E)
        assert colors(png(2, 16, 2, row, row[:6])) == [(255, 255, 255), (10, 20, 30)]
        assert colors(png(2, 8, 2, bytes([1, 2, 3, 1, 2, 4]), struct.pack(">HHH", 1, 2, 3))) == [(255, 255, 255), (1, 2, 4)]

    def test_the_picture_given_stays_as_it_was(self) -> None:
        image = Image.open(io.BytesIO(png(4, 2, 0, bytes([0b00011011]), struct.pack(">H", 1))))
        as_plain(image)
        assert image.info["transparency"] == 1


class TestGrays:
    def tiff(self, bits: int, rows: bytes, width: int) -> bytes:
        """An uncompressed TIFF of grays."""
        tags = [(256, 3, width), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
        tags += [(278, 3, 1), (279, 4, len(rows))]
        body = b"".join(
            struct.pack("<HHIHH" if kind == 3 else "<HHII", tag, kind, 1, value, *([0] if kind == 3 else []))
            for tag, kind, value in tags
        )
        rows += bytes(len(rows) % 2)
        return b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + struct.pack("<H", len(tags)) + body + bytes(4)

    def test_12_bits_that_the_file_declares(self) -> None:
        samples = (0, 4095, 2048, 16)
        packed = b"".join(
            bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in zip(samples[::2], samples[1::2], strict=True)
        )
        assert colors(self.tiff(12, packed, 4)) == [0, 255, 128, 1]

    def test_one_rule_for_all(self) -> None:
        rows = {"I;16": (np.uint16, [0, 257, 65535]), "I": (np.int32, [0, 257, 65535]), "F": (np.float32, [0, 1, 255])}
        for kind, values in rows.values():
            assert colors(Image.fromarray(np.array([values], kind))) == [0, 1, 255]
        assert colors(Image.fromarray(np.array([[0, 0.5, 1]], np.float32))) == [0, 128, 255]

    def test_white_says_what_is_white(self) -> None:
        image = Image.fromarray(np.array([[0, 2048, 4095, 5000]], np.uint16))
        found = Findings()
        plain = np.asarray(as_plain(image, white=4095, found=found)).round(2)
        assert plain.tolist() == [[0.0, np.float32(127.53), 255.0, 255.0]]
        assert (found.brightest, found.white) == (5000, 4095)
        as_plain(image, found=found)
        assert (found.brightest, found.white) == (5000, 65535)

    def test_a_scale_that_nobody_can_know(self) -> None:
        for value, kind in ((70000, np.int32), (-1, np.int32), (256, np.float32), (np.nan, np.float32)):
            with pytest.raises(PictureError, match=r"its grays run from|some of its grays are not numbers"):
                read_picture(Image.fromarray(np.full((2, 2), value, kind)))


class TestProfiles:
    def test_srgb_changes_no_pixel(self) -> None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8))
        image = open_picture(encoded(noise, "PNG", icc_profile=profile))
        assert not changes_colors(image)
        found = Findings()
        assert (np.asarray(as_plain(image, found=found)) == np.asarray(noise)).all()
        assert not found.profile_ignored

    @pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP"])
    def test_another_one_is_applied(self, form: str) -> None:
        exact = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
        image = open_picture(encoded(RED, form, icc_profile=swapped_profile(), **exact))
        assert changes_colors(image)
        assert np.abs(np.asarray(as_plain(image), int) - (20, 10, 200)).max() <= 3

    def test_with_alpha_with_a_palette_and_on_grays(self) -> None:
        clear = RED.convert("RGBA")
        clear.putpixel((0, 0), (200, 10, 20, 0))
        found = read_picture(encoded(clear, "PNG", icc_profile=swapped_profile()))
        assert (found.getpixel((0, 0)), found.getpixel((1, 0))) == ((255, 255, 255), (20, 10, 200))
        assert read_picture(encoded(RED.convert("P"), "PNG", icc_profile=swapped_profile())).getpixel((0, 0))[2] > 150
        gray = read_picture(encoded(Image.new("L", (4, 4), 99), "PNG", icc_profile=swapped_profile()))
        assert (gray.mode, gray.getpixel((0, 0))) == ("L", 99)

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_profiles_of_grays(self, kind: Any) -> None:
        image = Image.fromarray(np.full((4, 4), 128 if kind is np.uint8 else 128 * 257, kind))
        read = read_picture(encoded(image, "PNG", icc_profile=gray_profile(1.0)))
        assert read.mode == "L"
        assert abs(read.getpixel((0, 0)) - 188) <= 1  # linear 128 / 255 by sRGB's curve

    def test_a_damaged_or_foreign_one_is_ignored_and_told(self) -> None:
        for image, profile in ((RED, b"no profile"), (RED, gray_profile(1.0)), (RED.convert("L"), swapped_profile()[:200])):
            found = Findings()
            plain = as_plain(open_picture(encoded(image, "PNG", icc_profile=profile)), found=found)
            assert plain.tobytes() == image.tobytes()
            assert found.profile_ignored


def test_the_first_frame_of_several() -> None:
    blue = Image.new("RGB", (8, 8), (0, 0, 255))
    for form in ("GIF", "PNG", "TIFF", "WEBP"):
        more = {"save_all": True, "append_images": [blue], **({"lossless": True} if form == "WEBP" else {})}
        assert read_picture(encoded(RED, form, **more)).getpixel((0, 0)) == (200, 10, 20)


def test_what_decoders_say_is_heard_and_not_printed() -> None:
    code = (
        "import logging, sys\n"
        "from zoo_core.pictures import PictureError, as_plain, guard, open_picture, read_picture\n"
        "data = sys.stdin.buffer.read()\n"
        "with guard() as warned:\n"
        "    assert not warned()\n"
        "    try: as_plain(open_picture(data))\n"
        "    except OSError: print(warned(), warned())\n"
        "    logging.getLogger('PIL.TiffImagePlugin').error('too many samples')\n"
        "    print(warned(), warned())\n"
        "try: read_picture(data)\n"
        "except PictureError as error: print(bool(str(error)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=damaged_tiff(), capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.split() == [b"True", b"False", b"True", b"False", b"True"]


def test_python_warnings_are_heard() -> None:
    with guard() as warned:
        warnings.warn("a decoder's", stacklevel=1)
        assert (warned(), warned()) == (True, False)
        warnings.warn("a decoder's", stacklevel=1)  # the same again is not swallowed
        assert warned()


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize(
    ("kind", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1), (np.float32, 200)], ids=str
)
def test_gray_tiffs_in_which_0_is_white(kind: Any, white: float, compression: str, inverted: bool) -> None:
    ramp = np.linspace(0, white, 9).astype(kind)
    scaled = ramp.astype(float) * 255 / (255 if kind is np.float32 and white > 1 else white)
    options: dict[str, Any] = {"tiffinfo": {262: 0 if inverted else 1}, "compression": compression}
    data = encoded(Image.fromarray(ramp[None]), "TIFF", **options)
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.tag_v2[262] == (0 if inverted else 1)  # type: ignore[attr-defined]
    # of 8 bits Pillow inverts when it writes, too
    expected = 255 - scaled if inverted and kind is not np.uint8 else scaled
    assert np.abs(np.asarray(colors(data)) - expected).max() <= 0.51


def test_an_inverted_tiff_within_the_white_that_is_said() -> None:
    data = encoded(Image.fromarray(np.array([[0, 1000, 4095, 5000]], np.uint16)), "TIFF", tiffinfo={262: 0})
    found = Findings()
    pixels = np.asarray(as_plain(open_picture(data), white=4095, found=found))[0]
    assert np.allclose(pixels, [255, 255 - 1000 * 255 / 4095, 0, 0], atol=0.01)
    assert (found.brightest, found.white) == (4095, 4095)


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF", "ICO", "ICNS", "WEBP"])
def test_of_good_pictures_with_frames_or_sizes_nothing_is_heard(form: str, tmp_path: Path) -> None:
    frames: dict[str, Any] = (
        {} if form in ("ICO", "ICNS") else {"save_all": True, "append_images": [Image.new("RGB", (64, 64), "blue")]}
    )
    Image.new("RGB", (64, 64), (200, 10, 20)).save(tmp_path / "a", form, **frames)
    with guard() as heard:
        as_plain(open_picture(tmp_path / "a"))
        gc.collect()
        assert not heard()
        warnings.warn("damaged", UserWarning, stacklevel=1)
        assert heard()


@pytest.mark.parametrize(
    ("values", "white", "words"),
    [
        ([-1, 2], None, "its grays run from -1 to 2; expected 0 to 255"),
        ([-1, 2], 100, "its grays run from -1 to 2; expected 0 to 100"),
        ([0, 300], None, "its grays run from 0 to 300; expected 0 to 255"),
        ([np.nan, 2], None, "some of its grays are not numbers"),
        ([np.nan, 2], 255, "some of its grays are not numbers"),
    ],
)
def test_grays_on_no_known_scale(values: list[float], white: float | None, words: str) -> None:
    with pytest.raises(PictureError) as caught:
        as_plain(Image.fromarray(np.array([values], np.float32)), white=white)
    assert str(caught.value) == words


def test_files_that_cannot_be_read_are_explained_without_number_and_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        open_picture(tmp_path / "a.jpg")
    assert explain(caught.value) == "No such file or directory"
    assert explain(PermissionError(13, "Permission denied", "/home/a.jpg")) == "Permission denied"
    assert explain(OSError("broken data stream")) == "broken data stream"
