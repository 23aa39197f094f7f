"""The weights of DCGAN's authors: what their files become, compared with what they say in the authors' own terms.

The numbers are random and of the published shapes; the published ones are looked at where `ZOO_TEST_DATA` has them.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from torch import Tensor
from torch.nn.functional import conv2d, leaky_relu, relu

import zoo
from helpers.datasets import encoded, real
from zoo_cli.main import zoo as commands
from zoo_core import Plugin, registry
from zoo_plugins.newmu.arrays import HEADER, read_array
from zoo_plugins.newmu.importing import build_model, import_pair
from zoo_plugins.newmu.pairs import IMAGENET, PAIRS, SVHN, Pair

LAYOUT = {"svhn": SVHN.folder, "imagenet": IMAGENET.folder}


def arrays_of(pair: Pair, role: str, seed: int) -> list[np.ndarray]:
    """Return random arrays of the shapes of a pair's files: gains around 1, the rest so small that nothing saturates."""
    rng = np.random.default_rng(seed)
    found = []
    for tensor, shape, _ in pair.files[role]:
        gain = len(shape) == 1 and tensor.endswith(".weight")
        scale = 0.1 if len(shape) == 1 else 1 / math.sqrt(math.prod(shape) / max(shape[:2]))
        found.append((rng.standard_normal(shape) * scale + gain).astype(np.float32))
    return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the repository as far as the pairs go, with pickles beside them that would not survive being read."""
    root = tmp_path_factory.mktemp("dcgan_code")
    for number, (name, folder) in enumerate(LAYOUT.items()):
        place = root / "models" / folder
        place.mkdir(parents=True)
        for role in ("generator", "discriminator"):
            for n, array in enumerate(arrays_of(PAIRS[name], role, 10 * number + len(role)), 1):
                np.save(place / PAIRS[name].name_file(role, n), array)
            (place / PAIRS[name].name_file(role, 1).replace("_01.npy", "")).write_bytes(b"\x80\x02never read")
    return root


def linked(clone: Path, name: str, place: Path) -> Path:
    """Return a folder with links to all files of a pair, which a test replaces or removes."""
    place.mkdir()
    for file in (clone / "models" / LAYOUT[name]).iterdir():
        (place / file.name).symlink_to(file)
    return place


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["import", "newmu", *map(str, arguments)])


# --- The authors' terms: true convolutions, statistics of the minibatch, 1e-8 beside the variance.


def convolve(x: Tensor, w: Tensor, stride: int) -> Tensor:
    """Return the true convolution of x [N, in, S, S] with w [out, in, k, k], which keeps the size at stride 1."""
    turned = torch.rot90(w, 2, (2, 3))
    return conv2d(x, turned, stride=stride, padding=w.shape[-1] // 2)


def deconvolve(x: Tensor, w: Tensor, stride: int) -> Tensor:
    """Return the gradient of a convolution of `stride` × larger images by weights w [in, out, k, k], as it is for x."""
    images = torch.zeros(len(x), w.shape[1], stride * x.shape[2], stride * x.shape[3], dtype=x.dtype, requires_grad=True)
    (found,) = torch.autograd.grad(convolve(images, w, stride), images, x)
    return found


def normalize(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    axes = [0] if x.ndim == 2 else [0, 2, 3]
    shape = [1, -1] if x.ndim == 2 else [1, -1, 1, 1]
    mean = x.mean(axes, keepdim=True)
    variance = ((x - mean) ** 2).mean(axes, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-8) * gain.view(shape) + shift.view(shape)


def draw(z: Tensor, weights: list[Tensor], strides: list[int]) -> Tensor:
    """Return the pictures of the authors' generator: projection, normalized deconvolutions, a last one, tanh."""
    x = relu(normalize(z @ weights[0], weights[1], weights[2])).view(len(z), -1, 4, 4)
    kernels = weights[3:]
    for stride in strides[:-1]:
        x = relu(normalize(deconvolve(x, kernels[0], stride), kernels[1], kernels[2]))
        kernels = kernels[3:]
    return torch.tanh(deconvolve(x, kernels[0], strides[-1]))


def judge(x: Tensor, weights: list[Tensor], strides: list[int]) -> Tensor:
    """Return the logits of the authors' discriminator, whose first layer is not normalized."""
    x = leaky_relu(convolve(x, weights[0], strides[0]), 0.2)
    kernels = weights[1:]
    for stride in strides[1:]:
        x = leaky_relu(normalize(convolve(x, kernels[0], stride), kernels[1], kernels[2]), 0.2)
        kernels = kernels[3:]
    return (x.flatten(1) @ kernels[0]).squeeze(1)


STRIDES = {"svhn": ([2, 2, 2], [2, 2, 2]), "imagenet": ([2, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2])}


