"""Metrics by name: which are asked for, whether there are images enough for them, what they find, also in a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from zoo_core import Generator, ImageSpec, Measurement, Metric, UsageError, ZooError, registry
from zoo_core.errors import unknown
from zoo_core.words import plural

from ..devices import CPU, arithmetic_device, exact_float32, free_bytes
from ..models.flops import count_flops
from ..models.model import Model
from ..packs import to_images, to_uint8
from ..progress import SILENT, Reporter
from ..runs.config import RunConfig
from ..runs.evaluation import Evaluation
from .extractors import Extractor, extract, open_extractor
from .images import Images, choose_images, open_data, spread_images
from .store import cache_features

SAMPLES, REAL = 512, 2048  # that watch a training
CHOSEN, REPORTED = 1_000_001, 1_000_002  # seeds of the samples that choose a checkpoint, and of those that are reported
PLAIN, SQUARE_ROOT = 5, 80  # what features and the root of a covariance cost beside a convolution's operations, on a CPU
DEFAULT = ("fid", "kid", "precision", "recall")  # what `zoo evaluate` measures unless somebody says otherwise
METRIC, FEATURES = "frechet", "scattering"  # likewise trainings and comparisons: quick, no weights, always there


def open_metrics(names: str | Iterable[str]) -> dict[str, Metric]:
    """Return metrics by their names in the registry, a list or one text with commas between them; raises `ZooError` where
    the library of one is not installed.
    """
    found: dict[str, Metric] = {}
    given = names.split(",") if isinstance(names, str) else names
    for name in filter(None, map(str.strip, given)):
        metric = found[name] = registry.create("metrics", name)
        try:
            import_module(metric.requires or "torch")
        except ImportError as error:
            raise ZooError(
                f"{name} needs {metric.requires.replace('_', '-')}, which is not installed",
                hint=f'install it with: pip install "{metric.extra or metric.requires}"',
            ) from error
    if not found:
        raise UsageError("no metric is named", hint=f"for example: --metrics {','.join(DEFAULT)}")
    return found


def check_counts(
    metrics: Mapping[str, Metric], samples: int, real: int, dim: int, *, warn: Callable[[str], None] = SILENT.warn
) -> None:
    """Refuse, by a `UsageError`, what cannot be measured from so few images or so many features; warn of the unreliable."""
    for name, metric in metrics.items():
        for count, what, flag in ((samples, "samples", "--samples"), (real, "real images", "--real")):
            if count < metric.minimum:
                raise UsageError(
                    f"{name} needs at least {metric.minimum} {what}, and there are {count}",
                    hint=f"raise {flag}, or leave {name} out of --metrics",
                )
    for text in dict.fromkeys(text for metric in metrics.values() for text in metric.check(real, samples, dim)):
        warn(text)
    if weak := [name for name, metric in metrics.items() if min(samples, real) < metric.reliable]:
        warn(f"{', '.join(weak)} from {plural(min(samples, real), 'image')}: expect a wide spread")


def measure(
    metrics: Mapping[str, Metric],
    extractor: Extractor,
    real: Images,
    generated: Images,
    *,
    resamples: int,
    seed: int,
    report: Reporter,
) -> dict[str, Measurement]:
    """Measure by all metrics, in their order; those that are one class under several names together."""
    inputs: dict[tuple[str, bool], tuple[Tensor, Tensor]] = {}
    there: dict[tuple[str, bool], tuple[Tensor, Tensor]] = {}  # the same on the device, moved once
    found: dict[type[Metric], Measurement] = {}
    for name, metric in metrics.items():
        kind, key = type(metric), (metric.needs, metric.uses_real)
        if kind in found:
            continue
        if metric.needs == "images":
            place = extractor.device if metric.on_device else CPU
            given = spread_images(real, metric.most, place), spread_images(generated, metric.most, place)
        else:
            if key not in inputs:
                network = open_classifier(extractor, name) if metric.needs == "logits" else extractor
                fake = cache_features(network, generated, report=report)
                inputs[key] = cache_features(network, real, report=report) if metric.uses_real else fake[:0], fake
            given = inputs[key]
            if metric.on_device:
                given = there.setdefault(key, place_features(*given, extractor.device))
        report.note(" and ".join(other for other in metrics if type(metrics[other]) is kind))
        with exact_float32():
            try:
                found[kind] = metric.evaluate(*given, resamples=resamples, seed=seed)
            except torch.OutOfMemoryError:
                report.warn(f"{name} does not fit into the memory of {extractor.device}: it is computed on the CPU")
                given = given[0].cpu(), given[1].cpu()
                found[kind] = metric.evaluate(*given, resamples=resamples, seed=seed)
    return {name: found[type(metric)] for name, metric in metrics.items()}


def place_features(real: Tensor, fake: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return features where a metric is to compute: on the device, if they take less than a quarter of what it has free."""
    device = arithmetic_device(device)
    if device.type != "cpu" and real.nbytes + fake.nbytes > free_bytes(device) // 4:
        device = CPU
    return real.to(device), fake.to(device)


