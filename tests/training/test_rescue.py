"""A training that fails goes back to its best checkpoint and on gentler; killed and resumed, with the same bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.packs import pictures
from helpers.training import Heard, differing, measures, readings, resume, samples, train
from zoo.models.card import model_card
from zoo.runs.checkpoints import checkpoints, step_of
from zoo.runs.evaluation import Evaluation
from zoo.runs.run import read_run
from zoo.training.rescue import LADDER, climb, ladder_of
from zoo_core import Generator, OptionError, PluginError, Recipe, TrainingError, registry

LATE = {"optimizer.lr": 100.0, "optimizer.warmup_images": 4000, "optimizer.kind": "sgd", "training.log_every": 1}
"""Diverges after a while: the learning rate rises from 0."""


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def brightness(generator: Generator) -> float:
    """A measure that falls and rises as it likes, of the weights alone."""
    with torch.no_grad():
        return float(generator(torch.linspace(-1, 1, 4 * generator.latent_dim).view(4, -1)).mean())


def evaluation(every: int = 16) -> Evaluation:
    return Evaluation("distance", brightness, every)


def fail(data: Path, out: Path, **choices: Any) -> zoo.Run:
    options = {**LATE, **choices.pop("options", {})}
    return train("plain", data, out, **{"images": 160, "evaluation": evaluation(), "options": options, **choices})


def test_it_goes_back_to_the_best_and_on_gentler(data: Path, tmp_path: Path) -> None:
    heard = Heard()
    run = fail(data, tmp_path / "run", report=heard)
    assert run.finished
    record = read_run(run.path)
    first = record.interventions[0]
    assert "diverged" in first["reason"]
    assert first["settings"] == record.rescue[0] == dict(LADDER[0])
    assert 0 < first["back_to"]["images"] < first["at"]["images"]
    assert first["back_to"]["images"] % 16 == 0
    assert "rescue 1 of 3" in heard.text
    assert record.config.optimizer["generator"]["lr"] == 100.0  # what was asked for stays written
    lost = [json.loads(line) for line in (run.path / "abandoned-1.jsonl").read_text().splitlines()]
    assert min(line["step"] for line in lost) == first["back_to"]["step"] + 1
    kept = [line["step"] for line in measures(run.path) + readings(run.path)]
    assert max(kept) == 20
    model = zoo.load(run.path)
    assert model.config["provenance"]["interventions"] == record.interventions
    assert "Intervention" in model_card(model)
    assert "1e-04" not in model_card(model)


def test_without_a_checkpoint_it_begins_again(data: Path, tmp_path: Path) -> None:
    run = fail(data, tmp_path / "run", evaluation=evaluation(10_000), options={"optimizer.warmup_images": 0})
    assert run.finished
    assert read_run(run.path).interventions[0]["back_to"] == {"step": 0, "images": 0}


def test_after_the_last_rung_it_stops(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="diverged"):
        train("broken", data, tmp_path / "run", images=800)
    assert len(read_run(tmp_path / "run").interventions) == len(LADDER)


def test_no_rescue_stops_at_once(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="diverged"):
        fail(data, tmp_path / "run", rescue=False)
    assert read_run(tmp_path / "run").interventions == []
    with pytest.raises(TrainingError, match="diverged"):
        resume(tmp_path / "run", evaluation=evaluation())
    resume(tmp_path / "run", evaluation=evaluation(), rescue=True)
    assert read_run(tmp_path / "run").interventions


def test_interrupted_anywhere_and_resumed_it_is_the_same_run(data: Path, tmp_path: Path) -> None:
    whole = fail(data, tmp_path / "whole")
    taken = [{k: v for k, v in i.items() if k != "seconds"} for i in read_run(whole.path).interventions]
    assert taken
    for images in (8, 40, 72, 104, 136):
        run = fail(data, tmp_path / f"cut-{images}", stop_at=images)
        if not run.finished:
            run = resume(run.path, evaluation=evaluation())
        assert run.finished
        assert differing(whole.path, run.path) == []
        assert readings(whole.path) == readings(run.path)
        assert [{k: v for k, v in i.items() if k != "seconds"} for i in read_run(run.path).interventions] == taken


def test_killed_between_the_intervention_and_what_follows(data: Path, tmp_path: Path) -> None:
    """Its checkpoints of the time that was abandoned are still there; nobody goes on from them."""
    options = {"training.checkpoint_minutes": 1e-9, "training.keep": 100}
    with pytest.raises(TrainingError):
        fail(data, tmp_path / "failed", rescue=False, options=options)
    whole = fail(data, tmp_path / "whole", options=options)
    record = json.loads((whole.path / "run.json").read_text())
    first = record["interventions"][0]
    record["interventions"] = [first]
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "failed", killed)
    (killed / "run.json").write_text(json.dumps(record))
    assert max(step_of(path) for path in checkpoints(killed / "checkpoints")) > first["back_to"]["step"]
    resume(killed, evaluation=evaluation())
    assert differing(whole.path, killed) == []
    assert readings(whole.path) == readings(killed)


def sameness(generator: Generator) -> float:
    """A distance that grows as the samples become alike."""
    with torch.no_grad():
        return 1 / (float(generator(torch.linspace(-1, 1, 4 * generator.latent_dim).view(4, -1)).std(0).mean()) + 1e-3)


def test_a_collapse_is_rescued(data: Path, tmp_path: Path) -> None:
    """Decay takes the generator's weights to zero, where every latent gives the same picture; a lower rate does not."""
    decay = {"kind": "sgd", "lr": 0.01, "weight_decay": 6.0}
    options = {**{f"optimizer.generator.{key}": value for key, value in decay.items()}, "training.ema": 0.0}
    watching = Evaluation("distance", sameness, 16)
    run = train("plain", data, tmp_path / "run", images=160, evaluation=watching, options=options)
    (intervention,) = read_run(run.path).interventions
    assert intervention["reason"].startswith("it collapsed: diversity 0.")
    assert intervention["back_to"]["images"] == 16
    assert intervention["at"]["images"] in range(32, 144, 16)
    diversity = [line["diversity"] for line in measures(run.path) if "distance" in line]
    assert len(diversity) == 10
    assert min(diversity) > 0.5 * max(diversity)