@pytest.mark.parametrize("name", ["svhn", "imagenet"])
def test_networks_compute_what_the_authors_wrote(clone: Path, name: str) -> None:
    place = clone / "models" / LAYOUT[name]
    model, sums = build_model(PAIRS[name], place)
    assert model.discriminator is not None
    assert len(sums) == {"svhn": 18, "imagenet": 36}[name]
    stored = {
        role: [torch.from_numpy(np.load(place / PAIRS[name].name_file(role, n))) for n in range(1, len(files) + 1)]
        for role, files in PAIRS[name].files.items()
    }
    z = torch.randn(6, model.generator.latent_dim, generator=torch.Generator().manual_seed(1))
    model.generator.train()
    model.discriminator.train()  # statistics of the minibatch, as there
    with torch.no_grad():
        drawn = model.generator(z)
        logits = model.discriminator(drawn)
    wanted = draw(z, stored["generator"], STRIDES[name][0])
    torch.testing.assert_close(drawn, wanted.detach(), rtol=1e-3, atol=1e-4)
    assert 0.05 < float(drawn.std()) < 0.95  # neither gray nor saturated
    torch.testing.assert_close(logits, judge(drawn, stored["discriminator"], STRIDES[name][1]), rtol=1e-3, atol=1e-3)
    assert float(logits.std()) > 0.01
    assert model.generator.latent == {"svhn": "normal", "imagenet": "uniform"}[name]


@pytest.mark.slow  # the ImageNet networks draw 1,024 pictures for the statistics of each
def test_a_clone_becomes_two_model_folders(clone: Path, tmp_path: Path) -> None:
    done = run(clone, "--out", tmp_path / "both", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == {
        "models": {name: str(tmp_path / "both" / f"newmu-{name}") for name in ("svhn", "imagenet")},
        "left_out": {},
    }
    for name, folder in told["models"].items():
        model = zoo.load(folder)
        assert model.sample(2).shape == (2, 3, 32, 32)
        assert model.discriminator is not None
        source = model.config["provenance"]["source"]
        assert len(source["sha256"]) == {"svhn": 18, "imagenet": 36}[name]
        assert "the discriminator's of 1,024 samples of its generator" in model.config["batch_norm"]
        card = Path(folder, "README.md").read_text(encoding="utf-8")
        header = yaml.safe_load(card.split("---\n")[1])
        assert header["license"] == "mit"
        assert header.get("datasets") == {"svhn": ["ufldl-stanford/svhn"], "imagenet": None}[name]
        assert "Copyright (c) 2015 Alec Radford" in card
        assert "Permission is hereby granted, free of charge" in card
        assert "| Repository | https://github.com/Newmu/dcgan\\_code |" in card
        assert "Real images shown | not stated" in card


def test_statistics_of_real_images(clone: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(5):
        (pictures / f"{number}.png").write_bytes(encoded(number, size=(32, 32), form="png"))
    place = clone / "models" / LAYOUT["svhn"]
    drawn, of_real = (import_pair(SVHN, place, **choices) for choices in ({}, {"dataset": "folder", "data": str(pictures)}))
    assert "the discriminator's of 5 real images of folder" in of_real.config["batch_norm"]
    states = [m.discriminator.state_dict() for m in (drawn, of_real) if m.discriminator is not None]
    assert not torch.equal(states[0]["blocks.8x8.1.running_mean"], states[1]["blocks.8x8.1.running_mean"])
    same = (m.generator.state_dict() for m in (drawn, of_real))
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in same), strict=True))


def test_a_pair_by_itself_becomes_the_folder_that_is_named(clone: Path, tmp_path: Path) -> None:
    assert run(clone / "models", "--pair", "svhn", "--out", tmp_path / "svhn").exit_code == 0
    again = run(clone, "--pair", "svhn", "--out", tmp_path / "svhn")
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert zoo.load(tmp_path / "svhn").generator.latent_dim == 100


def save(file: Path, array: Any, **choices: Any) -> None:
    file.unlink()
    np.save(file, array, **choices)


def stated(file: Path, header: str, content: bytes = b"") -> None:
    """Write a .npy file whose header says what its content is not."""
    file.unlink()
    text = header.encode().ljust(118) + b"\n"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content)


def archive(file: Path) -> None:
    file.unlink()
    inside = io.BytesIO()
    np.save(inside, np.zeros((64, 3, 5, 5), np.float32))
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("a.npy", inside.getvalue())


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-4])


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


