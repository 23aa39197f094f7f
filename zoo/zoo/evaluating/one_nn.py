"""`zoo.one_nn`: how well generated images tell real classes, by the nearest-neighbor test of the paper's appendix.

Radford et al. 2015, arXiv:1511.06434. Nearest neighbors are looked for in pixels.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from zoo_core import UsageError

from ..metrics.images import open_data, require_labels, spread_numbers
from ..metrics.nearest import nearest, read_pixels
from ..models.model import Model
from ..packs import PackRequest, to_images, to_uint8
from ..progress import SILENT, Reporter
from .published import published
from .results import Results, publish
from .subject import describe, open_model


def one_nn(
    model: str | Path | Model,
    *,
    dataset: str,
    data: str | Path | None = None,
    samples: int = 50_000,
    test: int | None = None,
    seed: int = 0,
    raw: bool = False,
    device: str = "auto",
    out: str | Path | None = None,
    write: bool = True,
    report: Reporter = SILENT,
) -> Results:
    """Measure the test error of nearest-neighbor classifiers on real images: one of samples, one of real training images.

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
    images = PackRequest(dataset, data)
    train, tested = (open_data(loaded.image, replace(images, split=split), report=report) for split in ("train", "test"))
    known, truth = require_labels(train, "this test"), require_labels(tested, "this test")
    classes = list(train.info["classes"])
    if len(classes) != loaded.image.num_classes or (loaded.classes and list(loaded.classes) != classes):
        raise UsageError(
            f"the model's classes are {', '.join(loaded.classes) or loaded.image.num_classes}, those of {dataset} "
            f"{', '.join(classes)}"
        )
    shown = spread_numbers(len(tested), test)
    queries = torch.cat(list(read_pixels(tested, shown)))
    with report.task("nearest samples", samples, "samples") as task:
        drawn = (to_images(to_uint8(images)).flatten(1) for images in loaded.batches(samples, seed=seed))
        _, numbers = nearest(queries, drawn, 1, task)
    wrong = float((numbers[:, 0] % loaded.image.num_classes != truth[shown]).float().mean())
    with report.task("nearest training images", len(train), "images") as task:
        _, numbers = nearest(queries, read_pixels(train), 1, task)
    theirs = float((known[numbers[:, 0]] != truth[shown]).float().mean())
    own = {"samples": samples, "test_images": len(shown), "classifier": "nearest neighbor, Euclidean, in pixels"}
    own |= {"features": "pixels", "seed": seed}
    protocol = describe("probe", images, len(train), own, model=loaded)
    errors = {"one_nn_error": wrong, "one_nn_error_of_real": theirs}
    results = Results(errors, {}, protocol, details=published(f"one-nn {protocol['dataset']}"))
    return publish(results, model, raw=raw, write=write, out=out, report=report)
