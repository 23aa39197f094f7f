"""Smaller weights, directions, and where what draws in a page comes from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import zoo
from zoo.exporting import runtime
from zoo.exporting.directions import find_directions
from zoo.exporting.runtime import find_runtime
from zoo_core import DataError, Generator, UsageError, ZooError

from .conftest import Make

# Weights


def test_eight_bits_are_half_a_step_away() -> None:
    pytest.importorskip("onnx", reason="the extra [onnx] is not installed")
    from zoo.exporting.shrinking import GROUP, quantize

    rng = np.random.default_rng(0)
    for shape in ((64, 3, 4, 4), (100, 7), (32, 32), (257,)):
        values = (rng.standard_normal(shape) * rng.uniform(0.01, 10, shape)).astype(np.float32)
        values.flat[:GROUP] = 0  # a group of nothing
        levels, scales = quantize(values)
        assert levels.dtype == np.int8
        assert np.abs(levels.astype(int)).max() == 127
        assert levels.shape[1] <= GROUP
        back = (levels * scales[:, None]).reshape(shape)
        assert (np.abs(back - values) <= np.repeat(scales, levels.shape[1]).reshape(shape) * 0.5001).all()


@pytest.fixture(scope="module")
def faces() -> zoo.Model:
    return zoo.load("mlp-faces")


def test_weights_shrink_while_pictures_stay(faces: zoo.Model) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")
    from zoo.exporting.checks import inputs_for
    from zoo.exporting.graphs import trace_generator
    from zoo.exporting.shrinking import shrink

    graph = trace_generator(faces)
    whole = graph.SerializeToString()
    small = shrink(graph, faces)
    assert "8 bits" in small.bits
    assert len(small.graph) < 0.4 * len(whole)
    assert small.cost <= 2 / 255
    inputs = inputs_for(faces, range(64))
    sessions = [onnxruntime.InferenceSession(one, providers=["CPUExecutionProvider"]) for one in (small.graph, whole)]
    drawn = [session.run(None, inputs)[0] for session in sessions]
    assert np.abs(drawn[0] - drawn[1]).max() / 2 == pytest.approx(small.cost, abs=1e-4)
    assert graph.SerializeToString() == whole  # what was given stays


@pytest.mark.parametrize(("cost", "bits"), [(2 / 255, "8 bits"), (0.005 / 255, "16 bits"), (0.0, "32 bits")])
def test_bits_are_as_few_as_the_cost_allows(
    cost: float, bits: str, faces: zoo.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")
    from zoo.exporting import shrinking
    from zoo.exporting.graphs import trace_generator

    monkeypatch.setattr(shrinking, "COST", cost)
    graph = trace_generator(faces)
    found = shrinking.shrink(graph, faces)
    assert bits in found.bits
    assert found.cost <= cost
    assert (found.graph == graph.SerializeToString()) == (bits == "32 bits")


# Directions


class Stretching(Generator):
    """A generator whose first weights stretch each number of the latent by another factor."""

    def __init__(self, *, image: zoo.ImageSpec, seen: int = 4) -> None:
        super().__init__(image=image, latent_dim=6)
        self.seen = seen
        self.first = nn.Linear(seen, 8, bias=False)
        self.last = nn.Linear(8, image.channels * image.size**2)
        with torch.no_grad():
            self.first.weight.zero_()
            for i, factor in enumerate((1.0, 9.0, 4.0, 2.0)):
                self.first.weight[i, i] = factor

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        out: Tensor = self.last(self.first(z[:, : self.seen])).reshape(-1, *self.image.shape)
        return out

    def stages(self) -> dict[str, nn.Module]:
        return {}


def test_directions_are_those_that_the_first_weights_stretch_most() -> None:
    found = find_directions(Stretching(image=zoo.ImageSpec(8)), count=3)
    wanted = torch.zeros(3, 6)
    for row, column in enumerate((1, 2, 3)):  # factors 9, 4 and 2
        wanted[row, column] = 1
    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("recipe", "labels", "count"), [("dcgan", 0, 8), ("cdcgan", 3, 8), ("lapgan", 3, 8), ("mlp-gan", 0, 4)]
)
def test_directions_of_recipes_are_unit_vectors(recipe: str, labels: int, count: int, make: Make) -> None:
    generator = make(recipe, num_classes=labels).generator
    found = find_directions(generator)
    assert found.shape == (count, generator.latent_dim)  # four units answer to four directions
    assert torch.allclose(found @ found.T, torch.eye(count), atol=1e-5)


# What draws in a page


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small archive in the place of npm's, with its checksums."""
    contents = {runtime.SCRIPT: b"export{a as b};", runtime.PROGRAM: b"\0asm" * 100}
    file = tmp_path / "npm" / runtime.NAME / "-" / f"{runtime.NAME}-{runtime.VERSION}.tgz"
    file.parent.mkdir(parents=True)
    with tarfile.open(file, "w:gz") as opened:
        for name, content in {**contents, "evil.mjs": b"x"}.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(runtime, "SHA512", base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode())
    monkeypatch.setattr(runtime, "SHA256", {name: hashlib.sha256(c).hexdigest() for name, c in contents.items()})
    return file


