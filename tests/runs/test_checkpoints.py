"""Checkpoints: damage, pruning, versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import zoo
from helpers.packs import pictures
from helpers.training import Heard, differing, leftovers, resume, samples, train
from zoo.runs import checkpoints as module
from zoo.runs.checkpoints import checkpoints, read_checkpoint
from zoo_core import CheckpointError, ModelError

NAMES = ("networks.safetensors", "optimizers.safetensors", "random.safetensors", "state.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with two checkpoints, and one that went undisturbed where it would have gone."""
    folder = tmp_path_factory.mktemp("checkpoints")
    patch = pytest.MonkeyPatch()
    patch.setenv("ZOO_CACHE", str(folder / "cache"))
    pictures(folder / "pictures", 20, colored={0})
    with samples():
        train("dropout", folder / "pictures", folder / "run", images=32)
        resume(folder / "run", images=48)
        train("dropout", folder / "pictures", folder / "straight", images=64)
        yield folder
    patch.undo()


@pytest.fixture
def run(made: Path, tmp_path: Path, cache: Path) -> Path:
    shutil.copytree(made / "run", tmp_path / "run")
    shutil.copytree(made / "cache", cache)
    return tmp_path / "run"


def damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "missing":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    else:
        place = {"first": 0, "middle": len(content) // 2, "last": len(content) - 1}[how]
        content[place] ^= 1
        file.write_bytes(content)


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "first", "middle", "last"])
@pytest.mark.parametrize("name", NAMES)
def test_any_damage_is_noticed(name: str, how: str, run: Path) -> None:
    newest = checkpoints(run / "checkpoints")[-1]
    read_checkpoint(newest)
    damage(newest / name, how)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(newest)


def test_every_byte_of_the_counters_counts(run: Path) -> None:
    newest = checkpoints(run / "checkpoints")[-1]
    content = (newest / "state.json").read_bytes()
    whole = read_checkpoint(newest)[0]
    for place in range(0, len(content), 97):
        changed = bytearray(content)
        changed[place] ^= 4
        (newest / "state.json").write_bytes(changed)
        try:
            found = read_checkpoint(newest)[0]
        except CheckpointError:
            continue
        assert found == whole


@pytest.mark.parametrize(
    ("name", "how"), [("networks.safetensors", "middle"), ("state.json", "cut"), ("state.json", "missing")]
)
def test_a_damaged_one_falls_back_to_the_one_before_and_says_so(name: str, how: str, run: Path, made: Path) -> None:
    damage(run / "checkpoints" / "step-00000006" / name, how)
    heard = Heard()
    again = resume(run, images=64, report=heard)
    assert "step-00000006" in heard.text
    assert "trying the checkpoint before it" in heard.text
    assert "resuming at 32 images" in heard.text
    assert differing(again.path, made / "straight") == []
    assert leftovers(run) == []


def test_the_damaged_one_makes_room(run: Path) -> None:
    damage(run / "checkpoints" / "step-00000006" / "state.json", "cut")
    resume(run, images=40)
    assert [path.name for path in checkpoints(run / "checkpoints")] == ["step-00000004", "step-00000005"]


def test_all_damaged(run: Path) -> None:
    for path in checkpoints(run / "checkpoints"):
        damage(path / "random.safetensors", "last")
    with pytest.raises(CheckpointError, match=r"none of the 2 checkpoints in .* is whole\n.*from the start"):
        resume(run, images=64)


def test_a_model_does_not_need_the_checkpoint_that_it_came_from(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = zoo.load(run).sample(2)
    damage(run / "checkpoints" / "step-00000006" / "networks.safetensors", "middle")
    assert zoo.load(run).sample(2).equal(expected)
    zoo.load(run, raw=True)
    assert "trying the checkpoint before it" in capsys.readouterr().err


def test_pruned(run: Path) -> None:
    resume(run, images=120, options={"training.keep": 3, "training.checkpoint_minutes": 1e-9})
    assert [path.name for path in checkpoints(run / "checkpoints")] == [f"step-{n:08d}" for n in (13, 14, 15)]
    assert leftovers(run) == []


def test_other_names_are_no_checkpoints(run: Path) -> None:
    (run / "checkpoints" / "step-00000006-copy").mkdir()
    (run / "checkpoints" / "notes").mkdir()
    assert [path.name for path in checkpoints(run / "checkpoints")] == ["step-00000004", "step-00000006"]


def test_a_later_format_is_refused_and_not_passed_over(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(module, "FORMAT", module.FORMAT + 1)
        resume(run, images=56)
    with pytest.raises(CheckpointError, match=r"step-00000007 was written by a later version of the zoo\nupgrade"):
        resume(run, images=64)


def test_a_checkpoint_of_another_recipe(run: Path, made: Path, tmp_path: Path) -> None:
    other = train("buffered", made / "pictures", tmp_path / "other", images=64)
    for path in checkpoints(run / "checkpoints"):
        shutil.rmtree(path)
    shutil.copytree(checkpoints(other.path / "checkpoints")[-1], run / "checkpoints" / "step-00000008")
    with pytest.raises(ModelError, match=r"networks\.safetensors"):
        resume(run, images=80)


def test_half_written_things_are_cleared_away(run: Path, made: Path) -> None:
    (run / "checkpoints" / ".unfinished-step-00000007-abc").mkdir()
    (run / "checkpoints" / ".unfinished-step-00000007-abc" / "networks.safetensors").write_bytes(b"half")
    (run / "samples" / ".unfinished-000000056-abc.png").write_bytes(b"half")
    (run / ".unfinished-model-abc").mkdir()
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 7, "images": 56, "d_loss": 1.0}\n{"step": 8, "ima')
    resume(run, images=64)
    assert leftovers(run) == []
    assert differing(run, made / "straight") == []
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "d_loss" in line] == [3, 6, 8]
