"""Claim: a generator can be made to forget what it draws, by silencing the feature maps that draw it (section 6.3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Training, Verdict, Work
from zoo_core.intervals import apart
from zoo_core.papers import Kind, Shown

from .trainings import main_training
from .words import keep_share, span, write_share

WORD = "glasses"  # of drawn faces: an object with a place of its own, as the paper's windows
LEAST = 20  # samples that must show it beforehand


class Forgetting(Claim):
    """What is left of an object after its feature maps were silenced, beside as many maps chosen at random."""

    title: ClassVar[str] = "Forgetting an object"
    statement: ClassVar[str] = (
        "Single feature maps draw specific objects: without those for windows, the generator draws other things in their "
        "place."
    )
    paper: ClassVar[str] = (
        "shown, not measured: windows of bedrooms, every map with a positive weight (section 6.3.1, figure 6)"
    )
    criterion: ClassVar[str] = (
        f"The object is {WORD} on drawn faces, and a classifier says who shows it, on the same latents before and after. "
        "Holds if the 95 % interval of the share that still shows it lies below that before, and below that after as "
        "many random maps, over several choices of them. Does not hold here if it lies above the latter. Else it cannot "
        f"be told; nor where fewer than {LEAST} samples show it beforehand."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        kind: {
            "word": WORD,
            "maps": 5,
            "of_maps": 32,
            "before": {"count": before, "of": 256},
            "after": {"count": after, "of": 256},
            "random": {"count": 840, "of": 2560, "interval": [0.27, 0.38]},
            "kept": [0.7, 0.75, 0.5],
        }
        for kind, before, after in (("holds", 100, 10), ("does not hold here", 100, 120), ("cannot tell", 100, 80))
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        classifying = bench.choose(seconds=8.0, minutes=40.0, hour=40.0, gpu=10.0)
        return [
            main_training(bench),
            Work("training a classifier, where the dataset's own is not installed", classifying),
            Work(f"forgetting {WORD}", bench.choose(seconds=1.0, minutes=5.0)),
        ]

    def measure(self, bench: Bench) -> Facts:
        run = bench.train(main_training(bench))
        return {**bench.remember("forget", lambda: forget(bench, run)), "run": run.name}

    def judge(self, facts: Facts) -> Verdict:
        if "why_not" in facts:
            return Verdict("cannot tell", facts["why_not"])
        before, after, random = (facts[name] for name in ("before", "after", "random"))
        if before["count"] < LEAST:
            return Verdict(
                "cannot tell", f"only {before['count']} of {before['of']} samples show {facts['word']} beforehand"
            )
        sides = apart(span(after), span(before)), apart(span(after), span(random))
        kind: Kind = "holds" if sides == (-1, -1) else "does not hold here" if sides[1] > 0 else "cannot tell"
        return Verdict(kind, self.ours(facts))

    def ours(self, facts: Facts) -> str:
        if "why_not" in facts:
            return str(facts["why_not"])
        before, after, random = (write_share(facts[name]) for name in ("before", "after", "random"))
        return f"{facts['word']} on {before} of samples, {after} without their maps, {random} without as many random ones"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        if "why_not" in facts:
            return []
        names = {"before": "before", "after": f"without {facts['maps']} of {facts['of_maps']} maps", "random": "random maps"}
        shares = {words: (facts[n]["count"] / facts[n]["of"], span(facts[n])) for n, words in names.items()}
        kept = dict(zip(("without the maps", "random maps", "unrelated samples"), facts["kept"], strict=True))
        others: dict[str, tuple[float, None]] = {name: (value, None) for name, value in kept.items() if value is not None}
        return [
            Figure(
                "samples", "samples before, after, and with random maps silenced", "Those that had the object come first"
            ),
            Estimates(f"Samples that show {facts['word']}", shares, "share"),
            *([Estimates("Other attributes that stay", others, "share")] if others else []),
        ]

    def commands(self, facts: Facts) -> Sequence[str]:
        return [f"zoo forget runs/{facts['run']} --attribute {facts['word']} --out forget.png"] if "run" in facts else []


def forget(bench: Bench, model: Any) -> dict[str, Any]:
    """Return how many samples show the object, before, after, and without random maps; or why that cannot be found out."""
    import zoo
    from zoo_core import UsageError

    tested, searched = bench.choose(seconds=64, minutes=256), bench.choose(seconds=256, minutes=1024)
    try:
        found = zoo.forget(model, WORD, tested=tested, searched=searched, device=bench.device, report=bench.report)
    except UsageError as error:  # nothing that could be forgotten is drawn
        return {"why_not": error.message}
    bench.picture("samples", found.picture())
    told = found.to_json()
    shares = {name: keep_share(told[name]) for name in ("before", "after", "random")}
    kept = [told[name] for name in ("kept_mean", "kept_random_mean", "kept_unrelated_mean")]
    return {"word": WORD, "maps": told["silenced"], "of_maps": told["of"], **shares, "kept": kept}
