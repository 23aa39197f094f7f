"""`zoo.neighbors`: the training images that lie nearest to samples, and whether that is nearer than chance; and
`zoo.one_nn`: how well generated images tell real classes, by nearest neighbors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core import DataError, UsageError
from zoo_core.words import are, plural

from ..devices import arithmetic_device, move_to
from ..files import Place, path_of
from ..metrics.extractors import extract, open_extractor
from ..metrics.images import generate_images, open_data, read_images, require_labels, spread_numbers
from ..metrics.nearest import (
    BLOCK,
    NEIGHBORS,
    PERCENTILE,
    Space,
    detect_copies,
    load_faiss,
    nearest,
    read_pixels,
    save_neighbors,
)
from ..metrics.store import cache_features
from ..models.model import Model, ModelLike
from ..notebook import AUTOMATIC
from ..packs import PackRequest, to_images, to_uint8
from ..progress import Reporter
from ..randomness import generator_for
from ..reports.numbers import judge
from .published import published
from .results import Results, choose_data, describe, open_model, publish

LEAST = 100  # samples, held-out images and training images from which anything is concluded


def neighbors(
    model: ModelLike,
    *,
    dataset: str | None = None,
    data: Place | None = None,
    split: str = "train",
    held_out: str | None = None,
    features: str = "discriminator",
    feature_options: Mapping[str, Any] | None = None,
    samples: int = 1000,
    shown: int = 48,
    seed: int = 0,
    raw: bool = False,
    device: str = "auto",
    page: Place | None = None,
    out: Place | None = None,
    write: bool = True,
    report: Reporter = AUTOMATIC,
) -> Results:
    """Find the training images nearest to samples, in pixels and in features, and compare the distances with those of real
    images that were held out.

    Args:
        dataset, data, split: what it was trained on.
        held_out: a split of images that it was not trained on. Without one, training images are compared with all the
            others: the same test, unless pictures stand in the data twice.
        samples: how many are drawn, and most held-out images.
        shown: how many of them the pictures show, those of the smallest ratio first.
        page: a folder for neighbors.png and neighbors.html; none by default. The others are as of `zoo.evaluate`.

    Returns:
        Metrics "memorized_share_pixels" and "memorized_share_features", 0.01 for a model that copies nothing, and in
        `details` the verdict "copies", what each space says, and the files.

    Raises:
        UsageError: fewer than 100 samples, or a name that cannot be.
        DataError: fewer than 100 training or held-out images.
        ZooError: faiss is not installed; a GPU needs none.
    """
    if samples < LEAST:
        raise UsageError(f"{samples} samples are too few for a conclusion; the least is {LEAST}", hint="raise --samples")
    loaded = open_model(model, device=device, raw=raw)
    place = arithmetic_device(loaded.device)
    if place.type == "cpu":
        load_faiss()  # before anything is computed
    images = choose_data(model, loaded, dataset, data, split, report=report)
    pack = held = open_data(loaded.image, images, report=report)
    if held_out is not None:
        held = open_data(loaded.image, replace(images, split=held_out), report=report)
    for there, what in ((pack, "training"), (held, "held-out")):
        if len(there) < LEAST:
            few = f"{plural(len(there), f'{what} image')} {are(len(there))} too few for a conclusion"
            raise DataError(f"{few}; the least is {LEAST}")
    chosen = torch.randperm(len(held), generator=generator_for(seed, "held out"))[:samples].sort().values
    extractor = open_extractor(features, model=loaded, options=feature_options, device=loaded.device)
    drawn = torch.cat(list(generate_images(loaded, samples, seed=seed).pieces(0, place)))  # [n, C, S, S]
    others = to_images(move_to(held.gather(chosen), place))
    stored = cache_features(extractor, read_images(pack, label="training images"), report=report)
    vectors = [
        extract(extractor.network, part, label=f"features of {name}", report=report, on_device=True).to(place)
        for part, name in ((drawn, "samples"), (others, "held-out images"))
    ]
    spaces = []
    for name, (ours, theirs), searched in (
        ("pixels", [drawn, others], read_pixels(pack, place)),
        ("features", vectors, torch.split(stored, BLOCK)),
    ):
        k = min(NEIGHBORS, len(pack) - 1)
        with report.task(f"neighbors in {name}", len(pack), "images") as task:
            distances, numbers = nearest(torch.cat([ours.flatten(1), theirs.flatten(1)]), searched, k + 1, task)
        null = distances[samples:, :k] if held is not pack else _drop_itself(distances[samples:], numbers[samples:], chosen)
        found = detect_copies(distances[:samples, :k], null)
        spaces.append(Space(name, numbers[:samples, :k], distances[:samples, :k], found))
    own = {
        "held_out": held_out or "training images, each against all others",
        "held_out_images": len(chosen),
        "samples": samples,
        "ratio": f"nearest distance by the mean of the {NEIGHBORS} nearest",
        "memorized": f"ratio below the {PERCENTILE:g} % percentile of held-out images",
        "seed": seed,
    }
    protocol = describe("neighbors", images, len(pack), own, pack=pack, model=loaded, extractor=extractor)
    copies = any(space.found.copies for space in spaces)
    details: dict[str, Any] = {"copies": copies, **{space.name: space.found.to_json() for space in spaces}}
    if page is not None:
        shares = " and ".join(f"{space.found.share:.1%} in {space.name} (p = {space.found.p:.2g})" for space in spaces)
        said = (
            f"{'This model copies training images' if copies else 'No copying was found'}: as near to one training image, "
            f"compared with others, as the nearest {PERCENTILE:g} % of held-out images are {shares} of its samples. "
            f"Model: {os.fspath(model) if not isinstance(model, Model) else 'in memory'}."
        )
        details["files"] = [str(file) for file in save_neighbors(Path(page), pack, drawn, spaces, shown, said, protocol)]
    metrics = {f"memorized_share_{space.name}": space.found.share for space in spaces}
    verdicts = {f"memorized_share_{space.name}": space.found.verdict for space in spaces}
    return publish(
        Results(metrics, {}, protocol, details=details, verdicts=verdicts),
        model,
        raw=raw,
        write=write,
        out=out,
        report=report,
    )


def _drop_itself(distances: Tensor, numbers: Tensor, excluded: Tensor) -> Tensor:
    """Distances [m, k] to others than the image itself, which is among the k + 1 nearest unless k + 1 others equal it."""
    itself = numbers == excluded[:, None]
    itself[~itself.any(1), -1] = True
    return distances[~itself].view(len(distances), -1)


def one_nn(
    model: ModelLike,
    *,
    dataset: str,
    data: Place | None = None,
    samples: int = 50_000,
    test: int | None = None,
    seed: int = 0,
    raw: bool = False,
    device: str = "auto",
    out: Place | None = None,
    write: bool = True,
    report: Reporter = AUTOMATIC,
) -> Results:
    """Measure the test error of nearest-neighbor classifiers on real images: one of samples, one of real training images.

    Radford et al. 2015, arXiv:1511.06434, appendix. Nearest neighbors are looked for in pixels.

    Args:
        model: a conditional one, with the classes of the dataset.
        dataset, data: with the splits "train" and "test" and labels.
        samples: how many are drawn, classes in turn; of any number only a block is in memory.
        test: most test images, evenly spread; by default all. The others are as of `zoo.evaluate`.

    Raises:
        UsageError: the model is unconditional, or has other classes.
        DataError: there are no labels.
        ZooError: faiss is not installed.
    """
    loaded = open_model(model, device=device, raw=raw)
    if not loaded.image.num_classes:
        raise UsageError(
            "this model is unconditional: its samples have no labels that a classifier could learn",
            hint="train a conditional one: --set algorithm.conditional=true",
        )
    if samples < loaded.image.num_classes:
        raise UsageError(f"{samples} samples are fewer than the {loaded.image.num_classes} classes", hint="raise --samples")
    images = PackRequest(dataset, path_of(data))
    train, tested = (open_data(loaded.image, replace(images, split=split), report=report) for split in ("train", "test"))
    known, truth = require_labels(train, "this test"), require_labels(tested, "this test")
    classes = list(train.info["classes"])
    if len(classes) != loaded.image.num_classes or (loaded.classes and list(loaded.classes) != classes):
        raise UsageError(
            f"the model's classes are {', '.join(loaded.classes) or loaded.image.num_classes}, those of {dataset} "
            f"{', '.join(classes)}"
        )
    shown = spread_numbers(len(tested), test)
    place = arithmetic_device(loaded.device)
    queries = torch.cat(list(read_pixels(tested, place, shown)))
    with report.task("nearest samples", samples, "samples") as task:
        drawn = (to_images(to_uint8(part)).flatten(1) for part in loaded.batches(samples, seed=seed, on_device=True))
        _, numbers = nearest(queries, drawn, 1, task)
    wrong = float((numbers[:, 0] % loaded.image.num_classes != truth[shown]).float().mean())
    with report.task("nearest training images", len(train), "images") as task:
        _, numbers = nearest(queries, read_pixels(train, place), 1, task)
    theirs = float((known[numbers[:, 0]] != truth[shown]).float().mean())
    own = {"samples": samples, "test_images": len(shown), "classifier": "nearest neighbor, Euclidean, in pixels"}
    own |= {"features": "pixels", "seed": seed}
    protocol = describe("probe", images, len(train), own, pack=train, model=loaded)
    errors = {"one_nn_error": wrong, "one_nn_error_of_real": theirs}
    verdicts = {"one_nn_error": judge(wrong, 1 - 1 / len(classes), theirs)}
    details = published(f"one-nn {protocol['dataset']}")
    results = Results(errors, {}, protocol, details=details, verdicts=verdicts)
    return publish(results, model, raw=raw, write=write, out=out, report=report)
