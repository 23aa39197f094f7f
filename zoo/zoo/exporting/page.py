"""A model as one page of HTML, which draws in the browser and asks nobody for anything.

Generator, runtime, style and scripts stand in the page itself. Its Content-Security-Policy names the two scripts by their
checksums and forbids every request, so nothing that a name or a credit holds is run, and nothing leaves the page.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup
from torch import Tensor

from zoo_core import Generator, ModelError, ZooError

from ..models.model import Model
from ..packs import to_uint8
from ..progress import Reporter
from ..reports.page import TEMPLATES
from ..reports.page import write_page as render_page
from ..reports.pictures import data_url, grid
from .checks import MOST
from .directions import find_directions
from .graphs import checksum, describe_model, require_extra, trace_generator
from .runtime import LICENSE, NAME, VERSION, find_runtime
from .shrinking import Shrunk, shrink

HERE = Path(__file__).with_name("explorer")
SCRIPTS = ("latents.js", "drawing.js", "page.js")
LIMIT = 25_000_000
"""Most bytes of a page, above which it says so."""

SAMPLES = 16
"""Pictures that a page shows at first."""

REACH = 6.0  # standard deviations of a latent's number that a slider goes to either side
_STANDARD_DEVIATION = {"normal": 1.0, "uniform": 3**-0.5}
_EXPORTS = re.compile(r"export\s*\{([^{}]*)\};?\s*(?://# sourceMappingURL=.*\s*)?$")


def write_page(
    model: Model, path: Path, *, runtime: Path | None = None, source: str = "", report: Reporter | None = None
) -> Path:
    """Write the page, whole or not at all. `source` is what the model is called elsewhere, if anything.

    Raises `ModelError` where the generator cannot be a graph, draws its latents in a way of its own, or no gray or color
    pictures; `ZooError` where the extra or the runtime is missing or the place cannot be written.
    """
    require_extra()
    report = report or Reporter()
    generator = model.generator
    if type(generator).sample_latent is not Generator.sample_latent:
        raise ModelError(
            f"a page cannot draw the latents of {type(generator).__name__}, which has a way of its own (sample_latent)",
            hint="ONNX can: --to onnx",
        )
    if model.image.channels not in (1, 3):
        raise ModelError(
            f"a page shows gray and color pictures, and this model's have {model.image.channels} channels",
            hint="ONNX can: --to onnx",
        )
    loaded = find_runtime(runtime, report=report)
    with report.task("exporting", 3, "steps") as task:
        graph = trace_generator(model)
        task.update(1)
        shrunk = shrink(graph, model)
        task.update(2)
        path = render_page(path, HERE / "page.html", **_content(model, shrunk, loaded.script, loaded.program, source))
        task.update(3)
    if path.stat().st_size > LIMIT:
        report.warn(f"{path} has {path.stat().st_size / 1e6:.1f} MB: browsers will take a while to open it")
    return path


def _content(model: Model, shrunk: Shrunk, script: str, program: bytes, source: str) -> dict[str, Any]:
    """Return all that the template names."""
    facts, classes = describe_model(model), _classes(model)
    samples = to_uint8(model.sample(SAMPLES))
    directions = find_directions(model.generator)
    style = (TEMPLATES / "style.css").read_text("utf-8") + (HERE / "style.css").read_text("utf-8")
    scripts = {"script": _as_global(script), "own": "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)}
    kind = "" if "dataset" not in facts else f" of {facts['dataset']}"
    notices = _notices()
    return {
        "title": f"{facts.get('recipe', type(model.generator).__name__)}{kind}, {model.image.size}×{model.image.size}",
        "lead": f"A generator that draws in your browser, each picture from {model.generator.latent_dim} random numbers. "
        "Nothing is fetched, and nothing leaves this page.",
        "policy": _policy(style, scripts.values()),
        "style": Markup(_embed(style, "style")),
        "count": SAMPLES,
        "classes": classes,
        "preview": data_url(grid(samples, scale=1)),
        "preview_alt": f"{SAMPLES} samples, drawn when this page was made",
        "directions": directions.tolist(),
        "reach": round(REACH * _STANDARD_DEVIATION[model.generator.latent], 1),
        "facts": _table(model, facts, shrunk, source),
        "runtime": f"{NAME} {VERSION}",
        "license": LICENSE.read_text("utf-8"),
        "notices": Markup(_pack(notices)) if notices else "",
        "data": Markup(_json(_facts(model, classes, directions, samples[0], shrunk))),
        "generator": Markup(_pack(shrunk.graph)),
        "program": Markup(base64.b64encode(program).decode()),
        **{name: Markup(_embed(text, "script")) for name, text in scripts.items()},
    }


def _facts(model: Model, classes: list[str], directions: Tensor, first: Tensor, shrunk: Shrunk) -> dict[str, Any]:
    """Return what the page's script knows. `proof` is number 0 of seed 0 as torch draws it, and how far another may be."""
    return {
        "size": model.image.size,
        "channels": model.image.channels,
        "latentDim": model.generator.latent_dim,
        "distribution": model.generator.latent,
        "numClasses": model.image.num_classes,
        "classes": classes,
        "directions": [[round(number, 5) for number in vector] for vector in directions.tolist()],
        "proof": {
            "pixels": base64.b64encode(first.numpy().tobytes()).decode(),
            "most": int((shrunk.cost + MOST) * 255 + 1),
        },
    }


