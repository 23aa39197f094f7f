"""Every kind of picture that a folder may hold, made here and decoded."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from zoo.packs.decode import MAX_PIXELS, Decoded, decode_one
from zoo_core import FileDataset, ImageDataset, Listing, Picture, Record


class Given(ImageDataset):
    """Decodes whatever a record carries."""

    boxed = ("hat", "nose")

    def listing(self) -> Listing:
        return Listing([])

    def decode(self, record: Record) -> Any:
        if isinstance(record.source, BaseException):
            raise record.source
        return record.source


def decode(image: Any, size: int = 8, channels: int | None = None) -> Decoded:
    result = decode_one(Given(), Record("x", source=image), size, channels)
    assert isinstance(result, Decoded), result
    assert result.pixels.dtype == np.uint8
    return result


def refused(image: Any, size: int = 8) -> str:
    result = decode_one(Given(), Record("x", source=image), size, None)
    assert isinstance(result, str)
    return result


def saved(image: Image.Image, format: str, **options: Any) -> Image.Image:
    """The picture as it comes back from a file."""
    return Image.open(io.BytesIO(encoded(image, format, **options)))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def flat(image: Image.Image, channels: int | None = None) -> list[int]:
    """The one color of a picture of one color."""
    pixels = decode(image, channels=channels).pixels
    assert (pixels == pixels[0, 0]).all()
    return [int(v) for v in pixels[0, 0]]


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, zoo.packs.workers, zoo.packs; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_center_is_cut_out_and_resized_with_antialiasing() -> None:
    wide = np.zeros((32, 64), np.uint8)
    wide[:, 16:48:2] = 255  # the central square has stripes of one pixel, whose mean is 127.5; both ends are black
    pixels = decode(Image.fromarray(wide)).pixels
    assert pixels.shape == (8, 8, 1)
    assert abs(pixels[:, 2:-2].astype(int) - 127).max() <= 3  # a resize that only picks pixels gives 0 or 255


def test_a_picture_of_the_right_size_is_unchanged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    assert (decode(saved(Image.fromarray(pixels), "PNG"), 16).pixels == pixels).all()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (9, 9), 77), [77]),
        (Image.new("1", (9, 9), 1), [255]),
        (Image.new("RGB", (9, 9), (1, 2, 3)), [1, 2, 3]),
        (Image.new("RGB", (9, 9), (5, 5, 5)), [5]),
        (Image.new("LA", (9, 9), (100, 255)), [100]),
        (Image.new("LA", (9, 9), (100, 0)), [255]),
        (Image.new("RGBA", (9, 9), (200, 0, 0, 255)), [200, 0, 0]),
        (Image.new("RGBA", (9, 9), (200, 0, 0, 0)), [255]),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 51)), [255, 204, 204]),
        (Image.new("CMYK", (9, 9), (0, 255, 255, 0)), [255, 0, 0]),
        (Image.new("HSV", (9, 9), (0, 255, 255)), [255, 0, 0]),
        (Image.new("YCbCr", (9, 9), (90, 128, 128)), [90]),
        (Image.new("F", (9, 9), 100.4), [100]),
        (Image.new("F", (9, 9), 0.5), [128]),
        (Image.new("I", (9, 9), 257 * 9), [9]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_modes(image: Image.Image, expected: list[int]) -> None:
    assert flat(image) == expected


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (128, 0), (129, 1), (255, 1), (32896, 128), (65535, 255)])
def test_16_bits_are_scaled_and_not_clipped(format: str, value: int, expected: int) -> None:
    image = Image.fromarray(np.full((9, 9), value, np.uint16))
    assert image.mode.startswith("I;16")
    assert flat(saved(image, format)) == [expected]


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bits_of_either_byte_order(order: str) -> None:
    ramp = (np.arange(256).repeat(256).reshape(256, 256) * 257).astype(order)
    mode = "I;16" if order == "<u2" else "I;16B"
    image = Image.frombytes(mode, (256, 256), ramp.tobytes())
    assert (decode(image, 256).pixels[:, :, 0] == np.arange(256)[:, None]).all()


def test_grays_on_an_unknown_scale_are_skipped() -> None:
    assert "expected 0 to 65535" in refused(Image.new("I", (9, 9), 70000))
    assert "expected 0 to 255" in refused(Image.new("F", (9, 9), 1000.0))
    assert "not numbers" in refused(Image.new("F", (9, 9), float("nan")))


def test_cmyk_jpeg_has_its_colors() -> None:
    image = saved(Image.new("CMYK", (16, 16), (200, 20, 220, 10)), "JPEG", quality=95)
    assert image.mode == "CMYK"
    expected = [(255 - ink) * (255 - 10) / 255 for ink in (200, 20, 220)]
    assert np.abs(np.array(flat(image)) - expected).max() <= 4


def test_palettes() -> None:
    image = Image.new("P", (10, 10), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    assert flat(saved(image, "PNG")) == [10, 200, 30]
    assert flat(saved(image, "GIF")) == [10, 200, 30]
    assert flat(saved(image, "PNG", transparency=1)) == [255]
    assert flat(saved(image, "PNG", transparency=bytes([255, 128]))) == [132, 227, 142]
    assert flat(saved(image, "GIF", transparency=1)) == [255]


def test_one_transparent_color() -> None:
    assert flat(saved(Image.new("RGB", (9, 9), (1, 2, 3)), "PNG", transparency=(1, 2, 3))) == [255]
    assert flat(saved(Image.new("L", (9, 9), 40), "PNG", transparency=40)) == [255]
    assert flat(saved(Image.new("L", (9, 9), 40), "PNG", transparency=41)) == [40]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0)), (2, (0, 1)), (5, (0, 0))]
)
def test_exif_turns_the_picture(format: str, orientation: int, corner: tuple[int, int]) -> None:
    image = Image.new("L", (64, 48))
    image.paste(255, (8, 0, 32, 24))  # the upper left corner of the central square
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(saved(image.convert("RGB"), format, exif=exif), 8).pixels[:, :, 0]
    bright = [(y, x) for y in (0, 1) for x in (0, 1) if pixels[1 + 5 * y, 1 + 5 * x] > 200]
    assert bright == [corner]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_ignored() -> None:
    data = encoded(Image.new("RGB", (16, 16), (9, 99, 199)), "PNG")
    chunk = b"eXIf" + b"MM\0*\xff\xff\xff\xff" + b"\0" * 3
    data = data[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    assert flat(Image.open(io.BytesIO(data))) == [9, 99, 199]


def test_channels() -> None:
    color, gray = Image.new("RGB", (9, 9), (255, 0, 0)), Image.new("L", (9, 9), 50)
    assert flat(color, channels=1) == [76]  # ITU-R 601-2: 0.299 of red
    assert flat(color, channels=3) == [255, 0, 0]
    assert flat(gray, channels=1) == [50]
    assert flat(gray, channels=3) == [50, 50, 50]
    assert flat(Image.new("RGB", (9, 9), (7, 7, 7)), channels=1) == [7]
    depths = [decode(image, channels=channels).pixels.shape[2] for image in (color, gray) for channels in (1, 3, None)]
    assert depths == [1, 3, 3, 1, 3, 1]


def test_one_colored_pixel_makes_it_no_gray_picture() -> None:
    image = Image.new("RGB", (8, 8), (9, 9, 9))
    image.putpixel((3, 3), (9, 9, 10))
    assert decode(image).pixels.shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("width", "height", "size", "words"),
    [
        (1, 5000, 64, "1×5000 pixels: its shorter side is under 8"),
        (5000, 7, 64, "5000×7 pixels: its shorter side is under 8"),
        (1, 1, 8, "its shorter side is under 2"),
        (12, 40, 100, "its shorter side is under 12.5"),
    ],
)
def test_thin_pictures_are_skipped(width: int, height: int, size: int, words: str) -> None:
    assert words in refused(Image.new("L", (width, height)), size)


def test_what_is_just_wide_enough_is_kept() -> None:
    assert decode(Image.new("L", (8, 5000)), 64).pixels.shape == (64, 64, 1)
    assert decode(Image.new("L", (2, 2)), 1).pixels.shape == (1, 1, 1)


def damaged_files() -> dict[str, tuple[bytes, str]]:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    jpeg, png = encoded(noise, "JPEG"), encoded(noise, "PNG")
    header = struct.pack(">II", 50_000, 50_000) + b"\x08\x02\0\0\0"
    chunk = b"IHDR" + header
    bomb = png[:8] + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]
    return {
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "truncated.png": (png[: len(png) // 2], "truncated"),
        "empty.png": (b"", "not a picture"),
        "text.jpg": (b"these are words\n" * 9, "not a picture"),
        "bomb.png": (bomb, f"more than the limit of {MAX_PIXELS:,} pixels"),
        "drawing.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n", "EPS is not read"),
        "half.webp": (encoded(noise, "WEBP")[:200], ""),
        "noise.gif": (b"GIF89a" + bytes(range(200)), ""),
    }


@pytest.mark.parametrize("name", damaged_files())
def test_damaged_files_are_skipped_with_a_reason(name: str, tmp_path: Path) -> None:
    content, words = damaged_files()[name]
    (tmp_path / name).write_bytes(content)
    result = decode_one(FileDataset(data=str(tmp_path)), Record(name, source=name), 8, None)
    assert isinstance(result, str)
    assert words in result
    assert 0 < len(result) <= 200
    assert str(tmp_path) not in result


def test_the_limit_holds_where_a_script_has_lifted_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    content, words = damaged_files()["bomb.png"]
    assert refused(Image.open(io.BytesIO(content))) == f"50000×50000 pixels: {words}"


@pytest.mark.parametrize(
    "error", [MemoryError(), ValueError("two\nlines"), KeyError("x"), RecursionError(), BaseException("a")]
)
def test_whatever_an_author_raises_skips_the_picture(error: BaseException) -> None:
    assert "\n" not in refused(error)


def test_ctrl_c_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        refused(KeyboardInterrupt())


def test_something_that_is_no_picture() -> None:
    assert "str" in refused("a string")


def test_lab_is_converted_or_skipped_but_never_fatal() -> None:
    lab = ImageCms.applyTransform(
        Image.new("RGB", (9, 9)),
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"),
    )
    assert isinstance(decode_one(Given(), Record("x", source=lab), 8, None), Decoded | str)


def test_a_picture_is_not_changed_by_decoding_it() -> None:
    image = Image.new("RGBA", (20, 10), (1, 2, 3, 4))
    before = image.tobytes()
    decode(image)
    assert (image.mode, image.size, image.tobytes()) == ("RGBA", (20, 10), before)


class TestBoxes:
    """A picture of 40 × 20 pixels loses 10 at either side; its central square of 20 becomes 8."""

    def boxes(self, **boxes: tuple[float, float, float, float]) -> list[list[int]]:
        return decode(Picture(Image.new("RGB", (40, 20)), boxes)).boxes.tolist()  # type: ignore[no-any-return]

    def test_moved_and_scaled(self) -> None:
        assert self.boxes(hat=(15, 0, 25, 10), nose=(10, 10, 30, 20)) == [[2, 0, 6, 4], [0, 4, 8, 8]]

    def test_rounded_outwards(self) -> None:
        assert self.boxes(hat=(16, 1, 26, 11))[0] == [2, 0, 7, 5]

    def test_clipped_to_the_picture(self) -> None:
        assert self.boxes(hat=(-5, -5, 15, 10))[0] == [0, 0, 2, 4]

    def test_dropped_when_nothing_is_left(self) -> None:
        gone = [-1, -1, -1, -1]
        assert self.boxes(hat=(0, 0, 10, 20), nose=(20, 20, 30, 30)) == [gone, gone]
        assert self.boxes(hat=(20, 5, 20, 9), nose=(25, 5, 20, 9)) == [gone, gone]
        assert self.boxes() == [gone, gone]

    def test_exif_does_not_turn_what_has_boxes(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        image = Image.new("RGB", (40, 20))
        image.paste((255, 0, 0), (10, 0, 20, 20))
        result = decode(Picture(saved(image, "PNG", exif=exif), {"hat": (10, 0, 20, 20)}))
        assert result.boxes[0].tolist() == [0, 0, 4, 8]
        assert (result.pixels[:, 1] == (255, 0, 0)).all()


def test_a_crop_outside_the_picture_is_the_authors_mistake() -> None:
    class Outside(Given):
        def crop(self, width: int, height: int) -> tuple[float, float, float, float]:
            return (-5, 0, 20, 20)

    result = decode_one(Outside(), Record("x", source=Image.new("L", (20, 20))), 8, None)
    assert isinstance(result, str)
    assert "crop" in result
