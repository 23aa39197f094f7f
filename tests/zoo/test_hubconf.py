"""`torch.hub.load` of a checkout, in a process that has the packages which it names and nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import zoo
from zoo_core import UsageError, registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hubconf() -> ModuleType:
    spec = spec_from_file_location("hubconf", ROOT / "hubconf.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries(module: ModuleType) -> set[str]:
    """What torch.hub takes for entry points."""
    return {name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")}


def test_every_recipe_and_model_of_ours_is_an_entry_point(hubconf: ModuleType) -> None:
    ours = [
        e for kind in ("recipes", "models") for e in registry.entries(kind) if e.plugin.distribution.startswith("dcgan-zoo")
    ]
    assert len(ours) > 10
    assert entries(hubconf) == {entry.name.replace("-", "_") for entry in ours}
    for name in entries(hubconf):
        assert len(getattr(hubconf, name).__doc__.split()) > 5, name


def test_a_new_network_and_a_trained_one(hubconf: ModuleType) -> None:
    small = {"generator.width": 4, "discriminator.width": 4}
    made = hubconf.dcgan(size=16, seed=3, options=small)
    assert torch.equal(made.sample(2), zoo.create("dcgan", size=16, seed=3, options=small).sample(2))
    wanted = zoo.load("dcgan-faces").sample(2)
    assert torch.equal(hubconf.dcgan(pretrained=True).sample(2), wanted)
    assert torch.equal(hubconf.dcgan(pretrained="dcgan-faces").sample(2), wanted)
    assert torch.equal(hubconf.dcgan_faces().sample(2), wanted)


@pytest.mark.parametrize(
    ("name", "choices", "told"),
    [
        ("dcgan", {"pretrained": "dcgan-cats"}, "no trained dcgan comes along .* pretrained='dcgan-faces'"),
        ("dcgan", {"pretrained": True, "size": 64}, "a trained dcgan is what it is, and takes no size"),
        ("dcgan_beta09", {"pretrained": True}, "no trained dcgan-beta09 comes along .* pretrained=False, a new network"),
        ("dcgan", {"device": "gpu"}, "gpu"),
        ("dcgan", {"size": 17}, "17"),
    ],
)
def test_mistakes(hubconf: ModuleType, name: str, choices: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        getattr(hubconf, name)(**choices)


def other_packages(folder: Path) -> Path:
    """Fill a folder with links to all that is installed but ours."""
    for place in map(Path, sys.path):
        if place.is_dir() and place.name in ("site-packages", "dist-packages"):
            for found in place.iterdir():
                link = folder / found.name
                if "zoo" not in found.name and not os.path.lexists(link):
                    link.symlink_to(found)
    return folder


def run(code: str, packages: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run code where nothing is installed but what lies in a folder."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environ = {key: value for key, value in os.environ.items() if key not in left_out}
    environ |= {"PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-S", "-c", code, str(ROOT), *words]
    return subprocess.run(command, env=environ, cwd=packages.parent, capture_output=True, text=True, timeout=900)


def test_nothing_of_ours_has_to_be_installed(tmp_path: Path, hubconf: ModuleType) -> None:
    (tmp_path / "packages").mkdir()
    packages = other_packages(tmp_path / "packages")
    code = """
import importlib.util, json, sys
for name in ("torchvision", "click", "rich", "jinja2", "matplotlib", "huggingface_hub", "yaml", "lmdb", "dicebear"):
    sys.modules[name] = None  # not among the dependencies of hubconf.py
assert all(importlib.util.find_spec(name) is None for name in ("zoo_core", "zoo_plugins"))
import torch
model = torch.hub.load(sys.argv[1], "dcgan", pretrained=True, source="local")
new = torch.hub.load(sys.argv[1], "wgan_gp", source="local", size=16, options={"generator.width": 4})
images = model.sample(2, seed=1)
import zoo
from zoo_core import registry
zoo.save_grid(images, "samples.png")
print(json.dumps({
    "model": repr(model), "new": repr(new), "sum": images.sum().item(), "file": zoo.__file__,
    "twice": [entry.name for entry in registry.entries("recipes")],
}))
"""
    done = run(code, packages)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["model"].startswith("<Model dcgan: 64×64 color")
    assert told["new"].startswith("<Model wgan-gp: 16×16 color")
    assert told["sum"] == pytest.approx(zoo.load("dcgan-faces").sample(2, seed=1).sum().item(), abs=0.1)
    assert Path(told["file"]).is_relative_to(ROOT)
    assert len(told["twice"]) == len(set(told["twice"]))
    assert (tmp_path / "samples.png").is_file()


def test_a_missing_dependency_is_named_by_torch(tmp_path: Path, hubconf: ModuleType) -> None:
    (tmp_path / "packages").mkdir()
    packages = other_packages(tmp_path / "packages")
    for name in ("lazy_loader", "safetensors"):
        assert name in hubconf.dependencies
        (packages / name).unlink()
    code = "import sys, torch; torch.hub.load(sys.argv[1], 'dcgan', source='local')"
    done = run(code, packages)
    assert done.returncode == 1
    assert "Missing dependencies: lazy_loader, safetensors" in done.stderr
