"""The commands that the docs show first succeed as they are typed; here at a small budget, on few of the drawn faces."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import zoo
from helpers.workplace import run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FACES = 128  # enough for neighbors to conclude anything

BUDGETS = {
    "walk": "--latents 3 --steps 3",
    "arithmetic": "--searched 768",
    "directions": "--searched 512 --samples 2 --steps 3 --count 3",
    "turn": "--searched 256 --samples 4 --steps 3",
    "forget": "--searched 256 --samples 32 --tested 16",
    "project": "--starts 2 --steps 3",
    "sample": "",
    "features": "--real 64 --show 2 --each 2 --dataset faces --data PACK",
    "report": "--searched 768 --dataset faces --data PACK",
    "evaluate": "--samples 64 --real 64 --resamples 2 --data PACK --metrics frechet,precision,recall",
    "neighbors": "--samples 100 --show 4 --data PACK",
    "list": "",
    "show": "",
    "plugins": "",
}
"""What is added to each command so that it takes seconds; a command that is not here is not run."""


def commands(document: str) -> list[str]:
    """The lines of a document's blocks that call a command above, and need neither data, nor a run, nor the network."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / document).read_text("utf-8"), re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    needs = re.compile(r"runs/|~/|MODEL|RUN|--hub|/Pictures|user/|\.sh|&&")
    return [line for line in lines if line.split()[:1] == ["zoo"] and line.split()[1] in BUDGETS and not needs.search(line)]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        return zoo.build_pack(zoo.PackRequest("faces", size=64, channels=3, options={"count": FACES}), workers=1).path


@pytest.mark.parametrize(("document", "least"), [("README.md", 2), ("docs/inside.md", 8), ("docs/evaluation.md", 2)])
def test_the_first_examples_succeed(
    document: str, least: int, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = commands(document)
    assert len(found) >= least, found
    for line in found:
        words = shlex.split(line, comments=True)[1:]
        result = run(*words, *BUDGETS[words[0]].replace("PACK", str(pack)).split())
        assert result.exit_code == 0, f"{line}\n{result.output}"
