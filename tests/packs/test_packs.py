"""Building packs, finding them again, and reading them."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from helpers.pack_samples import Counted
from helpers.packs import Heard, pictures, request, samples, unfinished
from zoo.files import TEMPORARY
from zoo.packs import PackRequest, build_pack
from zoo_core import DataError, ImageSpec, OptionError, Plugin, PluginError, UsageError, ZooError, registry


@pytest.fixture(autouse=True)
def _datasets() -> Iterator[None]:
    with samples():
        yield


class TestBuilding:
    def test_what_lies_on_disk(self, tmp_path: Path, cache: Path) -> None:
        data = pictures(tmp_path / "data", 10)
        (data / "dog" / "broken.png").write_bytes(b"no")
        heard = Heard()
        pack = build_pack(request(data), report=heard)
        assert pack.path.parent == cache / "packs"
        assert pack.path.name == f"counted-8-{pack.key[:16]}"
        assert sorted(p.name for p in pack.path.iterdir()) == ["images-00000.safetensors", "labels.safetensors", "pack.json"]
        info = json.loads((pack.path / "pack.json").read_text())
        assert info == pack.info
        assert info["dataset"] == {
            "name": "samples:counted",
            "options": {"log": "", "sleep": 0.0},
            "data": str(data),
            "split": "train",
        }
        assert info["skipped"] == {
            "count": 1,
            "records": [{"key": "dog/broken.png", "reason": "not a picture, or of a format that cannot be read"}],
        }
        assert (info["format"], info["count"], info["channels"], info["license"]) == (2, 10, 1, "CC0-1.0")
        assert load_file(pack.path / "images-00000.safetensors")["images"].shape == (10, 8, 8, 1)
        assert pack.records.tolist() == [*range(10)]
        assert heard.lines[:2] == ["using the pictures of a test", "packing counted 11 images"]
        assert "10 images of counted at 8×8, 1 skipped (dog/broken.png: not a picture" in heard.lines[2]
        assert "all pictures are gray: 1 channel (--channels 3" in heard.lines[2]
        assert heard.progress[-1] == 11
        pack.verify()

    def test_labels_attributes_and_boxes(self) -> None:
        pack = build_pack(PackRequest("drawn", size=20, split="test", options={"count": 10}))
        kept = torch.tensor([0, 1, 2, 3, 5, 6, 7, 8])
        assert pack.spec == ImageSpec(20, 3, num_classes=3)
        assert pack.records.equal(kept)
        assert pack.labels is not None
        assert pack.labels.equal(kept % 3)
        assert pack.attributes["hat"].equal(kept % 2)
        assert pack.attributes["color"].equal(kept % 4)
        assert pack.attributes["color"].dtype == torch.int64
        assert pack.boxes["hat"].dtype == torch.int16
        assert pack.boxes["hat"][:5].tolist() == [[-1] * 4, [0, 0, 1, 5], [-1] * 4, [0, 0, 2, 5], [0, 0, 3, 5]]
        assert pack.gather(torch.arange(8))[:, 4, 4, 0].equal(kept.to(torch.uint8))
        assert pack.info["attributes"] == {"hat": ["none", "hat"], "color": ["a", "b", "c", "d"]}
        assert (pack.info["skipped"]["count"], pack.info["credit"], pack.info["notes"]) == (
            2,
            "nobody",
            ["drawn for a test"],
        )

    def test_no_classes_no_labels(self, tmp_path: Path) -> None:
        data = pictures(tmp_path / "data", 4)
        (data / "beside.png").write_bytes((data / "cat" / "0000.png").read_bytes())
        pack = build_pack(request(data))
        assert pack.labels is None
        assert pack.spec.num_classes == 0
        assert pack.attributes == pack.boxes == {}

    @pytest.mark.parametrize("colored", [{0}, {11}, {5, 6}, {23}])
    def test_the_first_colored_picture_promotes_what_is_written(
        self, colored: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 5 * 8 * 8)
        monkeypatch.setattr("zoo.packs.write._BLOCK", 2 * 8 * 8)
        monkeypatch.setattr("zoo.packs.workers.CHUNK", 4)
        data = pictures(tmp_path / "data", 24, colored=colored)
        pack, asked = build_pack(request(data)), build_pack(request(data, channels=3))
        assert pack.spec.channels == 3
        assert pack.path != asked.path
        assert [s["count"] for s in pack.info["shards"]] == [1] * 24
        everything = torch.arange(24)
        assert pack.gather(everything).equal(asked.gather(everything))
        assert [s["sha256"] for s in pack.info["shards"]] == [s["sha256"] for s in asked.info["shards"]]
        assert len(list(pack.path.iterdir())) == 26
        pack.verify()

    def test_gray_pictures_as_color_and_the_reverse(self, tmp_path: Path) -> None:
        data = pictures(tmp_path / "data", 6, colored={1})
        assert build_pack(request(data, channels=1)).gather(torch.arange(6)).shape == (6, 8, 8, 1)
        three = build_pack(request(data, channels=3)).gather(torch.tensor([0]))
        assert three[..., 0].equal(three[..., 1])
        assert three[..., 0].equal(build_pack(request(data, channels=1)).gather(torch.tensor([0]))[..., 0])

    def test_workers_make_the_same_bytes(self, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 100 * 8 * 8 * 3)
        data = pictures(tmp_path / "data", 300, colored={170}, side=10)
        (data / "cat" / "0007.png").write_bytes(b"")
        log = tmp_path / "log"
        one = build_pack(request(data, log=str(log)), workers=1)
        files = {path.name: path.read_bytes() for path in one.path.iterdir() if path.suffix == ".safetensors"}
        assert len(files) == 4
        info = dict(one.info)
        shutil.rmtree(one.path)
        heard = Heard()
        two = build_pack(request(data, log=str(log)), workers=2, report=heard)
        assert files == {path.name: path.read_bytes() for path in two.path.iterdir() if path.suffix == ".safetensors"}
        assert two.info == info
        processes = {line.split()[0] for line in log.read_text().splitlines()}
        assert len(processes) >= 2
        assert heard.progress == sorted(heard.progress)
        assert heard.progress[-1] == 300

    def test_what_workers_cannot_unpickle_is_decoded_here(self) -> None:
        pack = build_pack(PackRequest("thankless", size=4, options={"count": 300}), workers=2)
        assert len(pack) == 240

    def test_a_class_that_only_this_process_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from helpers import pack_samples

        class Local(pack_samples.Drawn):
            pass

        monkeypatch.setattr(pack_samples, "Local", Local, raising=False)
        with registry.add(Plugin(datasets={"mine": "helpers.pack_samples:Local"})):
            assert len(build_pack(PackRequest("mine", size=4, options={"count": 300}), workers=2)) == 240

    def test_a_worker_that_dies(self, cache: Path) -> None:
        # the chunk that was being waited for: that with the deadly record, or one that another worker was still at
        with pytest.raises(DataError, match=r"a worker process died .* about train-\d+ to train-\d+"):
            build_pack(PackRequest("deadly", size=4, options={"count": 300}), workers=2)
        assert unfinished(cache) == []

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_stretch_that_cannot_be_read(self, workers: int) -> None:
        pack = build_pack(PackRequest("gap", size=4, options={"count": 300}), workers=workers)
        assert pack.records.tolist() == [i for i in range(300) if not 60 <= i < 200]
        assert pack.gather(torch.arange(len(pack)))[:, 0, 0, 0].equal(pack.records.clamp(max=255).to(torch.uint8))

    def test_the_list_of_skipped_is_capped_and_their_number_exact(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.packs.build.LISTED", 3)
        heard = Heard()
        pack = build_pack(PackRequest("drawn", size=4), report=heard)
        assert pack.info["skipped"]["count"] == 8
        assert [entry["key"] for entry in pack.info["skipped"]["records"]] == ["train-4", "train-9", "train-14"]


class TestCache:
    def test_a_second_request_decodes_nothing(self, tmp_path: Path) -> None:
        data, log = pictures(tmp_path / "data", 6), tmp_path / "log"
        (data / "cat" / "0001.png").write_bytes(b"")
        first = build_pack(request(data, log=str(log)))
        heard = Heard()
        again = build_pack(request(data, log=str(log)), report=heard)
        assert again.path == first.path
        assert len(log.read_text().splitlines()) == 6
        assert len(heard.lines) == 1  # whose work the pictures are was said when they were packed, and a training says it
        assert heard.lines[0].startswith("5 images of counted at 8×8, 1 skipped (cat/0001.png: not a picture")
        assert heard.lines[0].endswith("from the cache")
        build_pack(request(data, log=str(log)), announce=True, report=(begun := Heard()))
        assert begun.lines == ["using the pictures of a test", *heard.lines]

    def test_what_makes_another_pack(self, tmp_path: Path) -> None:
        data = pictures(tmp_path / "data", 6)
        keys = [
            build_pack(r).key
            for r in (
                request(data),
                request(data, size=9),
                request(data, channels=3),
                request(data, sleep=0.001),
                request(pictures(tmp_path / "other", 6)),
            )
        ]
        assert len(set(keys)) == 5

    def test_what_makes_the_same_pack(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = pictures(tmp_path / "data", 6)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "link").symlink_to(data)
        same = [request(data), request(Path("data")), request(tmp_path / "link"), request(data, sleep=0.0)]
        same.append(PackRequest("samples:counted", str(data), size=8))
        assert len({build_pack(r).key for r in same}) == 1

    def test_the_datasets_default_and_the_same_asked_for(self) -> None:
        assert build_pack(PackRequest("drawn", size=4)).key == build_pack(PackRequest("drawn", size=4, channels=3)).key

    def test_a_changed_file_is_seen(self, tmp_path: Path) -> None:
        data = pictures(tmp_path / "data", 6)
        before = build_pack(request(data))
        Image.new("L", (20, 20), 9).save(data / "cat" / "0001.png")
        after = build_pack(request(data))
        assert after.key != before.key
        assert (after.gather(torch.tensor([1])) == 9).all()
        (data / "dog" / "0003.png").unlink()
        assert len(build_pack(request(data))) == 5

    def test_a_damaged_pack_is_built_again(self, tmp_path: Path) -> None:
        data = pictures(tmp_path / "data", 6)
        pack = build_pack(request(data))
        before = pack.gather(torch.arange(6))
        del pack
        (shard,) = tmp_path.glob("cache/packs/*/images-*")
        shard.write_bytes(shard.read_bytes()[:-5])
        heard = Heard()
        assert build_pack(request(data), report=heard).gather(torch.arange(6)).equal(before)
        assert "is damaged" in heard.text
        assert "it is built again" in heard.text

    def test_leftovers_of_a_killed_build_are_removed(self, tmp_path: Path, cache: Path) -> None:
        data = pictures(tmp_path / "data", 6)
        pack = build_pack(request(data))
        shutil.rmtree(pack.path)
        for name in (pack.path.name, "another-8-0000"):
            (cache / "packs" / f"{TEMPORARY}{name}-abc").mkdir()
        build_pack(request(data))
        assert sorted(unfinished(cache)) == [f"{TEMPORARY}another-8-0000-abc", pack.path.name]

    def test_a_second_build_waits_for_the_first_and_takes_its_result(self, tmp_path: Path) -> None:
        data, log = pictures(tmp_path / "data", 6), tmp_path / "log"
        pack = build_pack(request(data, log=str(log)))
        aside = pack.path.rename(tmp_path / "aside")
        lock = filelock.FileLock(pack.path.with_name(f".{pack.path.name}.lock"))
        heard, result = Heard(), []
        second = threading.Thread(target=lambda: result.append(build_pack(request(data, log=str(log)), report=heard)))
        with lock:
            second.start()
            second.join(0.5)
            assert heard.lines[1:] == ["another process is building this pack; waiting for it"]
            aside.rename(pack.path)
        second.join()
        assert result[0].key == pack.key
        assert len(log.read_text().splitlines()) == 6

    def test_a_class_typed_anew_in_this_process(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from helpers import pack_samples

        class First(Counted):
            side = 3

        class Second(Counted):
            side = 4

        keys = set()
        data = pictures(tmp_path / "data", 4)
        for version in (First, Second):
            monkeypatch.setattr(pack_samples, "Local", version, raising=False)
            with registry.add(Plugin(datasets={"mine": "helpers.pack_samples:Local"})):
                keys.add(build_pack(PackRequest("mine", data, size=4)).key)
        assert len(keys) == 2


class TestRefusals:
    @pytest.mark.parametrize("channels", [0, 2, 4, -1])
    def test_channels(self, channels: int) -> None:
        with pytest.raises(OptionError, match="valid: 1"):
            build_pack(PackRequest("drawn", channels=channels))

    @pytest.mark.parametrize("size", [0, -4, 2.5, True])
    def test_sizes(self, size: Any) -> None:
        with pytest.raises(OptionError, match="size must be"):
            build_pack(PackRequest("drawn", size=size))

    def test_size_one(self) -> None:
        assert build_pack(PackRequest("drawn", size=1)).gather(torch.tensor([0])).shape == (1, 1, 1, 3)

    def test_names_and_options(self) -> None:
        with pytest.raises(UsageError, match="did you mean drawn"):
            build_pack(PackRequest("drawm"))
        with pytest.raises(UsageError, match="did you mean count"):
            build_pack(PackRequest("drawn", options={"counts": 3}))
        with pytest.raises(OptionError, match=r"dataset\.count must be int"):
            build_pack(PackRequest("drawn", options={"count": "3"}))

    def test_data_that_is_not_there(self, tmp_path: Path, cache: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            build_pack(request(tmp_path / "nowhere"))
        with pytest.raises(UsageError, match="no split 'test'"):
            build_pack(PackRequest("counted", pictures(tmp_path / "data", 2), split="test"))

    def test_the_authors_mistakes(self) -> None:
        with pytest.raises(PluginError, match="'a' has label 3"):
            build_pack(PackRequest("wrong"))
        with pytest.raises(PluginError, match=r"cannot list its records: KeyError: 'index\.txt'"):
            build_pack(PackRequest("unlisted"))
        with pytest.raises(DataError, match="has no images"):
            build_pack(PackRequest("drawn", options={"count": 0}))

    def test_nothing_that_can_be_read(self, cache: Path) -> None:
        with pytest.raises(DataError, match=r"none of the 40 pictures of nothing can be read: train-0: gone; .*, …"):
            build_pack(PackRequest("nothing"))
        assert unfinished(cache) == []

    @pytest.mark.parametrize("where", ["pixels", "flush"])
    def test_a_full_disk(self, where: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*args: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(*{"pixels": ("zoo.packs.write.ShardWriter._close", full), "flush": ("os.fsync", full)}[where])
        with pytest.raises(ZooError, match="no space left on disk"):
            build_pack(PackRequest("drawn"))
        assert unfinished(cache) == []

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
        with pytest.raises(ZooError, match="cannot be written"):
            build_pack(PackRequest("drawn"))

    def test_data_that_may_only_be_read(self, tmp_path: Path) -> None:
        data = pictures(tmp_path / "data", 4)
        for path in (*data.rglob("*"), data):
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            assert len(build_pack(request(data))) == 4
        finally:
            for path in (data, *data.iterdir()):
                path.chmod(0o755)


@pytest.mark.data
def test_thirteen_thousand_faces() -> None:
    if not os.environ.get("ZOO_TEST_DATA"):
        pytest.skip("ZOO_TEST_DATA is not set")
    faces = Path(os.environ["ZOO_TEST_DATA"]) / "faces"
    pack = build_pack(PackRequest("counted", faces, size=32))
    assert (len(pack), pack.info["skipped"]["count"], pack.spec) == (13_164, 1, ImageSpec(32, 1, num_classes=2))
    pack.verify()
