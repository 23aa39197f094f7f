"""Builds that are interrupted, anywhere and often: the pack is the one of an undisturbed build, byte for byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from helpers.pack_samples import Counted, Drawn
from helpers.packs import Heard, pictures, request, samples, unfinished
from zoo.files import TEMPORARY
from zoo.packs import Pack, PackRequest, build_pack
from zoo.progress import Reporter
from zoo_core import Record, ZooError

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _datasets() -> Iterator[None]:
    with samples():
        yield


def content(pack: Pack) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in pack.path.iterdir()}


def decoded(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def interrupt(wanted: PackRequest, at: str, kind: type = Counted, report: Reporter | None = None) -> None:
    """Begin to build, and let Ctrl-C come when the record called `at` is decoded."""
    original = kind.decode  # type: ignore[attr-defined]

    def decode(self: Any, record: Record) -> Any:
        if record.key == at:
            raise KeyboardInterrupt
        return original(self, record)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "decode", decode)
        with pytest.raises(KeyboardInterrupt):
            build_pack(wanted, report=report or Reporter())


@pytest.mark.parametrize("colored", [set(), {0}, {13}, {29}], ids=str)
def test_interrupted_at_every_record(
    colored: set[int], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 4 * 8 * 8)
    monkeypatch.setattr("zoo.packs.workers.CHUNK", 3)
    data = pictures(tmp_path / "data", 30, colored=colored)
    for broken in ("cat/0003.png", "cat/0004.png", "dog/0028.png"):
        (data / broken).write_bytes(b"no")
    (data / "dog" / "0029.png").write_bytes(b"no" if 29 not in colored else (data / "dog" / "0029.png").read_bytes())
    undisturbed = build_pack(request(data))
    expected = content(undisturbed)
    shutil.rmtree(undisturbed.path)
    keys = [f"{'cat' if i < 15 else 'dog'}/{i:04d}.png" for i in range(30)]
    for key in keys:
        interrupt(request(data), key)
        if colored == {29} and key == keys[-1]:
            assert (cache / "packs" / f"{TEMPORARY}{undisturbed.path.name}" / "1").exists()
    assert content(build_pack(request(data))) == expected
    assert unfinished(cache) == [undisturbed.path.name]


def test_what_is_finished_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 10 * 8 * 8)
    monkeypatch.setattr("zoo.packs.workers.CHUNK", 1)
    data, log = pictures(tmp_path / "data", 40), tmp_path / "log"
    heard = Heard()
    interrupt(request(data, log=str(log)), "dog/0035.png", report=heard)
    assert "finished files are kept" in heard.text
    before = len(log.read_text().splitlines())
    heard = Heard()
    assert len(build_pack(request(data, log=str(log)), report=heard)) == 40
    assert (before, len(log.read_text().splitlines())) == (35, 35 + 10)
    assert "going on after 30 of 40 records" in heard.text
    assert heard.progress[0] == 31


def test_grays_survive_an_interruption_after_the_first_color(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 12 * 8 * 8)
    monkeypatch.setattr("zoo.packs.workers.CHUNK", 1)
    data, log = pictures(tmp_path / "data", 40, colored={30}), tmp_path / "log"
    expected = content(build_pack(request(data, log=str(log))))
    shutil.rmtree(next((tmp_path / "cache" / "packs").glob("counted-*")))
    log.unlink()
    interrupt(request(data, log=str(log)), "dog/0031.png")
    work = next((tmp_path / "cache" / "packs").glob(f"{TEMPORARY}*"))
    shards = sorted((work / "3-complete").iterdir())
    assert len(shards) == 7  # 28 of the 31 images so far
    for path in shards[2:]:  # as after a kill while grays were being copied
        path.unlink()
    assert content(build_pack(request(data, log=str(log)))) == expected
    assert len(log.read_text().splitlines()) == 31 + 16  # the 24 grays in complete files are not decoded again


@pytest.mark.parametrize("damage", ["pixels", "table", "another key", '"name": "imag', '"channels": ', '"skipped": ['])
def test_a_finished_file_that_is_not_right_is_made_again(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 10 * 8 * 8)
    data = pictures(tmp_path / "data", 40)
    expected = content(build_pack(request(data)))
    pack = next((tmp_path / "cache" / "packs").glob("counted-*"))
    shutil.rmtree(pack)
    with monkeypatch.context() as patch:
        patch.setattr("zoo.packs.workers.CHUNK", 1)
        interrupt(request(data), "dog/0039.png")
    work = pack.with_name(f"{TEMPORARY}{pack.name}")
    if damage == "another key":
        monkeypatch.setattr("zoo.packs.write.Shard.load", lambda path, key: None)
    elif damage not in ("pixels", "table"):  # what the file says of itself
        path = work / "1-complete" / "images-00001.safetensors"
        with safe_open(str(path), "np") as file:
            tables, told = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
        value = {'"name": "imag': '"name": "../', '"skipped": [': '"skipped": [[{}], '}.get(damage, f"{damage}[")
        spoiled = told["shard"].replace(damage, value)
        assert spoiled != told["shard"]
        save_file(tables, path, {"shard": spoiled})
    else:
        path = work / {"pixels": "1", "table": "1-complete"}[damage] / "images-00001.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        if damage == "table":
            path.write_bytes(path.read_bytes()[:30])
    assert content(build_pack(request(data))) == expected


def test_boxes_attributes_and_sides(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 3 * 8 * 8 * 3)
    monkeypatch.setattr("zoo.packs.workers.CHUNK", 2)
    undisturbed = build_pack(PackRequest("drawn", size=8))
    expected = content(undisturbed)
    assert undisturbed.sides.tolist() == [40] * 32
    shutil.rmtree(undisturbed.path)
    for at in (5, 12, 38, 39):
        interrupt(PackRequest("drawn", size=8), f"train-{at}", Drawn)
    assert content(build_pack(PackRequest("drawn", size=8))) == expected


def test_pictures_written_in_another_order_make_the_same_pack(tmp_path: Path) -> None:
    data, other = pictures(tmp_path / "data", 30, colored={17}), tmp_path / "other"
    paths = sorted(data.rglob("*.png"))
    random.Random(0).shuffle(paths)
    for path in paths:
        target = other / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    one, two = (content(build_pack(request(folder))) for folder in (data, other))
    del one["pack.json"], two["pack.json"]  # they say where the pictures lie
    assert one == two


def test_what_a_finished_build_left_is_cleared_away(tmp_path: Path, cache: Path) -> None:
    pack = build_pack(request(pictures(tmp_path / "data", 6)))
    (cache / "packs" / f"{TEMPORARY}{pack.path.name}" / "1").mkdir(parents=True)
    assert build_pack(request(tmp_path / "data")).path == pack.path
    assert unfinished(cache) == [pack.path.name]


def test_a_disk_that_is_too_small_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    data, log = pictures(tmp_path / "data", 6), tmp_path / "log"
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1000, 900, 100))
    with pytest.raises(ZooError, match=r"needs 0\.0 GB in .*(\n.*)export ZOO_CACHE"):
        build_pack(request(data, log=str(log)))
    assert not log.exists()
    assert unfinished(cache) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")
def test_killed_at_ten_random_moments(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.packs.write.SHARD_BYTES", 40 * 8 * 8)
    data, log = pictures(tmp_path / "data", 500, colored={133}), tmp_path / "log"
    wanted = request(data, log=str(log), sleep=0.001)
    chance = random.Random(0)
    for _ in range(10):
        goal = decoded(log) + chance.randrange(20, 60)
        process = os.fork()
        if not process:
            build_pack(wanted, workers=1)
            os._exit(0)
        end = time.monotonic() + 60
        while decoded(log) < goal and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.01)
        os.kill(process, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    resumed = build_pack(wanted, workers=1)
    assert decoded(log) < 500 + 11 * (40 + 64)  # each kill costs the file and the chunk it was on at most
    expected = content(resumed)
    shutil.rmtree(resumed.path)
    assert content(build_pack(wanted, workers=1)) == expected
    assert unfinished(cache) == [resumed.path.name]
