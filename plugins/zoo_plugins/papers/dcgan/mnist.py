"""Claim: samples of a conditional DCGAN teach digits as well as real ones (the paper's appendix)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Training, Verdict, Work
from zoo_core.papers import Kind, Shown

from .trainings import NARROW
from .words import span, write_share

MARGIN = 0.01  # of the error, by which samples may be worse than real images


class ConditionalDigits(Claim):
    """The error of nearest-neighbor classifiers of real digits: one that knows samples, and one that knows real images."""

    title: ClassVar[str] = "Conditional MNIST"
    statement: ClassVar[str] = (
        "A nearest-neighbor classifier that knows only generated digits is as good as one that knows real ones."
    )
    paper: ClassVar[str] = (
        "error 2.98 % with 50,000 samples, 1.48 % with 10 million; real digits 3.1 % ?, plain GAN 6.28 % ? (appendix)"
    )
    criterion: ClassVar[str] = (
        "Both classify the same real test digits by the nearest neighbor in pixels. Holds if the 95 % interval of the "
        f"error with samples ends at most {MARGIN * 100:g} point above the error with real images, does not hold here if "
        "it begins above that. Else it cannot be told."
    )
    needs: ClassVar[Sequence[str]] = ("mnist",)
    examples: ClassVar[Mapping[str, Facts]] = {
        kind: {"samples": 50_000, "ours": {"count": ours, "of": 10_000}, "real": {"count": 310, "of": 10_000}}
        for kind, ours in (("holds", 298), ("does not hold here", 628), ("cannot tell", 400))
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        return [
            train_digits(bench),
            Work("nearest neighbors of test digits", bench.choose(seconds=2.0, minutes=20.0, full=3600.0)),
        ]

    def measure(self, bench: Bench) -> Facts:
        run = bench.train(train_digits(bench))
        data = bench.find_data("mnist")
        return {**bench.remember("neighbors", lambda: classify(bench, run, data)), "run": run.name}

    def judge(self, facts: Facts) -> Verdict:
        ours, most = span(facts["ours"]), facts["real"]["count"] / facts["real"]["of"] + MARGIN
        kind: Kind = "holds" if ours[1] <= most else "does not hold here" if ours[0] > most else "cannot tell"
        return Verdict(kind, f"{self.ours(facts)}; at most {most:.1%} is asked for")

    def ours(self, facts: Facts) -> str:
        real = facts["real"]["count"] / facts["real"]["of"]
        return f"error {write_share(facts['ours'])} with {facts['samples']:,} samples, {real:.1%} with real digits"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        errors = {
            f"{facts['samples']:,} samples": (facts["ours"]["count"] / facts["ours"]["of"], span(facts["ours"])),
            "real digits": (facts["real"]["count"] / facts["real"]["of"], span(facts["real"])),
        }
        return [Figure("samples", "generated digits, classes in turn"), Estimates("Error on test digits", errors, "share")]

    def commands(self, facts: Facts) -> Sequence[str]:
        if "run" not in facts:
            return []
        return [f"zoo probe runs/{facts['run']} --one-nn --dataset mnist --data MNIST --samples {facts['samples']}"]


def train_digits(bench: Bench) -> Training:
    """Return the training of the conditional generator."""
    return Training(
        "cdcgan",
        "mnist",
        images=bench.choose(seconds=1_280, minutes=40_000, hour=400_000, gpu=500_000, full=6_000_000),
        size=32,
        options=bench.choose(seconds=NARROW, hour={}),
    )


def classify(bench: Bench, model: Any, data: str | None) -> dict[str, Any]:
    """Return both errors, as counts."""
    import zoo

    samples = bench.choose(seconds=500, minutes=10_000, hour=50_000, full=10_000_000)
    test = bench.choose(seconds=200, minutes=2_000, hour=None)
    found = zoo.one_nn(
        model, dataset="mnist", data=data, samples=samples, test=test, device=bench.device, write=False, report=bench.report
    )
    bench.picture("samples", lay_out(zoo.to_pictures(zoo.load(model, device=bench.device).sample(30)), 10))
    of = found.protocol["test_images"]
    wrong = {"ours": found.metrics["one_nn_error"], "real": found.metrics["one_nn_error_of_real"]}
    return {"samples": samples, **{name: {"count": round(error * of), "of": of} for name, error in wrong.items()}}


def lay_out(pictures: Sequence[Any], columns: int) -> Any:
    """Return PIL pictures of one size side by side, twice as large."""
    from PIL import Image

    width, height = (2 * side for side in pictures[0].size)
    sheet = Image.new("RGB", (width * columns, height * -(-len(pictures) // columns)))
    for i, one in enumerate(pictures):
        sheet.paste(one.resize((width, height)), (i % columns * width, i // columns * height))
    return sheet
