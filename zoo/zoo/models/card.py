"""The model card: README.md of a model folder. Says only what the run or the user said.

Whatever a person or a configuration wrote is escaped, so that a card shows it and never obeys it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import ModelError

from .config import read_json

if TYPE_CHECKING:
    from .model import Model

UNKNOWN = "not stated"
LIBRARY = "dcgan-zoo"
PIPELINE = "unconditional-image-generation"
METRICS = "metrics.json"
METRICS_LIMIT = 1 << 20
LARGEST = 1e300
"""What a metric is below; beyond it, it is no result."""

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_TAG = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def model_card(
    model: Model,
    *,
    place: str = "FOLDER",
    metrics: Mapping[str, Any] | None = None,
    curves: bool = False,
    report: bool = False,
) -> str:
    """The card of a model: Markdown with a YAML header that the Hugging Face Hub reads.

    Args:
        model: what it is about.
        place: what `zoo.load` is told in the example: a Hub name, or "FOLDER".
        metrics: what `read_metrics` gave.
        curves, report: whether `curves.png` and `report.html` lie beside the card.
    """
    from huggingface_hub import ModelCard

    config = model.config
    provenance: dict[str, Any] = config.get("provenance", {})
    image = model.image
    name = _name(config)
    command = provenance.get("command")
    comment = "" if place != "FOLDER" else "  # where this folder lies"
    parts = [
        f"# {escape(name)}, {image.size}×{image.size}",
        "![64 samples](samples.png)",
        "Drawn by the averaged generator from 64 latents, none of them chosen."
        if "average" in config.get("weights", "")
        else "Drawn from 64 latents, none of them chosen.",
        _table(_facts(model)),
        "## Use it",
        _fence(
            f'import zoo\n\nmodel = zoo.load("{place}"){comment}\nzoo.save_grid(model.sample(64, seed=1), "samples.png")',
            "python",
        ),
        "Needs `pip install dcgan-zoo`. The weights are safetensors; nothing in this folder is code.",
        *(["## What was measured", *(_measured(block) for block in _blocks(metrics))] if metrics else []),
        *_training(config),
        *(["![losses against images shown](curves.png)"] if curves else []),
        *(
            ["[The whole report](report.html): walks, neighbors, features, measures, and how to repeat them."]
            if report
            else []
        ),
        *(["## Train it again", _fence(str(command), "sh")] if command else []),
        "## Limits",
        _limits(model, metrics),
    ]
    header = f"---\n{_metadata(model, metrics).to_yaml()}\n---\n\n"
    return str(ModelCard(header + "\n\n".join(parts) + "\n", ignore_metadata_errors=True))


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """`metrics.json` of a folder: {"metrics": {"fid": 12.3, …}, "spread": {"fid": 0.2, …}, "protocol": {…}, "others": […]};
    None where there is none. `spread` and `others`, results of other protocols in the same form, may be missing.

    Raises:
        ModelError: it is something else.
    """
    file = folder / METRICS
    if not file.exists():
        return None
    found = read_json(file, METRICS_LIMIT)
    if not isinstance(found, dict) or any(not isinstance(found.get(key), dict) for key in ("metrics", "protocol")):
        raise ModelError(f'{file} must hold {{"metrics": {{…}}, "protocol": {{…}}}}', hint="zoo evaluate writes it")
    return found


def escape(text: object) -> str:
    """A text of anybody's as one line of Markdown that shows it as it stands: no markup, no HTML, no links."""
    line = " ".join(str(text).split())
    line = "".join(c for c in line if c.isprintable())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def _name(config: Mapping[str, Any]) -> str:
    return str((config.get("recipe") or {}).get("name") or config["parts"]["generator"]["name"])


def _metadata(model: Model, metrics: Mapping[str, Any] | None) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    config = model.config
    provenance = config.get("provenance", {})
    dataset = (provenance.get("dataset") or {}).get("name")
    dataset = dataset if _TAG.fullmatch(dataset or "") else None
    name = _name(config)
    shown = [name] if _TAG.fullmatch(name) and name not in (LIBRARY, "gan") else []
    tags = [LIBRARY, "gan", *shown, f"{model.image.size}x{model.image.size}"]
    results = (
        [
            EvalResult(
                task_type=PIPELINE,
                dataset_type=str(block["protocol"].get("dataset") or dataset),
                dataset_name=str(block["protocol"].get("dataset") or dataset),
                metric_type=key,
                metric_name=_title(key),
                metric_value=value,
                metric_args=dict(block["protocol"]),
            )
            for block in _blocks(metrics)
            for key, value in _numbers(block)
            if block["protocol"].get("dataset") or dataset  # a result without its data is none
        ]
        if metrics
        else []
    )
    return ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=PIPELINE,
        tags=tags,
        datasets=[dataset] if dataset else None,
        license=provenance.get("license") or None,
        model_name=name if results else None,
        eval_results=results or None,
    )


