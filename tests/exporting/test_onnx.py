"""`zoo.export(…, to="onnx")`: what is in the files, and that they compute what torch does."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import zoo
from helpers.reporters import Heard
from helpers.workplace import run as command
from zoo.exporting import checks, graphs, onnx_folder
from zoo.packs import to_uint8
from zoo.randomness import latents_for
from zoo.runs.config import RunConfig
from zoo_core import Generator, ModelError, UsageError, ZooError, registry

from .conftest import Make, enliven

onnx = pytest.importorskip("onnx", reason="the extra [onnx] is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")


def run(file: Path, **inputs: Any) -> Any:
    """What a file computes, by a session as anybody makes one."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(value) for name, value in inputs.items()})[0]


def facts_of(file: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(str(file)).metadata_props}


def test_a_folder_of_two_networks(tmp_path: Path) -> None:
    model = zoo.load("mlp-faces")
    folder = zoo.export("mlp-faces", tmp_path / "out", to="onnx")
    assert folder == tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "discriminator.onnx", "generator.onnx"]
    for count in (1, 7, 33):
        z = latents_for(model.generator, 5, range(count))
        drawn = run(folder / "generator.onnx", latents=z)
        assert drawn.shape == (count, 3, 32, 32)
        with torch.no_grad():
            wanted = model.generator(z)
            logits = model.discriminator(wanted)  # type: ignore[misc]
        assert np.abs(drawn - wanted.numpy()).max() / 2 <= 1 / 255
        judged = run(folder / "discriminator.onnx", images=wanted)
        assert judged.shape == (count,)
        np.testing.assert_allclose(judged, logits.numpy(), rtol=1e-3, atol=1e-3)


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    folder = zoo.export("mlp-faces", tmp_path / "out", to="onnx", pixels="uint8")
    facts, config = facts_of(folder / "generator.onnx"), zoo.load("mlp-faces").config
    assert facts["sha256"] == config["sha256"]["generator.safetensors"]
    assert facts_of(folder / "discriminator.onnx")["sha256"] == config["sha256"]["discriminator.safetensors"]
    assert facts["license"] == "apache-2.0"
    assert facts["recipe"] == "mlp-gan"
    assert facts["dataset_credit"] == config["provenance"]["dataset"]["credit"]
    assert (facts["image_size"], facts["latent_dim"], facts["latent_distribution"]) == ("32", "100", "uniform")
    assert facts["pixels"] == "uint8 [N, S, S, C]"
    assert facts["num_classes"] == "0"
    graph = onnx.load(str(folder / "generator.onnx"))
    assert graph.producer_name == "dcgan-zoo"
    assert [d.dim_param or d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim] == ["batch", 100]
    readme = (folder / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.S)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1].replace('"generator.onnx"', f'"{folder}/generator.onnx"'), names)  # what the card says works
    assert names["images"].shape == (16, 32, 32, 3)
    assert names["images"].dtype == np.uint8
    assert "| license | apache-2.0 |" in readme


def test_nothing_of_this_machine_is_in_a_file(tmp_path: Path, make: Make) -> None:
    folder = zoo.export(make(), tmp_path / "out", to="onnx")
    for file in folder.iterdir():
        content = file.read_bytes()
        for place in (str(Path(zoo.__file__).parents[2]), str(Path(torch.__file__).parents[2]), str(tmp_path)):
            assert place.encode() not in content


def test_images_of_whole_numbers(tmp_path: Path, make: Make) -> None:
    model = make(channels=1)
    folder = zoo.export(model, tmp_path / "out", to="onnx", pixels="uint8")
    drawn = run(folder / "generator.onnx", latents=latents_for(model.generator, 0, range(5)))
    wanted = to_uint8(model.sample(5)).numpy()
    assert drawn.dtype == np.uint8
    assert drawn.shape == wanted.shape == (5, 16, 16, 1)
    assert np.abs(drawn.astype(int) - wanted.astype(int)).max() <= 1
    judged = run(folder / "discriminator.onnx", images=wanted)
    with torch.no_grad():
        logits = model.discriminator(torch.from_numpy(wanted).permute(0, 3, 1, 2) / 127.5 - 1)  # type: ignore[misc]
    np.testing.assert_allclose(judged, logits.numpy(), rtol=1e-3, atol=1e-3)


