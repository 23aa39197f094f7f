"""`dataset.fit`: how a picture that is not square becomes so."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from helpers.datasets import dataset
from zoo.packs.decode import Decoded, decode_one
from zoo_core import FileDataset, ImageDataset, Listing, OptionError, Picture, Record

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


class Given(ImageDataset):
    """Decodes whatever a record carries."""

    boxed = ("hat",)

    def listing(self) -> Listing:
        return Listing([])

    def decode(self, record: Record) -> Any:
        return record.source


def decode(image: Any, size: int = 8, channels: int | None = None, **options: Any) -> Decoded:
    result = decode_one(Given(**options), Record("x", source=image), size, channels)
    assert isinstance(result, Decoded), result
    assert result.pixels.shape[:2] == (size, size)
    return result


def thirds(height: int = 24) -> Image.Image:
    """Three squares side by side: red, green, blue."""
    image = Image.new("RGB", (3 * height, height))
    for i, color in enumerate((RED, GREEN, BLUE)):
        image.paste(color, (i * height, 0, (i + 1) * height, height))
    return image


def test_crop_keeps_the_center() -> None:
    for found in (decode(thirds()), decode(thirds(), fit="crop")):
        assert (found.pixels.argmax(2) == 1).all()  # green everywhere
        assert (found.pixels[:, 2:-2] == GREEN).all()  # antialiasing looks a little beyond the crop


@pytest.mark.parametrize("turned", [False, True])
def test_pad_keeps_all_between_white_bars(turned: bool) -> None:
    image = thirds().transpose(Image.Transpose.TRANSPOSE) if turned else thirds()
    found = decode(image, 24, fit="pad")
    pixels = found.pixels.transpose(1, 0, 2) if turned else found.pixels
    assert (pixels[:8] == 255).all()
    assert (pixels[16:] == 255).all()
    middle = pixels[8:16]
    assert [middle[4, x].tolist() for x in (3, 12, 20)] == [[*RED], [*GREEN], [*BLUE]]
    assert (middle[:, 0] == RED).all()  # no white mixes in at the picture's edge
    assert (middle[:, -1] == BLUE).all()
    assert (middle[0] == middle[4]).all()
    assert found.side == 72


def test_stretch_keeps_all_and_fills_the_square() -> None:
    found = decode(thirds(), 24, fit="stretch")
    assert [found.pixels[12, x].tolist() for x in (3, 12, 20)] == [[*RED], [*GREEN], [*BLUE]]
    assert (found.pixels == found.pixels[:1]).all()
    assert found.side == 24


def test_a_square_is_the_same_in_every_way() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for fit in ("crop", "pad", "stretch"):
        assert (decode(Image.fromarray(pixels), 16, fit=fit).pixels == pixels).all()


@pytest.mark.parametrize(
    ("fill", "channels", "mode", "bar"),
    [
        ("black", None, "L", [0]),
        ("#102030", None, "L", [16, 32, 48]),  # gray pictures become colored with their bars
        ("#102030", 1, "L", [29]),  # 0.299 · 16 + 0.587 · 32 + 0.114 · 48 = 29.04
        ("#102030", 1, "RGB", [29]),
        ("red", 3, "L", [255, 0, 0]),
        ("red", None, "RGB", [255, 0, 0]),
        ("edge", None, "L", [77]),
        ("edge", 3, "RGB", [77, 77, 77]),
    ],
)
def test_the_color_of_the_bars(fill: str, channels: int | None, mode: str, bar: list[int]) -> None:
    image = Image.new("L", (20, 10), 77).convert(mode)
    pixels = decode(image, 8, channels, fit="pad", fill=fill).pixels
    assert pixels[0, 0].tolist() == bar
    assert pixels[4, 4].tolist() == [77] * len(bar)
    rows = (pixels.reshape(8, -1) == pixels[0].reshape(-1)).all(1)
    assert rows.sum() == (8 if fill == "edge" else 4)


def test_the_edge_goes_on() -> None:
    image = Image.fromarray(np.repeat(np.arange(0, 80, 10, np.uint8)[:, None], 4, axis=1))  # 8 rows of 4
    pixels = decode(image, 8, fit="pad", fill="edge").pixels[:, :, 0]
    assert (pixels == np.arange(0, 80, 10)[:, None]).all()


def test_16_bit_grays_are_padded() -> None:
    image = Image.fromarray(np.full((9, 18), 257 * 9, np.uint16))
    pixels = decode(image, 6, fit="pad").pixels[:, :, 0]
    assert pixels[0, 0] == 255
    assert pixels[3, 3] == 9


@pytest.mark.parametrize(("fit", "expected"), [("crop", [0, 2, 4, 8]), ("pad", [2, 2, 4, 5]), ("stretch", [2, 2, 4, 8])])
def test_boxes_move_with_their_picture(fit: str, expected: list[int]) -> None:
    image = Picture(thirds(16), {"hat": (12.0, 4.0, 24.0, 16.0)})  # of 48 × 16 pixels
    assert decode(image, 8, fit=fit).boxes.tolist() == [expected]


def test_a_box_beside_the_crop_is_in_the_padded_picture() -> None:
    image = Picture(thirds(16), {"hat": (0.0, 0.0, 12.0, 8.0)})
    assert decode(image, 12, fit="crop").boxes.tolist() == [[-1] * 4]
    assert decode(image, 12, fit="pad").boxes.tolist() == [[0, 4, 3, 6]]


@pytest.mark.parametrize("fit", ["pad", "stretch"])
@pytest.mark.parametrize("size", [(40, 30), (400, 90), (90, 1000)])
def test_jpegs_come_out_alike_on_every_path(tmp_path: Path, fit: str, size: tuple[int, int]) -> None:
    """Small files go straight to the decoder, large ones are decoded at reduced scale: the picture is the same."""
    ramp = np.add.outer(np.linspace(0, 120, size[1]), np.linspace(0, 120, size[0])).astype(np.uint8)
    Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2 + 60], 2)).save(tmp_path / "x.jpg", quality=95)
    record = Record("x.jpg", source="x.jpg")
    found = decode_one(FileDataset(data=str(tmp_path), fit=fit), record, 16, None)
    whole = Image.open(io.BytesIO((tmp_path / "x.jpg").read_bytes())).convert("RGB").copy()  # no longer a JPEG
    expected = decode(whole, 16, fit=fit)
    assert isinstance(found, Decoded)
    assert found.side == expected.side == (max(size) if fit == "pad" else min(size))
    assert abs(found.pixels.astype(int) - expected.pixels).max() <= 3
    assert ((found.pixels == 255).all(2) == (expected.pixels == 255).all(2)).all()  # bars of the same place


def test_a_turned_photograph_is_padded_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    thirds().save(tmp_path / "x.jpg", quality=95, exif=exif)
    found = decode_one(FileDataset(data=str(tmp_path), fit="pad"), Record("x.jpg", source="x.jpg"), 24, 3)
    assert isinstance(found, Decoded)
    assert (found.pixels[:, :8] == 255).all()
    assert (found.pixels[:, 16:] == 255).all()
    assert found.pixels[:, 12].argmax(1).tolist() == [0] * 8 + [1] * 8 + [2] * 8


def test_each_fit_is_a_pack_of_its_own(tmp_path: Path) -> None:
    thirds().save(tmp_path / "a.png")
    packs = {
        str(options): zoo.build_pack(zoo.PackRequest("folder", data=tmp_path, size=24, options=options))
        for options in ({}, {"fit": "crop"}, {"fit": "pad"}, {"fit": "pad", "fill": "black"}, {"fit": "stretch"})
    }
    assert len({pack.key for pack in packs.values()}) == 4
    assert packs["{}"].key == packs["{'fit': 'crop'}"].key
    assert packs["{'fit': 'pad', 'fill': 'black'}"].info["dataset"]["options"] == {"fit": "pad", "fill": "black"}


@pytest.mark.parametrize("name", ["folder", "imagenet", "lsun", "hub", "faces"])
def test_every_dataset_that_crops_can_pad(name: str, tmp_path: Path) -> None:
    found = dataset(name, tmp_path, fit="pad", fill="edge")
    assert (found.fit, found.fill) == ("pad", "edge")
    assert found.crop(178, 218) == (0, 0, 178, 218)
    assert dataset(name, tmp_path).crop(40, 30) == (5, 0, 35, 30)


def test_celeba_is_padded_whole(tmp_path: Path) -> None:
    (tmp_path / "img_align_celeba").mkdir()
    Image.new("RGB", (178, 218)).save(tmp_path / "img_align_celeba" / "000001.jpg")
    assert dataset("faces", tmp_path).crop(178, 218) == (35, 55, 143, 163)
    assert dataset("faces", tmp_path, fit="stretch").crop(178, 218) == (0, 0, 178, 218)


@pytest.mark.parametrize(
    ("options", "words", "hint"),
    [
        ({"fit": "squash"}, "dataset.fit must be crop", "--set dataset.fit=crop"),
        ({"fill": "black"}, "not of crop", "--set dataset.fit=pad"),
        ({"fit": "stretch", "fill": "black"}, "not of stretch", "--set dataset.fit=pad"),
        ({"fit": "pad", "fill": "blak"}, "'blak', which is no color", "dataset.fill=black"),
    ],
)
def test_impossible_options(options: dict[str, str], words: str, hint: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        dataset("folder", "x", **options)
    assert hint in caught.value.hint


def test_drawn_faces_are_square_already() -> None:
    with pytest.raises(OptionError, match="belongs to photographs"):
        dataset("faces", None, fit="pad")
    with pytest.raises(OptionError, match="keeps all of a picture"):
        dataset("faces", "x", fit="pad", crop=64)
