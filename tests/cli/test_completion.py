"""What shells complete: asked as their scripts ask, and in shells that are installed here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from helpers.shell import ALL, Shell
from zoo_cli.main import zoo
from zoo_cli.shells import INSTALL, register


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs, other folders, a picture, and packs in the cache."""
    for run, recipe in (("dcgan-faces-64", "dcgan"), ("wgan-shoes", "wgan-gp")):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "run.json").write_text(json.dumps({"config": {"recipe": {"name": recipe}}}))
    for folder in ("runs/notes", "my pictures", "drawings", "cache/packs/faces-64-abc", "cache/packs/.unfinished-x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "portrait.png").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path


def ask(monkeypatch: pytest.MonkeyPatch, line: str, shell: str = "fish") -> list[str]:
    """Return the lines that a shell is answered."""
    register()
    monkeypatch.setenv("ZOO_LINE", line)
    monkeypatch.setenv("ZOO_BREAKS", " \"'@><=;|&(:")
    answers = get_completion_class(shell)
    assert answers is not None
    return answers(zoo, {}, "zoo", "_ZOO_COMPLETE").complete().splitlines()


def words(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """Return the words that are offered behind a line, without what is said about them."""
    return [answer.partition(",")[2].partition("\t")[0] for answer in ask(monkeypatch, line) if answer.startswith("plain,")]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("zoo tra", ["train"]),
        ("zoo data in", ["inspect"]),
        ("zoo train --dr", ["--dry-run"]),
        ("zoo train lsg", ["lsgan"]),
        ("zoo train dcgan --dataset fac", ["faces"]),
        ("zoo train dcgan --dataset=fold", ["--dataset=folder"]),
        ("zoo data build fac", ["faces"]),
        ("zoo train --resume ", ["runs/dcgan-faces-64", "runs/wgan-shoes"]),
        ("zoo train --resume runs/w", ["runs/wgan-shoes"]),
        ("zoo diagnose ./runs/w", ["./runs/wgan-shoes"]),
        ("zoo sample dcgan-f", ["dcgan-faces"]),
        ("zoo sample run", ["runs/dcgan-faces-64", "runs/wgan-shoes"]),
        ("zoo data inspect ", ["faces-64-abc"]),
        ("zoo show wass", ["wasserstein"]),
        ("zoo list trac", ["trackers"]),
        ("zoo plugins new x --kind los", ["losses"]),
        ("zoo plugins check dcgan-z", ["dcgan-zoo", "dcgan-zoo-models"]),
        ("zoo train dcgan --track ", ["tensorboard", "trackio", "wandb"]),
        ("zoo train dcgan --metric fid:pix", ["fid:pixels"]),
        ("zoo train dcgan --metric scat", ["scattering"]),
        ("zoo evaluate x --metrics fid,ki", ["fid,kid"]),
        ("zoo evaluate x --features scat", ["scattering"]),
        ("zoo train dcgan --precision b", ["bf16"]),
        ("zoo walk x --how ", ["spherical", "linear"]),
        ("zoo completion z", ["zsh"]),
        ("zoo train dcgan --set ge", ["generator."]),
        ("zoo train dcgan --set generator.up", ["generator.upsample="]),
        ("zoo train dcgan --set generator.norm=", ["generator.norm=batch", "generator.norm=none"]),
        ("zoo train dcgan-paper --set generator.kernel=5", ["generator.kernel=5"]),
        ("zoo train dcgan --set training.mirror=", ["training.mirror=false", "training.mirror=true"]),
        ("zoo train dcgan --set training.augment=color,cut", ["training.augment=color,cutout"]),
        ("zoo train dcgan --set optimizer.generator.cl", ["optimizer.generator.clip="]),
        ("zoo train bigan --set enc", ["encoder."]),
        ("zoo train dcgan --dataset faces --set dataset.reso", ["dataset.resolution="]),
        ("zoo train --resume runs/wgan-shoes --set loss.grad", ["loss.gradient_penalty="]),
        ("zoo compare dcgan bigan --set enc", ["encoder."]),
        ("zoo compare runs/w", ["runs/wgan-shoes"]),
        ("zoo cache clear feat", ["features"]),
        ("zoo runs delete runs/d", ["runs/dcgan-faces-64"]),
        ("zoo compare dcgan --metric inception --set features.lay", ["features.layer="]),
        ("zoo data build lsun --set ", ["dataset."]),
        ("zoo evaluate x --features discriminator --set features.po", ["features.pool="]),
        ("zoo train nothing-like-it --set generator.", []),
        ("zoo train dcgan --set generator.nothing=", []),
    ],
)
def test_a_word_is_completed(line: str, offered: list[str], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words(monkeypatch, line) == offered


def test_a_models_place_may_also_be_a_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "dir,d" in ask(monkeypatch, "zoo sample d")
    assert ask(monkeypatch, "zoo train dcgan --data ") == []  # the shell's own completion of paths


def test_a_name_with_a_line_break_is_left_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "runs" / "a\nplain,b").mkdir()
    (place / "runs" / "a\nplain,b" / "run.json").write_text("{}")
    assert words(monkeypatch, "zoo train --resume runs/") == ["runs/dcgan-faces-64", "runs/wgan-shoes"]


