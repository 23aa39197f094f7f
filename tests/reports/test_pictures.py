"""Pictures: grids pixel by pixel, sheets whose words can be read."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from zoo.reports.pictures import GAP, Block, arrange, data_url, grid, save_gif, sheet, to_picture


def noise(count: int, side: int = 16, channels: int = 3) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, side, side, channels), generator=rng, dtype=torch.uint8)


@pytest.mark.parametrize(("count", "columns"), [(2, None), (2, 1), (5, None), (5, 3), (7, 1), (7, 7), (9, None), (9, 7)])
def test_a_grid_is_that_of_torchvision(count: int, columns: int | None) -> None:
    images = noise(count)
    nrow = columns or int(np.ceil(np.sqrt(count)))
    expected = make_grid(images.movedim(3, 1), nrow=nrow, padding=GAP, pad_value=255)
    assert (np.asarray(grid(images, columns=columns, scale=1)) == expected.movedim(0, 2).numpy()).all()
    large = np.asarray(grid(images, columns=columns))
    assert (large[GAP : GAP + 128, GAP : GAP + 128] == images[0].numpy().repeat(8, 0).repeat(8, 1)).all()


def test_grids_that_torchvision_makes_otherwise() -> None:
    one = np.asarray(grid(noise(1), scale=1))
    assert one.shape == (24, 24, 3)
    assert (one[4:20, 4:20] == noise(1)[0].numpy()).all()
    assert (one[:4] == 255).all()
    assert (one[:, -4:] == 255).all()
    gray = grid(noise(3, channels=1), scale=1)
    assert (gray.mode, gray.size) == ("L", (44, 44))
    assert grid(noise(2), columns=4, scale=1).size == (4 * 20 + 4, 24)


@pytest.mark.parametrize(("side", "scale"), [(16, 8), (24, 5), (64, 2), (96, 1), (128, 1), (256, 1)])
def test_images_are_enlarged_by_whole_pixels(side: int, scale: int) -> None:
    assert grid(noise(1, side)).width == side * scale + 2 * GAP


def test_many_images_are_not_enlarged() -> None:
    assert grid(noise(400, 8)).width == 20 * (128 + GAP) + GAP
    assert grid(noise(401, 8)).width == 21 * (8 + GAP) + GAP


def test_numbers_below_leave_the_images_alone() -> None:
    images = noise(4, side=32)
    numbered = np.asarray(grid(images, numbered=True))
    assert numbered.shape == (2 * 164 + 4, 2 * 132 + 4, 3)
    for i in range(4):
        top, left = 4 + i // 2 * 164, 4 + i % 2 * 132
        assert (numbered[top : top + 128 : 4, left : left + 128 : 4] == images[i].numpy()).all()
        below = numbered[top + 128 : top + 160, left : left + 128].min((0, 2)) < 128
        assert abs(np.flatnonzero(below).mean() - 64) < 6  # a number, in the middle


def test_sheets_are_twice_as_large_as_shown() -> None:
    images = noise(3)
    picture = np.asarray(sheet([Block("A heading", images, columns=3)]))
    enlarged = images[0].numpy().repeat(8, 0).repeat(8, 1)
    assert picture.shape[1] >= 3 * 132 + 4
    assert (picture[-132:-4, 4:132] == enlarged).all()
    words = picture[: -136 - 4]
    assert words.shape[0] >= 24
    assert (words < 100).any()  # dark on white
    beside = sheet([Block("given", images[:1]), Block("nearest", images[:1])], columns=2)
    below = sheet([Block("given", images[:1]), Block("nearest", images[:1])])
    assert (beside.width, 2 * beside.height) == (2 * below.width, below.height)


def test_words_are_wrapped_and_never_cut() -> None:
    def words_of(text: str) -> np.ndarray:
        return np.asarray(sheet([Block(text, noise(1))]))

    one, long = words_of("few"), words_of("many words that do not fit into the width of one small image " * 2)
    assert long.shape[0] > one.shape[0] + 3 * 22
    wide = words_of("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft")
    assert wide.shape[1] > one.shape[1]
    assert (wide[:40, -6:] == 255).all()
    assert (words_of("a b") != words_of("ab")).any()


def test_arranging() -> None:
    parts = [Image.new("RGB", size, color) for size, color in (((4, 2), "red"), ((2, 6), "lime"), ((3, 3), "blue"))]
    picture = np.asarray(arrange(parts, columns=2))
    assert picture.shape == (9, 6, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[0, 4].tolist() == [0, 255, 0]
    assert picture[6, 0].tolist() == [0, 0, 255]
    assert picture[8, 5].tolist() == [255, 255, 255]


def test_a_data_url_holds_the_picture() -> None:
    url = data_url(to_picture(noise(1)[0]))
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert (np.asarray(picture) == noise(1)[0].numpy()).all()


def test_an_animation_goes_on(tmp_path: Path) -> None:
    with Image.open(save_gif([to_picture(image) for image in noise(3)], tmp_path / "a.gif")) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (3, 0)  # type: ignore[attr-defined]