@pytest.fixture
def registry(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A registry on this machine; yields what it was asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(archive.parents[2]))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield asked
        server.shutdown()
        thread.join()


def test_it_is_fetched_once(registry: list[str], cache: Path) -> None:
    first = find_runtime()
    assert first.script == "export{a as b};"
    assert gzip.decompress(first.program) == b"\0asm" * 100
    assert registry == [f"/{runtime.NAME}/-/{runtime.NAME}-{runtime.VERSION}.tgz"]
    assert find_runtime() == first
    assert len(registry) == 1
    (entry,) = zoo.list_cache(["runtimes"])
    assert sorted(path.name for path in entry.path.iterdir()) == sorted(f"{name}.gz" for name in runtime.SHA256)
    (entry.path / f"{runtime.PROGRAM}.gz").write_bytes(b"something else")  # damaged: fetched anew
    assert find_runtime() == first
    assert len(registry) == 2
    assert [gone.name for gone in zoo.clear_cache(["runtimes"])] == [entry.name]
    assert not list((cache / "runtimes").glob("[!.]*"))


def test_a_registry_that_sends_something_else(registry: list[str], archive: Path, cache: Path) -> None:
    archive.write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match=r"what the registry sent is not .*: its checksum is another"):
        find_runtime()
    archive.unlink()
    with pytest.raises(
        ZooError, match=r"cannot be fetched from http://127.0.0.1:\d+/onnxruntime-web/.*: 404 File not found"
    ):
        find_runtime()
    assert not list((cache / "runtimes").glob("[!.]*"))


def test_no_network(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hint = rf"npm pack {runtime.NAME}@{runtime.VERSION}; then here: runtime='{runtime.NAME}-{runtime.VERSION}.tgz'"
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(ZooError, match="cannot be fetched") as caught:
        find_runtime()
    assert "Connection refused" in caught.value.message
    assert hint.replace("'", '"') in str(caught.value).replace("'", '"')
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ZooError, match="HF_HUB_OFFLINE forbids the network"):
        find_runtime()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("npm_config_registry", "file:///etc")
    with pytest.raises(ZooError, match="npm_config_registry is no address"):
        find_runtime()
    assert find_runtime(archive).script == "export{a as b};"
    assert find_runtime().script == "export{a as b};"  # kept


def test_an_archive_of_ones_own(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"there is no file .*\nnpm pack {runtime.NAME}@{runtime.VERSION} writes it"):
        find_runtime(tmp_path / "missing.tgz")
    other = tmp_path / "other.tgz"
    other.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(DataError, match=f"is not {runtime.NAME} {runtime.VERSION} as npm has it"):
        find_runtime(other)
    with pytest.raises(UsageError, match="there is no file"):
        find_runtime(tmp_path)
