"""Claim: what a discriminator has learned serves classification (section 5.1, table 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Table, Training, Verdict, Work
from zoo_core.intervals import apart, mean_interval
from zoo_core.papers import Kind, Shown

from .trainings import NARROW, main_training
from .words import beside, write_mean

REPEATS = 5  # choices of few labeled images
HALF_NARROW = {"generator.width": 32, "discriminator.width": 32, "optimizer.lr": 4e-4}  # of 128 and 2e-4
STAND_IN = "mouth"  # attribute of drawn faces that classifies them where CIFAR-10 is not at hand


@dataclass(frozen=True)
class Subject:
    """What is classified, and by whose features.

    Args:
        many, few: labeled images of a class; None for all.
        centers, patches, stride: of the K-means features.
    """

    training: Training
    dataset: str
    attribute: str | None
    data: str | None
    many: int | None
    few: int
    test: int | None
    centers: int
    patches: int
    stride: int


class Features(Claim):
    """Linear classifiers on features of trained discriminators, of random weights, and of K-means."""

    title: ClassVar[str] = "Features for classification"
    statement: ClassVar[str] = (
        "The discriminator learns features without labels that a linear classifier can use: better than those of K-means, "
        "and better still where labels are few."
    )
    paper: ClassVar[str] = (
        "CIFAR-10, discriminator trained on ImageNet-1k: 82.8 % with all labels, 73.8 ± 0.4 % with 400 a class; 1-layer "
        "K-means 80.6 and 63.7 ± 0.7 % (section 5.1, table 1)"
    )
    criterion: ClassVar[str] = (
        "An L2-SVM on all stages, max-pooled to 4×4, tests discriminators of several seeds, each beside one of random "
        "weights. Holds if the 95 % interval of their mean accuracy lies above that of random weights, with many labels and "
        "with few, and on CIFAR-10 above the accuracy of K-means features, computed from the same images. Does not hold "
        "here if it lies below either. Else it cannot be told. Where CIFAR-10 is not at hand, drawn faces stand in, "
        f"classified by their {STAND_IN}: there nothing is asked but to beat random weights."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        kind: {
            "dataset": dataset,
            "stand_in": dataset == "faces",
            "labels": {"many": "all", "few": "400"},
            "chance": 0.1,
            "many": {"trained": trained, "random": [0.64, 0.643, 0.641], "k-means": [0.7]},
            "few": {"trained": trained, "random": [0.51, 0.512, 0.509], "k-means": [0.6]},
        }
        for kind, dataset, trained in (
            ("holds", "cifar10", [0.72, 0.73, 0.725]),
            ("does not hold here", "cifar10", [0.5, 0.505, 0.495]),
            ("cannot tell", "faces", [0.6, 0.9, 0.64]),
        )
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        subject = choose_subject(bench)
        count = count_seeds(bench)
        if subject.dataset == "cifar10":
            tested, each = "CIFAR-10", bench.choose(seconds=1.0, minutes=30.0, hour=150.0, gpu=20.0)
        else:
            tested = f"drawn faces, which stand in for CIFAR-10, by {STAND_IN}"
            each = bench.choose(seconds=0.7, minutes=6.0, hour=10.0)
        return [
            *(replace(subject.training, seed=seed) for seed in range(count)),
            Work(f"{4 * count + 2} linear classifiers on {tested}", each * (2 * count + 1)),
        ]

    def measure(self, bench: Bench) -> Facts:
        subject, count = choose_subject(bench), count_seeds(bench)
        facts: dict[str, Any] = {"dataset": subject.dataset, "stand_in": subject.dataset != "cifar10"}
        many = "all" if subject.many is None else f"{subject.many} a class"
        facts |= {"labels": {"many": many, "few": f"{subject.few} a class"}, "runs": []}
        facts["options"] = dataset_options(subject.training)
        found: dict[str, dict[str, list[float]]] = {"many": {}, "few": {}}
        for seed in range(count):
            run = bench.train(replace(subject.training, seed=seed))
            facts["runs"].append(run.name)
            for name, untrained in (("trained", False), ("random", True)):
                told = bench.remember(f"{name}-{seed}", lambda: probe(bench, subject, run, seed, untrained))  # noqa: B023
                _add(found, name, told)
                facts["chance"] = told["chance"]
        _add(found, "k-means", bench.remember("k-means", lambda: probe_kmeans(bench, subject, run)))
        return {**facts, **found}

    def judge(self, facts: Facts) -> Verdict:
        sides, told = [], []
        for name in ("many", "few"):
            found = facts[name]
            ours, random = mean_interval(found["trained"]), mean_interval(found["random"])
            sides.append(apart(ours, random))
            words = f"{_percent(found['trained'])} {beside(ours, random)} random weights, {_percent(found['random'])}"
            if not facts["stand_in"] and ours is not None:
                kmeans = found["k-means"][0]
                sides.append(apart(ours, (kmeans, kmeans)))
                words += f", {beside(ours, (kmeans, kmeans))} K-means, {kmeans:.1%}"
            told.append(f"{words} ({_say_labels(facts, name)})")
        kind: Kind = "does not hold here" if -1 in sides else "holds" if all(side > 0 for side in sides) else "cannot tell"
        note = f"drawn faces stand in for CIFAR-10, classified by their {STAND_IN}: " if facts["stand_in"] else ""
        return Verdict(kind, note + "; ".join(told))

    def ours(self, facts: Facts) -> str:
        what = f"stand-in, {STAND_IN}s of drawn faces" if facts["stand_in"] else "CIFAR-10"
        each = [
            f"{_percent(found['trained'])} with {_say_labels(facts, name)} (random weights "
            f"{fmean(found['random']):.1%}, K-means {fmean(found['k-means']):.1%})"
            for name, found in (("many", facts["many"]), ("few", facts["few"]))
        ]
        return f"{what}: {'; '.join(each)}"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        shown: list[Shown] = [
            Estimates(
                f"Test images that are right, {_say_labels(facts, name)}",
                {who: (fmean(values), mean_interval(values)) for who, values in facts[name].items()},
                f"share, over seeds; guessing {facts['chance']:.2f}",
            )
            for name in ("many", "few")
        ]
        if facts["stand_in"]:
            rows = [
                ("dataset", "CIFAR-10", f"drawn faces by their {STAND_IN}"),
                ("trained on", "ImageNet-1k", "drawn faces"),
            ]
            shown.append(Table("A stand-in, because CIFAR-10 is not at hand", ("", "the paper", "here"), rows))
        return shown

    def commands(self, facts: Facts) -> Sequence[str]:
        what = f"faces --attribute {STAND_IN}" if facts["stand_in"] else "cifar10 --data CIFAR10"
        labels = facts["labels"]["many"].removesuffix(" a class")
        options = "".join(f" --set {key}={value}" for key, value in facts.get("options", {}).items())
        first = f"zoo probe runs/{facts['runs'][0]} --dataset {what}{options} --labels {labels}" if facts.get("runs") else ""
        return [first, f"{first} --untrained"] if first else []


def _say_labels(facts: Facts, name: str) -> str:
    count, _, a_class = str(facts["labels"][name]).partition(" ")
    return f"{count} labels {a_class}".rstrip()


def count_seeds(bench: Bench) -> int:
    """Return how many trainings are tested."""
    return int(bench.choose(seconds=2, minutes=5, hour=3))


def choose_subject(bench: Bench) -> Subject:
    """Return what this profile classifies: CIFAR-10 where it is at hand, drawn faces by an attribute where not."""
    where = bench.find_data("cifar10")
    centers = bench.choose(seconds=20, minutes=100, hour=1600, full=4800)
    patches = bench.choose(seconds=1_000, minutes=10_000, hour=100_000, full=400_000)
    stride = bench.choose(seconds=4, minutes=2, hour=1)
    if where is None:
        many, few = bench.choose(seconds=40, minutes=300, hour=800), bench.choose(seconds=10, minutes=30, hour=80)
        test = bench.choose(seconds=200, minutes=None)
        return Subject(main_training(bench), "faces", STAND_IN, None, many, few, test, centers, patches, stride)
    training = Training(
        "dcgan-imagenet32",
        bench.choose(seconds="cifar10", full="imagenet") if bench.find_data("imagenet") is not None else "cifar10",
        images=bench.choose(seconds=1_280, minutes=20_000, hour=100_000, gpu=300_000, full=38_000_000),
        size=32,
        options=bench.choose(seconds=NARROW, hour=HALF_NARROW, gpu={}),
    )
    many = bench.choose(seconds=40, minutes=1_000, hour=2_000, gpu=None)
    few, test = bench.choose(seconds=10, minutes=400), bench.choose(seconds=200, minutes=2_000, hour=None)
    return Subject(training, "cifar10", None, where, many, few, test, centers, patches, stride)


def probe(bench: Bench, subject: Subject, model: Any, seed: int, untrained: bool = False) -> dict[str, float]:
    """Return how often a linear classifier on a discriminator's features is right, with many labels and with few."""
    import zoo

    options: dict[str, Any] = {"dataset": subject.dataset, "data": subject.data, "attribute": subject.attribute}
    options["options"] = dataset_options(subject.training)
    options |= {"test": subject.test, "untrained": untrained, "seed": seed, "device": bench.device, "write": False}
    labels: dict[str, Any] = {"many": subject.many or "all", "few": subject.few}
    found: dict[str, float] = {}
    for name, count in labels.items():
        repeats = REPEATS if name == "few" else 1
        results = zoo.probe(model, labels=count, repeats=repeats, report=bench.report, **options)
        found[name], found["chance"] = results.metrics["probe_accuracy"], results.details["guessing"]
    return found


def probe_kmeans(bench: Bench, subject: Subject, run: Any) -> dict[str, float]:
    """Return the same of K-means features, learned from the images that the discriminators were trained on."""
    import zoo

    from .kmeans import learn

    model = zoo.load(run, device=bench.device)
    features = learn(bench.pack(subject.training), subject.centers, patches=subject.patches, stride=subject.stride).to(
        model.device
    )
    return probe(bench, subject, replace(model, discriminator=features), 0)


def dataset_options(training: Training) -> dict[str, Any]:
    """Return those options of a training that say which images there are."""
    return {key: value for key, value in training.options.items() if key.startswith("dataset.")}


def _add(found: dict[str, dict[str, list[float]]], who: str, told: Mapping[str, float]) -> None:
    for name, values in found.items():
        values.setdefault(who, []).append(told[name])


def _percent(values: Sequence[float]) -> str:
    return write_mean(values, percent=True)
