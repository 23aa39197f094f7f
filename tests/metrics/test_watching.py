"""`zoo train --evaluate-every`: a distance watches the training, and the best checkpoint stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import zoo
from helpers.metrics import pictures, replaying
from zoo.metrics.measuring import watch
from zoo_cli.main import zoo as command
from zoo_core import UsageError

SMALL = ["--size", "16", "--batch", "16", "--device", "cpu", "--precision", "fp32"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4", "--set", "training.log_every=2"]


def test_the_distance_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(watch.__kwdefaults__, "samples", 32)  # 1,000 take a while
    run = tmp_path / "run"
    budget = ["--images", "96", "--evaluate-every", "32", "--out", str(run)]
    result = CliRunner().invoke(command, ["train", "dcgan", "--dataset", "ellipses", *SMALL, *budget])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = [line["frechet_scattering"] for line in lines if "frechet_scattering" in line]
    assert len(found) == 3
    assert all(value > 0 for value in found)


def test_it_knows_good_from_bad() -> None:
    plan = zoo.plan("dcgan", dataset="ellipses", size=16, device="cpu", precision="fp32")
    evaluation = watch(plan.config, 100, samples=100)
    good, bad = (evaluation.measure(replaying(x).generator) for x in (pictures("fresh"), 0.7 * pictures("fresh")))
    assert 0 < good < bad
    assert evaluation.lower_is_better


def test_what_cannot_be() -> None:
    plan = zoo.plan("dcgan", dataset="ellipses", size=16, device="cpu", precision="fp32")
    with pytest.raises(UsageError, match="at least 2 samples"):
        watch(plan.config, 100, samples=1)
    with pytest.raises(UsageError, match="kid needs at least 10 samples, and there are 5"):
        watch(plan.config, 100, metric="kid:scattering", samples=5)
    with pytest.raises(UsageError, match="unknown metric or feature extractor 'scatering'; did you mean scattering"):
        watch(plan.config, 100, metric="scatering")
    with pytest.raises(UsageError, match="every 0 images"):
        watch(plan.config, 0)
