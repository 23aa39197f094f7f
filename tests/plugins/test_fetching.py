"""`--download`: MNIST, Fashion-MNIST, CIFAR-10 and SVHN from a server on this machine in the place of their pages."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets as official

import zoo
from helpers.datasets import dataset, tar_bytes
from helpers.workplace import run
from zoo_core import DataError, UsageError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
DIGITS = np.arange(12, dtype=np.uint8) % 10


def idx(values: np.ndarray) -> bytes:
    return gzip.compress(
        bytes((0, 0, 8, values.ndim)) + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", served
    finally:
        server.shutdown()
        server.server_close()


def md5(value: bytes) -> str:
    return hashlib.md5(value).hexdigest()


@pytest.fixture
def mnist(page: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST on the server; returns the folder that it serves."""
    resources = []
    for part in ("train", "t10k"):
        for kind, values in (("images", PIXELS), ("labels", DIGITS)):
            name, value = f"{part}-{kind}-idx{values.ndim}-ubyte.gz", idx(values)
            (page[1] / name).write_bytes(value)
            resources.append((name, md5(value)))
    for known in (official.MNIST, official.FashionMNIST):
        monkeypatch.setattr(known, "mirrors", [f"{page[0]}gone/", page[0]])
        monkeypatch.setattr(known, "resources", resources)
    return page[1]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_mnist_is_fetched_once(mnist: Path, tmp_path: Path, name: str, cache: Path) -> None:
    folder = zoo.download(name)
    assert folder == cache / "downloads" / name
    for split in ("train", "test"):
        assert [r.label for r in dataset(name, folder, split=split).listing().records] == DIGITS.tolist()
    for path in mnist.iterdir():
        path.unlink()
    assert zoo.download(name, split="test") == folder
    assert len(list(folder.iterdir())) == 4
    assert zoo.download(name, folder) == folder


def test_the_command_fetches_builds_and_trains(
    mnist: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    built = run("data", "build", "mnist", "--download", "--size", "16", "--limit", "5", "--set", "dataset.classes=7,3,1,0")
    assert built.exit_code == 0, built.stderr
    assert "5 images of 16×16×1, 4 classes" in built.stdout
    tiny = ["--size", "16", "--batch", "4", "--set", "generator.width=4", "--set", "discriminator.width=4", "--images", "8"]
    trained = run("train", "dcgan", "--dataset", "mnist", "--download", *tiny, "--out", "run")
    assert trained.exit_code == 0, trained.stderr
    assert "packed 12 images of mnist" in trained.stderr
    assert "name of a dataset" in run("train", "--resume", "run", "--download").stderr
    planned = run("train", "dcgan", "--dataset", "fashion-mnist", "--download", *tiny, "--dry-run")
    assert planned.exit_code == 0, planned.stderr
    assert not (cache / "downloads" / "fashion-mnist").exists()


def test_cifar10_is_fetched_whole_and_its_pickles_are_guarded(
    page: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import pickle

    class Harmful:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "harmed"),))

    held = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1], "extra": Harmful()}
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    value = tar_bytes([(f"cifar-10-batches-py/{name}", pickle.dumps(held)) for name in names], mode="w:gz")
    (page[1] / "cifar-10-python.tar.gz").write_bytes(value)
    monkeypatch.setattr(official.CIFAR10, "url", f"{page[0]}cifar-10-python.tar.gz")
    monkeypatch.setattr(official.CIFAR10, "tgz_md5", md5(value))
    folder = zoo.download("cifar10", tmp_path / "here")
    assert [path.name for path in folder.iterdir()] == ["cifar-10-python.tar.gz"]
    with pytest.raises(DataError, match="which could run a program; it is not loaded"):
        dataset("cifar10", folder).listing()
    assert not (tmp_path / "harmed").exists()


def test_svhn_is_fetched_by_split(page: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (page[1] / "test_32x32.mat").write_bytes(b"a file")
    known = {"test": [f"{page[0]}test_32x32.mat", "test_32x32.mat", md5(b"a file")]}
    monkeypatch.setattr(official.SVHN, "split_list", {**official.SVHN.split_list, **known})
    folder = zoo.download("svhn", split="test")
    assert [path.name for path in folder.iterdir()] == ["test_32x32.mat"]


def test_a_wrong_checksum_leaves_nothing_behind(mnist: Path, cache: Path) -> None:
    (mnist / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"MNIST could not be fetched: .*: what came has another checksum"):
        zoo.download("mnist")
    assert [path.name for path in (cache / "downloads" / "mnist").iterdir()] == ["train-images-idx3-ubyte.gz"]


def test_offline_it_says_so_and_how_to_fetch_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match=r"http://127.0.0.1:9/.*: .*refused") as caught:
        zoo.download("mnist")
    assert "fetch it by hand" in caught.value.hint
    done = run("data", "build", "mnist", "--download")
    assert done.exit_code == 1
    assert "could not be fetched" in done.stderr


def test_a_file_of_that_name_that_is_another_is_kept(mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"mine")
    with pytest.raises(DataError, match="is not MNIST's own file"):
        zoo.download("mnist", tmp_path)
    assert (tmp_path / "train-images-idx3-ubyte.gz").read_bytes() == b"mine"


def test_what_cannot_be_fetched_says_what_can() -> None:
    with pytest.raises(UsageError, match="lsun cannot be fetched by the zoo") as caught:
        zoo.download("lsun")
    assert "--download fetches cifar10, fashion-mnist, mnist, svhn" in caught.value.hint


def test_without_data_the_error_names_the_flag() -> None:
    for name in ("mnist", "fashion-mnist", "cifar10", "svhn"):
        with pytest.raises(UsageError, match="download"):
            dataset(name, None).listing()