def _facts(model: Model) -> dict[str, Any]:
    config, image = model.config, model.image
    provenance: dict[str, Any] = config.get("provenance", {})
    data: dict[str, Any] = provenance.get("dataset") or {}
    kind = "gray" if image.channels == 1 else "color"
    count = f" ({data['count']:,} images)" if "count" in data else ""
    return {
        "Recipe": _name(config),
        "Paper": (config.get("recipe") or {}).get("paper") or UNKNOWN,
        "Images": f"{image.size}×{image.size}, {kind}",
        "Labels": ", ".join(model.classes) or image.num_classes if image.num_classes else "none",
        "Latents": f"{model.generator.latent_dim} numbers, {model.generator.latent} distribution",
        **{role.capitalize(): _component(part) for role, part in config["parts"].items()},
        **({} if "discriminator" in config["parts"] else {"Discriminator": "not included"}),
        "Weights": config.get("weights", UNKNOWN),
        "Batch-norm statistics": config.get("batch_norm", UNKNOWN),
        "Trained on": f"{data.get('name') or UNKNOWN}{count}",
        "License of the images": data.get("license") or UNKNOWN,
        "Credit for the images": data.get("credit") or UNKNOWN,
        "License of this model": provenance.get("license") or UNKNOWN,
    }


def _training(config: Mapping[str, Any]) -> list[str]:
    provenance: Mapping[str, Any] = config.get("provenance", {})
    rows: dict[str, Any] = {
        "Real images shown": f"{provenance['images']:,}" if "images" in provenance else UNKNOWN,
        "Seed": provenance.get("seed", UNKNOWN),
    }
    if isinstance(config.get("algorithm"), dict):
        rows["Algorithm"] = _component(config["algorithm"])
    for role, part in (provenance.get("losses") or {}).items():
        if isinstance(part, dict):
            rows[role.capitalize()] = _component(part)
    for part, settings in (provenance.get("optimizer") or {}).items():
        if isinstance(settings, dict):
            kind = settings.get("kind", "adam")
            shown = ", ".join(f"{key} {value}" for key, value in settings.items() if key != "kind")
            rows[f"Optimizer of the {part}"] = f"{kind}, {shown}"
    rows.update({f"training.{key}": value for key, value in (provenance.get("training") or {}).items()})
    if provenance.get("torch"):
        rows["torch"] = provenance["torch"]
    return ["## How it was trained", _table(rows)]


def _limits(model: Model, metrics: Mapping[str, Any] | None) -> str:
    size = model.image.size
    lines = [
        f"- It draws {size}×{size} pictures of what it was trained on, and nothing else.",
        "- A GAN learns what its data show and how often: gaps and leanings of the data are in its pictures too.",
        "- Whether it repeats training images was not measured here." if not _has(metrics, "memor") else "",
        "- No measure of quality was taken: judge it by the samples." if not metrics else "",
        "- Its parameters are stored in bfloat16, 8 bits of precision, and computed in float32."
        if "bfloat16" in model.config.get("weights", "")
        else "",
    ]
    return "\n".join(line for line in lines if line)


def _has(metrics: Mapping[str, Any] | None, word: str) -> bool:
    return any(word in key for block in _blocks(metrics or {}) for key in block["metrics"])


def _blocks(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Results, each with the protocol that is its own."""
    others = metrics.get("others")
    found = [metrics, *(others if isinstance(others, list) else [])]
    return [
        block
        for block in found
        if isinstance(block, dict) and all(isinstance(block.get(key), dict) for key in ("metrics", "protocol"))
    ]


def _measured(metrics: Mapping[str, Any]) -> str:
    spread = metrics.get("spread")
    spread = spread if isinstance(spread, dict) else {}
    values = {
        _title(key): f"{value:.6g}" + (f" ± {spread[key]:.2g}" if isinstance(spread.get(key), float) else "")
        for key, value in _numbers(metrics)
    }
    others = {key: value for key, value in metrics["metrics"].items() if _title(key) not in values}
    protocol = {f"protocol: {key}": value for key, value in metrics["protocol"].items()}
    return _table({**values, **others, **protocol})


def _numbers(metrics: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The metrics that are one number, or a number with something beside it ({"value": …})."""
    found = []
    for key, value in metrics["metrics"].items():
        number = value.get("value", value.get("mean")) if isinstance(value, dict) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < LARGEST:
            found.append((str(key), float(number)))
    return found


def _title(key: str) -> str:
    return key.upper() if len(key) <= 4 else key.replace("_", " ")


def _component(config: Mapping[str, Any]) -> str:
    given = config.get("options")
    options = ", ".join(f"{key} {value}" for key, value in given.items()) if isinstance(given, dict) else ""
    named = f"{config.get('name')} of {config.get('distribution')} {config.get('version', '')}".rstrip()
    return f"{named} ({options})" if options else named


def _table(rows: Mapping[str, Any]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {escape(key)} | {escape(value)} |" for key, value in rows.items())])


def _fence(text: str, language: str) -> str:
    """A block of code that its text cannot end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"
