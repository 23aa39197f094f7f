"""The fuzzers' harness notices what it is there to notice."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo_core import DataError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks" / "fuzz"))
    import harness

    monkeypatch.setattr(harness, "MEMORY", 64 << 20)
    yield harness
    sys.modules.pop("harness", None)


def test_every_kind_of_end(harness: Any) -> None:
    def spin() -> None:
        while True:
            pass

    def fail(error: BaseException) -> None:
        raise error

    acts = {
        "returned": lambda: 3,
        "refused": lambda: fail(DataError("no")),
        "long message": lambda: fail(DataError("x" * 301)),
        "silent difference": lambda: fail(harness.Difference("other pixels")),
        "other exception (KeyError)": lambda: fail(KeyError("x")),
        "ended the process": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "memory": lambda: len(bytearray(b"x") * (2 * harness.MEMORY)),
        "endless": spin,
    }

    def attempt(folder: Path, draw: random.Random, known: list[str]) -> Any:
        assert folder.is_dir()
        name = known[int((folder / "number").read_text())]
        return harness.Try(name, acts[name])

    for number, name in enumerate(acts):

        def prepare(folder: Path, number: int = number) -> list[str]:
            (folder / "number").write_text(str(number))
            return [*acts]

        summary = harness.fuzz(harness.Target("sample", prepare, attempt), 1, 0, seconds=1.0)
        assert {**summary.outcomes, **summary.violations} == {name: 1}


def test_a_try_can_be_had_again(harness: Any) -> None:
    def attempt(folder: Path, draw: random.Random, known: None) -> Any:
        number = draw.random()
        return harness.Try(str(number), lambda: (_ for _ in ()).throw(harness.Difference(str(number))))

    target = harness.Target("sample", lambda folder: None, attempt)
    every, one = harness.fuzz(target, 3, 5), harness.fuzz(target, 3, 5, only=2)
    assert every.examples["silent difference"][2] == one.examples["silent difference"][0]
    assert len({*every.examples["silent difference"]}) == 3
