"""`zoo.evaluate`: samples of a model against real images, by the field's standard measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo_core import UsageError

from ..files import write_json
from ..models.model import Model
from ..progress import Reporter
from . import measures
from .extractors import Extractor, open_extractor
from .images import Images, chosen_images, generated_images, open_data
from .measures import DEFAULT, MEASURES, Value
from .moments import fid, fid_spread, moments_of
from .records import Results, results_folder, write_results
from .store import Features, stored_features
from .subject import data_for, described_data, described_features, described_model, open_model, version

SAMPLES = 50_000
"""Samples, and most real images, unless somebody says otherwise: what the field takes for the FID."""

RESAMPLES = 10
LARGEST = 4096
"""Most features whose covariance is taken."""

_SILENT = Reporter()


def evaluate(
    model: str | Path | Model,
    *,
    dataset: str | None = None,
    data: str | Path | None = None,
    split: str = "train",
    metrics: Sequence[str] = DEFAULT,
    features: str = "inception",
    feature_options: Mapping[str, Any] | None = None,
    samples: int = SAMPLES,
    real: int = SAMPLES,
    seed: int = 0,
    raw: bool = False,
    resamples: int = RESAMPLES,
    device: str = "auto",
    out: str | Path | None = None,
    write: bool = True,
    report: Reporter = _SILENT,
) -> Results:
    """Measure how close a model's samples come to real images.

    Features of both are kept in the cache, so that an interrupted evaluation goes on and the next one costs less.

    Args:
        model: a run folder, a model folder, a catalog name or user/name on the Hub; or a model in memory.
        dataset, data, split: the real images; by default those that a run was trained on.
        metrics: names from `MEASURES`.
        features: of which extractor; `zoo list features` shows those there are.
        feature_options: of the extractor.
        samples: how many are drawn.
        real: most real images; if there are more, so many are chosen at random.
        seed: of the samples and of all that is random in the measures.
        raw: the weights that are not averaged.
        resamples: random halves whose spread gives standard errors; below 2 for none.
        device: where networks compute.
        out: a JSON file for the result, besides the model folder.
        write: whether the result goes into the model folder.
        report: hears of progress, notes and warnings.

    Raises:
        UsageError: a name or number that cannot be; fewer images than a metric needs.
        DataError, ModelError, PluginError, ZooError: something cannot be read or computed, in words.
    """
    names = tuple(dict.fromkeys(metrics))
    measures.check_measures(names)
    loaded = open_model(model, device=device, raw=raw)
    images = data_for(model, loaded, dataset, data, split, report=report)
    extractor = open_extractor(features, model=loaded, options=feature_options, device=loaded.device)
    if "fid" in names and not extractor.name.endswith(":inception"):
        report.note(f"fid of {extractor.name.rpartition(':')[2]} features orders models, and compares with no published FID")
    if "fid" in names and extractor.network.dim > LARGEST:
        raise UsageError(
            f"fid of {extractor.network.dim:,} features is out of reach: their covariance has as many rows and columns",
            hint=f"the most is {LARGEST:,}; pool them (--set features.grid=1), or choose other features or metrics",
        )
    pack = open_data(loaded.image, images.dataset, images.data, images.split, options=images.options, report=report)
    pair = (generated_images(loaded, samples, seed=seed), chosen_images(pack, real, seed=seed))
    measures.check_counts(names, samples, pair[1].count, extractor.network.dim, warn=report.warn)
    found = _measured(names, extractor, loaded, pair, resamples, seed, report)
    protocol = {
        "measure": "evaluate",
        **described_data(images, pair[1].count),
        "samples": samples,
        "sample_rounding": "8 bits",
        "seed": seed,
        **described_model(loaded),
        **described_features(extractor),
        **({"torch_fidelity": version("torch-fidelity")}),
        "spread": f"standard error from {resamples} random halves" if resamples > 1 else "none",
    }
    for value in found.values():
        protocol.update(value.protocol)
    results = Results(
        {name: value.value for name, value in found.items()},
        {name: value.spread for name, value in found.items() if value.spread is not None},
        protocol,
    )
    return publish(results, model, raw=raw, write=write, out=out, report=report)


def publish(
    results: Results, where: str | Path | Model, *, raw: bool, write: bool, out: str | Path | None, report: Reporter
) -> Results:
    """Write results to where they belong and say where that is."""
    if out is not None:
        write_json(Path(out), results.to_json())
        report.note(f"written to {out}")
    folder = results_folder(where, raw=raw) if write else None
    if folder is not None:
        results = replace(results, written=write_results(folder, results))
        report.note(f"written to {results.written}, and into the card")
    elif write and not isinstance(where, Model):
        report.note(f"{where} has no model folder of its own, so nothing is written into one (--out FILE writes a file)")
    return results


def _measured(
    names: tuple[str, ...],
    extractor: Extractor,
    model: Model,
    pair: tuple[Images, Images],
    resamples: int,
    seed: int,
    report: Reporter,
) -> dict[str, Value]:
    """Every measure, in the order in which they are named."""
    found: dict[str, Value] = {}
    if set(names) - {"is", "ms-ssim"}:
        generated, real = (stored_features(extractor, images, report=report) for images in pair)
        found.update(_of_features(names, generated, real, resamples, seed, report))
    if "is" in names:
        found["is"] = measures.inception_score(_logits(extractor, model, pair[0], report).tensor())
    if "ms-ssim" in names:
        report.note("MS-SSIM of random pairs")
        (value, window), (theirs, _) = (measures.ms_ssim(images, seed=seed) for images in pair)
        found["ms-ssim"] = Value(value, None, {"ms_ssim_of_real_pairs": theirs, "ms_ssim_window": window})
    return {name: found[name] for name in names}


def _of_features(
    names: tuple[str, ...], generated: Features, real: Features, resamples: int, seed: int, report: Reporter
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if "fid" in names:
        moments = moments_of(generated, report=report), moments_of(real, report=report)
        enough = resamples > 1 and min(len(generated), len(real)) >= 20 * 2
        found["fid"] = Value(fid(*moments), fid_spread(*moments, resamples, seed=seed) if enough else None)
    vectors = generated.tensor(), real.tensor()
    if "kid" in names:
        report.note("KID")
        found["kid"] = measures.kid(*vectors)
    for group, function in (
        (("precision", "recall"), measures.precision_recall),
        (("density", "coverage"), measures.density_coverage),
    ):
        if not set(group) & set(names):
            continue
        report.note(" and ".join(group))
        values = function(*vectors)
        enough = min(len(generated), len(real)) >= 4 * MEASURES[group[0]].least
        spread = measures.halves(function, *vectors, resamples if enough else 0, seed=seed)
        k = measures.NEIGHBORS if group[0] == "precision" else measures.DENSE_NEIGHBORS
        own = {f"{group[0]}_neighbors": k}
        found.update({name: Value(values[name], spread.get(name), own) for name in group if name in names})
    if "swd" in names:
        report.note("sliced Wasserstein distance")
        own = {"swd_projections": measures.PROJECTIONS}
        found["swd"] = Value(measures.sliced_wasserstein(*vectors, seed=seed), None, own)
    return found


def _logits(extractor: Extractor, model: Model, samples: Images, report: Reporter) -> Features:
    """What a classifier says of the samples; raises `UsageError` for features of no classifier."""
    options = type(extractor.network).logits
    if options is None:
        raise UsageError(
            f"is needs the logits of a classifier, and {extractor.name} is none",
            hint="take --features inception, or leave is out",
        )
    classifier = open_extractor(extractor.name, options={**extractor.options, **options}, device=model.device)
    return stored_features(classifier, samples, report=report)
