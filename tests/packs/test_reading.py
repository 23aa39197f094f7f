"""Reading packs: what is gathered, what is refused, and what the memory map costs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from helpers.packs import pictures, request, samples
from zoo.packs import Pack, PackRequest, build_pack, open_pack, to_images, to_uint8
from zoo.packs.workers import Chunk
from zoo.packs.write import ShardWriter
from zoo_core import DataError


@pytest.fixture(autouse=True)
def _datasets() -> Iterator[None]:
    with samples():
        yield


class TestReading:
    @pytest.fixture
    def pack(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
        monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 4 * 8 * 8 * 3)
        return build_pack(request(pictures(tmp_path / "data", 10, colored={2}), channels=3))

    def test_gather_across_shards(self, pack: Pack) -> None:
        assert [len(shard) for shard in pack.shards] == [4, 4, 2]
        everything = torch.cat(pack.shards)
        for indices in ([0], [9, 0, 9], [3, 4, 7, 8], [*range(10)], [*range(9, -1, -1)], []):
            index = torch.tensor(indices, dtype=torch.int64)
            assert pack.gather(index).equal(everything[index])
        assert (len(pack), pack.nbytes) == (10, 10 * 8 * 8 * 3)

    @pytest.mark.parametrize("shard_bytes", [4 * 8 * 8, 1 << 30])
    @pytest.mark.parametrize("index", [-1, 10, 999])
    def test_gather_refuses_what_is_not_there(
        self, index: int, shard_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", shard_bytes)
        pack = build_pack(request(pictures(tmp_path / "data", 10)))
        with pytest.raises(IndexError):
            pack.gather(torch.tensor([0, index]))

    def test_what_is_gathered_is_a_copy(self, pack: Pack) -> None:
        index = torch.tensor([1])
        pack.gather(index).zero_()
        assert pack.gather(index).any()
        pack.shards[0].zero_()  # the map is private: not even this reaches the file
        pack.verify()
        assert open_pack(pack.path).gather(index).any()

    def test_pickling_sends_the_path(self, pack: Pack) -> None:
        data = pickle.dumps(pack)
        assert len(data) < 500
        assert pickle.loads(data).gather(torch.arange(10)).equal(pack.gather(torch.arange(10)))

    def test_its_folder_can_be_moved_and_read_alone(self, pack: Pack, tmp_path: Path) -> None:
        moved = shutil.copytree(pack.path, tmp_path / "elsewhere")
        assert open_pack(str(moved)).key == pack.key

    def test_only_what_is_touched_is_read(self, tmp_path: Path, cache: Path) -> None:
        def resident() -> int:
            status = Path("/proc/self/smaps").read_text().split("images-00000.safetensors")[1:]
            return sum(int(part.split("Rss:")[1].split()[0]) for part in status)

        if not os.path.exists("/proc/self/smaps"):
            pytest.skip("needs /proc")
        pack = build_pack(PackRequest("drawn", size=16))
        writer = ShardWriter(tmp_path / "work", "key", 512, 3, 64)
        for _ in range(64):
            image = np.ones((1, 512, 512, 3), np.uint8)
            writer.add(Chunk(image, np.zeros((1, 0, 4), np.int16), np.array([512], np.int32), {}, 1))
        writer.finish()
        (writer.folder / "images-00000.safetensors").rename(pack.path / "images-00000.safetensors")
        info = {**pack.info, "size": 512, "count": 64, "classes": [], "attributes": {}, "boxed": []}
        info["shards"] = [{"file": shard.name, "count": shard.count, "sha256": shard.sha256} for shard in writer.shards]
        (pack.path / "pack.json").write_text(json.dumps(info))
        save_file({"record": np.arange(64), "side": np.arange(64, dtype=np.int32)}, pack.path / "labels.safetensors")
        before = resident()
        large = open_pack(pack.path)  # 48 MiB
        large.gather(torch.tensor([3, 60]))
        assert resident() - before < 8 << 10
        large.gather(torch.arange(64))
        assert resident() - before >= 48 << 10

    def test_scaling_and_back(self) -> None:
        levels = torch.arange(256, dtype=torch.uint8).reshape(2, 8, 8, 2)
        images = to_images(levels)
        assert images.shape == (2, 2, 8, 8)
        assert images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert (images.min(), images.max()) == (-1, 1)
        assert to_uint8(images).equal(levels)
        assert to_uint8(images).is_contiguous()
        assert to_uint8(images + 0.9 / 255).equal(levels)  # less than half a level away
        assert to_uint8(torch.tensor([-9.0, 9.0]).reshape(2, 1, 1, 1)).flatten().tolist() == [0, 255]
        assert to_uint8(images.to(torch.bfloat16)).sub(levels.to(torch.int16)).abs().max() <= 1
        assert images.equal(to_images(levels))  # neither changes what it is given


class TestDamage:
    @pytest.fixture
    def folder(self) -> Path:
        return build_pack(PackRequest("drawn", size=8)).path

    @pytest.mark.parametrize("name", ["pack.json", "images-00000.safetensors", "labels.safetensors"])
    def test_missing_files(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(DataError, match=name):
            open_pack(folder)

    @pytest.mark.parametrize("name", ["pack.json", "images-00000.safetensors", "labels.safetensors"])
    @pytest.mark.parametrize("keep", [0, 5, -3])
    def test_truncated_files(self, folder: Path, name: str, keep: int) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:keep])
        with pytest.raises(DataError, match=rf"{name} (is damaged: it )?cannot be read"):
            open_pack(folder)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"format": 1}, "format 1; this zoo reads format 2"),
            ({"count": 33}, "hold 32 images, pack.json says 33"),
            ({"size": 9}, "images in images-00000.safetensors is"),
            ({"channels": 1}, "images in images-00000.safetensors is"),
            ({"shards": []}, "shards must be a list of at least 1"),
            ({"boxed": ["hat", "nose"]}, "boxes in labels.safetensors is"),
            ({"labels": {"file": "images-00000.safetensors", "sha256": ""}}, "has no record"),
            ({"classes": None}, "classes must be a list, not None"),
            (
                {"labels": {"file": "../labels.safetensors", "sha256": ""}},
                "labels.file must be the name of a file",
            ),
        ],
    )
    def test_what_does_not_fit(self, folder: Path, change: dict[str, Any], words: str) -> None:
        info = json.loads((folder / "pack.json").read_text())
        (folder / "pack.json").write_text(json.dumps({**info, **change}))
        with pytest.raises(DataError, match=words):
            open_pack(folder)

    def test_a_missing_entry(self, folder: Path) -> None:
        info = json.loads((folder / "pack.json").read_text())
        del info["shards"]
        (folder / "pack.json").write_text(json.dumps(info))
        with pytest.raises(DataError, match="shards is missing"):
            open_pack(folder)
        (folder / "pack.json").write_text("[]")
        with pytest.raises(DataError, match="format None"):
            open_pack(folder)

    def test_no_pack_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds no pack"):
            open_pack(tmp_path)
        with pytest.raises(DataError, match="does not exist"):
            open_pack(tmp_path / "nothing")

    @pytest.mark.parametrize("name", ["images-00000.safetensors", "labels.safetensors"])
    def test_verify_finds_a_changed_byte(self, folder: Path, name: str) -> None:
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(DataError, match=f"the checksum of {name} differs"):
            open_pack(folder).verify()
