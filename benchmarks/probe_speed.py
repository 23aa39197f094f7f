"""How fast the probe's SVM is: against scikit-learn's LinearSVC, or against the way that the probe went before.

    python benchmarks/probe_speed.py --data DIR [--images 5000] [--json]
    python benchmarks/probe_speed.py --data DIR --against before --images 50000 --test 10000 [--json]

DIR holds CIFAR-10. Features are those of a randomly initialized discriminator (recipe dcgan-imagenet32, all stages
max-pooled to 4×4: 28,672 numbers, half precision, batch-norm statistics of the images themselves). Without --data the images
are noise with a class's mean added. `accuracy_difference` is in points, on --test test images; every time is of this run.

Against `sklearn` both fit one C: squared hinge, L2, one versus rest. `ratio` is scikit-learn's time by ours;
`objective_difference` is relative, scikit-learn's objective minus ours by ours, both computed in double precision.

Against `before` both choose C on a tenth that is held out, then fit all; `ratio` is the time before by that now, of choosing
and fitting, and `seconds` has the parts. Before, all values of C were tried on all images, to a gap of 0.01, in pieces of
256, with 2,048 images for the preconditioner, and the last fit began at zero. Features lie on a memory map. What is asked of
it, on two quiet cores with all 50,000 images: `seconds.now.total` of at most 900, features included, and accuracies that
differ by at most 0.1 points. --skip-before leaves out the way before, which takes long there.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import zoo
from zoo.metrics import choosing, matrices
from zoo.metrics.choosing import CS, choose_c
from zoo.metrics.extractors import StageFeatures, extract, stream_features
from zoo.metrics.matrices import Gram, Streamed
from zoo.metrics.svm import GRAM, Classifier, Problem
from zoo.packs import to_images
from zoo.progress import PlainReporter, Reporter

CLASSES = 10


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Time the probe's SVM against another one.")
    parser.add_argument("--data", help="folder with CIFAR-10")
    parser.add_argument("--against", choices=("sklearn", "before"), default="sklearn")
    parser.add_argument("--skip-before", action="store_true", help="with --against before: only what is done now")
    parser.add_argument("--some", type=int, default=GRAM, help="images by which C is first chosen; fewer for a small trial")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--c", type=float, default=1.0, help="for features whose mean squared length is 1")
    parser.add_argument("--width", type=int, default=128, help="of the discriminator; 128 gives 28,672 features")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    load_before = os.getloadavg()
    begun = time.perf_counter()
    (x, labels), (shown, truth) = data(given.data, given.images, given.test)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        features, tested = features_of(x, shown, given.width, Path(folder))
        seconds = {"images": start - begun, "features": time.perf_counter() - start}
        report = Reporter() if given.json else PlainReporter()
        compare = against_sklearn if given.against == "sklearn" else against_before
        result = compare(features, labels, tested, truth, given, seconds, report)
    result |= {"threads": torch.get_num_threads(), "load_before": load_before, "load_after": os.getloadavg()}
    print(json.dumps({"images": len(features), "features": features.shape[1], **result}))


def against_sklearn(
    features: Tensor, labels: Tensor, shown: Tensor, truth: Tensor, given: Any, seconds: Any, report: Reporter
) -> dict[str, Any]:
    """Fit one C by both."""
    found: dict[str, tuple[Classifier, float]] = {}
    for solver in ("torch", "sklearn"):
        start = time.perf_counter()
        problem = Problem(features, labels, CLASSES, solver=solver)  # type: ignore[arg-type]
        classifier = problem.solve(given.c)
        found[solver] = (classifier, time.perf_counter() - start)
        report.note(
            f"{solver}: {found[solver][1]:.1f} s, {classifier.accuracy(shown, truth):.2%} of the test images are right"
        )
    objectives = {name: objective(features, labels, classifier) for name, (classifier, _) in found.items()}
    accuracies = {name: classifier.accuracy(shown, truth) for name, (classifier, _) in found.items()}
    return {
        "c": given.c,
        "seconds": {name: round(seconds, 2) for name, (_, seconds) in found.items()},
        "ratio": round(found["sklearn"][1] / found["torch"][1], 2),
        "objective": objectives,
        "objective_difference": (objectives["sklearn"] - objectives["torch"]) / objectives["torch"],
        "accuracy": accuracies,
        "accuracy_difference": round(100 * (accuracies["torch"] - accuracies["sklearn"]), 3),
        "evaluations": found["torch"][0].steps,
    }


def against_before(
    features: Tensor, labels: Tensor, shown: Tensor, truth: Tensor, given: Any, seconds: Any, report: Reporter
) -> dict[str, Any]:
    """Choose C and fit, as now and as before."""
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))
    held, fit = (part.sort().values for part in (order[: len(order) // 10], order[len(order) // 10 :]))
    ways: dict[str, Callable[..., tuple[Classifier, dict[str, float]]]] = {"now": fit_now, "before": fit_before}
    if given.skip_before:
        ways.pop("before")
    took, accuracies, cs, steps = {}, {}, {}, {}
    for name, way in ways.items():
        classifier, parts = way(features, labels, fit, held, given.some, report)
        parts["solving"] = sum(parts.values())
        took[name] = {key: round(value, 2) for key, value in {**seconds, **parts}.items()}
        took[name]["total"] = round(sum(seconds.values()) + parts["solving"], 2)
        accuracies[name], cs[name], steps[name] = classifier.accuracy(shown, truth), classifier.c, classifier.steps
        report.note(f"{name}: {parts['solving']:.1f} s, C = {classifier.c:g}, {accuracies[name]:.2%} right")
    result: dict[str, Any] = {"c": cs, "seconds": took, "accuracy": accuracies, "evaluations_of_the_last_fit": steps}
    if "before" in took:
        result["ratio"] = round(took["before"]["solving"] / took["now"]["solving"], 2)
        result["accuracy_difference"] = round(100 * (accuracies["now"] - accuracies["before"]), 3)
    return result


def fit_now(
    features: Tensor, labels: Tensor, fit: Tensor, held: Tensor, some: int, report: Reporter
) -> tuple[Classifier, dict[str, float]]:
    """Do as `zoo probe` does."""
    start = time.perf_counter()
    choosing.GRAM = some
    best = choose_c(features, labels, CLASSES, fit, held, solver="torch", report=report)
    chosen = time.perf_counter()
    found = Problem(features, labels, CLASSES, solver="torch").solve(best.c, start=best)
    return found, {"choosing": chosen - start, "fitting": time.perf_counter() - chosen}


def fit_before(
    features: Tensor, labels: Tensor, fit: Tensor, held: Tensor, some: int, report: Reporter
) -> tuple[Classifier, dict[str, float]]:
    """Do as `zoo probe` did."""
    choose_size, matrices.sample_size = matrices.sample_size, lambda images, features: 2048
    try:
        start = time.perf_counter()
        problem, scored = old_problem(features, labels, fit, some), []
        for c in CS:
            found = problem.solve(c, gap=1e-2)
            scored.append((found.accuracy(features[held], labels[held]), -c))
            report.note(f"C = {c:g}: {scored[-1][0]:.2%} of {len(held):,} held-out images are right")
            if len(scored) > 1 and scored[-1][0] < max(scored)[0]:
                break
        chosen = time.perf_counter()
        found = old_problem(features, labels, torch.arange(len(features)), some).solve(-max(scored)[1])
    finally:
        matrices.sample_size = choose_size
    return found, {"choosing": chosen - start, "fitting": time.perf_counter() - chosen}


def old_problem(features: Tensor, labels: Tensor, rows: Tensor, some: int) -> Problem:
    """Return a problem that is solved as it was."""
    problem = Problem(features, labels, CLASSES, rows=rows, solver="torch")
    kind = Gram if len(rows) <= min(some, features.shape[1]) else StreamedBefore
    problem.matrix = kind(features, problem.rows, problem.scale)
    return problem


class StreamedBefore(Streamed):
    """Images read in larger pieces, and their gradient with the features as its rows."""

    def sweep(self, weights: Tensor, slack: Callable[[Tensor, slice], Tensor]) -> Tensor:
        k, d, chunk = len(weights), self.features.shape[1], 256
        columns = -(-k // 16) * 16
        w, gradient = weights.new_zeros(d, columns), weights.new_zeros(d, columns)
        w[:, :k] = weights[:, :-1].T * self.scale
        bias = weights.new_zeros(k)
        out, buffer = weights.new_zeros(chunk, columns), weights.new_empty(chunk, d)
        for start in range(0, len(self.rows), chunk):
            part = self.rows[start : start + chunk]
            first, last = int(part[0]), int(part[-1])
            together = last - first + 1 == len(part)
            x = buffer[: len(part)].copy_(self.features[first : last + 1] if together else self.features[part])
            some = out[: len(x)]
            some[:, :k] = slack((x @ w)[:, :k] + weights[:, -1], slice(start, start + len(part)))
            gradient.addmm_(x.T, some)
            bias += some[:, :k].sum(0)
        return torch.cat([gradient[:, :k].T * self.scale, bias[:, None]], dim=1)


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


def features_of(x: Tensor, shown: Tensor, width: int, folder: Path) -> tuple[Tensor, Tensor]:
    """Half-precision features [n, 224 · width] of both sets, the first on a memory map."""
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
    file = folder / "features.bin"
    with open(file, "wb") as stream:
        for vectors in stream_features(network, x):
            stream.write(vectors.half().numpy().data)
    size = len(x) * network.dim
    mapped = torch.from_file(str(file), shared=False, size=size, dtype=torch.float16).view(len(x), -1)
    return mapped, extract(network, shown).half()


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
