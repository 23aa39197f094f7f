"""What a run's files say is checked before it is believed: a wrong type, range or name is one short error."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import zoo
from helpers.packs import pictures
from helpers.training import resume, train
from zoo.documents import LETTERS
from zoo.files import sha256
from zoo.packs import open_pack
from zoo.runs.checkpoints import checkpoints
from zoo.runs.run import read_log, read_run
from zoo_core import CheckpointError, ZooError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("documents")
    patch = pytest.MonkeyPatch()
    patch.setenv("ZOO_CACHE", str(folder / "cache"))
    pictures(folder / "pictures", 16)
    train("dcgan", folder / "pictures", folder / "run", images=16, watch=False)
    shutil.rmtree(folder / "run" / "model")  # what is read is the checkpoint
    yield folder
    patch.undo()


@pytest.fixture
def run(made: Path, tmp_path: Path, cache: Path) -> Path:
    shutil.copytree(made / "run", tmp_path / "run")
    shutil.copytree(made / "cache", cache)
    return tmp_path / "run"


def change(value: Any, keys: str, new: Any) -> None:
    *path, last = keys.split(".")
    for key in path:
        value = value[int(key) if key.isdigit() else key]
    if new is KeyError:
        del value[last]
    else:
        value[int(last) if last.isdigit() else last] = new


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ("budget", {}, "budget must be an object with at least one key, not {}"),
        ("budget", {"years": 3}, "unknown key 'budget.years'; valid: epochs, images, minutes"),
        ("budget", {"images": "x"}, "budget.images must be a number of more than 0, not 'x'"),
        ("command", "zoo train 'x", "No closing quotation"),
        ("config", KeyError, "'config'"),
        ("config.training.batch", "8", "config.training.batch must be int, not '8'"),
        ("config.training.batch", 0, "config.training.batch is 0; it must be at least 1 and at most 1,000,000"),
        ("config.training.wings", 2, "unknown option of config.training 'wings'"),
        ("config.optimizer.generator.lr", -1, "config.optimizer.generator.lr is -1.0; it must be more than 0"),
        ("config.parts", {}, "config.parts.generator is missing"),
        ("config.parts.generator.options", [], "config.parts.generator.options must be an object"),
        ("config.parts.generator.name", "os:system", "which is no registry name"),
        ("config.parts.loss.kind", "datasets", "config.parts.loss.kind must be one of"),
        ("config.image.size", 10**9, "config.image.size must be a whole number of at least 1 and at most 8,192"),
        ("config.facts.classes", [1], "config.facts.classes.0 must be a text, not 1"),
        ("config.facts", {}, "config.facts.count is missing"),
        ("config.surprise", 1, "unknown key 'config.surprise'"),
        ("precision", "fp8", "precision must be one of auto, fp32, bf16, fp16, not 'fp8'"),
        ("threads", 0, "threads must be auto or a whole number"),
        ("interventions", [{"settings": {}}], "interventions.0."),
        ("watch", {"name": "x"}, "watch.paced is missing"),
        ("format", True, "format must be a whole number"),
        ("format", 10**400, "more than 300 digits"),
    ],
)
def test_run_json(keys: str, value: Any, words: str, run: Path) -> None:
    found = json.loads((run / "run.json").read_text())
    change(found, keys, value)
    (run / "run.json").write_text(json.dumps(found))
    with pytest.raises(CheckpointError) as caught:
        read_run(run)
    assert f"{run / 'run.json'} is damaged: " in str(caught.value)
    assert words in str(caught.value)
    assert len(str(caught.value)) <= LETTERS
    assert [summary.state for summary in zoo.list_runs(run)] == ["broken"]


def redo(checkpoint: Path, act: Callable[[dict[str, Any]], object] = lambda state: None) -> None:
    """Change a checkpoint's state, with the right checksums of all that lies there."""
    state = json.loads((checkpoint / "state.json").read_text())
    state.pop("sha256")
    act(state)
    sums = {file.name: sha256(file) for file in checkpoint.glob("*.safetensors")}
    sums["state"] = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
    (checkpoint / "state.json").write_text(json.dumps({**state, "sha256": sums}))


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ("step", 7, "step is 7, and the folder is called 'step-00000002'"),
        ("images", -8, "images must be a whole number of at least 0, not -8"),
        ("updates", KeyError, "updates is missing"),
        ("meter.values.d_loss", [1], "meter.values.d_loss must be a list of 2"),
        ("python_random.1", [1, 2], "python_random.1 must be a list of 625"),
        ("python_random.1.624", 2**31, "python_random.1 is no state"),
        ("best", {"name": "x"}, "best.value is missing"),
        ("threads", "two", "threads must be a whole number"),
        ("scaler", {"scale": None}, "scaler.scale must be a number"),
    ],
)
def test_state_json(keys: str, value: Any, words: str, run: Path) -> None:
    (checkpoint,) = checkpoints(run / "checkpoints")
    redo(checkpoint, lambda state: change(state, keys, value))
    for act in (lambda: zoo.load(run), lambda: resume(run, images=32)):
        with pytest.raises(CheckpointError, match="none of the 1 checkpoints") as caught:
            act()
        assert len(str(caught.value)) <= LETTERS
    with pytest.raises(CheckpointError, match="is damaged: ") as caught:
        zoo.load(run, at=16)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("file", "name", "tensor", "words"),
    [
        ("networks", "generator.blocks.4x4.linear.weight", torch.zeros(3), "its configuration wants"),
        ("networks", "generator.blocks.4x4.linear.weight", None, "missing: "),
        ("optimizers", "generator.0.exp_avg", torch.zeros(3), "its parameter is"),
        ("optimizers", "generator.99.exp_avg", torch.zeros(3), "belongs to no parameter"),
        ("optimizers", "generator.x.exp_avg", torch.zeros(3), "belongs to no parameter"),
        ("optimizers", "generator.1.exp_avg_sq", None, "other parameters have"),
        ("random", "0.torch", torch.zeros(9, dtype=torch.uint8), "is no state of a random generator"),
        ("random", "0.numpy_keys", None, "is no state of a random generator"),
        ("random", "0.numpy_rest", torch.tensor([1e9, 0, 0], dtype=torch.float64), "numpy's random generator"),
    ],
)
def test_tensors_of_something_else(file: str, name: str, tensor: torch.Tensor | None, words: str, run: Path) -> None:
    (checkpoint,) = checkpoints(run / "checkpoints")
    path = checkpoint / f"{file}.safetensors"
    tensors = load_file(path)
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    save_file(tensors, path)
    redo(checkpoint)
    with pytest.raises(ZooError) as caught:
        resume(run, images=32)
    assert words in str(caught.value)
    assert len(caught.value.message) <= LETTERS


