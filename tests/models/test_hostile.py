"""Model folders and repositories of people who mean harm: refused with words, nothing run, no memory taken."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import zoo
from helpers.hub_server import HubServer
from helpers.hub_server.fixtures import one_thread
from zoo.models.folder import write_config, write_model
from zoo_core import Generator, ImageSpec, ModelError, Plugin, PluginError

PICKLES = (
    "pytorch_model.bin",
    "model.pt",
    "model.pth",
    "generator.ckpt",
    "weights.pkl",
    "state.pickle",
    "training_args.bin",
    "model.joblib",
    "z.npy",
    "model.h5",
)
WEIGHT = "blocks.4x4.linear.weight"


@pytest.fixture(autouse=True)
def _calm() -> Iterator[None]:
    with one_thread():
        yield


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


def change(folder: Path, *keys: str, value: Any) -> None:
    """Set one value deep in `config.json` and keep its checksums right, as somebody who means harm would."""
    config = json.loads((folder / "config.json").read_text())
    inner = config
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    try:
        write_config({k: v for k, v in config.items() if k != "sha256"}, folder)
    except (TypeError, ValueError, AttributeError):
        (folder / "config.json").write_text(json.dumps(config))


def resign(folder: Path) -> None:
    """Give `config.json` the checksums of the files as they are."""
    config = json.loads((folder / "config.json").read_text())
    write_config({k: v for k, v in config.items() if k != "sha256"}, folder)


class TestConfiguration:
    @pytest.mark.parametrize(
        ("keys", "value", "words"),
        [
            (("parts", "generator", "name"), "os:system", "is no registry name"),
            (("parts", "generator", "name"), "zoo_plugins.dcgan.networks:DCGANGenerator", "is no registry name"),
            (("parts", "generator", "name"), "../dcgan", "is no registry name"),
            (("parts", "generator", "name"), "nothing", "unknown generator 'dcgan-zoo:nothing'"),
            (("parts", "generator", "distribution"), "x; rm -rf /", "is no distribution"),
            (("parts", "generator", "distribution"), "--index-url=http://e.vil", "is no distribution"),
            (("parts", "generator", "options", "target"), "os:system", "unknown option"),
            (("parts", "generator", "options", "width"), "4", "must be int"),
            (("parts", "generator", "options", "width"), True, "must be int"),
            (("parts", "generator", "options", "width"), 4.5, "must be int"),
            (("parts", "generator", "options", "width"), -4, "at least 1"),
            (("parts", "generator", "options", "norm_eps"), None, "must be float"),
            (("parts", "generator", "options"), [], "must be an object"),
            (("parts", "generator", "extra"), 1, "unknown key 'parts.generator.extra'"),
            (("parts", "generator"), None, r"parts\.generator must be an object"),
            (("parts",), {}, r"parts\.generator is missing"),
            (("parts", "generator", "kind"), "losses", r"parts\.generator\.kind is 'losses'"),
            (("parts", "generator", "kind"), "discriminators", r"parts\.generator\.kind is 'discriminators'"),
            (
                ("parts", "loss"),
                {"kind": "losses", "name": "hinge", "distribution": "x", "options": {}},
                "valid: generators",
            ),
            (("parts", "../x"), {}, "is no role"),
            (("auto_map",), {"AutoModel": "evil.Model"}, "unknown key 'auto_map'"),
            (("image", "size"), 10**9, "the most is"),
            (("image", "size"), "16", "must be a whole number"),
            (("image", "size"), 0, "at least 1"),
            (("image", "channels"), True, "must be a whole number"),
            (("image", "depth"), 3, "unknown key"),
            (("latent", "distribution"), "cauchy", "valid: normal, uniform"),
            (("latent", "distribution"), ["normal"], "must be a text"),
            (("classes",), ["a", 1], r"classes\.1 must be a text"),
            (("classes",), ["a"], "has 1 names"),
            (("format",), 99, "reads up to 2"),
            (("format",), 0, "never existed"),
            (("format",), True, "states no format"),
            (("format",), 10**400, "more than 300 digits"),
            (("provenance", "images"), "many", "must be a whole number"),
            (("provenance", "dataset"), {"count": "<script>"}, "must be a whole number"),
            (("recipe",), {"code": "x"}, "unknown key"),
            (("weights",), {}, "must be a text"),
        ],
    )
    def test_what_it_says_is_checked(self, keys: tuple[str, ...], value: Any, words: str, small_model: Path) -> None:
        change(small_model, *keys, value=value)
        with pytest.raises(ModelError, match=words):
            zoo.load(small_model)

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 1_000_000,
            '{"a":' * 1_000_000,
            "[" * 400 + "]" * 400,
            '{"format": 1, "format": 1}',
            '{"format": NaN}',
            '{"format": 1e999}',
            '{"format": ' + "9" * 10_000 + "}",
            '"\\ud800"',
            "",
            "null",
            "[]",
            "\x00\x00",
            "{'format': 1}",
            '{"format": 1}' + " " * (2 << 20),
        ],
    )
    def test_json_that_is_a_trap(self, text: str, small_model: Path) -> None:
        (small_model / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"config\.json"):
            zoo.load(small_model)

    def test_text_that_is_no_unicode(self, small_model: Path) -> None:
        (small_model / "config.json").write_bytes(b'{"format": 1, "weights": "\xff\xfe"}')
        with pytest.raises(ModelError, match="cannot be read"):
            zoo.load(small_model)

    def test_a_missing_plugin_is_named(self, small_model: Path) -> None:
        change(small_model, "parts", "generator", "distribution", value="zoo-sngan")
        with pytest.raises(PluginError, match=r"of zoo-sngan, which is not installed\n.*pip install zoo-sngan"):
            zoo.load(small_model)

    def test_a_distribution_may_be_spelt_otherwise(self, small_model: Path) -> None:
        before = zoo.load(small_model).sample(2)
        change(small_model, "parts", "generator", "distribution", value="DCGAN_zoo")
        assert torch.equal(zoo.load(small_model).sample(2), before)

    def test_an_earlier_format_is_upgraded(self, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = zoo.load(small_model).sample(2)
        change(small_model, "format", value=0)

        def upgrade(config: dict[str, Any]) -> dict[str, Any]:
            return {**config, "format": 2}

        monkeypatch.setattr("zoo.models.config.UPGRADES", {0: upgrade})
        assert torch.equal(zoo.load(small_model).sample(2), before)

    def test_a_change_of_what_it_draws_is_noticed(self, small_model: Path) -> None:
        config = json.loads((small_model / "config.json").read_text())
        config["latent"]["distribution"] = "uniform"
        (small_model / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match="was changed since"):
            zoo.load(small_model)

    def test_words_may_be_edited_by_hand(self, small_model: Path) -> None:
        config = json.loads((small_model / "config.json").read_text())
        config["provenance"]["dataset"]["credit"] = "somebody else"
        (small_model / "config.json").write_text(json.dumps(config, indent=1))
        zoo.load(small_model)


class TestMemory:
    @pytest.mark.parametrize("option", ["width", "max_width", "latent_dim"])
    @pytest.mark.parametrize("number", [10**9, 2**31, 2**62, 10**30])
    def test_huge_numbers_cost_nothing(self, option: str, number: int, small_model: Path) -> None:
        change(small_model, "parts", "generator", "options", "max_width", value=number)
        change(small_model, "parts", "generator", "options", option, value=number)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if option == "max_width":  # a bound that nothing reaches is no size
            change(small_model, "parts", "generator", "options", "width", value=number)
        with pytest.raises(ModelError):
            zoo.load(small_model)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB

    def test_a_wide_network_is_compared_without_memory(self, small_model: Path) -> None:
        change(small_model, "parts", "generator", "options", "width", value=60_000)
        with pytest.raises(ModelError, match=r"its configuration wants \[\d+"):
            zoo.load(small_model)

    def test_layers_without_end_are_stopped(self, small_model: Path) -> None:
        class Endless(Generator):
            def __init__(self, *, image: Any, layers: int = 1) -> None:
                super().__init__(image=image, latent_dim=4)
                self.layers = torch.nn.ModuleList()
                for _ in range(layers):
                    self.layers.append(torch.nn.ReLU())

            def forward(self, z: Any, labels: Any = None) -> Any:
                return z

            def stages(self) -> dict[str, Any]:
                return {}

        module = sys.modules[__name__]
        module.Endless = Endless  # type: ignore[attr-defined]
        with zoo.registry.add(Plugin(generators={"endless": f"{__name__}:Endless"})):
            endless = {"kind": "generators", "name": "endless", "distribution": "local", "options": {"layers": 10**9}}
            change(small_model, "parts", "generator", value=endless)
            with pytest.raises(ModelError, match="more than 100,000 modules and tensors"):
                zoo.load(small_model)
        assert not torch.nn.modules.module._global_parameter_registration_hooks

    def test_what_a_constructor_throws_is_told(self, small_model: Path) -> None:
        change(small_model, "parts", "generator", "options", "width", value=2**63)
        with pytest.raises(ModelError):
            zoo.load(small_model)


class TestWeights:
    def tensors(self, folder: Path) -> dict[str, torch.Tensor]:
        return load_file(folder / "generator.safetensors")

    def store(self, tensors: dict[str, torch.Tensor], folder: Path) -> None:
        save_file(tensors, folder / "generator.safetensors")
        resign(folder)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_numbers_that_are_not_finite(self, value: float, small_model: Path) -> None:
        tensors = self.tensors(small_model)
        tensors[WEIGHT].view(-1)[-1] = value
        self.store(tensors, small_model)
        with pytest.raises(ModelError, match="not finite"):
            zoo.load(small_model)

    def test_what_is_not_finite_is_not_written(self, small_model: Path, tmp_path: Path) -> None:
        model = zoo.load(small_model)
        with torch.no_grad():
            next(model.generator.parameters()).view(-1)[0] = float("inf")
        with pytest.raises(ModelError, match=r"generator\.safetensors: .* holds numbers that are not finite"):
            model.save_pretrained(tmp_path / "new")
        assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == []

    def test_what_does_not_fit_into_memory_says_so(self, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.models.building.free_memory", lambda device: 1000)
        with pytest.raises(ModelError, match=r"its weights need [\d.]+ kB of memory, and 1.0 kB are free"):
            zoo.load(small_model)

    def test_large_numbers_are_finite(self, small_model: Path) -> None:
        tensors = self.tensors(small_model)
        tensors[WEIGHT].fill_(3e38)  # their sum is not
        self.store(tensors, small_model)
        model = zoo.load(small_model)
        assert model.generator.state_dict()[WEIGHT].max() > 2e38
        with torch.no_grad():  # what batch normalization would bring back
            for name, tensor in model.generator.state_dict().items():
                if "weight" in name:
                    tensor.copy_(tensor.sign() * 3e38)
        with pytest.raises(ModelError, match="this model draws numbers that are not finite"):
            model.sample(32)

    def test_a_variance_is_not_negative(self, small_model: Path) -> None:
        tensors = self.tensors(small_model)
        name = next(name for name in tensors if name.endswith("running_var"))
        tensors[name][0] = -1e-9
        self.store(tensors, small_model)
        with pytest.raises(ModelError, match=f"{name} holds variances below 0"):
            zoo.load(small_model)

    def test_missing_unexpected_and_misshapen(self, small_model: Path) -> None:
        tensors = self.tensors(small_model)
        first = WEIGHT
        for changed, words in (
            ({name: t for name, t in tensors.items() if name != first}, "missing"),
            ({**tensors, "evil\x1b[2J": torch.zeros(1)}, r"unexpected: evil\\x1b"),
            ({**tensors, first: tensors[first][..., :-1].contiguous()}, "its configuration wants"),
            ({**tensors, first: tensors[first].to(torch.int64)}, "is int64"),
        ):
            self.store(changed, small_model)
            with pytest.raises(ModelError, match=words):
                zoo.load(small_model)

    def test_other_widths_of_numbers_are_taken(self, small_model: Path) -> None:
        tensors = self.tensors(small_model)
        for dtype in (torch.float64, torch.bfloat16, torch.float16):
            self.store({n: t.to(dtype) if t.is_floating_point() else t for n, t in tensors.items()}, small_model)
            loaded = zoo.load(small_model).generator.state_dict()
            assert {t.dtype for t in loaded.values()} <= {torch.float32, torch.int64}
            assert torch.equal(loaded[WEIGHT], tensors[WEIGHT].to(dtype).float())

    @pytest.mark.parametrize(
        "header",
        [
            {
                "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
                "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
            },
            {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 1 << 60]}},
            {"a": {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 16]}},
            {"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}},
            {"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}},
            {"a": {"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]}},
            {"a": {"dtype": "PICKLE", "shape": [4], "data_offsets": [0, 16]}},
            {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}},
            {"a": {"dtype": "F32", "shape": [4]}},
            {"a": None},
            [],
            {"a": {"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]}},
        ],
    )
    def test_headers_that_lie(self, header: Any, small_model: Path) -> None:
        text = json.dumps(header).encode()
        (small_model / "generator.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
        resign(small_model)
        with pytest.raises(ModelError, match=r"generator\.safetensors"):
            zoo.load(small_model)

    @pytest.mark.parametrize("start", [0, 1, 2**63, 2**64 - 1, 10**8, 17 << 20])
    def test_lengths_that_lie(self, start: int, small_model: Path) -> None:
        data = (small_model / "generator.safetensors").read_bytes()
        (small_model / "generator.safetensors").write_bytes(struct.pack("<Q", start) + data[8:])
        resign(small_model)
        with pytest.raises(ModelError, match="is damaged"):
            zoo.load(small_model)

    def test_a_header_nested_without_end(self, small_model: Path) -> None:
        text = b'{"a":' + b"[" * 1_000_000
        (small_model / "generator.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
        resign(small_model)
        with pytest.raises(ModelError, match="is damaged"):
            zoo.load(small_model)

    @pytest.mark.parametrize("what", ["empty", "folder", "pickle", "fifo", "/dev/zero", "gone", "loop"])
    def test_files_that_are_none(self, what: str, small_model: Path, tmp_path: Path) -> None:
        for name in ("generator.safetensors", "config.json"):
            folder = Path(shutil.copytree(small_model, tmp_path / f"{name}-copy"))
            file = folder / name
            file.unlink()
            if what == "empty":
                file.touch()
            elif what == "folder":
                file.mkdir()
            elif what == "pickle":
                file.write_bytes(pickle.dumps(Bomb(tmp_path / "mark")))
            elif what == "fifo":
                os.mkfifo(file)
            elif what == "loop":
                file.symlink_to(file)
            elif what != "gone":
                file.symlink_to(what)
            with pytest.raises(zoo.ZooError):
                zoo.load(folder)
        assert not (tmp_path / "mark").exists()


class TestRepositories:
    def upload(self, hub: HubServer, files: dict[str, bytes | None], repo: str = "ada/small") -> None:
        stored = {
            n: None if d is None else hub.store.put(d, lfs=n.endswith((*PICKLES, ".safetensors"))) for n, d in files.items()
        }
        hub.store.commit(repo, "main", None, "x", stored)

    def test_pickles_beside_are_never_fetched(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        from zoo.progress import Reporter

        class Listening(Reporter):
            heard = ""

            def warn(self, text: str) -> None:
                self.heard += text

        bomb = pickle.dumps(Bomb(tmp_path / "mark"))
        zoo.push(small_model, "ada/small")
        self.upload(hub, dict.fromkeys(PICKLES, bomb))
        report = Listening()
        found = zoo.pull("ada/small", to=tmp_path / "mine", report=report)
        assert found.refused == tuple(sorted(PICKLES))
        assert "refused, for such files can run code" in report.heard
        assert not any(name in path for _, path, _ in hub.log for name in PICKLES if "/resolve/" in path)
        assert not {path.name for path in found.folder.iterdir()} & set(PICKLES)
        assert not (tmp_path / "mark").exists()

    @pytest.mark.parametrize("name", PICKLES)
    def test_pickles_instead_are_refused(self, name: str, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        hub.store.create("ada/bad", private=False)
        bomb = pickle.dumps(Bomb(tmp_path / "mark"))
        self.upload(hub, {name: bomb, "config.json": (small_model / "config.json").read_bytes()}, "ada/bad")
        with pytest.raises(ModelError, match=rf"no generator\.safetensors; it has {name}, which can run code"):
            zoo.pull("ada/bad")
        assert hub.count("GET", "^/lfs/") == 0
        assert not (tmp_path / "mark").exists()

    def test_names_that_lead_elsewhere(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        zoo.push(small_model, "ada/small")
        evil = (
            "../../escaped",
            "/etc/escaped",
            "a/../../escaped",
            "CON",
            "nul.safetensors",
            "..\\escaped",
            "a\x00b",
            "C:\\x",
        )
        self.upload(hub, dict.fromkeys(evil, b"x"))
        found = zoo.pull("ada/small", to=tmp_path / "mine")
        assert not list(tmp_path.rglob("*escaped*"))
        assert not Path("/etc/escaped").exists()
        assert len(list(found.folder.iterdir())) == 5

    def test_files_too_large_are_not_fetched(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        self.upload(hub, {"config.json": b" " * (2 << 20)})
        hub.log.clear()
        with pytest.raises(ModelError, match=r"config\.json has 2,097,152 bytes; the most is"):
            zoo.pull("ada/small")
        assert hub.count("GET", "/resolve/") == 0

    def test_a_bad_configuration_stops_the_pull_before_the_weights(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        self.upload(hub, {"config.json": b"[" * 900_000})
        with pytest.raises(ModelError, match=r"nested too deeply|cannot be read"):
            zoo.pull("ada/small")
        assert hub.count("GET", "^/lfs/") == 0

    def test_a_card_with_scripts_is_not_passed_on(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        change(small_model, "provenance", "dataset", "credit", value="<script>alert(1)</script>")
        (small_model / "README.md").write_text("<script>alert(1)</script>")
        zoo.push(small_model, "ada/small")
        card = (zoo.pull("ada/small").folder / "README.md").read_text()
        assert "<script>" not in card
        assert "&lt;script&gt;" in card


class Patch(Generator):
    """So small that two thousand of it are loaded in seconds."""

    def __init__(self, *, image: ImageSpec, latent_dim: int = 3, eps: float = 1e-5, gain: float = 1.0) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.linear = torch.nn.Linear(latent_dim, image.channels * image.size**2)
        self.norm = torch.nn.BatchNorm1d(image.channels * image.size**2, eps)
        self.gain = gain

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        out: torch.Tensor = torch.tanh(self.gain * self.norm(self.linear(z))).unflatten(1, self.image.shape)
        return out

    def stages(self) -> dict[str, torch.nn.Module]:
        return {}


@pytest.fixture(params=[("dcgan", 300), ("patch", 1700)], ids=lambda p: p[0])
def fuzzed(request: pytest.FixtureRequest, small_model: Path, tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A model folder to change, and how often."""
    name, rounds = request.param
    with zoo.registry.add(Plugin(generators={"patch": f"{__name__}:Patch"})):
        if name == "dcgan":
            yield small_model, rounds
            return
        config = json.loads((small_model / "config.json").read_text())
        image = ImageSpec(4)
        options = {"latent_dim": 3, "eps": 1e-5, "gain": 1.0}
        patch = {"kind": "generators", "name": name, "distribution": "local", "options": options}
        config.update(image=dict(vars(image)), parts={"generator": patch})
        model = zoo.Model(Patch(image=image).eval(), None, config)
        yield write_model(model, tmp_path / name), rounds