def pick_number(name: str, values: Mapping[str, float]) -> float:
    """Return the number that a registered metric shows: the one of its name, else the first."""
    return float(values.get(name.rpartition(":")[2], next(iter(values.values()))))


def open_classifier(extractor: Extractor, name: str) -> Extractor:
    """Return the classifier whose logits metric `name` needs; raises `UsageError` for features of no classifier."""
    options = type(extractor.network).logits
    if options is None:
        raise UsageError(
            f"{name} needs the logits of a classifier, and {extractor.name} is none",
            hint=f"take --features inception, or leave {name} out",
        )
    return open_extractor(extractor.name, options={**extractor.options, **options}, device=extractor.device)


@dataclass(frozen=True)
class Criterion:
    """The one number by which a training or a comparison judges models: a metric, and the features that it sees."""

    name: str  # of the metric, "distribution:name"
    metric: Metric
    extractor: Extractor  # a classifier for a metric of logits

    @property
    def title(self) -> str:
        """What `--metric` takes: the extractor alone for the default metric, else "METRIC:FEATURES", with distributions."""
        default = registry.find("metrics", METRIC).qualified
        return self.extractor.name if self.name == default else f"{self.name}:{self.extractor.name}"

    @property
    def label(self) -> str:
        """What a log calls it: "frechet_scattering"."""
        parts = [self.name, *([self.extractor.name] if self.metric.needs != "images" else [])]
        return "_".join(part.rpartition(":")[2] for part in parts).replace("-", "_")

    def inputs(
        self, images: Iterable[Tensor], *, total: int | None = None, report: Reporter = SILENT
    ) -> tuple[Tensor, Tensor]:
        """Return what the metric is given of images [n, C, S, S] in pieces, and their features [N, dim], both where the
        metric is to compute.
        """
        kept: list[Tensor] = []
        stays = self.metric.on_device and arithmetic_device(self.extractor.device) == self.extractor.device

        def watched() -> Iterator[Tensor]:
            for piece in images:
                if self.metric.needs == "images" and sum(map(len, kept)) < self.metric.most:
                    kept.append(piece)
                yield piece

        words: dict[str, Any] = {"label": "features of real images", "report": report}
        features = extract(self.extractor.network, watched(), total=total, on_device=stays, **words)
        if not kept:
            return features, features
        return (torch.cat(kept) if stays else torch.cat(kept).cpu()), features

    def measure(self, real: Tensor, fake: Tensor) -> float:
        """Return the number, of what `inputs` gave."""
        real = real if self.metric.uses_real else real[:0]
        real, fake = place_features(real, fake, self.extractor.device if self.metric.on_device else CPU)
        with exact_float32():
            return pick_number(self.name, self.metric.measure(real, fake))


