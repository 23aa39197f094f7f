"""`zoo.probe`: what a discriminator has learned, by the paper's test: a linear classifier on its features.

Radford et al. 2015, arXiv:1511.06434, section 5: all convolutional stages, max-pooled to 4×4, concatenated, and a
regularized linear L2-SVM on them. C is chosen on a held-out part of the training images; the test images are looked at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from zoo_core import DataError, Discriminator, OptionError, UsageError, registry

from ..devices import check_device, exact_float32, move_to
from ..files import Place, path_of
from ..loading import create, local_folder
from ..metrics.choosing import CS, choose_c
from ..metrics.extractors import Extractor, MirroredFeatures, StageFeatures, checksum, require_discriminator
from ..metrics.images import open_data, read_images, require_labels, spread_numbers
from ..metrics.store import cache_features
from ..metrics.svm import GAP, GRAM, Problem, Solver, check_solver
from ..models.batch_norm import estimate_batch_norm
from ..models.building import build_component
from ..models.model import Model, ModelLike
from ..notebook import AUTOMATIC
from ..packs import Pack, PackRequest, to_images
from ..packs.request import parse_options
from ..progress import Reporter
from ..randomness import generator_for, seeded
from ..reports.numbers import judge
from .layers import probe_layers
from .published import FEW, published
from .results import Results, describe, open_model, publish

HELD_OUT, HELD_OUT_OF_FEW = 0.1, 0.25  # shares of the labeled training images on which C is chosen
STATISTICS, BATCH = 10_000, 100  # training images that give batch-norm statistics anew, and how many go together


def probe(
    model: ModelLike,
    *,
    dataset: str = "cifar10",
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    attribute: str | None = None,
    labels: int | Literal["all"] | None = None,
    repeats: int | None = None,
    test: int | None = None,
    untrained: bool = False,
    mirror: bool = False,
    per_layer: bool = False,
    solver: Solver = "auto",
    seed: int = 0,
    device: str = "auto",
    out: Place | None = None,
    write: bool = True,
    report: Reporter = AUTOMATIC,
) -> Results:
    """Fit a linear classifier on the features of a model's discriminator, and test it.

    Features are kept in the cache in half precision, so that an interrupted probe goes on. Batch-norm statistics are
    estimated anew from the training images, as in the authors' code: those of the discriminator are of half real, half
    generated images.

    Args:
        model: as of `zoo.evaluate`; with `untrained` also a recipe.
        dataset, data: with the splits "train" and "test" and labels: "cifar10", "svhn", …
        options: of the dataset: {"dataset.count": 2000}.
        attribute: what the images are classified by, where they have several labels or no classes: "glasses" of "faces".
        labels: "all", or labeled training images per class; by default all, and for SVHN 100 per class as in the paper.
        repeats: random choices of the labeled images, for a mean and a standard deviation; 10 unless all are used.
        test: most test images, evenly spread; by default all.
        untrained: the same discriminator with random initial weights, as a control.
        mirror: whether features are means of each image's and its mirror image's.
        per_layer: say also what each stage is worth, alone and with those below it, of up to 8,000 of the labeled images
            (`details["layers"]`).
        solver: "sklearn", "torch", or "auto" for whichever copes.
        seed, device, out, write, report: as of `zoo.evaluate`.

    Raises:
        UsageError: a name or number that cannot be; a model without discriminator.
        DataError: no labels, too few images of a class, other classes in the test images.
        ZooError: features that are no numbers; a disk without room for them; scikit-learn asked for and not installed.
    """
    check_solver(solver)
    network, weights = _open_discriminator(model, untrained, seed, device)
    place = check_device(device)
    network = network.to(place)
    images = PackRequest(dataset, path_of(data), options=parse_options(dataset, options or {}))
    packs = [open_data(network.image, replace(images, split=split), report=report) for split in ("train", "test")]
    train, tested = packs
    truth = [require_labels(pack, "a probe", attribute) for pack in packs]
    classes, theirs = (list(pack.info["attributes"][attribute] if attribute else pack.info["classes"]) for pack in packs)
    if classes != theirs:
        raise DataError(
            f"the training images have the classes {', '.join(classes[:5])} and the test images {', '.join(theirs[:5])}",
            hint="a probe needs the same classes in both splits",
        )
    bare = str(train.info["dataset"]["name"]).rpartition(":")[2]
    wanted: int | str = labels if labels is not None else FEW.get(bare, "all")
    count = (1 if wanted == "all" else 10) if repeats is None else repeats
    if count < 1:
        raise OptionError(f"repeats must be at least 1, not {count}")
    choices = [_choose(truth[0], classes, wanted, seed, number) for number in range(count)]
    used = torch.unique(torch.cat([part for choice in choices for part in choice]))
    shown = spread_numbers(len(tested), test)

    before = checksum(network)
    _estimate(network, train, seed, report)
    own_options: dict[str, Any] = {"grid": 4, "pool": "max", "statistics": f"{train.key[:16]} {STATISTICS} {seed}"}
    features = StageFeatures(network)
    own_options |= {"mirror": True} if mirror else {}
    seen = MirroredFeatures(features) if mirror else features
    extractor = Extractor("discriminator", "", own_options, seen, before, place)
    fitted, test_features = (
        cache_features(extractor, read_images(pack, rows, label=label), precision="float16", report=report)
        for pack, rows, label in ((train, used, "training images"), (tested, shown, "test images"))
    )
    accuracies, cs = [], set()
    for number, choice in enumerate(choices):
        fit, held = (torch.searchsorted(used, part) for part in choice)
        given = (fitted, truth[0][used], len(classes))
        best = choose_c(*given, fit, held, solver=solver, device=place, report=report)
        rows = torch.cat([fit, held]).sort().values
        final = Problem(*given, rows=rows, solver=solver, device=place)
        with report.task(f"fitting {len(rows):,} images with C = {best.c:g}") as task:
            classifier = final.solve(best.c, start=best, heard=lambda steps, gap: task.update(steps, gap=f"{gap:.1e}"))
        accuracies.append(classifier.accuracy(test_features, truth[1][shown]))
        cs.add(best.c)
        report.note(f"{number + 1} of {count}: {accuracies[-1]:.2%} of the test images are right")
    layers = []
    if per_layer:
        fit, held = (torch.searchsorted(used, part) for part in choices[0])
        pairs = (fitted, truth[0][used]), (test_features, truth[1][shown])
        layers = probe_layers(features.sizes, *pairs, len(classes), fit, held, solver=solver, device=place, report=report)
    found = torch.tensor(accuracies, dtype=torch.float64)
    spread = {"probe_accuracy": float(found.std())} if count > 1 else {}
    own = {
        **({"attribute": attribute} if attribute else {}),
        "labels": "all" if wanted == "all" else f"{wanted} per class",
        "repeats": count,
        "test_images": len(shown),
        "classifier": f"one-vs-rest L2-SVM, squared hinge ({final.solver})",
        "features": "their mean subtracted, scaled by one number",
        "c": ", ".join(f"{c:g}" for c in sorted(cs)),
        "c_chosen_from": ", ".join(f"{c:g}" for c in CS),
        "c_chosen_on": f"{len(choices[0][1]):,} held-out training images",
        "solved_to": f"within {GAP:g} of the objective's minimum, proved by the dual"
        if final.solver == "torch"
        else "tol 1e-5",
        "weights": weights,
        "batch_norm": f"estimated anew from {min(STATISTICS, len(train)):,} training images",
        "seed": seed,
    }
    protocol = describe("probe", images, len(used), own, pack=train, extractor=extractor, precision="float16")
    accuracy, guessing = float(found.mean()), float(truth[1][shown].bincount().max()) / len(shown)
    details = {"guessing": round(guessing, 4), **published(bare)}
    if layers:
        details |= {"layers": layers, "layers_of": min(len(torch.cat(choices[0])), GRAM)}
    # of random weights it is the control, which nothing has learned
    verdicts = {} if untrained else {"probe_accuracy": judge(accuracy, guessing, 1.0)}
    results = Results({"probe_accuracy": accuracy}, spread, protocol, details=details, verdicts=verdicts)
    return publish(results, model, raw=untrained, write=write and not untrained, out=out, report=report)


def _open_discriminator(where: ModelLike, untrained: bool, seed: int, device: str) -> tuple[Discriminator, str]:
    """Return the discriminator to look at, and what its weights are."""
    if not untrained:
        model = open_model(where, device=device)
        return require_discriminator(model.discriminator, where), "the discriminator's own, trained"
    words = f"random initial weights, seed {seed}"
    here = isinstance(where, Model) or (Path(where).exists() and local_folder(where) is not None)
    name = "" if here or isinstance(where, Model) else os.fspath(where)
    known = create(name) if name in registry.names("recipes") else open_model(where)
    require_discriminator(known.discriminator, where)
    with seeded(seed, "weights"):
        part, latent_dim = known.config["parts"]["discriminator"], known.generator.latent_dim
        return build_component("discriminators", part, known.image, latent_dim=latent_dim), words


def _choose(labels: Tensor, classes: Sequence[str], wanted: int | str, seed: int, number: int) -> tuple[Tensor, Tensor]:
    """Choose labeled images of every class; return the numbers of those to fit, and of those held out, sorted."""
    if wanted != "all" and (not isinstance(wanted, int) or wanted < 2):
        raise UsageError(f"labels must be 'all' or at least 2 per class, not {wanted}", hint="for example: --labels 400")
    rng = generator_for(seed, "labeled images", number)
    least, share = (2, HELD_OUT) if wanted == "all" else (int(wanted), HELD_OUT_OF_FEW)
    fit, held = [], []
    for k, name in enumerate(classes):
        of_class = (labels == k).nonzero().squeeze(1)
        if len(of_class) < least:
            raise DataError(
                f"class {name!r} has {len(of_class)} training images, and {least} are needed",
                hint="a probe needs images of every class; take fewer: --labels N",
            )
        order = of_class[torch.randperm(len(of_class), generator=rng)]
        order = order if wanted == "all" else order[:least]
        part = max(1, round(len(order) * share))
        held.append(order[:part])
        fit.append(order[part:])
    return torch.cat(fit).sort().values, torch.cat(held).sort().values


def _estimate(network: Discriminator, pack: Pack, seed: int, report: Reporter) -> None:
    """Set batch-norm statistics to the means of those of minibatches of training images; everything else stays."""
    place = next(network.parameters()).device
    order = torch.randperm(len(pack), generator=generator_for(seed, "statistics"))[:STATISTICS]

    def run() -> None:
        with report.task("batch-norm statistics", len(order), "images") as task:
            for number, part in enumerate(torch.split(order, BATCH)):
                if len(part) > 1:  # one has no variance
                    x = to_images(move_to(pack.gather(part), place))
                    network(x, torch.zeros(len(x), dtype=torch.int64, device=place) if network.image.num_classes else None)
                    task.update(number * BATCH + len(part))

    with exact_float32():
        estimate_batch_norm(network, run)