def _classes(model: Model) -> list[str]:
    return list(model.classes) or [str(number) for number in range(model.image.num_classes)]


def _table(model: Model, facts: dict[str, str], shrunk: Shrunk, source: str) -> dict[str, str]:
    """Return what a person should know of the model, as rows of a table."""
    unknown, cost = "not stated", f"{shrunk.cost * 255:.2g}"
    images = f", {int(facts['trained_images']):,} images shown" if facts.get("trained_images", "").isdigit() else ""
    rows = {
        "Model": source,
        "Recipe": facts.get("recipe", unknown),
        "Paper": facts.get("paper", ""),
        "Trained on": facts.get("dataset", unknown) + images,
        "License of this model": facts.get("license", unknown),
        "License of the images": facts.get("dataset_license", unknown),
        "Credit for the images": facts.get("dataset_credit", unknown),
        "Began with": facts.get("parent", ""),
        "License of that model": facts.get("parent_license", unknown) if "parent" in facts else "",
        "Its images": facts.get("parent_dataset", ""),
        "License of its images": facts.get("parent_dataset_license", ""),
        "Credit for its images": facts.get("parent_dataset_credit", ""),
        "Weights": f"{shrunk.bits}; in 64 samples no pixel differs from the model's own by more than {cost}/255",
        "SHA-256 of the model's weights": checksum(model, "generator"),
        "Made with": f"zoo export, dcgan-zoo {facts['zoo_version']}; drawn by {NAME} {VERSION} (MIT)",
    }
    return {name: value for name, value in rows.items() if value}


def _as_global(module: str) -> str:
    """Return a module that hands its names on as `globalThis.ort`: a page opened from a disk cannot import another file."""
    found = _EXPORTS.search(module)
    if found is None:
        raise ZooError(f"{NAME} {VERSION} is not what it was: it exports nothing")
    pairs = [name.split(" as ") for name in found[1].split(",")]
    names = ",".join(f"{json.dumps(pair[-1].strip())}:{pair[0].strip()}" for pair in pairs)
    return f"{module[: found.start()]}globalThis.ort={{{names}}};"


def _embed(text: str, element: str) -> str:
    """Return a text that may stand in an element of the page; raises `ValueError` where it would end it."""
    if re.search(rf"</{element}|<!--", text, re.IGNORECASE):
        raise ValueError(f"this text would end the <{element}> that it stands in")
    return text


def _policy(style: str, scripts: Any) -> str:
    """Return a Content-Security-Policy that runs these scripts alone, and lets nothing be fetched."""
    sums = " ".join(map(_checksum, scripts))
    return (
        f"default-src 'none'; script-src {sums} 'wasm-unsafe-eval'; style-src {_checksum(style)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _json(value: Any) -> str:
    """Return JSON that may stand in a script element, whatever texts it holds."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _notices() -> bytes:
    """Return the notices of the parts of onnxruntime, of which the browser's program is another build; b"" without them."""
    import onnxruntime

    file = Path(onnxruntime.__file__).with_name("ThirdPartyNotices.txt")
    return file.read_bytes() if file.is_file() else b""
