"""The resolved configuration of a run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.training import samples
from zoo.runs.config import RunConfig, add_later_settings
from zoo.runs.differences import list_differences
from zoo.runs.options import split_options
from zoo.training.planning import Plan
from zoo_cli.train import train
from zoo_core import ImageSpec, OptionError, Plugin, Recipe, UnknownNameError, UsageError, registry


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def resolve(recipe: str = "dcgan", **choices: Any) -> RunConfig:
    return RunConfig.resolve(recipe, **choices)


def test_later_ones_win() -> None:
    config = resolve("dcgan-paper", options={"generator.width": "16", "optimizer.lr": "1e-3", "optimizer.generator.lr": "1"})
    assert config.parts["generator"]["options"]["width"] == 16
    assert config.parts["generator"]["options"]["kernel"] == 5
    assert config.parts["discriminator"]["options"]["width"] == 128
    assert (config.optimizer["generator"]["lr"], config.optimizer["discriminator"]["lr"]) == (1.0, 1e-3)
    assert config.optimizer["generator"]["weight_decay"] == 1e-5
    assert config.algorithm["options"]["updates"] == "alternate"
    assert resolve(size=32, batch=4, options={"training.size": 64}).training.size == 32


@pytest.mark.parametrize(
    ("choices", "kind", "words"),
    [
        ({"recipe": "dcgn"}, UnknownNameError, r"unknown recipe 'dcgn'; did you mean dcgan(.|\n)*zoo list recipes"),
        ({"dataset": "face"}, UnknownNameError, r"unknown dataset 'face'; did you mean faces(.|\n)*zoo list datasets"),
        ({"options": {"generator.widht": 1}}, UnknownNameError, r"did you mean width(.|\n)*zoo show dcgan"),
        ({"options": {"genrator.width": 1}}, UnknownNameError, "unknown option 'genrator.width'; did you mean"),
        ({"options": {"width": 1}}, UnknownNameError, "unknown option 'width'"),
        ({"options": {"training.epoch": 1}}, UnknownNameError, "did you mean epochs"),
        ({"options": {"optimizer.generator.momentum": 1}}, UnknownNameError, "'momentum'"),
        ({"options": {"generator.width": "wide"}}, OptionError, "generator.width must be int, not 'wide'"),
        ({"options": {"generator.width": 1.5}}, OptionError, "generator.width must be int, not 1.5"),
        ({"options": {"generator.kernel": "6"}}, OptionError, r"kernel must be 3 \| 4 \| 5, not '6'"),
        ({"options": {"algorithm.conditional": "perhaps"}}, OptionError, "conditional must be bool"),
        ({"options": {"optimizer.lr": "nan"}}, OptionError, "optimizer.lr must be float"),
        ({"options": {"optimizer.lr": 0}}, OptionError, "optimizer.lr is 0.0; it must be more than 0"),
        ({"options": {"optimizer.beta1": 1}}, OptionError, "beta1 is 1.0; it must be at least 0 and less than 1"),
        ({"options": {"training.ema": 1}}, OptionError, "ema is 1.0"),
        ({"options": {"dataset.data": "x"}, "dataset": "folder"}, OptionError, "has an option of its own\nwrite: data=.x"),
        ({"options": {"dataset.count": 4}}, UsageError, "dataset.count is set, and there is no dataset"),
        ({"size": 40}, OptionError, "not 40\ntry: size=32 or size=48"),
        ({"size": 0}, OptionError, "size is 0; it must be at least 1"),
        ({"batch": -1}, OptionError, "batch is -1; it must be at least 1"),
        ({"channels": 2}, OptionError, "1 .gray. or 3 .color., not 2"),
    ],
)
def test_what_is_wrong_is_said(choices: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        resolve(**choices)


def test_to_json_and_back() -> None:
    config = resolve("dcgan-paper", dataset="folder", data="/x", seed=7, channels=1).with_image(ImageSpec(64, 1), pack="abc")
    plain = json.loads(json.dumps(config.to_json()))
    assert RunConfig.from_json(plain) == config
    assert plain["versions"]["torch"] == torch.__version__
    assert set(plain["versions"]) >= {"dcgan-zoo", "torchvision", "numpy", "Pillow", "python", "platform"}
    with pytest.raises((TypeError, KeyError)):
        RunConfig.from_json({**plain, "surprise": 1})


def test_nothing_is_drawn_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    config = resolve(options={"generator.width": 4, "discriminator.width": 4}, size=16).with_image(ImageSpec(16))
    config.build_networks()
    assert torch.get_rng_state().equal(before)


def test_initial_weights_follow_the_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed % 7)
        config = resolve("plain", seed=seed).with_image(ImageSpec(16))
        return torch.cat([p.flatten() for network in config.build_networks().values() for p in network.parameters()])

    assert weights(10**40).equal(weights(10**40))
    assert not weights(1).equal(weights(2))
    assert not weights(1).equal(weights(-1))


def test_identity_is_what_a_run_may_not_change() -> None:
    one = resolve(dataset="folder", data="/x").identity()
    assert one["data"] == "/x"
    assert one["generator.width"] == 64
    assert one["optimizer.discriminator.lr"] == 2e-4
    assert not {key for key in one if key.split(".")[-1] in ("epochs", "keep", "log_every", "samples_every")}
    other = resolve(dataset="folder", data="/x", options={"training.keep": 9, "generator.width": 8}).identity()
    assert list_differences(one, other) == ["generator.width: 64 in the run, 8 now"]
    assert list_differences({"a": 1}, {"b": None}) == ["a: 1 in the run, nothing now", "b: nothing in the run, None now"]


def test_what_an_earlier_version_wrote_is_completed_with_defaults_alone() -> None:
    config = resolve(dataset="faces", options={"generator.width": 8, "optimizer.generator.clip": 1.0})
    whole = config.identity()
    later = ("generator.width", "generator.kernel", "optimizer.generator.clip", "optimizer.generator.lr", "dataset.count")
    older = {key: value for key, value in whole.items() if key not in later}
    completed = add_later_settings(older, config)
    assert set(whole) - set(completed) == {"generator.width", "optimizer.generator.clip"}  # chosen, so not as it was
    assert completed.items() <= whole.items()
    assert add_later_settings({**whole, "gone": 1}, config) == {**whole, "gone": 1}


def test_groups() -> None:
    groups = split_options(
        {"optimizer.lr": 1, "optimizer.generator.lr": 2, "loss.x": 3}, ["generator", "loss"], ["generator"]
    )
    assert (groups["optimizer"], groups["optimizer.generator"], groups["loss"]) == ({"lr": 1}, {"lr": 2}, {"x": 3})


def test_a_recipes_dataset_options_do_not_hinder_creation() -> None:
    recipe = Recipe("sized", base="dcgan", options={"dataset.count": 20, "generator.width": 4, "discriminator.width": 4})
    with registry.add(Plugin(recipes=[recipe])):
        assert zoo.create("sized", size=16).sample(1).shape == (1, 3, 16, 16)
        assert resolve("sized", dataset="faces").dataset["options"]["count"] == 20  # type: ignore[index]


GIVEN: dict[str, Any] = {
    "channels": 1,
    "size": 32,
    "batch": 16,
    "seed": 3,
    "minutes": 2.5,
    "out": "mine",
    "precision": "fp32",
    "device": "cpu",
    "track": ("tensorboard",),
    "deterministic": True,
    "graphs": False,
    "threads": 1,
    "compile": True,
    "options": {"optimizer.lr": 1e-4, "training.augment": ["color", "cutout"], "dataset.limit": 9},
}


@pytest.mark.parametrize("left_out", [None, *GIVEN])
def test_a_runs_command_says_all_that_was_given(
    left_out: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {key: value for key, value in GIVEN.items() if key != left_out}
    planned = zoo.plan("dcgan", dataset="faces", **given)
    read: list[dict[str, Any]] = []

    def hear(**choices: Any) -> Plan:
        read.append(choices)
        return planned

    words = shlex.split(planned.command)
    assert words[:2] == ["zoo", "train"]
    with monkeypatch.context() as patched:
        patched.setattr(zoo, "plan", hear)
        train.main([*words[2:], "--dry-run"], standalone_mode=False)
    assert zoo.plan(**read[0]) == planned


def test_a_runs_command_names_what_was_downloaded_and_measured(cache: Path) -> None:
    (cache / "downloads" / "mnist").mkdir(parents=True)
    command = zoo.plan("dcgan", dataset="mnist", data=cache / "downloads" / "mnist", out="/a/b").command
    assert command == "zoo train dcgan --dataset mnist --download --epochs 25 --out DIR"
    planned = zoo.plan("dcgan", dataset="faces", images=9, evaluate_every=50, watch="kid:scattering")
    assert planned.command.endswith("--images 9 --watch kid:scattering --evaluate-every 50")
    planned = zoo.plan("dcgan", dataset="faces", images=9, watch=False, rescue=False)
    assert planned.command.endswith("--images 9 --no-watch --no-rescue")
    assert zoo.plan("dcgan", dataset="faces").command.endswith("--epochs 25")


def test_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    plan = zoo.plan("dcgan", dataset="folder", data="pictures", device="cpu", precision="bf16", epochs=2, out="x y")
    said: Mapping[str, Any] = json.loads(json.dumps(plan.to_json()))
    assert said["dataset"]["data"] == str(tmp_path / "pictures")
    assert (said["budget"], said["device"], said["precision"], said["out"]) == ({"epochs": 2}, "cpu", "bf16", "x y")
    assert said["command"] == (
        "zoo train dcgan --dataset folder --data DIR --epochs 2 --out 'x y' --precision bf16 --device cpu"
    )
    assert zoo.plan("dcgan", dataset="faces", images=3_000_000, seed=4).command == (
        "zoo train dcgan --dataset faces --seed 4 --images 3000000"
    )
    assert zoo.plan("dcgan", dataset="faces").budget.amount == 25
    assert list(tmp_path.iterdir()) == [tmp_path / "pictures"]
    with pytest.raises(UsageError, match=r"name a recipe\nfor example: zoo\.train\(.dcgan., dataset=.faces.\)"):
        zoo.plan()
    with pytest.raises(UsageError, match=r"name a dataset\nfor example: zoo\.train\(.dcgan-paper., dataset=.faces.\)"):
        zoo.plan("dcgan-paper")
    with pytest.raises(UsageError, match=r"there is no device 'quantum' here; valid: auto, cpu"):
        zoo.plan("dcgan", dataset="faces", device="quantum")


def test_what_is_typed_for_all_networks_wins_over_a_recipes_rate_for_one() -> None:
    def rates(**options: Any) -> list[float]:
        found = RunConfig.resolve("two-rates", options={key.replace("_", "."): value for key, value in options.items()})
        return [settings["lr"] for settings in found.optimizer.values()]

    recipe = Recipe("two-rates", base="dcgan", options={"optimizer.discriminator.lr": 4e-4})
    with registry.add(Plugin(recipes=[recipe])):
        assert rates() == [2e-4, 4e-4]
        assert rates(optimizer_lr=1e-3) == [1e-3, 1e-3]
        assert rates(optimizer_lr="1e-3", optimizer_generator_lr=1e-5) == [1e-5, 1e-3]
        assert rates(optimizer_beta1=0.0) == [2e-4, 4e-4]
