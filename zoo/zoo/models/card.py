"""The model card: README.md of a model folder. Says only what the run or the user said.

Whatever a person or a configuration wrote is escaped, so that a card shows it and never obeys it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import ModelError

from ..reports.numbers import format_value
from .config import describe_choice, read_json

if TYPE_CHECKING:
    from .model import Model

LIBRARY = "dcgan-zoo"
PIPELINE = "unconditional-image-generation"
METRICS = "metrics.json"
METRICS_LIMIT = 1 << 20
LARGEST = 1e300
"""What a metric is below; beyond it, it is no result."""

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def model_card(
    model: Model,
    *,
    place: str = "FOLDER",
    metrics: Mapping[str, Any] | None = None,
    curves: bool = False,
    report: bool = False,
) -> str:
    """Return the card of a model: Markdown with a YAML header that the Hugging Face Hub reads.

    `place` is what `zoo.load` is told in the example, a Hub name or "FOLDER"; `metrics` is what `read_metrics` gave;
    `curves` and `report` say whether `curves.png` and `report.html` lie beside the card.
    """
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader
    from markupsafe import Markup

    name = str((model.config.get("recipe") or {}).get("name") or model.config["parts"]["generator"]["name"])
    blocks = _blocks(metrics) if metrics else []
    comment = "" if place != "FOLDER" else "  # where this folder lies"
    example = f'import zoo\n\nmodel = zoo.load("{place}"){comment}\nzoo.save_grid(model.sample(64, seed=1), "samples.png")'
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escape(value)),
        undefined=ChainableUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.jinja").render(
        model=model,
        name=name,
        header=Markup(_header(model, name, blocks)),
        example=example,
        fence=lambda text, language: Markup(_fence(text, language)),
        measured=[_measured(block) for block in blocks],
        memorization_measured=any("memor" in key for block in blocks for key in block["metrics"]),
        curves=curves,
        report=report,
        choice=describe_choice(model.config),
    )


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """`metrics.json` of a folder: {"metrics": {"fid": 12.3, …}, "spread": {"fid": 0.2, …}, "protocol": {…}, "others": […]};
    None where there is none. `spread` and `others`, results of other protocols in the same form, may be missing. Raises
    `ModelError` where it is something else."""
    file = folder / METRICS
    if not file.exists():
        return None
    found = read_json(file, METRICS_LIMIT)
    if not _is_block(found):
        raise ModelError(f'{file} must hold {{"metrics": {{…}}, "protocol": {{…}}}}', hint="zoo evaluate writes it")
    return dict(found)


def escape(text: object) -> str:
    """Return a text of anybody's as one line of Markdown that shows it as it stands: no markup, no HTML, no links."""
    line = "".join(c for c in " ".join(str(text).split()) if c.isprintable())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def _header(model: Model, name: str, blocks: list[Mapping[str, Any]]) -> str:
    """Return the YAML that the Hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    provenance = model.config.get("provenance", {})
    dataset = (provenance.get("dataset") or {}).get("name")
    dataset = dataset if _TAG.fullmatch(dataset or "") else None
    recipe = [name] if _TAG.fullmatch(name) and name not in (LIBRARY, "gan") else []
    results = [
        EvalResult(
            task_type=PIPELINE,
            dataset_type=data,
            dataset_name=data,
            metric_type=key,
            metric_name=_title(key),
            metric_value=value,
            metric_args=dict(block["protocol"]),
        )
        for block in blocks
        if (data := str(block["protocol"].get("dataset") or dataset or ""))  # a result without its data is none
        for key, value in _numbers(block)
    ]
    parent = (provenance.get("parent") or {}).get("model", "")
    return ModelCardData(
        base_model=parent if _REPO.fullmatch(parent) else None,
        library_name=LIBRARY,
        pipeline_tag=PIPELINE,
        tags=[LIBRARY, "gan", *recipe, f"{model.image.size}x{model.image.size}"],
        datasets=[dataset] if dataset else None,
        license=provenance.get("license") or None,
        model_name=name if results else None,
        eval_results=results or None,
    ).to_yaml()


def _is_block(value: Any) -> bool:
    """Return whether it is a result with the protocol that is its own."""
    return isinstance(value, dict) and all(isinstance(value.get(key), dict) for key in ("metrics", "protocol"))


def _blocks(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    others = metrics.get("others")
    return [block for block in (metrics, *(others if isinstance(others, list) else ())) if _is_block(block)]


def _measured(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of a result's table."""
    spread = block.get("spread")
    spread = spread if isinstance(spread, dict) else {}
    values = {
        _title(key): format_value(value, spread[key] if isinstance(spread.get(key), float) else None)
        for key, value in _numbers(block)
    }
    others = {key: value for key, value in block["metrics"].items() if _title(key) not in values}
    return {**values, **others, **{f"protocol: {key}": value for key, value in block["protocol"].items()}}


def _numbers(block: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the metrics that are one number, or a number with something beside it ({"value": …})."""
    found = []
    for key, value in block["metrics"].items():
        number = value.get("value", value.get("mean")) if isinstance(value, dict) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < LARGEST:
            found.append((str(key), float(number)))
    return found


def _title(key: str) -> str:
    return key.upper() if len(key) <= 4 else key.replace("_", " ")


def _fence(text: str, language: str) -> str:
    """Return a block of code that its text cannot end."""
    ticks = "`" * (max([2, *map(len, re.findall("`+", text))]) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"