def test_a_ladder_is_climbed() -> None:
    config = zoo.plan("dcgan", dataset="faces", device="cpu", options={"optimizer.lr": 0.01}).config
    rungs = ladder_of(config)
    assert len(rungs) == 3
    first, second, third = (climb(config, rungs[:n]) for n in (1, 2, 3))
    assert {s["lr"] for s in first.optimizer.values()} == {1e-4}
    assert second.optimizer["discriminator"]["lr"] == 5e-5
    assert second.optimizer["generator"]["lr"] == 1e-4
    assert second.training.augment == ("noise",)
    assert third.parts["loss"]["name"] == "non-saturating-r1"
    assert third.optimizer["discriminator"]["lr"] == 2.5e-5
    assert config.training.augment == ()
    slow = zoo.plan("dcgan", dataset="faces", device="cpu", options={"optimizer.lr": 1e-5}).config
    assert climb(slow, rungs[:1]).optimizer["generator"]["lr"] == 5e-6
    with pytest.raises(OptionError, match="no setting"):
        climb(config, [{"optimizer.nothing": 1}])


@pytest.mark.parametrize("recipe", list(registry.names("recipes")))
def test_every_recipe_has_a_ladder_that_it_can_climb(recipe: str) -> None:
    config = zoo.plan(recipe, dataset="mnist", device="cpu").config
    rungs = ladder_of(config)
    assert 1 <= len(rungs) <= 3
    climb(config, rungs).check_networks()


def test_rungs_are_checked_where_they_are_declared() -> None:
    with pytest.raises(PluginError, match="changes no training that is under way"):
        Recipe("mine", rescue=[{"generator.width": 4}])
    with pytest.raises(PluginError, match="list of mappings"):
        Recipe("mine", rescue=[{}])
    base = Recipe("base", loss="a", rescue=[{"loss": "b"}, {"optimizer.lr": 1e-4, "loss.x": 1}])
    assert [dict(rung) for rung in Recipe("other", loss="c").over(base).rescue] == [{"optimizer.lr": 1e-4}]
    assert len(Recipe("same").over(base).rescue) == 2
