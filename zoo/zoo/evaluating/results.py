"""What is measured and against what, how a protocol tells it, and `metrics.json` of a model folder, which holds results.

    {"metrics": {"fid": 12.3, …}, "spread": {"fid": 0.2, …}, "protocol": {…}, "others": [{"metrics": …}, …]}

Metrics are called there as they are registered, and their protocol says of which features they are; cards and reports,
where a number may be read by itself, say both (`name_metric`). `others` are results of other protocols: a number never
stands beside a protocol that is not its own.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from zoo_core import UsageError, ZooError
from zoo_core.options import Range

from ..files import Place, path_of, write_json
from ..loading import find_folder, load
from ..metrics.extractors import Extractor, Pool, StageFeatures, require_discriminator
from ..models.card import METRICS, ON_THE_HUB, name_metric, read_metrics
from ..models.config import read_config
from ..models.folder import rewrite_card
from ..models.model import Model, ModelLike
from ..packs import Pack, PackRequest
from ..progress import Reporter
from ..reports.displaying import Displayed
from ..runs.run import find_run, is_complete, is_run, read_run

CROPPED = "center crop, bicubic, antialiased (Pillow)"  # how the pictures of a pack were resized
KINDS = ("evaluate", "probe", "neighbors")  # what `measure` in a protocol can be, in the order of a file
_SAME = ("measure", "dataset", "split", "features", "feature_options")  # results that agree in them replace each other


class DiscriminatorFeatures(StageFeatures):
    """`StageFeatures` of a model that is named: a run folder, a model folder, a catalog name or user/name on the Hub."""

    tiny = None

    def __init__(
        self,
        *,
        model: Annotated[str, "whose discriminator: what zoo sample takes"] = "",
        grid: Annotated[int, "side to which every stage's maps are pooled; the paper has 4", Range(1, 64)] = 1,
        pool: Annotated[Pool, "how they are pooled; the paper has max"] = "average",
    ) -> None:
        if not model:
            raise UsageError("whose discriminator?", hint="name a model: --set features.model=runs/dcgan-faces")
        super().__init__(require_discriminator(load(model).discriminator, model), grid=grid, pool=pool)


def open_model(
    where: ModelLike, *, device: str = "auto", raw: bool = False, last: bool = False, at: int | None = None
) -> Model:
    """Return the model at `where`, or itself; raises as `zoo.load` does."""
    return where if isinstance(where, Model) else load(where, device=device, raw=raw, last=last, at=at)


def choose_data(
    where: ModelLike, model: Model, dataset: str | None, data: Place | None, split: str, report: Reporter
) -> PackRequest:
    """Return the real images that a model is compared with: those that are named, else those that it was trained on."""
    if dataset is not None:
        return PackRequest(dataset, path_of(data), split)
    place = find_folder(where) if not isinstance(where, Model) else None
    if place is not None and is_run(place) and (config := read_run(place).config).dataset is not None:
        used = config.request()
        report.note(f"comparing with the images that it was trained on: {used.dataset.rpartition(':')[2]}")
        return replace(used, data=path_of(data) or used.data, split=split)
    known = (model.config.get("provenance", {}).get("dataset") or {}).get("name")
    hint = f"it was trained on {known}: --dataset {known}" if known else "for example: --dataset faces"
    raise UsageError("which images is it to be compared with?", hint=hint)


def describe(
    measure: str,
    data: PackRequest,
    count: int,
    own: Mapping[str, Any],
    *,
    pack: Pack | None = None,
    model: Model | None = None,
    extractor: Extractor | None = None,
    precision: str = "float32",
) -> dict[str, Any]:
    """Return a protocol: what measured, against which and how many real images (of which pack), what it has of its `own`,
    and, where there are any, which weights drew the samples and whose features were compared."""
    found: dict[str, Any] = {"measure": measure, "dataset": data.dataset.rpartition(":")[2]}
    found |= {ON_THE_HUB: pack.info["hub"]} if pack is not None and pack.info.get("hub") else {}
    found |= {"split": data.split, "real_images": count, "real_resizing": CROPPED, **own}
    if model is not None:
        provenance = model.config.get("provenance", {})
        found |= {key: model.config.get(key, "not stated") for key in ("weights", "batch_norm")}
        found |= {"images_shown": provenance["images"]} if "images" in provenance else {}
        found["device"] = model.device.type
    if extractor is not None:
        found |= {
            "features": extractor.name,
            "feature_options": ", ".join(f"{key} {value}" for key, value in extractor.options.items()) or "none",
            "feature_count": extractor.network.dim,
            "feature_weights": extractor.describe()["weights"],
            "feature_resizing": extractor.network.resizing or "not stated",
            "precision": precision,
        }
        if extractor.device.type == "cuda":
            found |= {"feature_device": "cuda", "tf32": "not allowed"}
    return found


@dataclass(frozen=True, repr=False)
class Results(Displayed):
    """Numbers with the protocol that gave them."""

    metrics: dict[str, float]
    spread: dict[str, float]  # standard errors, or what the protocol says instead; not every metric has one
    protocol: dict[str, Any]  # plain data
    written: Path | None = None  # the `metrics.json` that holds them now
    details: dict[str, Any] = field(default_factory=dict)  # what else `--json` tells
    verdicts: Mapping[str, str] = field(
        default_factory=dict
    )  # how good some of the metrics are; see `reports.numbers.judge`

    def _describe(self) -> str:
        spread = {key: f" ± {value:.2g}" for key, value in self.spread.items()}
        named = {key: name_metric(key, self.protocol) for key in self.metrics}
        numbers = ", ".join(f"{named[key]} {value:.4g}{spread.get(key, '')}" for key, value in self.metrics.items())
        return f"{numbers} ({self.protocol.get('measure', 'measured')} on {self.protocol.get('dataset', 'nothing')})"

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        told = {"verdicts": self.verdicts} if self.verdicts else {}
        return {**self.block(), **told, **self.details, "written": str(self.written) if self.written else None}

    def block(self) -> dict[str, Any]:
        """Return what a file says of them."""
        return {"metrics": self.metrics, "spread": self.spread, "protocol": self.protocol}


def publish(results: Results, where: ModelLike, *, raw: bool, write: bool, out: Place | None, report: Reporter) -> Results:
    """Write results to where they belong and say where that is."""
    if out is not None:
        write_json(Path(out), results.to_json())
        report.note(f"written to {out}")
    own = find_results_folder(where, raw=False) if write else None
    folder = None if raw else own
    if folder is not None:
        results = replace(results, written=write_results(folder, results))
        report.note(f"written to {results.written}, and into the card")
    elif write and not isinstance(where, Model):
        why = "its model folder holds other weights than these" if own is not None else "it has no model folder of its own"
        report.note(f"{os.fspath(where)}: {why}, so nothing is written there (--out FILE writes a file)")
    return results


def find_results_folder(where: ModelLike, *, raw: bool) -> Path | None:
    """Return the model folder on this machine that results about the model at `where` belong into.

    None for raw weights, for a model in memory, for a run without a model folder of its newest checkpoint, and for a model
    of the catalog or the Hub, whose copy in the cache is not the user's.
    """
    if raw or isinstance(where, Model) or not (place := find_run(where)).is_dir():
        return None
    if is_run(place):
        return place / "model" if is_complete(place) else None
    return find_folder(place)


def holds_checkpoint(where: ModelLike, model: Model) -> bool:
    """Return whether the model folder of a run is of the same checkpoint as a model that was loaded from that run."""
    folder = find_results_folder(where, raw=False)
    if folder is None:
        return False
    steps = [config.get("provenance", {}).get("step") for config in (read_config(folder), model.config)]
    return steps[0] is not None and steps[0] == steps[1]


def write_results(folder: Path, results: Results) -> Path:
    """Put results into a model folder's `metrics.json` and its card. Those of the same protocol are replaced.

    Raises `ModelError` where the file holds something else already, and `ZooError` for what is no number.
    """
    for name, value in results.metrics.items():
        if not math.isfinite(value):
            raise ZooError(f"{name} is {value}, which is no result")
    found = read_metrics(folder) or {}
    others = found.pop("others", [])
    blocks = [found, *others] if found else []
    first, *rest = _merge(blocks, results.block())
    file = folder / METRICS
    write_json(file, {**first, **({"others": rest} if rest else {})})
    rewrite_card(folder)
    return file


def _merge(blocks: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Put the new block among the others.

    It joins one whose protocol agrees with its own, and takes the place of one that is about the same with another protocol.
    """
    kept = []
    for block in blocks:
        old, own = block.get("protocol", {}), new["protocol"]
        if all(old[key] == own[key] for key in old.keys() & own.keys()):
            joined = {part: {**block.get(part, {}), **new[part]} for part in ("metrics", "spread", "protocol")}
            joined["spread"] = {k: v for k, v in joined["spread"].items() if k in new["spread"] or k not in new["metrics"]}
            new = joined
        elif any(old.get(key) != own.get(key) for key in _SAME):
            kept.append(block)

    def order(block: Mapping[str, Any]) -> int:
        measure = block.get("protocol", {}).get("measure")
        return KINDS.index(measure) if measure in KINDS else len(KINDS)

    return sorted([new, *kept], key=order)
