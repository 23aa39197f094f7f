"""Signs of failure, what stops a training, and what `zoo.diagnose` says."""

from __future__ import annotations

import json
import math
import random
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

import zoo
from helpers.packs import pictures
from helpers.training import Heard, measures, newest, readings, resume, samples, train
from zoo.training import callbacks, health
from zoo.training.callbacks import spread
from zoo.training.curves import curves_of, save_health, sparklines
from zoo.training.health import History, detect_problems, ensure_finite, ensure_finite_weights
from zoo_cli.main import zoo as command_line
from zoo_core import TrainingError, UsageError


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def line(number: int, **values: Any) -> dict[str, Any]:
    """Reading number `number`, one for each 20 steps of 64 images, of a healthy training unless told otherwise."""
    step = 20 * (number + 1)
    usual = {"d_loss": 0.9, "g_loss": 1.2, "d_real": 0.7, "d_fake": 0.3, "d_right": 0.85, "d_grad": 1.0, "g_grad": 1.0}
    when = {"step": step, "images": 64 * step, "epoch": step / 100, "seconds": 2.0 * step}
    return {**when, **usual, "images_per_s": 32.0, **values}


def diversity(images: int, value: float) -> dict[str, Any]:
    return {"step": images // 64, "images": images, "epoch": 0.0, "seconds": 1.0, "diversity": value}


def kinds(lines: list[dict[str, Any]]) -> list[str]:
    return [warning.kind for warning in detect_problems(History.of(lines))]


def noise(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        line(i, g_loss=1.2 * math.exp(rng.gauss(0, 0.25)), d_loss=0.9 * math.exp(rng.gauss(0, 0.25))) for i in range(count)
    ]


def test_a_healthy_training_has_no_signs() -> None:
    assert kinds([]) == []
    for seed in range(20):
        history = noise(120, seed)
        assert kinds([*history, diversity(10_000, 0.1), diversity(20_000, 0.6), diversity(30_000, 0.7)]) == []


def test_too_early_to_tell() -> None:
    assert kinds([line(i, d_right=1.0, g_grad=0.0) for i in range(9)]) == []
    assert kinds([line(i, d_right=1.0) for i in range(10)]) == ["discriminator-wins"]


def test_the_discriminator_wins_outright() -> None:
    history = [line(i) for i in range(20)]
    assert kinds([*history, *(line(i, d_right=0.9995) for i in range(20, 30))]) == ["discriminator-wins"]
    assert kinds([*history, *(line(i, d_right=0.99) for i in range(20, 30))]) == []
    sign = detect_problems(History.of([*history, *(line(i, d_right=1.0) for i in range(20, 30))]))[0]
    assert "100.0% of all images" in sign.words
    assert "--set optimizer.discriminator.lr" in sign.advice


def test_the_generators_gradient_vanishes() -> None:
    history = [line(i, g_grad=2.0) for i in range(30)]
    assert kinds([*history, *(line(i, g_grad=0.01) for i in range(30, 40))]) == ["vanishing-gradient"]
    assert kinds([*history, *(line(i, g_grad=0.1) for i in range(30, 40))]) == []
    assert kinds([line(i, g_grad=0.0) for i in range(20)]) == ["vanishing-gradient"]


def test_the_samples_collapse() -> None:
    history = [line(i) for i in range(20)]
    assert kinds([*history, diversity(10_000, 0.8), diversity(20_000, 0.2)]) == ["collapse"]
    assert kinds([*history, diversity(10_000, 0.8), diversity(20_000, 0.5)]) == []
    assert kinds([*history, diversity(10_000, 0.05)]) == []  # every generator begins with the same gray
    assert kinds([*history, diversity(10_000, 0.05), diversity(20_000, 0.05)]) == ["collapse"]
    assert kinds([diversity(10_000, 0.8), diversity(20_000, 0.2), diversity(30_000, 0.7)]) == []


@pytest.mark.parametrize("name", ["g_loss", "d_loss"])
def test_losses_oscillate(name: str) -> None:
    swinging = [line(i, **{name: 2.0 + 1.8 * math.sin(2 * math.pi * i / 16)}) for i in range(60)]
    assert kinds(swinging) == ["oscillation"]
    assert kinds([line(i, **{name: 2.0 + 0.3 * math.sin(2 * math.pi * i / 16)}) for i in range(60)]) == []
    assert kinds([line(i, **{name: 0.2 + i / 20}) for i in range(60)]) == []  # a trend is none


def test_what_is_not_finite() -> None:
    ensure_finite({"d_loss": 3.0, "g_grad": 1e9}, 7)
    for value, words in ((math.nan, "nan"), (math.inf, "inf"), (-2e6, "-2e[+]06")):
        with pytest.raises(
            TrainingError, match=rf"g_loss is {words} at step 7: the training diverged\n.*lower learning rate"
        ):
            ensure_finite({"d_loss": 1.0, "g_loss": value}, 7)
    network = nn.Linear(2, 2)
    ensure_finite_weights({"generator": network}, 7)
    with torch.no_grad():
        network.weight[1, 1] = math.inf
    with pytest.raises(TrainingError, match="the generator has weights that are not finite at step 7"):
        ensure_finite_weights({"generator": network}, 7)


def test_a_failure_is_noticed_however_rarely_losses_are_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.training.callbacks.CHECK", 4)
    options = {"loss.after": 1, "training.log_every": 1000}
    with pytest.raises(TrainingError, match="nan at step 4"):
        train("broken", data, tmp_path / "run", images=800, options=options)
    stopped = measures(tmp_path / "run")[-1]
    assert (stopped["step"], stopped["final"]) == (4, True)
    assert "nan" in stopped["stopped"]
    found = zoo.diagnose(tmp_path / "run")
    assert (found.verdict, found.warnings[0].kind) == ("stopped", "diverged")
    assert "there is no checkpoint" in found.warnings[0].words


def test_weights_that_are_not_finite_stop_a_training(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.callbacks.CHECK", 2)
    run = train("linear", data, tmp_path / "run", images=8)
    good = newest(run.path)

    def spoil(self: Any, *minibatch: Any) -> None:
        with torch.no_grad():
            next(self.state.generator.parameters())[0] = math.inf

    with monkeypatch.context() as spoiled:
        spoiled.setattr("zoo.training.engine.Engine.step", spoil)
        with pytest.raises(TrainingError, match=r"generator has weights that are not finite(.|\n)*step-00000001 is whole"):
            resume(run.path, images=800)
    assert newest(run.path) == good
    assert resume(run.path, images=32).finished
    assert not any("stopped" in line for line in measures(run.path))  # it went on


def test_signs_are_said_once_and_written_down(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STEPS", 6), ("READINGS", 2), ("WINS", 0.0), ("VANISHED", -1.0), ("COLLAPSED", -1.0)):
        monkeypatch.setattr(health, name, value)
    heard = Heard()
    run = train("linear", data, tmp_path / "run", images=96, report=heard)
    assert heard.text.count("warning: the discriminator tells") == 1
    assert [line.get("signs") for line in readings(run.path)] == [None, *[["discriminator-wins"]] * 3]
    again = Heard()
    resume(run.path, images=160, report=again)
    assert "warning: the discriminator" not in again.text  # it was said before
    found = zoo.diagnose(run.path)
    assert (found.verdict, [warning.kind for warning in found.warnings]) == ("ailing", ["discriminator-wins"])
    monkeypatch.setattr(health, "WINS", 2.0)
    healed = zoo.diagnose(run.path)
    assert (healed.verdict, healed.warnings) == ("healthy", ())
    assert healed.passed == {"discriminator-wins": (48, 160)}


def test_distances() -> None:
    one = torch.zeros(2, 3, 4, 4)
    one[1] = 1
    assert spread(one) == pytest.approx(math.sqrt(48))
    assert spread(one[:1]) == 0


def test_diversity_is_that_of_the_samples(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16)
    pack = zoo.build_pack(zoo.PackRequest("folder", data=str(data), size=16), workers=1)
    real = np.concatenate([shard.numpy() for shard in pack.shards]).reshape(len(pack), -1) / 127.5
    drawn = zoo.load(run.path).sample(64).flatten(1).numpy()

    def mean_distance(rows: Any) -> float:
        return float(np.mean([np.linalg.norm(rows[i] - rows[j]) for i in range(len(rows)) for j in range(i)]))

    assert measures(run.path)[-1]["diversity"] == pytest.approx(mean_distance(drawn) / mean_distance(real), rel=1e-4)


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_diagnosis(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16).path
    history = [*noise(60), diversity(10_000, 0.4), diversity(76_800, 0.8)]
    found = zoo.diagnose(written(run, history))
    assert (found.verdict, found.warnings, found.passed) == ("healthy", (), {})
    text = "\n".join(found.words)
    for words in ("linear on folder", "1,200 steps of 8", "most images apart (85%)", "loss is", "steady"):
        assert words in text
    assert "0.80 times as far apart as real images do (0.40 to 0.80 over the run)" in text
    said = json.loads(json.dumps(found.to_json()))
    assert (said["verdict"], said["measures"], said["last"]["step"]) == ("healthy", {"diversity": 0.8}, 1200)
    falling = [line(i, g_loss=3.0 - i / 30) for i in range(60)]
    assert "falling from 1.500 to 1.000" not in zoo.diagnose(written(run, falling)).words[2]
    assert "falling from" in zoo.diagnose(written(run, falling)).words[2]
    assert zoo.diagnose(written(run, [])).verdict == "unknown"
    (run / "metrics.jsonl").unlink()
    assert zoo.diagnose(run).verdict == "unknown"
    with pytest.raises(UsageError, match="is no run folder"):
        zoo.diagnose(tmp_path)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("dcgan", "D(real) 0.70, D(fake) 0.30"),
        ("wgan-gp", "the critic tells nearly all images apart (100%): it scores real ones 3 above generated ones"),
        ("lsgan", "D(real) 1.00, which is to be 1, D(fake) -2.00, which is to be 0"),
        ("sngan", "D(real) 1.00, which is enough above 1"),
    ],
)
def test_each_loss_is_spoken_of_in_its_language(recipe: str, words: str, data: Path, tmp_path: Path) -> None:
    tiny = {"generator.width": 4, "discriminator.width": 4}
    choices = {"images": 16, "batch": 8, "size": 16, "options": tiny}
    run = train(recipe, data, tmp_path / "run", **choices).path
    logits = {"real_logit": 1.0, "fake_logit": -2.0}
    found = zoo.diagnose(written(run, [line(i, d_right=1.0, **logits) for i in range(20)]))
    text = "\n".join(found.words)
    assert words in text
    assert ("D(real)" in text) == (recipe != "wgan-gp")
    assert [warning.kind for warning in found.warnings] == ([] if recipe == "wgan-gp" else ["discriminator-wins"])
    labels = {curve.name for panel in curves_of(found) for curve in panel.lines}
    assert ("D(real)" in labels) == (recipe == "dcgan")
    assert not any("sigmoid" in name for name in labels)


def test_what_to_try_can_be_pasted(data: Path, tmp_path: Path) -> None:
    """Every command is one that the program takes: what it resolves to is what it says."""
    named = tmp_path / "a folder" / "run 1"
    named.parent.mkdir()
    run = train("dcgan", data, named, images=16, options={"optimizer.lr": 0.01}).path
    bad = [line(i, d_right=1.0, g_grad=1e-9, d_loss=2.0 + 1.8 * math.sin(2 * math.pi * i / 16)) for i in range(60)]
    found = zoo.diagnose(written(run, [*bad, diversity(70_000, 0.8), diversity(76_800, 0.1)]))
    kinds = {"discriminator-wins", "vanishing-gradient", "collapse", "oscillation"}
    assert {warning.kind for warning in found.warnings} == kinds == set(found.commands)
    seen = set()
    for command in (command for commands in found.commands.values() for command in commands):
        done = CliRunner().invoke(command_line, [*shlex.split(command)[1:], "--dry-run"])
        assert done.exit_code == 0, (command, done.output)
        told = json.loads(done.stdout)
        assert told["out"] == str(tmp_path / "a folder" / "run 1-2")
        assert told["dataset"]["data"] == str(data)
        seen.add((told["optimizer"]["discriminator"]["lr"], told["training"]["batch"], tuple(told["training"]["augment"])))
    assert {(1e-4, 8, ()), (0.01, 8, ("color", "translation")), (0.01, 16, ())} <= seen
    assert json.loads(json.dumps(found.to_json()))["signs"][0]["commands"]


def test_curves(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16).path
    found = zoo.diagnose(written(run, [*noise(500), diversity(10_000, 0.4), diversity(76_800, 0.8)]))
    assert [panel.title for panel in curves_of(found)] == [
        "losses",
        "what D says",
        "told apart",
        "norm of the gradient",
        "diversity",
    ]
    path = save_health(found, tmp_path / "health.png")
    with Image.open(path) as picture:
        assert picture.size[0] == 2 * 760
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 5
    lines = sparklines(found)
    assert ("diversity", "▁█", "0.4 … 0.8") in lines
    assert all(len(blocks) <= 48 for _, blocks, _ in lines)
    with pytest.raises(UsageError, match=r"no name of a PNG"):
        save_health(found, tmp_path / "health.jpg")
    with pytest.raises(UsageError, match="too few readings for curves"):
        save_health(zoo.diagnose(written(run, [])), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_a_training_that_ends_by_itself_leaves_no_reason(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16)
    assert not any("stopped" in line for line in measures(run.path))
    assert callbacks.ensure_finite is ensure_finite


def test_readings_that_lie_far_apart_are_judged_by_the_last_few() -> None:
    """As on a GPU, where there is one a second, hundreds of steps apart."""
    for gap in (20, 560):
        lines = [{"step": gap * i, "images_per_s": 1.0, "d_right": 0.9999, "g_grad": 1.0} for i in range(1, 12)]
        assert [warning.kind for warning in detect_problems(History.of(lines))] == ["discriminator-wins"]
    assert detect_problems(History.of([{**line, "step": line["step"] * 560} for line in lines[:4]])) == []
