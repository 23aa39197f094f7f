"""The first minutes at a terminal: `zoo` alone, a training of 80 columns, colors, and interruptions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.workplace import run, workplace, write_noise

SMALL = ["--size", "16", "--batch", "8", "--device", "cpu", "--precision", "fp32", "--set", "training.log_every=1"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    write_noise(folder / "pictures", 24)
    with workplace(folder):
        yield folder


def test_zoo_alone_says_what_to_try(tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    commands = [re.split(r"  +", line.strip())[0] for line in lines if line.startswith("  zoo")]
    assert len(commands) == 3
    assert commands[0].startswith("zoo sample dcgan-faces")
    for command in commands:
        assert run(*command.split()[1:], *(["--dry-run"] if "train" in command else [])).exit_code == 0
    assert "zoo --help" in lines[-1]


def test_stopped_before_anything_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.training.train.build_pack", interrupt)
    result = run("train", "dcgan", "--dataset", "folder", "--data", "pictures", *SMALL)
    assert result.exit_code == 130
    assert result.stderr == "stopped before the training began; to begin, type the same command again\n"
    assert not Path("runs").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs a system with pseudo-terminals")
def test_a_training_at_a_terminal(home: Path) -> None:
    from helpers.terminal import Terminal

    words = [sys.executable, "-m", "zoo_cli", "train", "dcgan", "--dataset", "folder", "--data", "pictures", *SMALL]
    with Terminal([*words, "--images", "400", "--out", "a-run"], 80) as terminal:
        assert terminal.finish() == 0
        lines = terminal.lines
    bars = [line for line in lines if "/400 images" in line]
    assert len(bars) == 1
    assert re.fullmatch(r"training  ━{6,40}  400/400 images  in \d+:\d\d", bars[0])
    values = lines[lines.index(bars[0]) + 1]
    assert re.fullmatch(r"images per s \d+  d loss [\d.]+  g loss [\d.]+  .*D\(real\).*", values)
    assert re.fullmatch(r"trained on 400 images in .* s", lines[-3])
    assert "draw from it: zoo sample a-run" in lines[-1]


@pytest.mark.skipif(os.name == "nt", reason="needs a system with pseudo-terminals")
@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("", "")])
def test_errors_without_color(name: str, value: str) -> None:
    from helpers.terminal import Terminal

    words = [sys.executable, "-m", "zoo_cli", "train", "dcgn", "--dataset", "faces"]
    with Terminal(words, 80, environment={name: value} if name else None) as terminal:
        assert terminal.finish() == 2
        assert (b"\x1b" in terminal.text) == (not name)
        assert "error: unknown recipe 'dcgn'; did you mean dcgan" in terminal.lines[0]
    said = subprocess.run(words, capture_output=True, timeout=120)
    assert b"\x1b" not in said.stdout + said.stderr