def test_an_infinite_mean_is_no_damage(run: Path) -> None:
    """Losses may be infinite while the weights are not."""
    (checkpoint,) = checkpoints(run / "checkpoints")
    redo(checkpoint, lambda state: change(state, "meter.values", {"d_loss": [float("inf"), 1]}))
    assert zoo.load(run).sample(1).isfinite().all()


def test_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(
        '{"step": 1, "images": 8, "d_loss": 0.5}\nhalf a li\n{"step": 2, "images": 16, "d_loss": Infinity}\n{"step"'
    )
    assert [line["step"] for line in read_log(log)] == [1, 2]
    log.write_text('{"step": 1, "images": 8}\n{"step": 2, "images": 16, "d_loss": [[1]]}\n')
    with pytest.raises(
        ZooError, match=r"line 2: d_loss must be a number, not \[\[1\]\]\nto go on without it, delete line 2"
    ):
        read_log(log)
    log.write_text('{"step": 1, "images": 8}\n' + "x" * (1 << 20) + '\n{"step": 2, "images": 16}\n')
    assert [line["step"] for line in read_log(log)] == [1, 2]
    os.truncate(log, 1 << 40)  # one long hole, which takes no room on a disk
    with pytest.raises(ZooError, match="has a line of more than 65,5"):
        read_log(log)


def test_a_place_whose_name_is_no_text(run: Path, tmp_path: Path) -> None:
    """Names of files are bytes on Linux, and libraries that map files may want text."""
    place = tmp_path / "a\udcff b'c"
    try:
        place.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this disk has no such names")
    shutil.copytree(run, place / "run")
    assert torch.equal(zoo.load(place / "run").sample(2), zoo.load(run).sample(2))
    resume(place / "run", images=32)
    (pack,) = (path for path in (tmp_path / "cache" / "packs").iterdir() if (path / "pack.json").exists())
    shutil.copytree(pack, place / "pack")
    assert torch.equal(open_pack(place / "pack").gather(torch.arange(4)), open_pack(pack).gather(torch.arange(4)))
