"""The model card: README.md of a model folder. Says only what the run or the user said.

Whatever a person or a configuration wrote is escaped, so that a card shows it and never obeys it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import ModelError
from zoo_core.words import printable

from ..documents import read_document
from ..reports.numbers import format_value
from ..schemas import ListOf
from .config import describe_choice

if TYPE_CHECKING:
    from .model import Model

LIBRARY = "dcgan-zoo"
PIPELINE = "unconditional-image-generation"
METRICS = "metrics.json"
METRICS_LIMIT = 1 << 20
_BLOCK = {"metrics": dict, "protocol": dict, "spread?": dict, "*": Any}
_METRICS = {**_BLOCK, "others?": ListOf(_BLOCK)}
LARGEST = 1e300
"""What a metric is below; beyond it, it is no result."""
ON_THE_HUB = "dataset_on_the_hub"
"""What a protocol calls the "user/name" of its dataset on the Hub, where it has one."""
ELSEWHERE = "not on the Hub"
"""What a result's header says instead of such a name; it has spaces, so that nobody takes it for one."""

TRAINED_ON = "trained-on-"
"""What a tag begins with that names a dataset as the zoo calls it, which the Hub does not know."""

DISTANCES = {"fid": "frechet", "frechet": "frechet", "kid": "kernel"}
OF_FEATURES = ("precision", "recall", "density", "coverage", "swd", "is")
INCEPTION = ("fid", "kid", "is")
"""Metrics that the field calls so of Inception's features alone."""
_WORDS = {"frechet": "Fréchet distance", "kernel": "kernel distance", "swd": "sliced Wasserstein distance"}

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
        header=Markup(printable(_header(model, name, blocks), lines=True)),
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
    return dict(read_document(file, _METRICS, error=ModelError, limit=METRICS_LIMIT, hint="zoo evaluate writes it"))


def escape(text: object) -> str:
    """Return a text of anybody's as one line of Markdown that shows it as it stands: no markup, no HTML, no links."""
    line = "".join(c for c in " ".join(str(text).split()) if c.isprintable())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def _header(model: Model, name: str, blocks: list[Mapping[str, Any]]) -> str:
    """Return the YAML that the Hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    provenance = model.config.get("provenance", {})
    trained = provenance.get("dataset") or {}
    dataset, local = _hub_name(trained.get("hub")), trained.get("name")
    seen = [f"{TRAINED_ON}{local}"] if dataset is None and isinstance(local, str) and _TAG.fullmatch(local) else []
    recipe = [name] if _TAG.fullmatch(name) and name not in (LIBRARY, "gan") else []
    results = [
        EvalResult(
            task_type=PIPELINE,
            dataset_type=_hub_name(block["protocol"].get(ON_THE_HUB)) or ELSEWHERE,
            dataset_name=data,
            metric_type=name_metric(key, block["protocol"]),
            metric_name=_title(key, block["protocol"]),
            metric_value=value,
            metric_args=dict(block["protocol"]),
        )
        for block in blocks
        if (data := str(block["protocol"].get("dataset") or local or ""))  # a result without its data is none
        for key, value in _numbers(block)
    ]
    parent = _hub_name((provenance.get("parent") or {}).get("model"))
    return ModelCardData(
        base_model=parent,
        library_name=LIBRARY,
        pipeline_tag=PIPELINE,
        tags=[LIBRARY, "gan", *recipe, f"{model.image.size}x{model.image.size}", *seen],
        datasets=[dataset] if dataset else None,
        license=provenance.get("license") or None,
        model_name=name if results else None,
        eval_results=results or None,
    ).to_yaml()


def _blocks(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [metrics, *metrics.get("others", ())]


def _measured(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of a result's table."""
    spread = block.get("spread", {})
    values = {
        _title(key, block["protocol"]): format_value(value, spread[key] if isinstance(spread.get(key), float) else None)
        for key, value in _numbers(block)
    }
    others = {key: value for key, value in block["metrics"].items() if _title(key, block["protocol"]) not in values}
    return {**values, **others, **{f"protocol: {key}": value for key, value in block["protocol"].items()}}


def _numbers(block: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the metrics that are one number, or a number with something beside it ({"value": …})."""
    found = []
    for key, value in block["metrics"].items():
        number = value.get("value", value.get("mean")) if isinstance(value, dict) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < LARGEST:
            found.append((str(key), float(number)))
    return found


def name_metric(key: str, protocol: Mapping[str, Any]) -> str:
    """Return what a metric is called where it stands without its protocol: with the features that it is of.

    A Fréchet distance is the FID, and a kernel distance the KID, only of Inception's features as they were published; of
    others it is "frechet_scattering" or "kernel_efficientnet_lite0". What is of no features keeps its name, and so does what
    somebody measured without saying of which.
    """
    base, features = DISTANCES.get(key, key), _features_of(protocol)
    if not features or (base == key and key not in (*DISTANCES, *OF_FEATURES)):
        return key
    if key in INCEPTION and _is_usual_inception(protocol):
        return key
    return re.sub(r"\W+", "_", f"{base}_{features}", flags=re.ASCII).strip("_")


def _is_usual_inception(protocol: Mapping[str, Any]) -> bool:
    """Return whether a protocol's features are those of the FID: 2,048 of our own Inception."""
    options = str(protocol.get("feature_options") or "none")
    ours = protocol.get("features") in ("inception", f"{LIBRARY}:inception")
    return ours and ("layer" not in options or "layer 2048" in options.split(", "))


def _features_of(protocol: Mapping[str, Any]) -> str:
    """Return the bare name of the features of a protocol, "" where it names none."""
    return str(protocol.get("features") or "").rpartition(":")[2]


def _title(key: str, protocol: Mapping[str, Any]) -> str:
    """Return what a table calls a metric: "FID", "Fréchet distance of scattering features"."""
    if name_metric(key, protocol) == key:
        return key.upper() if len(key) <= 4 else key.replace("_", " ")
    base = DISTANCES.get(key, key)
    return f"{_WORDS.get(base, base)} of {_features_of(protocol)} features"


def _hub_name(name: object) -> str | None:
    """Return a "user/name" of the Hub as it is, None for anything else."""
    return name if isinstance(name, str) and _REPO.fullmatch(name) else None


def _fence(text: str, language: str) -> str:
    """Return a block of code that its text cannot end."""
    ticks = "`" * (max([2, *map(len, re.findall("`+", text))]) + 1)
    return f"{ticks}{language}\n{printable(text, lines=True)}\n{ticks}"
