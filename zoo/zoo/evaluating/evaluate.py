"""`zoo.evaluate`: samples of a model against real images, by metrics of the registry."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

from ..files import Place
from ..metrics.extractors import open_extractor
from ..metrics.images import choose_images, generate_images, open_data
from ..metrics.measuring import DEFAULT, check_counts, measure, open_metrics, pick_number
from ..models.config import note_choice
from ..models.model import Model, ModelLike
from ..names import refuse_other_kinds
from ..notebook import AUTOMATIC
from ..progress import Reporter
from ..reports.numbers import judge, spread_interval
from .results import Results, choose_data, describe, holds_checkpoint, open_model, publish

SAMPLES = 50_000  # and most real images: what the field takes for the FID


def evaluate(
    model: ModelLike,
    *,
    dataset: str | None = None,
    data: Place | None = None,
    split: str = "train",
    metrics: str | Sequence[str] = DEFAULT,
    features: str = "inception",
    feature_options: Mapping[str, Any] | None = None,
    samples: int = SAMPLES,
    real: int = SAMPLES,
    seed: int = 0,
    raw: bool = False,
    last: bool = False,
    at: int | None = None,
    sampler: str | None = None,
    sampler_options: Mapping[str, Any] | None = None,
    resamples: int = 10,
    device: str = "auto",
    out: Place | None = None,
    write: bool = True,
    report: Reporter = AUTOMATIC,
) -> Results:
    """Measure how close a model's samples come to real images.

    Features of both are kept in the cache, so that an interrupted evaluation goes on and the next one costs less.

    Args:
        model: a run folder, a model folder, a catalog name or user/name on the Hub; or a model in memory.
        dataset, data, split: the real images; by default those that a run was trained on.
        metrics: names of the registry, one or several ("fid,kid" or a list); `zoo list metrics` shows those there are.
        features, feature_options: of which extractor; `zoo list features` shows those there are.
        samples, real: how many are drawn, and most real images, chosen at random.
        seed: of the samples and of all that is random in the metrics.
        raw: the weights that are not averaged.
        last, at: of a run, its newest checkpoint instead of its best, or the one after so many images.
        sampler, sampler_options: what chooses the samples; `zoo list samplers` shows those there are.
        resamples: random halves whose spread gives standard errors; below 2 for none.
        out, write: a JSON file for the result, and whether it goes into the model folder too.

    Raises:
        UsageError: a name or number that cannot be; fewer images than a metric needs.
        DataError, ModelError, PluginError, ZooError: something cannot be read or computed, in words.
    """
    if not isinstance(model, Model):
        refuse_other_kinds(os.fspath(model))
    asked = open_metrics(metrics)
    loaded = open_model(model, device=device, raw=raw, last=last, at=at)
    note_choice(loaded.config, report)
    loaded = loaded.with_sampler(sampler, sampler_options)
    images = choose_data(model, loaded, dataset, data, split, report=report)
    extractor = open_extractor(features, model=loaded, options=feature_options, device=loaded.device)
    bare = extractor.name.rpartition(":")[2]
    for name, metric in asked.items():
        if metric.features not in ("", bare):
            report.note(f"{name} of {bare} features orders models, and compares with no published {name.upper()}")
    pack = open_data(loaded.image, images, report=report)
    drawn, there = generate_images(loaded, samples, seed=seed), choose_images(pack, real, seed=seed)
    check_counts(asked, samples, there.count, extractor.network.dim, warn=report.warn)
    found = measure(asked, extractor, there, drawn, resamples=resamples, seed=seed, report=report)
    own = {"samples": samples, "sample_rounding": "8 bits", "seed": seed}
    protocol = describe("evaluate", images, there.count, own, pack=pack, model=loaded, extractor=extractor)
    if loaded.sampler:
        protocol["sampler"] = loaded.sampler.describe()
        report.note(loaded.sampler.tell_cost(samples))
    for module in filter(None, (metric.requires for metric in asked.values())):
        with suppress(metadata.PackageNotFoundError):  # not every module is called as its distribution
            protocol[module] = metadata.version(module)
    protocol["spread"] = f"standard error from {resamples} random halves" if resamples > 1 else "none"
    for measurement in found.values():
        protocol.update(measurement.protocol)
    values = {name: pick_number(name, measurement.values) for name, measurement in found.items()}
    spread = {name: pick_number(name, measurement.spread) for name, measurement in found.items() if measurement.spread}
    verdicts = {
        name: judge(value, scale[0], scale[1], spread_interval(value, spread.get(name)))
        for name, value in values.items()
        if (scale := asked[name].scale) is not None
    }
    other = raw or ((last or at is not None) and not holds_checkpoint(model, loaded))  # than the model folder's
    other = other or loaded.sampler is not None
    results = Results(values, spread, protocol, verdicts=verdicts)
    return publish(results, model, raw=other, write=write, out=out, report=report)