def open_criterion(text: str, *, options: Mapping[str, Any] | None = None, device: str | torch.device = "cpu") -> Criterion:
    """Return the criterion that `--metric` names: METRIC, METRIC:FEATURES, or FEATURES alone for their Fréchet distance.

    Each is "name" or "distribution:name"; `options` and `device` are the extractor's. Raises `UsageError` for an unknown
    name or option, and `ZooError` where a library is not installed or the extractor cannot be made.
    """
    metric, features = split_criterion(text)
    (made,) = open_metrics([metric]).values()
    extractor = open_extractor(features or made.features or FEATURES, options=options, device=device)
    if made.needs == "logits":
        extractor = open_classifier(extractor, metric)
    return Criterion(registry.find("metrics", metric).qualified, made, extractor)


def split_criterion(text: str) -> tuple[str, str]:
    """Return the metric and the feature extractor, "" for the metric's own, that `--metric` names; raises `UsageError` for
    unknown ones.
    """
    known = {kind: {n for e in registry.entries(kind) for n in (e.name, e.qualified)} for kind in ("metrics", "features")}
    words = text.split(":")
    splits = [(":".join(words[:i]), ":".join(words[i:])) for i in (1, 2)]
    metric, features = next((split for split in splits if split[0] in known["metrics"]), (METRIC, text))
    if features == text and text not in known["features"]:
        names = [*registry.names("metrics"), *registry.names("features")]
        raise unknown("metric or feature extractor", text, names, hint="to see all: zoo list metrics; zoo list features")
    if features:
        registry.find("features", features)
    return metric, features


def watch(
    config: RunConfig,
    every: int | None = None,
    *,
    metric: str = FEATURES,
    samples: int = SAMPLES,
    device: str | torch.device = "cpu",
    report: Reporter = SILENT,
) -> Evaluation:
    """Return what `zoo.train` takes as `evaluation`: a metric of samples against the training images.

    Its name says whose features it sees ("frechet_scattering"): a Fréchet distance is no FID unless they are Inception's.
    What it chooses a checkpoint by are samples of one seed, what it reports of that checkpoint are those of another: the
    least of many numbers is lower than what it measures.

    Args:
        every: real images between two evaluations; None lets the training space them by what they cost.
        metric: METRIC, METRIC:FEATURES, or FEATURES alone for their Fréchet distance.
        samples: how many are drawn, from the same latents each time. At most 2,048 real images are looked at.

    Raises:
        UsageError: no such metric or extractor; fewer samples than the metric needs; `every` below 1.
    """
    criterion = open_criterion(metric, device=device)
    check_counts({criterion.name: criterion.metric}, samples, REAL, criterion.extractor.network.dim)

    @cache
    def real(image: ImageSpec) -> Tensor:
        images = choose_images(open_data(image, config.request()), REAL)
        if criterion.metric.needs != "images":  # another run on these images has looked at them perhaps
            return cache_features(criterion.extractor, images, report=report)
        return criterion.inputs(images.pieces(0, criterion.extractor.device), total=images.count, report=report)[0]

    def measure(generator: Generator, seed: int) -> float:
        model = Model(generator, None).mix_classes()
        drawn = (to_images(to_uint8(images)) for images in model.batches(samples, seed=seed, on_device=True))
        return criterion.measure(real(generator.image), criterion.inputs(drawn)[0])

    def cost(image: ImageSpec) -> tuple[int, float, float]:
        network = criterion.extractor.network
        each = count_flops(network, lambda copy: copy(torch.zeros(2, *image.shape))) / 2
        return samples, PLAIN * each, SQUARE_ROOT * network.dim**3

    words = "{:,} samples of seed {}, against at most {:,} real images".format
    return Evaluation(
        criterion.label,
        partial(measure, seed=CHOSEN),
        every,
        criterion.metric.lower_is_better,
        title=metric,
        samples=words(samples, CHOSEN, REAL),
        confirm=partial(measure, seed=REPORTED),
        confirmed=words(samples, REPORTED, REAL),
        cost=cost,
    )