def test_values_say_what_they_are(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (answer,) = ask(monkeypatch, "zoo train dcgan-paper --set generator.wid")
    assert answer.startswith("plain,generator.width=\tint at least 1 [128] feature maps")


def test_each_shell_is_answered_in_its_way(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, "zoo train dcgan --set generator.norm=b", "bash") == ["plain,batch"]
    assert ask(monkeypatch, "zoo train dcgan --dataset=fold", "bash") == ["plain,folder"]
    assert ask(monkeypatch, "zoo train x --metric fid:pix", "bash") == ["plain,pixels"]
    kind, word, about = ask(monkeypatch, "zoo train x --metric fid:pix", "zsh")
    assert (kind, word) == ("plain", "fid\\:pixels")
    assert about


def test_what_is_broken_completes_to_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "runs" / "wgan-shoes" / "run.json").write_text("{")
    assert words(monkeypatch, "zoo train --resume runs/wgan-shoes --set loss.") == []
    monkeypatch.setenv("ZOO_CACHE", str(place / "portrait.png"))
    assert words(monkeypatch, "zoo data inspect ") == []
    assert ask(monkeypatch, "zoo train 'unfinished quo") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_how_to_install_it(shell: str) -> None:
    result = CliRunner().invoke(zoo, ["completion", shell])
    assert result.exit_code == 0
    assert f"_ZOO_COMPLETE={shell}_complete" in result.stdout
    assert re.search(r"^#.*always", result.stdout, re.MULTILINE)
    assert result.stderr == ""
    assert INSTALL[shell] in CliRunner().invoke(zoo, ["completion", "--help"]).stdout


def test_completing_loads_no_torch(place: Path) -> None:
    lines = ["zoo ", "zoo train dcgan --set generator.", "zoo sample ", "zoo train dcgan --dataset faces --set dataset.fit="]
    lines += ["zoo show d", "zoo data inspect ", "zoo evaluate x --set features."]
    heavy = ["torch", "numpy", "rich", "huggingface_hub", "zoo_plugins.dcgan.networks"]
    code = (
        "import os, sys\n"
        "from click.shell_completion import get_completion_class\n"
        "from zoo_cli.main import zoo\n"
        "from zoo_cli.shells import register\n"
        "register()\n"
        f"for os.environ['ZOO_LINE'] in {lines!r}:\n"
        "    assert get_completion_class('zsh')(zoo, {}, 'zoo', '_ZOO_COMPLETE').complete()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.fixture
def typing(place: Path, request: pytest.FixtureRequest) -> Iterator[Shell]:
    """The shell that the test's parameter names, with the completion of zoo in it."""
    name, options, setup = {
        "bash": ("bash", ["--norc", "--noprofile", "-i"], ["bind 'set bell-style none'"]),
        "zsh": ("zsh", ["-f", "-i"], ["autoload -Uz compinit; compinit -u -D", "unsetopt zle_bracketed_paste"]),
    }[request.param]
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "HOME": str(place), "TERM": "xterm"}
    env.pop("COLUMNS", None)
    setup = ["stty -echo", *setup, f'eval "$(zoo completion {name})"', "PS1=READY''\\>"]
    shell = Shell([name, *options], setup, place, env, is_patient=name == "bash")
    yield shell
    shell.close()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("typing", ["bash", "zsh"], indirect=True)
def test_a_real_shell_completes(typing: Shell, place: Path) -> None:
    assert typing.complete("zoo train lsg") == ["zoo", "train", "lsgan"]
    assert typing.complete("zoo train dcgan --set generator.norm=b")[-1] == "generator.norm=batch"
    assert typing.complete("zoo train dcgan --set disc")[-1] == "discriminator."
    assert typing.complete("zoo train dcgan --dataset=fold")[-1] == "--dataset=folder"
    assert typing.complete("zoo sample runs/w")[-1].rstrip("/") == "runs/wgan-shoes"
    assert typing.complete("zoo sample dra")[-1].rstrip("/") == "drawings"
    assert typing.complete("zoo train dcgan --data ~/my")[-1].rstrip("/") == str(place / "my pictures")
    assert typing.complete("zoo project dcgan-faces por")[-1] == "portrait.png"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("typing", ["bash"], indirect=True)
def test_bash_offers_names_and_paths_together(typing: Shell) -> None:
    offered = typing.complete("zoo sample d", ALL)[2:]
    assert ("dcgan-faces" in offered, offered[-1]) == (True, "drawings")
    assert typing.complete("zoo train --resume ", ALL)[3:5] == ["runs/dcgan-faces-64", "runs/wgan-shoes"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(place: Path) -> None:
    script = 'zoo completion fish | source; for line in $argv; echo (complete -C "$line" | string split -f 1 \\t); end'
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    lines = ["zoo train lsg", "zoo train dcgan --set generator.norm=b", "zoo train dcgan --data ./my", "zoo sample runs/w"]
    env = {**os.environ, "PATH": path, "HOME": str(place)}
    done = subprocess.run(["fish", "-N", "-c", script, *lines], capture_output=True, text=True, check=True, env=env)
    wanted = ["lsgan", "generator.norm=batch", "./my pictures/", "runs/wgan-shoes runs/wgan-shoes/"]
    assert done.stdout.splitlines() == wanted
