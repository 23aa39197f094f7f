"""What a newcomer types: each mistake is two lines, what was wrong and what to type, and the second one is right."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from helpers.workplace import run, workplace, write_noise
from zoo_core.hub import forget_silence


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, what looks like a run and its model, and a Hub that must not be asked."""
    folder = tmp_path_factory.mktemp("home")
    write_noise(folder / "pics", 12)
    (folder / "runs" / "dcgan-flowers" / "model").mkdir(parents=True)
    (folder / "runs" / "dcgan-flowers" / "run.json").write_text("{}")
    (folder / "runs" / "dcgan-flowers" / "model" / "config.json").write_text("{}")
    with workplace(folder) as patch:
        patch.setattr("huggingface_hub.get_session", _asked)
        yield folder


def _asked() -> None:
    raise AssertionError("the Hub was asked")


R = "runs/dcgan-flowers"

MISTAKES = [
    # what is typed, words of the message, what to type (the end of the second line, "" for any)
    ("train dcgan faces", "it is a dataset", "type: zoo train dcgan --dataset faces"),
    ("train dcgan pics", "it is a folder", "type: zoo train dcgan --data pics"),
    ("train dcgan dataset=faces", "one too many", "type: zoo train dcgan --dataset faces"),
    ("train dcgan lr=1e-4", "one too many", "type: zoo train dcgan --set optimizer.lr=1e-4"),
    ("train dcgan cuda --dataset faces", "one too many", "type: zoo train dcgan --device cuda --dataset faces"),
    ("train dcgan wgan-gp", "it is a recipe", "to compare them: zoo compare dcgan wgan-gp"),
    ("train dcgan --lr 1e-4 --size 32", "no option --lr", "type: zoo train dcgan --set optimizer.lr=1e-4 --size 32"),
    ("train dcgan --lr=1e-4", "no option --lr", "type: zoo train dcgan --set optimizer.lr=1e-4"),
    ("train dcgan --learning-rate 1e-4", "no option", "type: zoo train dcgan --set optimizer.lr=1e-4"),
    ("train dcgan --beta1 0.9", "no option --beta1", "type: zoo train dcgan --set optimizer.beta1=0.9"),
    ("train dcgan --ngf 32", "no option --ngf", "type: zoo train dcgan --set generator.width=32"),
    ("train dcgan --batch-size 64", "no option", "type: zoo train dcgan --batch 64"),
    ("train dcgan --img_size 64", "no option", "type: zoo train dcgan --size 64"),
    ("train dcgan --data-dir pics", "no option", "type: zoo train dcgan --data pics"),
    ("train dcgan --epoch 5", "no option --epoch", "type: zoo train dcgan --epochs 5"),
    ("train dcgan --cuda --size 32", "no option --cuda", "type: zoo train dcgan --device cuda --size 32"),
    ("train dcgan --fp16", "no option --fp16", "type: zoo train dcgan --precision fp16"),
    ("train --recipe dcgan", "RECIPE comes without one", "type: zoo train dcgan"),
    ("train dcgan --loss hinge", "part of the recipe", "zoo list recipes"),
    ("train dcgan --minuets 5", "did you mean --minutes?", "type: zoo train dcgan --minutes 5"),
    ("train dcgan --min 5", "no option --min", "to see all: zoo train --help"),
    ("train --compil dcgan --size 32", "did you mean --compile?", "type: zoo train --compile dcgan --size 32"),
    ("train dcgan --size 64x64", "not a valid integer", "type: zoo train dcgan --size 64"),
    ("train dcgan --images 60k", "not a valid integer", "type: zoo train dcgan --images 60000"),
    ("train dcgan --minutes 10m", "--minutes: '10m'", "type: zoo train dcgan --minutes 10"),
    ("train dcgan --size", "--size needs a value", "to see all: zoo train --help"),
    ("train dcgan --set generator.width 64", "is not KEY=VALUE", "type: zoo train dcgan --set generator.width=64"),
    ("train dcgan --set generator.width:64", "is not KEY=VALUE", "type: zoo train dcgan --set generator.width=64"),
    ("train dcgan --dataset faces --set lr=1e-4", "did you mean optimizer.lr?", "--set optimizer.lr=1e-4"),
    ("train dcgan --dataset faces --set widht=8", "did you mean generator.width or", "--set generator.width=8"),
    ("train dcgan --dataset ./pics", "a folder, not a dataset", "type: --dataset folder --data ./pics"),
    ("train dcgan --dataset ada/pets", "no dataset of the zoo's", "--dataset hub --data ada/pets; in a folder: --data DIR"),
    ("train dcgan --dataset hinge", "'hinge', which is a loss", "to see all: zoo list datasets"),
    ("train dcgan --data faces", "faces is a dataset, and no path here", "type: --dataset faces"),
    ("train DCGAN --dataset faces", "did you mean dcgan", "to see all: zoo list recipes"),
    ("train dcgan-faces --dataset faces", "a trained model, not a recipe", "zoo train dcgan --dataset faces"),
    ("train faces", "faces is a dataset, not a recipe", "zoo train dcgan --dataset faces"),
    ("train pics", "pics is a folder, not a recipe", "zoo train dcgan --data pics"),
    (f"train {R}", "is a run folder, not a recipe", f"to go on with it: zoo train --resume {R}"),
    ("train --resume runs/dcgan-flwers", f"did you mean {R}?", ""),
    (f"train --resume {R}/run.json", "but in one", f"give the run folder: {R}"),
    ("train --resume dcgan-flowers", f"did you mean {R}?", ""),
    ("train --resume runs", f"did you mean {R}?", ""),
    ("list recip", "did you mean recipes?", "type: zoo list recipes"),
    ("list packs", "packs are listed elsewhere", "type: zoo data list"),
    ("list xyz", "'xyz' is none of: recipes,", "zoo list recipes"),
    ("show hing", "did you mean hinge", "to see all: zoo list"),
    ("arithmetic dcgan-faces", "an expression is missing", "'glasses+mouth=smile - mouth=smile + neutral'"),
    (f"export {R} faces.onnx", "an export is a model folder", f"zoo export {R} faces"),
    ("export dcgan-faces mine", "no run folder but a model of the catalog", "zoo pull dcgan-faces --to mine"),
    (f"export mine {R}", "mine is no run folder", f"the run comes first: zoo export {R} mine"),
    ("diagnose dcgan-faces", "no run folder but a model of the catalog", ""),
    ("diagnose dcgan", "no run folder but a recipe", "zoo train dcgan --dataset faces makes one"),
    ("sample runs/nothing --out x.png", "no model at 'runs/nothing'", f"there is: {R}"),
    ("sample runs/dcgan-flower --out x.png", f"did you mean {R}", ""),
    ("sample ./user/name --out x.png", "no model at './user/name'", ""),
    ("sample dcgan --out x.png", "which is a recipe", "zoo train dcgan --dataset faces; trained already: dcgan-faces"),
    ("sample faces --out x.png", "which is a dataset", ""),
    ("sample dcgan-face --out x.png", "did you mean dcgan-faces", ""),
    (f"sample {R}/run.json --out x.png", "is a file", f"give the folder around it: {R}"),
    ("sample dcgan-faces 16 --out x.png", "one too many", "type: zoo sample dcgan-faces --number 16 --out x.png"),
    ("sample --model dcgan-faces --out x.png", "MODEL comes without one", "type: zoo sample dcgan-faces --out x.png"),
    ("sample dcgan-faces --output x.png", "no option --output", "type: zoo sample dcgan-faces --out x.png"),
    (f"push ada/flowers {R}", "no name for a repository", f"zoo push {R} ada/flowers"),
    ("project pics/0.png dcgan-faces", "is no model, and dcgan-faces is one", "zoo project dcgan-faces pics/0.png"),
    ("forget dcgan-faces glasses", "one too many", "type: zoo forget dcgan-faces --attribute glasses"),
    ("push dcgan-faces", "zoo push needs REPO", ""),
    ("turn dcgan-faces", "needs --from CONCEPT and --to CONCEPT", ""),
    ("walk dcgan-faces --how spherial", "did you mean spherical?", "type: zoo walk dcgan-faces --how spherical"),
    (f"evaluate fid {R}", "one too many", f"type: zoo evaluate --metrics fid {R}"),
    ("evaluate dcgan", "which is a recipe", "trained already: dcgan-faces"),
    ("evaluate dcgan-faces --metrics FID", "did you mean fid", "to see all: zoo list metrics"),
    ("exprot dcgan-faces x", "did you mean export", "type: zoo export dcgan-faces x"),
    ("generate dcgan-faces", "no command generate", "type: zoo sample dcgan-faces"),
    (f"resume {R}", "no command resume", f"type: zoo train --resume {R}"),
    ("help train", "no command help", "type: zoo train --help"),
    ("dcgan", "it is a recipe", "type: zoo train dcgan --dataset faces"),
    ("dcgan-faces", "it is a model of the catalog", "type: zoo sample dcgan-faces --out samples.png"),
    ("datasets", "no command datasets", "type: zoo list datasets"),
    ("data lst", "zoo data has no command lst", "type: zoo data list"),
    ("data build pics", "pics is a folder, not a dataset", "type: --dataset folder --data pics"),
    ("--verison", "did you mean --version?", "type: zoo --version"),
]


