"""The commands that the docs show are understood as they are typed, and succeed; here at a small budget, on few drawn faces.

Those of docs/plugins.md and the pages beside it are run by `.ci/plugins.py`, docs/first-ten-minutes.md by `.ci/session.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import zoo
from helpers.workplace import run, workplace
from zoo_cli.main import zoo as commands

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("plugins.md", "first-ten-minutes.md")  # pages whose commands CI runs by other means
PAGES = sorted(
    p for p in (ROOT / "docs").rglob("*.md") if p.name not in ELSEWHERE and p.parent.name not in ("plugins", "tutorial")
)
FACES = 128  # enough for neighbors to conclude anything

BUDGETS = {
    "walk": "--latents 3 --steps 3",
    "arithmetic": "--searched 768",
    "directions": "--searched 512 --samples 2 --steps 3 --count 3",
    "turn": "--searched 256 --samples 4 --steps 3",
    "forget": "--searched 256 --samples 32 --tested 16",
    "project": "--starts 2 --steps 3",
    "sample": "-n 4",
    "features": "--real 64 --show 2 --each 2 --dataset faces --data PACK",
    "evaluate": "--samples 64 --real 64 --resamples 2 --data PACK --metrics frechet,precision,recall",
    "neighbors": "--samples 100 --show 4 --data PACK",
    "train": "--batch 16 --size 16 --set generator.width=8 --set discriminator.width=8",
    "compare": "--batch 16 --size 16 --images 32 --seeds 1 --samples 64 --points 1 --set dataset.count=96",
    "bench": "--batch 8 --size 16 --rounds 1 --steps 1 --set generator.width=8 --set discriminator.width=8",
    "timelapse": "--force",
    **dict.fromkeys(("list", "show", "plugins", "runs", "diagnose", "export", "completion", "cache"), ""),
}
"""What is added to each command so that it takes seconds; a command that is not here is read and not run."""

NOT_RUN = {
    "needs the network": r"--to html|--hub|user/|ada/",
    "needs data that nobody draws": r"lsun|cifar|svhn|imagenet|mnist",
    "ends when a person ends it": r"^zoo demo",
    "needs another machine": r"cuda|torchrun",
    "is run by tests/plugins/test_trackers.py": r"--track",
    "is run by tests/leaderboard": r"^zoo leaderboard",
    "is run by tests/analysis": r"^zoo report",
    "is run by tests/reproducing": r"^zoo reproduce",
    "names what stands for something": r"MODEL|RUN|EXPRESSION|runs/one|1a2b3c|comparison --json|\bNAME|…|\.sh",
    "is run by tests/exporting": r"--to onnx",
}
"""Why a line is read and not run."""


def lines_of(page: Path) -> list[str]:
    """The commands of a page's ```sh blocks, one a line, joined where a line ends with a backslash."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines = [line.partition("&&")[2].strip() or line for line in lines]
    return [line for line in lines if re.match(r"zoo |torchrun |accelerate ", line)]


def parse(words: list[str]) -> None:
    """Read a command as the command line does, and carry nothing out; raises click's errors."""
    group: click.Command = commands
    context = click.Context(commands, info_name="zoo")
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        name, command, words = group.resolve_command(context, words)
        assert command is not None
        group = command
        context = command.make_context(name, list(words), parent=context)
        words = [*context._protected_args, *context.args]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_every_command_is_understood(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in lines_of(page):
        words = shlex.split(line, comments=True)
        words = words[words.index("zoo_cli" if "zoo_cli" in words else "zoo") + 1 :]
        try:
            parse(words)
        except click.ClickException as error:
            pytest.fail(f"{line}\n{error.format_message()}")


def runnable(page: Path) -> list[str]:
    """The lines of a page that are run, each once."""
    lines = [
        line for line in lines_of(page) if line.split()[1] in BUDGETS and not re.search("|".join(NOT_RUN.values()), line)
    ]
    return list(dict.fromkeys(lines))


def budget(line: str, pack: Path, out: str) -> list[str]:
    """The words of a line behind `zoo`, with a small budget; trainings go to `out`, so that `runs/dcgan-faces` stays one."""
    words = shlex.split(re.sub(r"--(epochs|minutes) \S+", "--epochs 3", line), comments=True)[1:]
    more = BUDGETS[words[0]].replace("PACK", str(pack)).split()
    if words[0] == "train":
        more = more[:2] if "--resume" in words else [*more, "--images", "48", "--out", out]
        more += ["--set", "dataset.count=48"] if "--resume" not in words and "--data" not in words else []
        more += ["--set", "dataset.resolution=64"] if "dataset.resolution=128" in words else []
    for sampler, few in (("drs", "sampler.estimated=64"), ("ddls", "sampler.steps=4")):
        more += ["--set", few] if sampler in words else []
    if words[0] == "compare":
        words = ["mlp-gan" if word.startswith("dcgan-") else word for word in words]
    return [*words, *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A folder to work in, with a run, pictures at home, and a pack of faces: (folder, pack)."""
    folder = tmp_path_factory.mktemp("docs")
    rng = np.random.default_rng(0)
    for name in ("Pictures/portraits", "Pictures/flowers", "Pictures/logos", "pets/cat", "pets/dog"):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(folder / name / f"{number}.png")
    with workplace(folder) as patch:
        patch.setenv("HOME", str(folder))
        pack = zoo.build_pack(zoo.PackRequest("faces", size=64, channels=3, options={"count": FACES}), workers=1).path
        small = {"generator.width": 8, "discriminator.width": 8, "dataset.count": 48, "training.samples_every": 16}
        zoo.train("dcgan", dataset="faces", size=16, batch=16, images=48, options=small, workers=1)
        yield folder, pack


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "least"),
    [("start", 11), ("pictures", 2), ("gpus", 2), ("inside", 8), ("evaluation", 2), ("data", 5), ("training", 3)],
)
def test_the_commands_succeed(page: str, least: int, place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, pack = place
    monkeypatch.setenv("ZOO_CACHE", str(folder / "cache"))
    lines = runnable(ROOT / "docs" / f"{page}.md")
    assert len(lines) >= least, lines
    for number, line in enumerate(lines):
        if re.search(r"cache clear|clear --", line):
            monkeypatch.setenv("ZOO_CACHE", str(folder / f"cache-{page}"))  # the others are to find theirs
        result = run(*budget(line, pack, f"{page}-{number}"))
        assert result.exit_code == 0, f"{line}\n{result.output}"


def test_the_readme_shows_no_command_that_start_and_pictures_do_not() -> None:
    def shown(*names: str) -> set[str]:
        return {shlex.join(shlex.split(line, comments=True)) for name in names for line in lines_of(ROOT / name)}

    assert shown("README.md") <= shown("docs/start.md", "docs/pictures.md")
