"""Checkpoints of PyTorch's DCGAN example: networks of the same layers are saved as it saves them, and imported."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

import zoo
from zoo_cli.main import zoo as commands
from zoo_core import DataError, UsageError
from zoo_plugins.pytorch_examples.importing import build_model


class Main(nn.Module):
    """A network whose layers are one sequence called `main`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.main = nn.Sequential(*layers)


def theirs(latents: int = 10, width: int = 4, channels: int = 3) -> tuple[Main, Main]:
    """Generator and discriminator, with batch-norm statistics that are not those of new layers."""
    torch.manual_seed(0)
    up: list[nn.Module] = [nn.ConvTranspose2d(latents, 8 * width, 4, 1, 0, bias=False)]
    for k in (8, 4, 2):
        up += [nn.BatchNorm2d(k * width), nn.ReLU(True)]
        up += [nn.ConvTranspose2d(k * width, k * width // 2, 4, 2, 1, bias=False)]
    up += [nn.BatchNorm2d(width), nn.ReLU(True), nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
    down: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for k in (1, 2, 4):
        down += [nn.Conv2d(k * width, 2 * k * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * k * width)]
        down += [nn.LeakyReLU(0.2, inplace=True)]
    down += [nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False), nn.Sigmoid()]
    generator, discriminator = Main(*up), Main(*down)
    with torch.no_grad():
        z = torch.randn(16, latents, 1, 1)
        for _ in range(3):
            discriminator.main(generator.main(z))
    return generator.eval(), discriminator.eval()


def saved(folder: Path, networks: tuple[Main, Main], prefix: str = "") -> tuple[Path, Path]:
    files = folder / "netG_epoch_24.pth", folder / "netD_epoch_24.pth"
    for network, file in zip(networks, files, strict=True):
        torch.save({prefix + name: tensor for name, tensor in network.state_dict().items()}, file)
    return files


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["import", "pytorch-examples", *map(str, arguments)])


@pytest.mark.parametrize(("choices", "prefix"), [({}, ""), ({"latents": 7, "width": 6, "channels": 1}, "module.")])
def test_the_model_computes_what_theirs_does(tmp_path: Path, choices: dict[str, int], prefix: str) -> None:
    networks = theirs(**choices)
    files = saved(tmp_path, networks, prefix)
    result = run(*files, "--out", tmp_path / "model", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"model": str(tmp_path / "model")}
    model = zoo.load(tmp_path / "model")
    assert model.discriminator is not None
    z = torch.randn(5, model.generator.latent_dim)
    with torch.no_grad():
        wanted = networks[0].main(z[:, :, None, None])
        torch.testing.assert_close(model.generator(z), wanted, rtol=1e-4, atol=1e-5)
        judged = networks[1].main(wanted).flatten()
        torch.testing.assert_close(model.discriminator(wanted).sigmoid(), judged, rtol=1e-4, atol=1e-5)
    assert set(model.config["provenance"]["source"]["sha256"]) == {"generator", "discriminator"}


def test_a_generator_alone_is_a_model(tmp_path: Path) -> None:
    generator, _ = saved(tmp_path, theirs())
    assert run(generator, "--out", tmp_path / "model").exit_code == 0
    model = zoo.load(tmp_path / "model")
    assert model.discriminator is None
    assert model.sample(2).shape == (2, 3, 64, 64)


def test_files_of_old_versions_have_no_counters(tmp_path: Path) -> None:
    networks = theirs()
    generator, _ = saved(tmp_path, networks)
    old = {name: t for name, t in networks[0].state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(old, generator, _use_new_zipfile_serialization=False)
    assert build_model(generator).sample(1).isfinite().all()


def spoil(state: dict[str, Any], how: str) -> Any:
    if how == "a layer more":
        return {**state, "main.15.weight": torch.zeros(1)}
    if how == "a layer less":
        return {name: tensor for name, tensor in state.items() if not name.startswith("main.6.")}
    if how == "another shape":
        return {**state, "main.3.weight": torch.zeros(3, 3, 4, 4)}
    if how == "not finite":
        return {**state, "main.3.weight": state["main.3.weight"] * float("nan")}
    if how == "numbers":
        return {"epoch": 3}
    return {"layers.0.weight": torch.zeros(2, 2)}


FAULTS = ("a layer more", "a layer less", "another shape", "not finite", "numbers", "another network")


@pytest.mark.parametrize("how", FAULTS)
def test_other_networks_are_refused_and_nothing_is_written(tmp_path: Path, how: str) -> None:
    generator, _ = saved(tmp_path, theirs())
    torch.save(spoil(theirs()[0].state_dict(), how), generator)
    result = run(generator, "--out", tmp_path / "model")
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit | DataError), result.exception
    assert not (tmp_path / "model").exists()


class Program:
    """What a hostile file would have run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def test_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("code.pth", {"main.0.weight": Program()}), ("whole.pth", theirs()[0])):
        torch.save(content, tmp_path / name)
        with pytest.raises(DataError, match="plain weights"):
            build_model(tmp_path / name)
    (tmp_path / "noise.pth").write_bytes(b"\x80\x02 no weights")
    with pytest.raises(DataError, match="plain weights"):
        build_model(tmp_path / "noise.pth")
    assert not (tmp_path / "ran").exists()


def test_few_bytes_that_claim_to_be_large_networks(tmp_path: Path) -> None:
    """A tensor whose strides are 0 has any shape for nothing, and a file may be deflated: neither asks for memory."""
    state = theirs()[0].state_dict()
    for name, odd in (
        ("main.0.weight", torch.zeros(1, 1, 1, 1).expand(10**6, 8 * 10**6, 4, 4)),
        ("main.12.weight", torch.zeros(10**6, 3, 4, 4).to_sparse()),
    ):
        torch.save({**state, name: odd}, tmp_path / "odd.pth")
        with pytest.raises(DataError, match="fewer numbers than its tensors claim"):
            build_model(tmp_path / "odd.pth")
    torch.save({**state, "main.0.weight": torch.zeros(100, 4096, 4, 4)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, zipfile.ZipFile(tmp_path / "odd.pth", "w", 8) as deflated:
        for info in plain.infolist():
            deflated.writestr(info.filename, plain.read(info))
    assert (tmp_path / "odd.pth").stat().st_size < 1 << 20
    with pytest.raises(DataError, match="plain weights"):
        build_model(tmp_path / "odd.pth")
    torch.save({**state, "main.²." + "x" * 5000: torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(DataError, match="it has 'main") as caught:
        build_model(tmp_path / "odd.pth")
    assert len(caught.value.message) <= 300


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        build_model(tmp_path / "netG.pth")
    generator, discriminator = saved(tmp_path, theirs())
    (tmp_path / "there").mkdir()
    assert "exists already" in run(generator, "--out", tmp_path / "there").output
    _, gray = saved(tmp_path / "there", theirs(channels=1))
    with pytest.raises(DataError, match="channels"):
        build_model(generator, gray)
    assert discriminator.exists()