SHAPE = (64, 3, 5, 5)
HEADER_OF = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "shape": (lambda file: save(file, np.zeros((3, 64, 5, 5), np.float32)), "holds 3×64×5×5 numbers, expected 64×3×5×5"),
    "a scalar": (lambda file: save(file, np.float32(1)), "holds 1 numbers, expected 64×3×5×5"),
    "nan": (lambda file: save(file, np.full(SHAPE, np.nan, np.float32)), "not finite"),
    "beyond float32": (lambda file: save(file, np.full(SHAPE, 1e200)), "not finite"),
    "whole numbers": (lambda file: save(file, np.zeros(SHAPE, np.int32)), "holds int32 numbers, expected float32"),
    "objects": (lambda file: save(file, np.full(SHAPE, None), allow_pickle=True), "no array of numbers"),
    "pickle": (lambda file: (file.unlink(), file.write_bytes(b"\x80\x02}q\x00.")), "no array of numbers"),
    "nothing": (lambda file: (file.unlink(), file.write_bytes(b"")), "no array of numbers"),
    "cut short": (cut, "no array of numbers"),
    "archive": (archive, "it is an archive"),
    "a huge shape": (lambda file: stated(file, HEADER_OF.format("<f4", "(99999999999, 9999)")), "no array of numbers"),
    "a broken header": (lambda file: stated(file, "{'descr': '<f4', 'shape': ((((((("), "no array of numbers"),
    "too large": (lambda file: save(file, np.zeros((64, 3, 5, 50), np.float64)), "numbers take at most"),
    "a long header": (lambda file: stated(file, " " * (HEADER + 100)), "no array of numbers"),
    "a pipe": (pipe, "is no regular file"),
    "a folder": (lambda file: (file.unlink(), file.mkdir()), "is no regular file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_such_array_is_named_and_nothing_is_written(clone: Path, tmp_path: Path, fault: str) -> None:
    place = linked(clone, "svhn", tmp_path / "pair")
    file = place / SVHN.name_file("discriminator", 1)
    damage, words = FAULTS[fault]
    damage(file)
    done = run(place, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert words in done.stderr
    assert str(file) in done.stderr
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "array",
    [
        lambda x: np.asfortranarray(x),
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float64),
    ],
)
def test_the_same_numbers_in_other_ways(tmp_path: Path, array: Callable[[np.ndarray], np.ndarray]) -> None:
    numbers = np.random.default_rng(0).standard_normal((4, 3, 2, 5)).astype(np.float32)
    np.save(tmp_path / "a.npy", array(numbers))
    found = read_array(tmp_path / "a.npy", numbers.shape)
    assert found.is_contiguous()
    assert torch.equal(found, torch.from_numpy(numbers))


def test_huge_weights_are_refused(clone: Path, tmp_path: Path) -> None:
    place = linked(clone, "svhn", tmp_path / "pair")
    save(place / SVHN.name_file("generator", 4), np.full((256, 128, 5, 5), 3e38, np.float32))
    done = run(place, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "too large" in done.stderr
    assert not (tmp_path / "out").exists()


def test_files_that_are_missing_are_named(clone: Path, tmp_path: Path) -> None:
    imagenet = linked(clone, "imagenet", tmp_path / IMAGENET.folder)
    absent = [IMAGENET.name_file("generator", n) for n in (1, 4, 7)]
    absent += [IMAGENET.name_file("discriminator", n) for n in (11, 14)]
    for name in absent:
        (imagenet / name).unlink()
    done = run(imagenet, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert f"lacks 5 files of the pair imagenet: {', '.join(absent)}" in done.stderr
    assert "git clone https://github.com/Newmu/dcgan_code" in done.stderr
    linked(clone, "svhn", tmp_path / SVHN.folder)
    done = run(tmp_path, "--out", tmp_path / "out")  # the other one is whole
    assert done.exit_code == 0
    assert "left out: " in done.stderr
    assert absent[0] in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["newmu-svhn"]
    for file in list(imagenet.iterdir())[8:]:
        file.unlink()
    assert "and " in run(imagenet).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["."], "has no files of the authors (200_gen_params.jl_01.npy, …)"),
        ([".", "--pair", "imagenet"], "has no files of the pair imagenet (30_gen_params.jl_01.npy, …)"),
        (["file"], "is a file, not a folder"),
    ],
)
def test_a_folder_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "git clone https://github.com/Newmu/dcgan_code" in done.stderr


@click.command()
def other() -> None:
    """Import something else."""
    click.echo("imported")


def test_other_plugins_join_the_group() -> None:
    with registry.add(Plugin(commands={"import-other": f"{__name__}:other"}), distribution="acme"):
        assert "other" in CliRunner().invoke(commands, ["import", "--help"]).stdout
        assert CliRunner().invoke(commands, ["import", "other"]).stdout == "imported\n"
    done = CliRunner().invoke(commands, ["import", "other"])
    assert done.exit_code == 2
    assert "no command other" in done.stderr


@pytest.mark.data
def test_the_published_digits() -> None:
    place = real("authors") / SVHN.folder
    model = import_pair(SVHN, place)
    assert model.discriminator is not None
    samples = model.sample(64)
    assert float(samples.std(0).mean()) > 0.2  # they differ
    with torch.no_grad():
        logits, noise = (model.discriminator(x).mean() for x in (samples, torch.rand_like(samples) * 2 - 1))
    assert float(logits) < 0  # it knows its generator's work
    assert float(noise) > float(logits)
