"""A model as a folder of ONNX files: generator.onnx, discriminator.onnx where it has one, and README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo_core import UsageError

from ..files import atomic_folder
from ..models.card import escape
from ..models.model import Model
from ..progress import Reporter
from .checks import check_discriminator, check_generator
from .graphs import describe_graph, describe_model, require_extra, set_metadata, trace_discriminator, trace_generator

_USE = """```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
latents = {draw}.astype(np.float32)
images = session.run(["images"], {inputs})[0]  # {pixels}
```"""


def write_onnx(model: Model, folder: Path, *, pixels: str = "float", report: Reporter | None = None) -> Path:
    """Write a new folder of ONNX files, whole or not at all, each compared with torch by onnxruntime first.

    Raises `UsageError` where `folder` exists, `ModelError` where a network cannot be a graph or computes something else
    there, `ZooError` where the extra is missing or the place cannot be written.
    """
    require_extra()
    import onnx

    report = report or Reporter()
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="choose another folder, or remove it first")
    worst: dict[str, float] = {}
    with report.task("exporting", len(_roles(model)), "networks") as task, atomic_folder(folder) as new:
        for done, role in enumerate(_roles(model), 1):
            trace, check = _STEPS[role]
            graph = trace(model, pixels)
            set_metadata(graph, describe_graph(model, role, pixels))
            file = new / f"{role}.onnx"
            file.write_bytes(graph.SerializeToString(deterministic=True))
            onnx.checker.check_model(str(file))
            worst[role] = check(file, model, pixels)
            task.update(done)
        (new / "README.md").write_text(_card(model, pixels, worst), encoding="utf-8")
    left = sorted(set(model.others))
    if left:
        report.note(f"not exported: {', '.join(left)}, which is no generator and no discriminator")
    return folder


_STEPS: dict[str, Any] = {
    "generator": (trace_generator, check_generator),
    "discriminator": (trace_discriminator, check_discriminator),
}


def _roles(model: Model) -> list[str]:
    return [role for role in _STEPS if role in model.networks and role not in model.others]


def _card(model: Model, pixels: str, worst: dict[str, float]) -> str:
    """Return the folder's README: what it is, what goes in and out, whose it is."""
    facts, image = describe_model(model), model.image
    normal = f"np.random.default_rng(0).standard_normal((16, {model.generator.latent_dim}))"
    uniform = f"np.random.default_rng(0).uniform(-1, 1, (16, {model.generator.latent_dim}))"
    shape = f"[16, {', '.join(map(str, image.shape))}] in [−1, 1]"
    if pixels == "uint8":
        shape = f"[16, {image.size}, {image.size}, {image.channels}], 0 to 255"
    labels = f', "labels": np.arange(16) % {image.num_classes}' if image.num_classes else ""
    use = _USE.format(
        draw=uniform if model.generator.latent == "uniform" else normal,
        inputs=f'{{"latents": latents{labels}}}',
        pixels=f"{'float32' if pixels == 'float' else 'uint8'} {shape}",
    )
    rows = {key.replace("_", " "): value for key, value in facts.items()}
    rows["largest difference of a pixel from torch's"] = f"{worst['generator'] * 255:.2g}/255"
    if "discriminator" in worst:
        rows["largest difference of a logit from torch's"] = f"{worst['discriminator']:.1g} of the largest logit"
    table = "\n".join(f"| {escape(key)} | {escape(value)} |" for key, value in rows.items())
    title = f"# {escape(facts.get('recipe', 'a generator'))} as ONNX"
    return "\n".join((title, "", use, "", "| | |", "|---|---|", table, ""))