@pytest.mark.parametrize(("typed", "says", "types"), MISTAKES, ids=lambda value: None)
def test_what_was_meant(typed: str, says: str, types: str, home: Path) -> None:
    before = sorted(home.rglob("*"))
    result = run(*shlex.split(typed))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    first, *rest = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert len(rest) == 1
    assert rest[0].endswith(types)
    assert sorted(home.rglob("*")) == before


def test_what_was_meant_is_done_where_it_is_plain(home: Path) -> None:
    singular, plural = run("list", "recipe"), run("list", "recipes")
    assert singular.exit_code == 0
    assert singular.stdout == plural.stdout
    result = run("train", "dcgan", "--data", "pics", "--size", "16", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "reading pics as --dataset folder\n"
    assert '"name": "folder"' in result.stdout
    built = run("data", "build", "--data", "pics", "--size", "8")
    assert built.exit_code == 0, built.stderr
    assert built.stderr.startswith("reading pics as --dataset folder\n")


def test_the_words_to_type_are_the_ones_that_were_typed(home: Path) -> None:
    result = run("train", "dcgan", "--data", "my pics", "--lr", "1e-4")
    assert result.stderr.splitlines()[1] == "type: zoo train dcgan --data 'my pics' --set optimizer.lr=1e-4"


def test_usage_errors_of_click_and_of_ours_look_alike(home: Path) -> None:
    clicks, ours = run("train", "dcgan", "--nonsense"), run("train", "dcgan", "--dataset", "nonsense")
    for result in (clicks, ours):
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert "Usage:" not in result.stderr
    assert run("sample").stderr.startswith("Usage: zoo sample")  # no words at all: the help
    assert type(run("--debug", "train", "dcgan", "--nonsense").exception) is SystemExit


def test_the_way_to_log_in_can_be_read_and_a_token_cannot() -> None:
    from zoo.hub.client import HubError, redact

    hint = "log in: hf auth login; or export HF_TOKEN=…"
    assert HubError("you are not logged in to the Hub", hint=hint).hint == hint
    for secret in ("export HF_TOKEN=hf_abcdefgh12345", "export HF_TOKEN=abcdefgh", "x-amz-signature=ab…cd", "?token=a1b2"):
        assert redact(secret).endswith("***")


def test_a_command_that_asks_a_hub_where_nothing_answers_says_so_once(
    monkeypatch: pytest.MonkeyPatch, naps: list[float], tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "hf_adasOwnSecretToken0001")
    for words in (
        ["list", "--hub"],
        ["pull", "ada/x"],
        ["sample", "ada/x", "--out", "x.png"],
        ["push", "dcgan-faces", "ada/x"],
    ):
        forget_silence()
        naps.clear()
        result = run(*words)
        assert result.exit_code == 1
        assert result.stderr.count("error: ") == 1
        told = [line for line in result.stderr.splitlines() if not line.startswith("from the best checkpoint")]
        assert len(told) <= 3
        assert "the connection to the Hub failed (ConnectError)" in result.stderr
        assert len(naps) <= 4
    forget_silence()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
    ],
)
def test_too_little_memory_is_said_in_words(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def hungry() -> None:
        raise error

    monkeypatch.setattr("zoo_cli.main.Zoo.get_command", lambda self, ctx, name: hungry)
    found = run("sample")
    assert found.exit_code == 1
    assert "error: there is not enough memory for this\nask for less at once, close" in found.stderr


@pytest.mark.parametrize(
    "words", [["train", "dcgan", "--dataset", "faces", "--out"], ["train", "--resume"], ["diagnose"], ["sample"]]
)
def test_a_name_that_no_file_can_have(words: list[str]) -> None:
    found = run(*words, "y" * 300, *(["--images", "8", "--size", "16"] if "--out" in words else []))
    assert found.exit_code in (1, 2)
    assert "error: " in found.stderr
    assert "unexpected" not in found.stderr
