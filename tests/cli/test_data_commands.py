"""`zoo data`, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import zoo
from helpers.workplace import run as run_zoo
from helpers.workplace import workplace


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with 40 pictures of two kinds, of which four stand twice, one that is none, and their pack."""
    folder = tmp_path_factory.mktemp("ein Heim für Bilder")
    for i in range(40):
        path = folder / "pictures" / ("katze" if i % 2 else "hund") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rough = np.random.default_rng(i % 36).integers(0, 256, (5, 5, 3), np.uint8)
        Image.fromarray(rough).resize((20, 20), Image.Resampling.BICUBIC).save(path)
    (folder / "pictures" / "hund" / "broken.png").write_bytes(b"no")
    with workplace(folder) as patch:
        patch.setattr("zoo.packs.curation.autoencoder.STEPS", 30)
        patch.setattr("zoo.packs.curation.autoencoder.LEAST", 300)
        result = run("build", "folder", "--data", "pictures", "--size", "16")
        assert result.exit_code == 0, result.output
        yield folder


def run(*words: object) -> Result:
    return run_zoo("data", *words)


def test_build_says_what_the_pack_holds(home: Path) -> None:
    result = run("build", "folder", "--data", home / "pictures", "--size", "16")
    assert result.exit_code == 0
    path, images, skipped, advice = result.stdout.splitlines()
    assert Path(path).is_dir()
    assert images == "40 images of 16×16×3, 2 classes, 30.7 kB"
    assert skipped == "skipped hund/broken.png: not a picture, or of a format that cannot be read"
    assert advice == f"look at it: zoo data inspect {Path(path).name}"
    assert "from the cache" in result.stderr


def test_build_for_machines() -> None:
    result = run("build", "folder", "--data", "pictures", "--size", "16", "--json")
    found = json.loads(result.stdout)
    assert (found["count"], found["bytes"], found["classes"]) == (40, 40 * 16 * 16 * 3, ["hund", "katze"])
    assert found["skipped"]["count"] == 1
    assert found["dataset"]["name"] == "dcgan-zoo:folder"


def test_inspect(tmp_path: Path) -> None:
    result = run("inspect", "folder", "--out", tmp_path / "look")
    assert result.exit_code == 0, result.output
    for words in ("40 of 16×16×3", "license        not stated", "katze  20", "hund   20", "skipped        1"):
        assert words in result.stdout
    assert sorted(path.name for path in (tmp_path / "look").iterdir()) == ["mean.png", "sheet.png"]
    found = json.loads(run("inspect", "folder", "--out", tmp_path / "look", "--json").stdout)
    assert found["classes"] == {"hund": 20, "katze": 20}


def test_dedup_and_training_on_what_stays(tmp_path: Path) -> None:
    result = run("dedup", "folder", "--out", tmp_path / "unique", "--gallery", tmp_path / "look", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["kept"] + found["removed"] == 40
    assert found["removed"] >= 4
    assert all(Path(path).exists() for path in found["gallery"])
    words = found["train"].split(" ")
    assert words[:3] == ["zoo", "train", "dcgan"]
    more = ["--dry-run", "--device", "cpu"]
    planned = run_zoo(*words[1:], *more)
    assert planned.exit_code == 0, planned.output
    text = run("dedup", "folder", "--out", tmp_path / "unique", "--gallery", tmp_path / "look").stdout
    assert f"{found['kept']} of 40 images stay; {found['removed']} near-duplicates are left out" in text
    assert f"look at them: {tmp_path / 'look' / 'removed.html'}" in text
    learned = run("dedup", "folder", "--method", "autoencoder", "--out", tmp_path / "learned", "--json")
    assert learned.exit_code == 0, learned.output
    assert [json.loads(text)["method"] for text in (result.stdout, learned.stdout)] == ["hash", "autoencoder"]
    assert json.loads(learned.stdout)["removed"] >= 4


def test_list_verify_and_clear(home: Path) -> None:
    path = json.loads(run("build", "folder", "--data", "pictures", "--size", "32", "--json").stdout)["pack"]
    name = Path(path).name
    rows = run("list").stdout.splitlines()
    assert any(row.startswith(name) and "40 × 32×32×3" in row for row in rows)
    assert {entry["kind"] for entry in json.loads(run("list", "--json").stdout)} == {"pack"}
    assert f"{name}  whole" in run("verify", name).stdout
    held = bytearray((Path(path) / "images-00000.safetensors").read_bytes())
    held[-1] ^= 1
    (Path(path) / "images-00000.safetensors").write_bytes(held)
    result = run("verify")
    assert result.exit_code == 1
    assert "checksum of images-00000.safetensors differs" in result.stdout
    assert json.loads(run("verify", name, "--json").stdout)[0]["problem"]
    cleared = run("clear", name)
    assert cleared.stdout.splitlines()[0] == f"{name} (pack)"
    assert not Path(path).exists()
    assert run("verify").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["build", "folder"], 2, "--data"),
        (["build", "folder", "--data", "missing"], 1, "missing does not exist"),
        (["build", "folder", "--data", "pictures", "--size", "0"], 2, "size"),
        (["build", "folder", "--data", "pictures", "--channels", "2"], 2, "valid: 1 (gray), 3 (RGB)"),
        (["build", "folder", "--data", "pictures", "--split", "test"], 2, "no split 'test'"),
        (["build", "flder", "--data", "pictures"], 2, "did you mean folder"),
        (["build", "lsun", "--data", "pictures"], 1, "does not hold LSUN"),
        (["build", "folder", "--data", "pictures", "--set", "dataset.color=1"], 2, "dataset.color"),
        (["build", "folder", "--data", "pictures", "--set", "generator.width=1"], 2, "generator.width"),
        (["build", "folder", "--data", "pictures", "--workers", "0"], 2, "workers"),
        (["inspect", "nothing"], 2, "unknown pack 'nothing'"),
        (["inspect", "pictures"], 2, "pictures is no pack"),
        (["verify", "nothing"], 2, "unknown pack 'nothing'"),
        (["dedup", "folder", "--radius", "99"], 2, "valid: 0 to 32"),
        (["dedup", "folder", "--method", "md5"], 2, "'md5' is none of: hash, autoencoder"),
        (["dedup", "nothing"], 2, "unknown pack 'nothing'"),
        (["clear"], 2, "say what to clear"),
        (["clear", "nothing"], 2, "unknown pack 'nothing'"),
        (["faces", "missing", "new"], 1, "missing"),
        (["faces", "pictures", "pictures"], 2, "not an empty folder"),
    ],
)
def test_mistakes(words: list[str], code: int, told: str) -> None:
    result = run(*words)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    result = run("build", "folder", "--data", "pictures")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert "export ZOO_CACHE=DIR" in result.stderr


def test_an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    assert run("list").stdout == ""
    assert "no packs" in run("list").stderr
    assert json.loads(run("list", "--json").stdout) == []
    assert run("verify").exit_code == 0


def test_listing_imports_no_torch() -> None:
    code = "import sys; from zoo_cli.main import zoo; zoo(['data', 'list'], standalone_mode=False)"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=240)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr


def test_every_command_is_a_function_of_the_library() -> None:
    for name in ("build_pack", "inspect_pack", "list_packs", "clear_packs", "find_pack", "deduplicate", "detect_faces"):
        assert callable(getattr(zoo, name))
