"""What watches a training: how often, at what cost, what it calls a collapse, and which checkpoint becomes the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.packs import pictures
from helpers.training import TINY, Heard, differing, measures, resume, train
from zoo.devices import Runtime
from zoo.metrics.measuring import CHOSEN, REPORTED, watch
from zoo.models.config import describe_choice
from zoo.runs.checkpoints import checkpoints, step_of
from zoo.runs.evaluation import Evaluation
from zoo.runs.run import read_run
from zoo.training.state import State
from zoo.training.watching import AIM, EXTRA, LOOKS, SHARE, Watch, choose_every, find_collapse, fit, space_out
from zoo_core import UsageError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def falling(values: list[float], every: int | None = 16) -> Evaluation:
    return Evaluation("distance", lambda generator: values.pop(0), every)


def test_the_interval_follows_from_counted_operations(data: Path) -> None:
    plan = zoo.plan("dcgan", dataset="folder", data=data, options=TINY, device="cpu", precision="fp32")
    config = plan.config.with_image(zoo.ImageSpec(16, 3))
    evaluation = watch(plan.config)
    state = State.create(config, Runtime(torch.device("cpu"), "fp32"))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    every = choose_every(config, state, evaluation, None)
    assert torch.equal(before, torch.get_rng_state())
    assert every == choose_every(config, state, evaluation, None)
    assert every is not None
    assert every > 10_000  # such small networks learn faster than they are measured
    wide = zoo.plan("dcgan", dataset="folder", data=data, size=64, device="cpu", precision="fp32").config
    wide = wide.with_image(zoo.ImageSpec(64, 3))
    dear = choose_every(wide, State.create(wide, Runtime(torch.device("cpu"), "fp32")), evaluation, None)
    assert dear is not None
    assert dear < every
    unknown = Evaluation("distance", lambda generator: 1.0, None)
    assert choose_every(config, state, unknown, None) is None


def test_a_short_budget_is_watched_less_or_not_at_all() -> None:
    assert fit(1000, LOOKS * 1000) == 1000
    assert fit(1000, 4000) == 2000
    assert (1 + EXTRA) * AIM * 1000 > SHARE * 2000
    assert fit(1000, 2000) is None


def test_what_is_too_dear_by_the_clock_is_spaced_out() -> None:
    # 100 s for 1,000 of 10,000 images, looks of 0.1 s every 1,000: 11 looks of 1,000 s are little.
    assert space_out(1000, 0.1, 0.1, 100.0, 1000, 10) == 1000
    # Looks of 10 s: of 1,000 s at most about 30, so that two besides the end are the most.
    assert space_out(1000, 10.0, 10.0, 100.0, 1000, 10) > 4000


def test_spacing_holds_from_where_it_was_written() -> None:
    watch = Watch(falling([]), [(0, 100), (250, 400)], paced=True)
    assert [n for n in range(10, 1001, 10) if watch.due(n - 10, n)] == [100, 200, 400, 800]
    stored = json.loads(json.dumps(watch.to_json(10.0)))
    again = Watch.begin(Evaluation("distance", lambda g: 1.0, None), stored, rescues=False)
    assert again.spacing == watch.spacing
    given = Watch.begin(Evaluation("distance", lambda g: 1.0, 50), stored, rescues=False)
    assert given.spacing == [(0, 50)]
    other = Watch.begin(Evaluation("another", lambda g: 1.0, None), stored, rescues=False)
    assert other.spacing == []


def test_a_look_that_is_too_dear_doubles_the_interval_once_it_is_known() -> None:
    watch = Watch(Evaluation("distance", lambda g: 1.0, None), [(0, 100)], paced=True)
    assert not watch.count(0.01, 10.0, 100, 10_000, 100)
    assert watch.count(5.0, 20.0, 200, 10_000, 200)
    since, every = watch.spacing[-1]
    assert since == 200
    assert every > 100
    before = list(watch.spacing)  # killed, and the same looks once more: what is written holds
    assert not watch.count(50.0, 20.0, 200, 10_000, 200)
    assert watch.spacing == before
    fixed = Watch(Evaluation("distance", lambda g: 1.0, 100), [(0, 100)])
    assert not fixed.count(50.0, 1.0, 100, 10_000, 100)


def pass_time(watch: Watch, paces: list[float], total: float) -> list[int]:
    """Let one second after another pass, each with another pace (images/s); return the images after which it was settled."""
    seconds, images, found = 0.0, 0, []
    for pace in paces:
        seconds, images = seconds + 1, images + round(pace)
        if watch.settle(0.0, seconds, images, total):
            found.append(images)
    return found


def test_minutes_wait_for_the_pace() -> None:
    evaluation = Evaluation("distance", lambda g: 1.0, None)
    long = Watch(evaluation, paced=True, unsettled=1000)
    assert pass_time(long, [400.0] * 60, 600) == [2000]  # after two seconds that do not count and three that do
    assert long.spacing == [(2000, 1000)]  # 600 s at 400 images/s are many looks
    assert [n for n in range(100, 5001, 100) if long.due(n - 100, n)] == [3000, 4000, 5000]  # none before it was written
    assert long.unsettled == 0
    again = Watch.begin(evaluation, json.loads(json.dumps(long.to_json(5.0))), rescues=False)
    assert (again.spacing, again.unsettled) == (long.spacing, 0)
    short = Watch(evaluation, paced=True, unsettled=1000)
    assert pass_time(short, [40.0] * 60, 60) == []
    assert short.every(2400) is None
    few = Watch(evaluation, paced=True, unsettled=1000)
    assert pass_time(few, [55.0] * 60, 60) == [275]
    assert few.spacing == [(275, 2000)]  # twice as far apart, as in a training of so many images
    slow = Watch(evaluation, paced=True, unsettled=1000)
    assert pass_time(slow, [1.0] * 10 + [400.0] * 50, 600) == [410]  # networks that were compiled first


def test_a_training_of_seconds_is_not_watched_and_one_that_is_long_enough_is(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    options = {"training.samples_every": 10**9}
    short = train("dcgan", data, tmp_path / "short", minutes=0.02, report=heard, options=options)
    assert "not watched" in heard.text
    assert read_run(short.path).watch["spacing"] == []
    monkeypatch.setattr("zoo.training.watching.WARM", 0.0)
    monkeypatch.setattr("zoo.training.watching.LOOK", 0.0)
    monkeypatch.setattr("zoo.training.watching.choose_every", lambda *given: 2)  # looks that cost as good as nothing
    cheap = Evaluation("distance", lambda generator: 1.0, None)
    watched = train("dcgan", data, tmp_path / "watched", minutes=0.05, evaluation=cheap, options=options)
    record = read_run(watched.path).watch
    assert record["spacing"][0][0] > 0
    looks = [line["images"] for line in measures(watched.path) if "distance" in line]
    assert looks
    assert min(looks) > record["spacing"][0][0]


def looks(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"images": 10_000 * i, "diversity": d, "distance": v} for i, (d, v) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(0.9, 10.0), (0.95, 6.0), (0.2, 12.0)], "collapsed"),
        ([(0.9, 10.0), (0.95, 6.0), (0.2, 7.0)], ""),  # the distance does not say so
        ([(0.9, 10.0), (0.95, 6.0), (0.8, 12.0)], ""),  # nor the diversity
        ([(0.05, 10.0), (0.05, 10.0)], "one picture"),
        ([(0.05, 10.0), (0.05, 5.0)], ""),  # it learns
        ([(0.05, 10.0)], ""),
        ([], ""),
    ],
)
def test_diversity_and_distance_must_say_so_together(pairs: list[tuple[float, float]], words: str) -> None:
    found = find_collapse("distance", looks(*pairs), lower_is_better=True)
    assert words in found
    assert bool(found) == bool(words)


def test_the_best_is_what_one_gets(data: Path, tmp_path: Path) -> None:
    values = [5.0, 3.0, 4.0, 6.0, 7.0]
    run = train("dcgan", data, tmp_path / "run", images=80, evaluation=falling(values), options={"training.keep": 1})
    assert run.model is not None
    model = zoo.load(run.path)
    assert model.config["provenance"]["images"] == 32
    assert describe_choice(model.config) == "the best checkpoint, after 32 of 80 images (distance 3)"
    alone, folder = zoo.load(run.path, at=32), zoo.load(run.model)
    last = zoo.load(run.path, last=True)
    assert last.config["provenance"]["images"] == 80
    mine, theirs, others = (m.generator.state_dict() for m in (model, alone, last))
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert all(torch.equal(mine[key], value) for key, value in folder.generator.state_dict().items())
    assert not all(torch.equal(mine[key], others[key]) for key in mine)
    with pytest.raises(UsageError, match=r"no checkpoint after 77 images; there are: 32, 80"):
        zoo.load(run.path, at=77)
    with pytest.raises(UsageError, match="two checkpoints"):
        zoo.load(run.path, at=32, last=True)
    with pytest.raises(UsageError, match="holds one model"):
        zoo.load(run.model, last=True)
    exported = zoo.export(run.path, tmp_path / "model")
    card = (exported / "README.md").read_text()
    assert "32 of 80" in card
    assert "distance 3" in card
    with pytest.raises(UsageError, match="is finished"):
        resume(run.path)


def test_what_is_measured_of_another_checkpoint_than_the_models(data: Path, tmp_path: Path) -> None:
    values = [5.0, 3.0, 4.0]
    run = train("dcgan", data, tmp_path / "run", images=48, evaluation=falling(values))
    assert run.model is not None

    def measure(**which: Any) -> tuple[bool, str]:
        heard = Heard()
        choices: dict[str, Any] = {"metrics": "recall", "features": "scattering", "samples": 20, "real": 20, "resamples": 0}
        return zoo.evaluate(run.path, **choices, **which, report=heard).written is not None, heard.text

    assert measure(at=32)[0]  # which is the best, and the model
    written, words = measure(last=True)
    assert not written
    assert "its model folder holds other weights than these, so nothing is written there" in words
    shutil.rmtree(run.model)
    written, words = measure(last=True)
    assert not written
    assert "it has no model folder of its own" in words


def test_chosen_and_reported_on_different_samples(data: Path, tmp_path: Path) -> None:
    run = train("dcgan", data, tmp_path / "run", images=48, evaluate_every=16)
    assert CHOSEN != REPORTED
    chosen = zoo.load(run.path).config["provenance"]["chosen"]
    assert (chosen["as"], chosen["measure"]) == ("best", "frechet_scattering")
    assert str(CHOSEN) in chosen["samples"]
    assert str(REPORTED) in chosen["reported_samples"]
    assert chosen["reported"] != chosen["value"]
    watched = [line for line in measures(run.path) if "frechet_scattering" in line]
    assert [line["images"] for line in watched] == [16, 32, 48]
    assert chosen["value"] == min(line["frechet_scattering"] for line in watched)
    record = read_run(run.path).watch
    assert record["looks"] == 3
    assert record["seconds"] > 0
    assert 0 < record["share"] < 1


def test_watching_disturbs_nothing_and_a_short_training_is_not_watched(data: Path, tmp_path: Path) -> None:
    heard = Heard()
    plain = train("dcgan", data, tmp_path / "plain", images=48, watch=False)
    short = train("dcgan", data, tmp_path / "short", images=48, report=heard)
    watched = train("dcgan", data, tmp_path / "watched", images=48, evaluate_every=16)
    assert "not watched" in heard.text
    assert [line for line in measures(short.path) if "frechet_scattering" in line] == []
    assert differing(plain.path, short.path) == []
    assert [key for key in differing(plain.path, watched.path) if key not in ("best", "anchor")] == []
    assert read_run(plain.path).watch == {}


def test_the_best_is_never_pruned_and_a_resumed_run_watches_on(data: Path, tmp_path: Path) -> None:
    options = {"training.keep": 1}
    run = train("dcgan", data, tmp_path / "run", images=48, evaluate_every=16, options=options)
    resume(run.path, images=96)
    images = [line["images"] for line in measures(run.path) if "frechet_scattering" in line]
    assert images == [16, 32, 48, 64, 80, 96]
    best = zoo.load(run.path).config["provenance"]["step"]
    assert {best, 12} == {step_of(path) for path in checkpoints(run.path / "checkpoints")}


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"evaluate_every": 0}, "every 0 images is impossible"),
        ({"evaluate_every": 16, "watch": False}, "nothing is to be measured"),
        ({"watch": "frechet:nothing"}, "unknown feature extractor"),
    ],
)
def test_bad_choices_are_refused(data: Path, tmp_path: Path, choices: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.plan("dcgan", dataset="folder", data=data, **choices)
    with pytest.raises(UsageError, match=words):
        train("dcgan", data, tmp_path / "run", images=48, **choices)
    assert not (tmp_path / "run").exists()
