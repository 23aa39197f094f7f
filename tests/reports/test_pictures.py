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
    assert (np.asarray(grid(images, columns=columns)) == expected.movedim(0, 2).numpy()).all()


def test_grids_that_torchvision_makes_otherwise() -> None:
    one = np.asarray(grid(noise(1)))
    assert one.shape == (20, 20, 3)
    assert (one[2:18, 2:18] == noise(1)[0].numpy()).all()
    assert (one[:2] == 255).all()
    assert (one[:, -2:] == 255).all()
    gray = grid(noise(3, channels=1))
    assert (gray.mode, gray.size) == ("L", (38, 38))
    assert grid(noise(2), columns=4).size == (4 * 18 + 2, 20)


def test_numbers_below_leave_the_images_alone() -> None:
    images = noise(4, side=32)
    numbered = np.asarray(grid(images, numbered=True))
    assert numbered.shape == (2 * 46 + 2, 2 * 34 + 2, 3)
    for i in range(4):
        top, left = 2 + i // 2 * 46, 2 + i % 2 * 34
        assert (numbered[top : top + 32, left : left + 32] == images[i].numpy()).all()
        assert (numbered[top + 32 : top + 44, left : left + 32] < 128).any()  # a number


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