def test_labels_go_in_where_a_model_is_conditional(tmp_path: Path, make: Make) -> None:
    model = make("cdcgan", num_classes=3)
    model.config["classes"] = ["cat", "dög", "<b>"]
    folder = zoo.export(model, tmp_path / "out", to="onnx")
    z, labels = latents_for(model.generator, 0, [0] * 3), np.arange(3)
    drawn = run(folder / "generator.onnx", latents=z, labels=labels)
    with torch.no_grad():
        wanted = model.generator(z, torch.arange(3)).numpy()
    assert np.abs(drawn - wanted).max() / 2 <= 1 / 255
    assert np.abs(drawn[0] - drawn[1]).max() > 0.01  # the label decides
    assert run(folder / "discriminator.onnx", images=drawn, labels=labels).shape == (3,)
    assert json.loads(facts_of(folder / "generator.onnx")["classes"]) == ["cat", "dög", "<b>"]


def test_the_same_model_makes_the_same_file(tmp_path: Path, make: Make) -> None:
    model = make()
    before = {name: tensor.clone() for name, tensor in model.generator.state_dict().items()}
    one, two = (zoo.export(model, tmp_path / name, to="onnx") / "generator.onnx" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.generator.state_dict().items())


def test_a_run_gives_the_checkpoint_that_is_asked_for(tmp_path: Path) -> None:
    small = {"generator.width": 4, "discriminator.width": 4, "dataset.count": 40}
    settings: dict[str, Any] = {"size": 16, "images": 32, "batch": 16, "options": small, "device": "cpu", "watch": False}
    run_folder = zoo.train("dcgan", dataset="faces", out=tmp_path / "run", **settings)
    folder = zoo.export(run_folder, tmp_path / "onnx", to="onnx", last=True, raw=True)
    model = zoo.load(run_folder, last=True, raw=True)
    z = latents_for(model.generator, 0, range(3))
    with torch.no_grad():
        assert np.abs(run(folder / "generator.onnx", latents=z) - model.generator(z).numpy()).max() < 2 / 255
    assert facts_of(folder / "generator.onnx")["trained_images"] == "32"


class Counting(Generator):
    """A generator that takes the number of latents as a plain number."""

    def __init__(self, *, image: zoo.ImageSpec, latent_dim: int = 8) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.linear = nn.Linear(latent_dim, image.channels * image.size**2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        out: Tensor = torch.tanh(self.linear(z)).reshape(len(z), *self.image.shape)
        return out

    def stages(self) -> dict[str, nn.Module]:
        return {}


class Noisy(Counting):
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(z + torch.randn_like(z), labels)


class Deciding(Counting):
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(z if float(z.sum()) > 0 else -z, labels)


def own(kind: type[Counting]) -> zoo.Model:
    return enliven(zoo.Model(kind(image=zoo.ImageSpec(16)).eval(), None))


def test_a_network_may_count_its_inputs(tmp_path: Path) -> None:
    folder = zoo.export(own(Counting), tmp_path / "out", to="onnx")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "generator.onnx"]  # there is no discriminator
    assert run(folder / "generator.onnx", latents=np.zeros((7, 8), np.float32)).shape == (7, 3, 16, 16)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Noisy, "generator Noisy cannot be exported: it draws random numbers of its own"),
        (Deciding, "generator Deciding cannot be exported: torch cannot write it as a graph: "),
    ],
)
def test_what_cannot_be_a_graph_says_why(kind: type[Counting], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        zoo.export(own(kind), tmp_path / "out", to="onnx")
    assert caught.value.hint
    assert len(caught.value.message.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "cache"] or list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_a_file_that_computes_something_else_is_not_kept(
    role: str, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make()
    with torch.no_grad():
        for parameter in other.networks[role].parameters():
            parameter.mul_(1.1)
    trace = getattr(graphs, f"trace_{role}")
    monkeypatch.setitem(
        onnx_folder._STEPS,
        role,
        (lambda _model, pixels: trace(other, pixels), getattr(checks, f"check_{role}")),
    )
    with pytest.raises(ModelError, match=rf"{role}\.onnx is not kept: its (images|logits) differ from torch's by up to"):
        zoo.export(make(), tmp_path / "out", to="onnx")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".unfinished*"))


def test_what_has_no_place_in_onnx_is_told(tmp_path: Path, make: Make) -> None:
    heard = Heard()
    zoo.export(make("bigan"), tmp_path / "out", to="onnx", report=heard)
    assert "not exported: encoder" in heard.text


