"""A run folder and a model folder of format 1, as an earlier revision wrote them: they load, draw the same and go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import zoo
from helpers.training import Heard, newest, readings
from zoo.models.sampling import sample_to
from zoo.runs.checkpoints import read_checkpoint
from zoo.runs.run import read_run
from zoo.runs.upgrading import upgrade_command
from zoo_core import ModelError

DATA = Path(__file__).parents[1] / "data" / "run-format-1"
CLOSE = 1e-6
"""Mean absolute difference of weights: convolutions round differently on processors with other vector units."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "run", tmp_path / "run"))


def assert_draws(place: Path, expected: Path, tmp_path: Path) -> None:
    """Same pixels, up to one level of 256, which rounding may turn."""
    found = sorted(sample_to(zoo.load(place), tmp_path / f"samples of {place.name}", 8).iterdir())
    grid = np.asarray(Image.open(expected), np.int16)  # three in a row, two pixels between them
    assert len(found) == 8
    for i, file in enumerate(found):
        top, left = 2 + i // 3 * 18, 2 + i % 3 * 18
        assert np.abs(np.asarray(Image.open(file), np.int16) - grid[top : top + 16, left : left + 16]).max() <= 1


def resumed(run: Path) -> zoo.Run:
    chosen: dict[str, Any] = {"device": "cpu", "precision": "fp32", "report": Heard(), "workers": 1}
    return zoo.train(resume=run, data=DATA / "pictures", images=160, **chosen)


def test_its_settings_have_moved(run: Path) -> None:
    config = read_run(run).config
    assert config.algorithm["name"] == "gan"
    assert config.algorithm["options"] == {"updates": "both", "discriminator_steps": 1, "conditional": True}
    assert config.training.augment == ("color",)
    assert not config.training.mirror
    assert "augment" not in config.parts["discriminator"]["options"]
    assert {role: part["kind"] for role, part in config.parts.items()} == {
        "generator": "generators",
        "discriminator": "discriminators",
        "loss": "losses",
    }
    assert config.optimizer["generator"]["kind"] == "adam"
    assert config.facts["license"] == ""


def test_its_model_draws_the_same(run: Path, tmp_path: Path) -> None:
    assert_draws(run, DATA / "run8.png", tmp_path)
    assert_draws(run / "model", DATA / "run8.png", tmp_path)
    model = zoo.load(run / "model")
    assert model.config["format"] == 2
    assert model.classes == ("disc", "square")
    assert model.config["provenance"]["training"]["augment"] == ["color"]
    assert model.config["algorithm"]["options"]["conditional"]


def test_its_checkpoint_draws_the_same(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "model")
    assert_draws(run, DATA / "run8.png", tmp_path)
    assert zoo.load(run, raw=True).config["weights"] == "raw"


def test_it_goes_on(run: Path, tmp_path: Path) -> None:
    done = resumed(run)
    assert (done.finished, done.steps, done.images) == (True, 20, 160)
    for role in ("generator", "discriminator"):
        found, expected = (load_file(folder / f"{role}.safetensors") for folder in (run / "model", DATA / "through"))
        assert found.keys() == expected.keys()
        for key, tensor in found.items():
            assert (tensor.double() - expected[key].double()).abs().mean() < CLOSE, key
    assert_draws(run, DATA / "through8.png", tmp_path)
    assert json.loads((run / "run.json").read_text())["format"] == 2
    assert json.loads((run / "model" / "config.json").read_text())["format"] == 2
    described, _ = read_checkpoint(newest(run))
    assert described["updates"] == {"generator": 20, "discriminator": 10}  # the discriminator's were not counted before
    # The one reading of step 20 is the mean over all 20 steps, 10 of which the earlier revision made.
    assert [line["step"] for line in readings(run)] == [20]
    assert set(readings(run)[0]) >= {"d_loss", "g_loss", "d_real", "d_fake", "d_right", "d_grad", "g_grad"}


def test_an_interrupted_one_would_have_gone_on_from_the_same_moments(run: Path) -> None:
    described, tensors = read_checkpoint(newest(run))
    assert described["meter"]["values"]["d_loss"][1] == 10
    assert any(key.startswith("average.generator.") for key in tensors["networks.safetensors"])
    assert any(key.startswith("generator.0.exp_avg") for key in tensors["optimizers.safetensors"])


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("latent", "distribution"), "uniform"),
        (("generator", "options", "norm_eps"), 0.5),
        (("classes",), ["square", "disc"]),
    ],
)
def test_a_model_that_was_tampered_with_is_refused(keys: tuple[str, ...], value: Any, run: Path) -> None:
    file = run / "model" / "config.json"
    config = inner = json.loads(file.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    file.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="was changed since the model was written"):
        zoo.load(run / "model")


def test_weights_that_were_tampered_with_are_refused(run: Path) -> None:
    file = run / "model" / "generator.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"its checksum is not the one in config\.json"):
        zoo.load(run / "model")


def test_commands_of_before_name_what_there_is_today() -> None:
    before = "zoo train lapgan --dataset faces --set discriminator.augment=color --set training.updates=alternate"
    now = "zoo train lapgan-joint --dataset faces --set training.augment=color --set algorithm.updates=alternate"
    assert upgrade_command(before, 1) == now
    assert upgrade_command(before, 2) == before
