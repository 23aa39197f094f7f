"""`--set dataset.white`: which value is white in pictures with grays of more than 8 bits, for every dataset."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from helpers.packs import Heard
from zoo.packs import Pack, PackRequest, build_pack
from zoo.packs.decode import decode_one
from zoo_cli.main import zoo
from zoo_core import FileDataset, OptionError, Record

RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65  # 0 … 4095


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "PNG")
    return buffer.getvalue()


def first(pack: Pack) -> Any:
    return pack.gather(torch.tensor([0]))[0, :, :, 0].numpy()


@pytest.mark.parametrize("dataset", ["folder", "faces", "zip"])
def test_12_bits_in_16_become_8(dataset: str, tmp_path: Path, cache: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if dataset == "zip":
        with zipfile.ZipFile(data / "a.zip", "w") as archive:
            archive.writestr("a/1.png", picture())
    else:
        (data / "1.png").write_bytes(picture())
    name = "folder" if dataset == "zip" else dataset
    dark = build_pack(PackRequest(name, data=data, size=8))
    heard = Heard()
    pack = build_pack(PackRequest(name, data=data, size=8, options={"white": 4095}), report=heard)
    assert (pack.key != dark.key, pack.info["dataset"]["options"]["white"]) == (True, 4095)
    assert (first(pack) == np.rint(RAMP.astype(float) * 255 / 4095)).all()
    assert first(dark).max() == 16
    assert "dark" not in heard.text


@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), "bright"])
def test_what_cannot_be_white(value: Any, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "1.png").write_bytes(picture())
    with pytest.raises(OptionError, match=r"dataset\.white"):
        build_pack(PackRequest("folder", data=tmp_path, size=8, options={"white": value}))


def test_the_command_that_the_note_says(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "1.png").write_bytes(picture())
    command = ["data", "build", "folder", "--data", str(tmp_path), "--size", "8"]
    first = CliRunner().invoke(zoo, command)
    advice = first.output.split("to make 4095 white: ")[1].split("\n")[0].split()
    assert advice == ["--set", "dataset.white=4095"]
    again = CliRunner().invoke(zoo, [*command, *advice])
    assert again.exit_code == 0
    assert "dark" not in again.output


@pytest.mark.parametrize(
    ("values", "white", "words"),
    [
        ([0, 300], None, "its grays run from 0 to 300; expected 0 to 255, or to what dataset.white says"),
        ([-1, 300], 255, "its grays run from -1 to 300; expected 0 to 255"),
    ],
)
def test_why_grays_are_not_read(values: list[float], white: float | None, words: str, tmp_path: Path) -> None:
    Image.fromarray(np.resize(np.array(values, np.float32), (8, 8))).save(tmp_path / "a.tif")
    dataset = FileDataset(data=str(tmp_path))
    dataset.white = white
    assert decode_one(dataset, Record("a.tif", source="a.tif"), 8, 1) == words
