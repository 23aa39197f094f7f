"""Whole trainings: exactness, resuming, budgets, precision, and what they leave on disk."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from helpers.packs import pictures
from helpers.training import TINY, Heard, differing, leftovers, measures, newest, readings, resume, samples, tensors, train
from zoo.runs.budget import Budget
from zoo.training import callbacks
from zoo_core import CheckpointError, TrainingError, UsageError, ZooError


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(callbacks, "TICK", 0.0)  # progress, and so `stop_at`, at every step
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 30, colored={0})


@pytest.mark.parametrize("recipe", ["dcgan", "dcgan-paper", "dropout"])
def test_interrupted_and_resumed_is_the_same_run(recipe: str, data: Path, tmp_path: Path) -> None:
    straight = train(recipe, data, tmp_path / "straight", images=320)
    broken = train(recipe, data, tmp_path / "broken", images=320, stop_at=160)
    assert (broken.finished, broken.signal, broken.model, broken.steps) == (False, "SIGINT", None, 21)
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    again = resume(broken.path)
    assert again.finished
    assert (again.steps, again.images) == (straight.steps, straight.images) == (40, 320)
    assert differing(straight.path, again.path) == []
    assert readings(straight.path) == readings(again.path)
    assert zoo.load(straight.path).sample(3).equal(zoo.load(again.path).sample(3))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("steps", [1, 2, 5, 6])
def test_any_step_is_a_good_one_to_stop_at(steps: int, data: Path, tmp_path: Path) -> None:
    straight = train("dropout", data, tmp_path / "straight", images=80)
    broken = train("dropout", data, tmp_path / "broken", images=80, stop_at=steps * 8)
    assert not broken.finished
    resume(broken.path)
    assert differing(straight.path, broken.path) == []
    assert readings(straight.path) == readings(broken.path)


def test_a_larger_budget_goes_on_as_if_it_had_been_there_from_the_beginning(data: Path, tmp_path: Path) -> None:
    straight = train("dropout", data, tmp_path / "straight", images=80)
    short = train("dropout", data, tmp_path / "short", images=40)
    assert short.finished
    assert readings(short.path)[-1]["step"] == 5  # between two readings
    longer = resume(short.path, images=80)
    assert longer.finished
    assert differing(straight.path, longer.path) == []
    assert readings(straight.path) == readings(longer.path)


def test_seeds(data: Path, tmp_path: Path) -> None:
    one = train("dropout", data, tmp_path / "1", images=40, seed=-(10**30))
    random.random(), np.random.rand(), torch.rand(1)
    same = train("dropout", data, tmp_path / "2", images=40, seed=-(10**30))
    other = train("dropout", data, tmp_path / "3", images=40, seed=1)
    assert differing(one.path, same.path) == []
    assert [name for name in differing(one.path, other.path) if name.startswith("networks/")]


def test_a_run_killed_before_its_first_checkpoint_begins_again(data: Path, tmp_path: Path) -> None:
    straight = train("dcgan", data, tmp_path / "straight", images=40)
    killed = train("dcgan", data, tmp_path / "killed", images=40)
    shutil.rmtree(killed.path / "checkpoints")
    shutil.rmtree(killed.path / "model")
    again = resume(killed.path)
    assert again.finished
    assert differing(straight.path, again.path) == []
    assert readings(straight.path) == readings(again.path)


def test_a_finished_run_says_so_and_offers_more(data: Path, tmp_path: Path) -> None:
    run = train("dcgan", data, tmp_path / "run of 5", epochs=1)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.name != ".lock"}
    with pytest.raises(
        UsageError, match=r"is finished: 32 images shown, and its budget is 1 epoch\n.*resume=\".*run of 5\""
    ):
        resume(run.path)
    with pytest.raises(UsageError, match="images=64"):
        resume(run.path, images=20)
    with pytest.raises(UsageError, match="minutes=1"):
        resume(run.path, minutes=1e-6)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.name != ".lock"} == before


def test_a_run_killed_after_its_last_checkpoint_gets_its_model_folder(data: Path, tmp_path: Path) -> None:
    run = train("dcgan", data, tmp_path / "run", images=40)
    expected = zoo.load(run.path).sample(2)
    shutil.rmtree(run.path / "model")
    again = resume(run.path)
    assert again.model is not None
    assert zoo.load(again.model).sample(2).equal(expected)
    (run.path / "model" / "config.json").write_text("{", encoding="utf-8")  # damaged: made again too
    assert zoo.load(run.path).sample(2).equal(expected)
    assert resume(run.path).finished
    assert zoo.load(run.path / "model").sample(2).equal(expected)


def test_what_a_run_leaves(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "ein Läufer 🏃"
    run = train("dcgan", data, out, epochs=3, options={"training.samples_every": 40, "training.keep": 1})
    assert run.images == 96
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {
        ".lock",
        "run.json",
        "metrics.jsonl",
        "samples/000000040.png",
        "samples/000000080.png",
        "samples/000000096.png",
        *(f"checkpoints/step-00000012/{f}.safetensors" for f in ("networks", "optimizers", "random")),
        "checkpoints/step-00000012/state.json",
        *(f"model/{f}" for f in ("config.json", "generator.safetensors", "discriminator.safetensors", "README.md")),
        "model/samples.png",
    }
    said = json.loads((out / "run.json").read_text())
    assert said["budget"] == {"epochs": 3}
    assert said["config"]["parts"]["generator"]["options"]["width"] == 4
    assert said["config"]["image"] == {"size": 16, "channels": 3, "num_classes": 0}
    assert str(data) not in said["command"]
    published = json.loads((out / "model" / "config.json").read_text())["provenance"]["command"]
    assert published == said["command"].replace("--epochs 3", "--images 96").replace(" --out DIR", "")
    assert [line["step"] for line in readings(out)] == [3, 6, 9, 12]
    assert [line["images"] for line in measures(out)] == [40, 80, 96]
    assert all(0 < line["diversity"] < 2 for line in measures(out))
    names = {"d_loss", "g_loss", "d_real", "d_fake", "d_right", "d_grad", "g_grad", "real_logit", "fake_logit"}
    assert set(readings(out)[0]) == {"step", "images", "epoch", *names}


def test_the_last_grid_is_what_the_loaded_model_draws(data: Path, tmp_path: Path) -> None:
    run = train("dcgan", data, tmp_path / "run", images=40)
    zoo.save_grid(zoo.load(run.path).sample(64), tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == (run.path / "samples" / "000000040.png").read_bytes()
    assert (tmp_path / "mine.png").read_bytes() == (run.path / "model" / "samples.png").read_bytes()


def test_an_unfinished_run_draws_what_it_would_draw_finished(data: Path, tmp_path: Path) -> None:
    for recipe in ("dcgan", "buffered"):
        finished = train(recipe, data, tmp_path / f"{recipe}-finished", images=40)
        unfinished = train(recipe, data, tmp_path / f"{recipe}-unfinished", images=80, stop_at=40)
        while unfinished.steps > 5:  # the signal may be handled one step late
            shutil.rmtree(unfinished.path)
            unfinished = train(recipe, data, tmp_path / f"{recipe}-unfinished", images=80, stop_at=32)
        expected = zoo.load(finished.path).sample(4)
        assert zoo.load(unfinished.path).sample(4).equal(expected)
        raw = zoo.load(finished.path, raw=True)
        assert raw.config["weights"] == "raw"
        assert not raw.sample(4).equal(expected)


@pytest.mark.parametrize(
    ("choices", "steps"), [({"images": 20}, 3), ({"epochs": 0.5}, 2), ({"epochs": 2}, 8), ({"minutes": 1e-4}, 1)]
)
def test_budgets(choices: dict[str, float], steps: int, data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", **choices)
    assert run.finished
    assert run.steps == steps if "minutes" not in choices else run.steps >= steps
    assert run.images == run.steps * 8


@pytest.mark.parametrize("amount", [0, -1, float("nan"), float("inf")])
def test_impossible_budgets(amount: float, data: Path, tmp_path: Path) -> None:
    for kind in ("epochs", "images", "minutes"):
        with pytest.raises(UsageError, match=f"'{kind}' must be more than 0"):
            train("linear", data, tmp_path / "run", **{kind: amount})
    assert not (tmp_path / "run").exists()


def test_two_budgets(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'epochs' and 'minutes' are budgets; give one"):
        train("linear", data, tmp_path / "run", epochs=1, minutes=1)


def test_a_budget_speaks() -> None:
    assert str(Budget("epochs", 25.0)) == "25 epochs"
    assert str(Budget("epochs", 1)) == "1 epoch"
    assert str(Budget("images", 24_000)) == "24,000 images"
    assert str(Budget("images", 1_234_567)) == "1,234,567 images"
    assert str(Budget("minutes", 2.5)) == "2.5 minutes"
    assert Budget("epochs", 2).total(100) == 200
    assert Budget("minutes", 2).total(100) == 120


def test_a_second_ctrl_c_leaves_at_once(data: Path, tmp_path: Path) -> None:
    class Twice(Heard):
        def _update(self, done: float) -> None:
            if done >= 24:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train("linear", data, tmp_path / "run", images=80, report=Twice())
    assert signal.getsignal(signal.SIGINT) is before
    assert leftovers(tmp_path) == []
    assert resume(tmp_path / "run").finished


def test_in_another_thread_no_signal_is_taken(data: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(train, "linear", data, tmp_path / "run", images=16).result().finished


def test_numbers_that_are_none_stop_the_run_and_keep_the_checkpoint(data: Path, tmp_path: Path) -> None:
    run = train("broken", data, tmp_path / "run", images=48, options={"loss.after": 10})
    good = newest(run.path)
    with pytest.raises(TrainingError, match=r"[dg]_loss is nan at step") as caught:
        train("broken", data, tmp_path / "fresh", images=80, options={"loss.after": 1})
    assert "step-" not in str(caught.value)
    with pytest.raises(TrainingError, match=r"[dg]_loss is nan at step 18(.|\n)*step-00000006 is whole.*\n?.*resume="):
        resume(run.path, images=400)
    assert newest(run.path) == good
    assert [line["step"] for line in readings(run.path)][-1] == 15


def test_a_learning_rate_that_explodes_is_noticed(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="diverged"):
        train("dcgan", data, tmp_path / "run", images=800, options={"optimizer.lr": 1e9}, rescue=False)
    assert not (tmp_path / "run" / "checkpoints").exists() or not list((tmp_path / "run" / "checkpoints").iterdir())


def test_a_diverged_state_is_not_saved(data: Path, tmp_path: Path) -> None:
    choices = {"options": {"loss.after": 2, "training.log_every": 1000, "training.checkpoint_minutes": 1e-9}}
    with pytest.raises(TrainingError, match="g_loss is nan at step 3"):
        train("broken", data, tmp_path / "run", images=80, **choices)
    assert newest(tmp_path / "run").name == "step-00000002"
    assert all(t.isfinite().all() for t in tensors(tmp_path / "run").values() if t.is_floating_point())


def test_precision(data: Path, tmp_path: Path) -> None:
    run = train("dcgan", data, tmp_path / "bf16", images=16, precision="bf16")
    assert json.loads((run.path / "run.json").read_text())["precision"] == "bf16"
    assert all(
        t.dtype == torch.float32 for name, t in tensors(run.path).items() if name.startswith("networks/") and t.ndim > 1
    )
    assert resume(run.path, images=32, precision="fp32").finished
    with pytest.raises(UsageError, match=r"fp16. needs a CUDA GPU"):
        train("dcgan", data, tmp_path / "fp16", precision="fp16")
    with pytest.raises(UsageError, match="unknown precision 'int8'; valid: auto, fp32, bf16, fp16"):
        train("dcgan", data, tmp_path / "int8", precision="int8")
    assert not list(tmp_path.glob("fp16*"))


def test_tensorboard(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=48, track="tensorboard")
    assert [f for f in (run.path / "tensorboard").iterdir() if f.name.startswith("events.out.tfevents")]
    with pytest.raises(UsageError, match="unknown tracker 'xyz'; valid: tensorboard"):
        train("linear", data, tmp_path / "other", track="xyz")


def test_labels_reach_both_networks(data: Path, tmp_path: Path) -> None:
    run = train("conditional", data, tmp_path / "run", images=16)
    model = zoo.load(run.path)
    assert model.classes == ("cat", "dog")
    assert not model.sample(2, label="cat").equal(model.sample(2, label="dog"))
    flat = pictures(tmp_path / "flat", 12) / "cat"
    with pytest.raises(UsageError, match="wants labels, and these images have none"):
        train("conditional", flat, tmp_path / "other", images=16)
    assert not (tmp_path / "other").exists()


def test_more_images_in_a_batch_than_there_are(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a minibatch of 64 is more than the 30 images there are\n.*batch=16"):
        train("linear", data, tmp_path / "run", batch=64)
    assert not (tmp_path / "run").exists()


def test_existing_places(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16)
    with pytest.raises(UsageError, match=r"holds a run with this very configuration\n.*resume="):
        train("linear", data, run.path)
    with pytest.raises(UsageError, match=r"another configuration:\n  generator.dropout: 0.0 in the run, 0.5 now\n  recipe"):
        train("plain", data, run.path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not empty"):
        train("linear", data, tmp_path / "full")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        train("linear", data, tmp_path / "file")
    with pytest.raises(UsageError, match=r"cannot be made: .*file is a file"):
        train("linear", data, tmp_path / "file" / "below" / "it")
    (tmp_path / "empty").mkdir()
    assert train("linear", data, tmp_path / "empty", images=16).finished


def test_a_locked_run(data: Path, tmp_path: Path) -> None:
    from zoo.runs.run import lock_run

    run = train("linear", data, tmp_path / "run", images=16)
    lock = lock_run(run.path)
    with pytest.raises(UsageError, match="another process is training in"):
        resume(run.path, images=32)
    lock.release()
    assert resume(run.path, images=32).finished


def test_a_run_is_named_by_what_it_is_and_the_same_configuration_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    straight = train("dropout", data, tmp_path / "straight", images=80)
    broken = train("dropout", data, None, images=80, stop_at=40)
    assert re.fullmatch(r"runs/dropout-pictures-16-[0-9a-f]{6}", str(broken.path))
    heard = Heard()
    again = train("dropout", data, None, images=80, report=heard)
    assert (again.path, again.finished) == (broken.path, True)
    assert any(
        "going on with runs/dropout-pictures-16-" in line and "--seed 1, or --out DIR" in line for line in heard.lines
    )
    assert differing(straight.path, again.path) == []
    with pytest.raises(UsageError, match=r"is finished(.|\n)*images=160\); another run: seed=1, or out="):
        train("dropout", data, None, images=80)
    assert train("dropout", data, None, images=88, options={"training.keep": 1}).images == 88  # a larger budget goes on
    other = train("dropout", data, None, images=8, seed=1)
    assert other.path != again.path
    with pytest.raises(UsageError, match=r"begins the names of 2 runs: runs/dropout-(.|\n)*type more of it"):
        zoo.load("runs/dropout-pictures-16")
    longer = zoo.plan(resume=str(other.path)[:-2], minutes=2, threads=1)
    assert longer.folder == other.path
    told = zoo.plan(resume=other.path).command
    assert "--images 8 " in told
    assert longer.command == told.replace("--images 8 ", "--minutes 2 ") + " --threads 1"


def test_a_schedule_that_ends_with_the_budget_makes_another_run_of_another_budget(data: Path, tmp_path: Path) -> None:
    options = {**TINY, "optimizer.schedule": "linear"}
    short, long, short_again, open_ended = (
        zoo.plan("dcgan", dataset="folder", data=data, images=images, options=given).folder
        for images, given in ((80, options), (160, options), (80, options), (80, TINY))
    )
    assert short == short_again
    assert len({short, long, open_ended}) == 3
    assert zoo.plan("dcgan", dataset="folder", data=data, images=160, options=TINY).folder == open_ended


def test_no_space(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    run = train("linear", data, tmp_path / "run", images=16)
    good = newest(run.path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(ZooError, match="no space left on disk"):
            train("linear", data, tmp_path / "fresh", images=16)
        with pytest.raises(ZooError, match="no space left on disk"):
            resume(run.path, images=32)
    assert not (tmp_path / "fresh").exists()
    assert newest(run.path) == good
    assert leftovers(tmp_path) == []
    assert resume(run.path, images=32).finished


def test_nothing_to_resume(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run folder"):
        resume(tmp_path)
    run = train("linear", data, tmp_path / "run", images=16)
    described = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**described, "format": 3}))
    with pytest.raises(CheckpointError, match="written by a later version"):
        resume(run.path, images=32)
    for damage in ("", "[]", "{}", json.dumps({**described, "budget": {}}), json.dumps({**described, "config": {}})):
        (run.path / "run.json").write_text(damage)
        with pytest.raises(CheckpointError, match=r"run\.json is damaged"):
            resume(run.path, images=32)