def test_two_thousand_changes(fuzzed: tuple[Path, int]) -> None:
    """Every outcome is the same model, or a `ZooError`; seeded, so that a failure can be had again."""
    folder, rounds = fuzzed
    draw = random.Random(20260101)
    wanted = zoo.load(folder).sample(1)
    original = {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".json", ".safetensors")
    }
    same = refused = 0
    for number in range(rounds):
        name = draw.choice(list(original))
        how = draw.choice(MUTATIONS[name.rpartition(".")[2]])
        (folder / name).write_bytes(how(original[name], draw))
        try:
            assert torch.equal(zoo.load(folder).sample(1), wanted), (number, how.__name__)
            same += 1
        except zoo.ZooError:
            refused += 1
        (folder / name).write_bytes(original[name])
    assert same + refused == rounds
    assert same > rounds / 100
    assert refused > rounds / 2


def flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 5))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def insert(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:]


def move(data: bytes, draw: random.Random) -> bytes:
    a, b = sorted(draw.randrange(len(data)) for _ in range(2))
    return data[b:] + data[a:b] + data[:a]


def replace_header(data: bytes, draw: random.Random) -> bytes:
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    entry = header[draw.choice([key for key in header if key != "__metadata__"])]
    key = draw.choice(list(entry))
    entry[key] = draw.choice(VALUES)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def replace_value(data: bytes, draw: random.Random) -> bytes:
    config = json.loads(data)
    inner: Any = config
    while True:
        key = draw.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        if isinstance(inner[key], dict | list) and inner[key] and draw.random() < 0.8:
            inner = inner[key]
            continue
        inner[key] = draw.choice(VALUES)
        return json.dumps(config).encode()


def drop_key(data: bytes, draw: random.Random) -> bytes:
    config = json.loads(data)
    inner = config
    while True:
        key = draw.choice(list(inner))
        if isinstance(inner[key], dict) and inner[key] and draw.random() < 0.6:
            inner = inner[key]
            continue
        del inner[key]
        return json.dumps(config).encode()


def spread(data: bytes, draw: random.Random) -> bytes:
    return json.dumps(json.loads(data), indent=draw.randrange(9)).encode()


VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    3,
    10**9,
    10**40,
    1.5,
    1e308,
    "",
    "x",
    "../x",
    "os:system",
    [],
    [[]],
    {},
    {"a": {}},
    [1] * 50,
]
MUTATIONS: dict[str, list[Callable[[bytes, random.Random], bytes]]] = {
    "json": [flip, cut, insert, replace_value, replace_value, drop_key, spread],
    "safetensors": [flip, flip, cut, insert, move, replace_header],
}
