"""The downsampled ImageNet: pickles and .npz hold the same pictures, read by guarded readers."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.datasets import dataset, decoded
from zoo_core import DataError
from zoo_core.testing import assert_conforms

SIZE, EACH = 16, 5


def batch(number: int) -> tuple[np.ndarray, list[int]]:
    """Pixels [5, 3·16·16] and labels from 1 to 1,000."""
    chance = np.random.default_rng(number)
    return chance.integers(0, 256, (EACH, 3 * SIZE * SIZE), np.uint8), [int(n) for n in chance.integers(1, 1001, EACH)]


def write(path: Path, number: int, form: str, **more: Any) -> None:
    pixels, labels = batch(number)
    held = {"data": pixels, "labels": labels, "mean": pixels.mean(0), **more}
    if form == "npz":
        np.savez(path.with_suffix(".npz"), **held)
    elif form == "packed npz":
        np.savez_compressed(path.with_suffix(".npz"), **held)
    else:
        path.write_bytes(pickle.dumps(held, protocol=int(form)))


def imagenet16(root: Path, form: str) -> Path:
    for folder, names in (
        ("Imagenet16_train", [f"train_data_batch_{i}" for i in (1, 2, 10)]),
        ("Imagenet16_val", ["val_data"]),
    ):
        (root / folder).mkdir(parents=True)
        for i, name in enumerate(names):
            write(root / folder / name, i + 7 * (name == "val_data"), form)
    return root


@pytest.mark.parametrize("form", ["npz", "packed npz", "0", "2", "4", "5"])
def test_every_form_holds_the_same_pictures(tmp_path: Path, form: str) -> None:
    imagenet16(tmp_path, form)
    for data, split, numbers in ((tmp_path, "train", (0, 1, 2)), (tmp_path / "Imagenet16_val", "val", (7,))):
        found = dataset("imagenet", data, split=split)
        listing = found.listing()
        assert listing.classes[:3] == ("1", "2", "3")
        assert [r.label + 1 for r in listing.records] == [label for i in numbers for label in batch(i)[1]]
        expected = np.concatenate([batch(i)[0] for i in numbers]).reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
        assert (np.stack(decoded(found)) == expected).all()
        assert len(pickle.dumps(listing.records[0])) < 500  # no pixels: workers read them
    assert_conforms("datasets", "imagenet", options={"data": str(tmp_path)})


def test_its_own_map_names_the_classes(tmp_path: Path) -> None:
    imagenet16(tmp_path, "2")
    wnids = [f"n{i:08d}" for i in range(2000, 3000)][::-1]
    (tmp_path / "map_clsloc.txt").write_text("".join(f"{w} {i + 1} kit_fox_{i}\n" for i, w in enumerate(wnids)))
    listing = dataset("imagenet", tmp_path).listing()
    assert list(listing.classes) == wnids
    assert listing.aliases[wnids[4]] == ("kit_fox_4",)
    assert listing.records[0].label == batch(0)[1][0] - 1


class Harmful:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.folder),))


@pytest.mark.parametrize("form", ["2", "npz"])
def test_what_asks_for_more_than_arrays_is_refused_and_runs_nothing(tmp_path: Path, form: str) -> None:
    imagenet16(tmp_path, form)
    path = tmp_path / "Imagenet16_train" / "train_data_batch_2"
    if form == "npz":
        write(path, 1, form, labels=np.array([Harmful(tmp_path / "harmed")] * EACH, object))
    else:
        write(path, 1, form, extra=Harmful(tmp_path / "harmed"))
    with pytest.raises(DataError, match=r"train_data_batch_2.* is no batch of the downsampled ImageNet"):
        dataset("imagenet", tmp_path).listing()
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("form", ["2", "npz", "packed npz"])
@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_batch_that_is_cut_short_is_refused(tmp_path: Path, form: str, keep: float) -> None:
    imagenet16(tmp_path, form)
    path = next(iter((tmp_path / "Imagenet16_val").iterdir()))
    held = path.read_bytes()
    path.write_bytes(held[: keep if isinstance(keep, int) else int(len(held) * keep)])
    with pytest.raises(DataError, match=r"val_data.* is no batch of the downsampled ImageNet"):
        dataset("imagenet", tmp_path, split="val").listing()


def test_wrong_shapes_and_labels_are_refused(tmp_path: Path) -> None:
    imagenet16(tmp_path, "2")
    path = tmp_path / "Imagenet16_val" / "val_data"
    write(path, 1, "2", data=np.zeros((EACH, 7), np.uint8))
    with pytest.raises(DataError, match=r"expected data .* of bytes"):
        dataset("imagenet", tmp_path, split="val").listing()
    write(path, 1, "2", labels=[0] * EACH)
    with pytest.raises(DataError, match="holds labels from 0 to 0; expected 1 to 1,000"):
        dataset("imagenet", tmp_path, split="val").listing()
