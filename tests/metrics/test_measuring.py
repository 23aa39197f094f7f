"""Metrics by name, and what a metric of anybody's gets: a place in every command that measures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from helpers.metrics import Heard, pack, pictures, replaying, saved
from zoo.metrics.extractors import open_extractor
from zoo.metrics.images import generate_images, read_images
from zoo.metrics.measuring import check_counts, measure, open_criterion, open_metrics, watch
from zoo.reports.numbers import format_value
from zoo_cli.main import zoo as command
from zoo_core import Metric, Plugin, PluginError, UsageError, ZooError, registry
from zoo_core.metrics import estimate_spread

pytest.importorskip("torch_fidelity")
HERE = __name__


class Brightness(Metric):
    """How far apart means of features lie, and as a second number the share of brighter samples."""

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return {"gap": float((real.mean(0) - fake.mean(0)).norm()), "brighter": float((fake > real.mean(0)).float().mean())}


class Redness(Metric):
    """How red samples are; of images, and more is better."""

    needs, uses_real, lower_is_better = "images", False, False
    most = 50
    seen: list[int] = []  # noqa: RUF012

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        self.seen.append(len(fake))
        return {"redness": float(fake[:, 0].mean() - fake[:, 2].mean())}


class Absent(Redness):
    """Needs what is not there."""

    requires, extra = "no_such_module", "acme[all]"


class Unfinished(Metric):
    """Measures nothing."""


@pytest.fixture(autouse=True)
def _third_party(registered: None) -> Iterator[None]:
    names = ("gap", "brighter")
    plugin = Plugin(
        metrics={
            **dict.fromkeys(names, f"{HERE}:Brightness"),
            **{name: f"{HERE}:{name.capitalize()}" for name in ("redness", "absent", "unfinished")},
        }
    )
    Redness.seen.clear()
    with registry.add(plugin, distribution="acme"):
        yield


SMALL = ["--size", "16", "--batch", "16", "--device", "cpu", "--precision", "fp32"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4", "--dataset", "ellipses"]


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def test_in_zoo_evaluate_and_in_the_card(tmp_path: Path) -> None:
    folder = saved(replaying(pictures("fresh")), tmp_path / "model")
    choices = ["--dataset", "ellipses", "--features", "counting", "--samples", 64, "--json"]
    told = json.loads(run("evaluate", folder, *choices, "--metrics", "gap,brighter,redness,acme:gap").stdout)
    assert list(told["metrics"]) == ["gap", "brighter", "redness", "acme:gap"]
    assert told["metrics"]["gap"] == told["metrics"]["acme:gap"]
    assert told["spread"].keys() == told["metrics"].keys()  # by random halves
    assert len(Redness.seen) == 11  # those ten halves
    card = (folder / "README.md").read_text()
    for name, value in told["metrics"].items():
        assert f"| {format_value(value, told['spread'][name])} |" in card, name


def test_in_zoo_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(watch.__kwdefaults__, "samples", 32)
    budget = ["--images", 64, "--evaluate-every", 32]
    for metric, name in (("brighter", "brighter_scattering"), ("acme:gap:counting", "gap_counting"), ("redness", "redness")):
        out = tmp_path / name
        run("train", "dcgan", *SMALL, *budget, "--metric", metric, "--out", out)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert len([line[name] for line in lines if name in line]) == 2


@pytest.mark.parametrize(
    ("metric", "title", "best"),
    [("gap", "acme:gap:dcgan-zoo:scattering", min), ("acme:redness:counting", "acme:redness:samples:counting", max)],
)
def test_in_zoo_compare(metric: str, title: str, best: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    budget = ["--images", 64, "--seeds", 1, "--points", 2, "--samples", 32, "--out", out, "--metric", metric]
    told = json.loads(run("compare", "dcgan", *SMALL, *budget, "--json").stdout)
    assert told["metric"] == title
    with open(out / "comparison.csv", newline="") as file:
        values = [float(line["distance"]) for line in csv.DictReader(file)]
    (row,) = told["recipes"]
    assert row["distance"]["values"] == values[-1:]
    assert row["best"]["values"] == [best(values)]
    assert metric.split(":")[-2 if ":" in metric else 0] in (out / "report.html").read_text()
    assert run("compare", "dcgan", *SMALL, *budget).stdout.count("floor") == 0  # goes on: nothing is left to do


def test_several_names_of_one_class_are_measured_together() -> None:
    given = {"resamples": 0, "seed": 0, "report": (heard := Heard())}
    images = read_images(pack()), generate_images(replaying(pictures("fresh")), 40)
    found = measure(open_metrics(["gap", "kid", "brighter"]), open_extractor("counting"), *images, **given)  # type: ignore[arg-type]
    assert found["gap"] is found["brighter"]
    assert heard.lines[-2:] == ["gap and brighter", "kid"]


@pytest.mark.parametrize(
    ("text", "metric", "features"),
    [
        ("scattering", "dcgan-zoo:frechet", "dcgan-zoo:scattering"),
        ("dcgan-zoo:pixels", "dcgan-zoo:frechet", "dcgan-zoo:pixels"),
        ("kid", "dcgan-zoo:kid", "dcgan-zoo:scattering"),
        ("kid:samples:counting", "dcgan-zoo:kid", "samples:counting"),
        ("acme:gap", "acme:gap", "dcgan-zoo:scattering"),
        ("acme:gap:pixels", "acme:gap", "dcgan-zoo:pixels"),
    ],
)
def test_what_names_a_criterion(text: str, metric: str, features: str) -> None:
    found = open_criterion(text)
    assert (found.name, found.extractor.name) == (metric, features)
    again = open_criterion(found.title)
    assert (again.name, again.extractor.name) == (metric, features)


def test_what_is_no_metric_says_why() -> None:
    with pytest.raises(UsageError, match="did you mean precision"):
        open_metrics(["precison"])
    with pytest.raises(UsageError, match="no metric"):
        open_metrics([])
    with pytest.raises(ZooError, match="absent needs no-such-module, which is not installed") as raised:
        open_metrics(["absent"])
    assert 'pip install "acme[all]"' in raised.value.hint
    with pytest.raises(PluginError, match="does not define measure"):
        open_metrics(["unfinished"])
    with pytest.raises(UsageError, match="is needs the logits of a classifier"):
        open_criterion("is:pixels")


def test_too_few_images_are_refused_or_warned_of() -> None:
    heard = Heard()
    with pytest.raises(UsageError, match="precision needs at least 6 samples, and there are 5") as raised:
        check_counts(open_metrics(["fid", "precision"]), 5, 100, 4, warn=heard.warn)
    assert "--samples" in raised.value.hint
    with pytest.raises(UsageError, match="kid needs at least 10 real images, and there are 9"):
        check_counts(open_metrics(["kid"]), 50, 9, 4, warn=heard.warn)
    heard.lines.clear()
    check_counts(open_metrics(["fid"]), 500, 300, 400, warn=heard.warn)
    assert "fid from 300 images (below 10,000) is biased upward" in heard.text
    assert "singular" in heard.text
    heard.lines.clear()
    check_counts(open_metrics(["fid", "kid"]), 10_000, 10_000, 400, warn=heard.warn)
    assert not heard.lines


def test_standard_errors_by_halves_are_those_of_a_mean() -> None:
    x = torch.randn(2000, 1, generator=torch.Generator().manual_seed(1))

    def mean(real: Tensor, fake: Tensor) -> dict[str, float]:
        return {"mean": float(fake.mean())}

    for most in (2500, 300):  # halves, and less than halves
        found = estimate_spread(mean, x, x, 200, most=most)["mean"]
        assert found == pytest.approx(float(x.std()) / 2000**0.5, rel=0.2)
    assert estimate_spread(mean, x, x, 1) == {}
