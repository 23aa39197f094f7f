"""How fast the probe's SVM is against scikit-learn's LinearSVC, on features of a randomly initialized discriminator.

    python benchmarks/probe_speed.py --data DIR [--images 5000] [--json]

DIR holds CIFAR-10. The images' 28,672 features (recipe dcgan-imagenet32, all stages max-pooled to 4×4, half precision,
batch-norm statistics of the images themselves) are given to both: squared hinge, L2, one versus rest, one C. `ratio` is
scikit-learn's time by ours; `objective_difference` is relative, scikit-learn's objective minus ours by ours, both computed
in double precision; `accuracy_difference` is in points, on --test test images. Without --data the images are noise with a
class's mean added.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import torch
from torch import Tensor

import zoo
from zoo.metrics.extractors import StageFeatures, extract
from zoo.metrics.svm import Classifier, Problem
from zoo.packs import to_images

CLASSES = 10


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Time the probe's SVM against scikit-learn's.")
    parser.add_argument("--data", help="folder with CIFAR-10")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--c", type=float, default=1.0, help="for features whose mean squared length is 1")
    parser.add_argument("--width", type=int, default=128, help="of the discriminator; 128 gives 28,672 features")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    load_before = os.getloadavg()
    (x, labels), (shown, truth) = data(given.data, given.images, given.test)
    features, shown = features_of(x, shown, given.width)
    found: dict[str, tuple[Classifier, float]] = {}
    for solver in ("torch", "sklearn"):
        start = time.perf_counter()
        problem = Problem(features, labels, CLASSES, solver=solver)  # type: ignore[arg-type]
        classifier = problem.solve(given.c)
        found[solver] = (classifier, time.perf_counter() - start)
        if not given.json:
            accuracy = classifier.accuracy(shown, truth)
            print(f"{solver}: {found[solver][1]:.1f} s, {accuracy:.2%} of the test images are right", flush=True)
    objectives = {name: objective(features, labels, classifier) for name, (classifier, _) in found.items()}
    accuracies = {name: classifier.accuracy(shown, truth) for name, (classifier, _) in found.items()}
    result: dict[str, Any] = {
        "images": len(features),
        "features": features.shape[1],
        "c": given.c,
        "seconds": {name: round(seconds, 2) for name, (_, seconds) in found.items()},
        "ratio": round(found["sklearn"][1] / found["torch"][1], 2),
        "objective": objectives,
        "objective_difference": (objectives["sklearn"] - objectives["torch"]) / objectives["torch"],
        "accuracy": accuracies,
        "accuracy_difference": round(100 * (accuracies["torch"] - accuracies["sklearn"]), 3),
        "evaluations": found["torch"][0].steps,
        "threads": torch.get_num_threads(),
        "load_before": load_before,
        "load_after": os.getloadavg(),
    }
    print(json.dumps(result))


def data(where: str | None, images: int, test: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Training and test images in [−1, 1] with their labels."""
    found = []
    for split, count in (("train", images), ("test", test)):
        rng = torch.Generator().manual_seed(0)
        if where is None:
            rng.manual_seed(count)
            labels = torch.randint(0, CLASSES, (count,), generator=rng)
            means = torch.randn(CLASSES, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.1
            found.append(((torch.randn(count, 3, 32, 32, generator=rng) * 0.4 + means[labels]).clamp(-1, 1), labels))
            continue
        pack = zoo.build_pack(zoo.PackRequest("cifar10", data=where, split=split, size=32, channels=3))
        chosen = torch.randperm(len(pack), generator=rng)[:count].sort().values
        assert pack.labels is not None
        found.append((to_images(pack.gather(chosen)), pack.labels[chosen]))
    return found[0], found[1]


def features_of(x: Tensor, shown: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Half-precision features [n, 224 · width] of both sets."""
    model = zoo.create("dcgan-imagenet32", options={"discriminator.width": width})
    assert model.discriminator is not None
    norms = [module for module in model.discriminator.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for part in x[:1000].split(100):
            model.discriminator(part)
    network = StageFeatures(model.discriminator, grid=4, pool="max")
    return extract(network, x).half(), extract(network, shown).half()


def objective(features: Tensor, labels: Tensor, found: Classifier) -> float:
    """In double precision, for features whose mean squared length is 1."""
    problem = Problem(features, labels, CLASSES, solver="torch")
    total, weights, bias = 0.0, found.weights.double() / problem.scale, found.bias.double()
    for rows in torch.arange(len(features)).split(500):
        x = features[rows].double() * problem.scale
        slack = (1 - problem.signs[rows].double() * (x @ weights.T + bias)).clamp(min=0)
        total += found.c * float(slack.square().sum())
    return total + 0.5 * float(weights.square().sum() + bias.square().sum())


if __name__ == "__main__":
    main()