def test_wrong_choices(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    model = make()
    for place, choices, words in (
        ("x", {"to": "onx"}, "unknown form of an export 'onx'; did you mean onnx?"),
        ("x", {"to": "onnx", "pixels": "int8"}, "unknown form of images 'int8'; did you mean uint8?"),
        ("x", {"pixels": "uint8"}, "'pixels' is a choice of to=\"onnx\""),
        ("x", {"to": "onnx", "bf16": True}, "'bf16' is a choice of to=\"model\""),
        ("x", {"to": "onnx", "runtime": "x.tgz"}, "'runtime' is a choice of to=\"html\""),
        ("x.onnx", {"to": "onnx"}, "names a file, and an export to ONNX is a folder"),
        ("x.html", {"to": "onnx"}, "names a page"),
        ("there", {"to": "onnx"}, "exists already"),
    ):
        with pytest.raises(UsageError) as caught:
            zoo.export(model, tmp_path / place, **choices)  # type: ignore[arg-type]
        assert words in str(caught.value)
    restricted = make()
    restricted.config["provenance"] = {"dataset": {"name": "secret", "restriction": "nobody may see it"}}
    for choices in ({"to": "onnx"}, {"to": "html"}):
        with pytest.raises(UsageError, match="cannot be published or exported: it was trained on secret"):
            zoo.export(restricted, tmp_path / ("x.html" if choices["to"] == "html" else "x"), **choices)  # type: ignore[arg-type]
    monkeypatch.setattr(graphs, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name))
    with pytest.raises(ZooError, match=r'needs onnxruntime, which is not installed\n.*pip install "dcgan-zoo\[onnx\]"'):
        zoo.export(model, tmp_path / "x", to="onnx")
    assert not (tmp_path / "x").exists()


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = command("export", "mlp-faces", "--to", "onnx", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {"out": "mlp-faces-onnx"}
    assert (tmp_path / "mlp-faces-onnx" / "generator.onnx").is_file()
    for words, message, hint in (
        ("export mlp-faces --to onnx", "mlp-faces-onnx exists already", "choose another folder"),
        (
            "export mlp-faces a.onnx --to onnx",
            "a.onnx names a file, and an export to ONNX is a folder",
            "mlp-faces a --to onnx",
        ),
        ("export mlp-faces a.html", "a.html names a page", "for one: zoo export mlp-faces a.html --to html"),
        ("export mlp-faces a --to html", "a does not end in .html", "type: zoo export mlp-faces a.html --to html"),
        (
            "export mlp-faces a --to onnx --bf16",
            "--bf16 is a choice of --to model, and this is --to onnx",
            "leave --bf16 out",
        ),
        ("export nothing-here a --to onnx", "there is no model at 'nothing-here'", "give a run folder"),
        ("export mlp-faces a --to pdf", "unknown form of an export 'pdf'; valid: html, model, onnx", "--to onnx"),
    ):
        result = command(*words.split())
        assert result.exit_code == 2
        assert message in result.stderr
        assert hint in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["mlp-faces-onnx"]


def test_a_place_that_cannot_be_written(nobody: Path, make: Make) -> None:
    nobody.chmod(0o500)
    with pytest.raises(ZooError, match="cannot be written: Permission denied"):
        zoo.export(make(), nobody / "out", to="onnx")


def _recipes_by_networks() -> dict[str, list[str]]:
    """Recipes whose files would be the same but for what they say, by what their networks are."""
    found: dict[str, list[str]] = {}
    for recipe in registry.names("recipes"):
        config = RunConfig.resolve(recipe)
        networks = {role: config.parts[role] for role in config.roles}
        found.setdefault(json.dumps([networks, config.training.latent], sort_keys=True), []).append(recipe)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [first for first, *_ in _recipes_by_networks().values()])
def test_every_recipe_exports(recipe: str, tmp_path: Path, make: Make) -> None:
    """Of recipes that have the same networks, one stands for all."""
    model = make(recipe, num_classes=3)
    folder = zoo.export(model, tmp_path / "out", to="onnx")  # which compares both networks with torch, too
    drawn = run(folder / "generator.onnx", **checks.inputs_for(model, range(7), 1))
    assert np.abs(drawn - model.sample(7, seed=1).numpy()).max() / 2 <= 1 / 255
    assert drawn.std() > 0.01
    assert (folder / "discriminator.onnx").is_file()
