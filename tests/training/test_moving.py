"""A run that goes on with another torch, device or processor says so; what computes is written down."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from helpers.packs import pictures
from helpers.training import Heard, resume, train
from zoo.training.framing import describe_move

HERE = {"device": "cpu", "torch": "2.9.0", "processor": "A", "instructions": "AVX2", "threads": 2}


def test_what_is_the_same_is_nothing_to_speak_of() -> None:
    assert describe_move(HERE, HERE) == ""
    assert describe_move({}, HERE) == ""  # an older run did not say
    assert describe_move(HERE, {**HERE, "threads": 1}) == ""  # which is said where threads are chosen


def test_what_differs_is_named() -> None:
    said = describe_move(HERE, {**HERE, "torch": "2.10.0", "processor": "B"})
    assert "torch 2.9.0 → 2.10.0, processor A → B" in said
    assert "bits may differ" in said


def test_resumed_elsewhere(tmp_path: Path) -> None:
    pictures(tmp_path / "pictures", 12)
    run = train("dcgan", tmp_path / "pictures", tmp_path / "run", images=160, stop_at=16, watch=False)
    told = json.loads((run.path / "run.json").read_text())
    assert told["machine"]["torch"] == torch.__version__
    assert told["machine"]["instructions"] == torch.backends.cpu.get_cpu_capability()
    told["machine"]["torch"] = "2.0.0"
    (run.path / "run.json").write_text(json.dumps(told))
    heard = Heard()
    resume(run.path, report=heard)
    assert f"torch 2.0.0 → {torch.__version__}" in heard.text
    assert json.loads((run.path / "run.json").read_text())["machine"]["torch"] == torch.__version__
