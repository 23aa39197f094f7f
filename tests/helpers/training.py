"""What the tests of training share."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

import zoo
from helpers.reporters import Heard as Heard
from zoo.runs.checkpoints import checkpoints
from zoo_core import Plugin, Recipe, registry

torch.set_num_threads(1)  # such small networks are slower on more, above all beside other work

TINY = {
    "generator.width": 4,
    "generator.latent_dim": 4,
    "discriminator.width": 4,
    "training.batch": 8,
    "training.size": 16,
    "training.log_every": 3,
}
PAPER = {**TINY, "generator.kernel": 5, "generator.norm_eps": 1e-8, "discriminator.kernel": 5}


def samples() -> AbstractContextManager[None]:
    """Registers the components of `training_samples`, and recipes that use them."""
    where = "helpers.training_samples"
    small = {"training.batch": 8, "training.size": 16, "training.log_every": 3}
    plain = {"generator": "plain", "discriminator": "plain", "loss": "noted"}
    plugin = Plugin(
        generators={"plain": f"{where}:PlainGenerator", "buffered": f"{where}:BufferedGenerator"},
        discriminators={"plain": f"{where}:PlainDiscriminator"},
        losses={name: f"{where}:{name.capitalize()}" for name in ("noted", "relative", "penalized", "broken")},
        recipes=[
            Recipe("plain", **plain, options=small),
            Recipe("dropout", base="plain", options={"discriminator.noise": 0.1}),
            Recipe("linear", base="plain", options={"generator.dropout": 0.0}),
            Recipe("alternating", base="linear", options={"algorithm.updates": "alternate"}),
            Recipe("buffered", base="plain", generator="buffered"),
            Recipe("conditional", base="plain", options={"algorithm.conditional": True}),
            Recipe("relative", base="plain", loss="relative"),
            Recipe("penalized", base="linear", loss="penalized"),
            Recipe("broken", base="linear", loss="broken"),
        ],
    )
    return registry.add(plugin, distribution="samples")  # type: ignore[no-any-return]


def train(recipe: str | None, data: Path, out: Path | None, *, stop_at: float | None = None, **choices: Any) -> zoo.Run:
    """A quick training on the CPU; `stop_at` images interrupts it."""
    if recipe in ("dcgan", "dcgan-paper"):
        choices["options"] = {**(TINY if recipe == "dcgan" else PAPER), **choices.get("options", {})}
    return zoo.train(recipe, dataset="folder", data=data, out=out, **{**_quietly(stop_at), **choices})


def resume(run: Path, *, stop_at: float | None = None, **choices: Any) -> zoo.Run:
    return zoo.train(resume=run, **{**_quietly(stop_at), **choices})


def train_by_halves(recipe: str, data: Path, out: Path, options: dict[str, Any], *, images: int = 32) -> zoo.Model:
    """Train in one go and in two, four minibatches of images of 16 pixels; both must be the same, bit for bit."""
    how: dict[str, Any] = {"options": {"generator.width": 4, "discriminator.width": 4, **options}, "watch": False}
    how |= {"size": 16, "batch": images // 4}
    whole = train(recipe, data, out / "whole", images=images, **how)
    half = train(recipe, data, out / "half", images=images // 2, **how)
    resume(half.path, images=images, watch=False)
    assert differing(whole.path, half.path) == []
    return zoo.load(whole.path)


def _quietly(stop_at: float | None) -> dict[str, Any]:
    return {"device": "cpu", "precision": "fp32", "report": Heard(stop_at), "workers": 1}


def newest(run: Path) -> Path:
    return checkpoints(run / "checkpoints")[-1]


def tensors(run: Path) -> dict[str, Tensor]:
    """Everything that the newest checkpoint holds: weights, average, moments, random states."""
    return {f"{f.stem}/{key}": t for f in newest(run).glob("*.safetensors") for key, t in load_file(f).items()}


def differing(one: Path, other: Path) -> list[str]:
    """Names of the tensors and counters that are not the same, bit for bit, in two runs' newest checkpoints."""
    a, b = tensors(one), tensors(other)
    wrong = sorted(set(a) ^ set(b)) + [key for key in sorted(set(a) & set(b)) if not torch.equal(a[key], b[key])]
    states = [json.loads((newest(run) / "state.json").read_text()) for run in (one, other)]
    ignored = ("seconds", "sha256")
    return wrong + [key for key in states[0] if key not in ignored and states[0][key] != states[1][key]]


def readings(run: Path) -> list[dict[str, float]]:
    """The lines of `metrics.jsonl` with losses, without what the clock says."""
    return [line for line in _lines(run) if "d_loss" in line or "g_loss" in line]


def measures(run: Path) -> list[dict[str, float]]:
    """The other lines of `metrics.jsonl`, without what the clock says."""
    return [line for line in _lines(run) if "d_loss" not in line and "g_loss" not in line]


def _lines(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "images_per_s")} for line in lines]


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".unfinished")]
