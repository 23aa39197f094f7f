"""Claim: latents can be added and subtracted with the meaning of what they draw (section 6.3.2 and figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Training, Verdict, Work
from zoo_core.intervals import apart
from zoo_core.papers import Kind, Shown

from .trainings import main_training
from .words import keep_share, span, write_share

EXPRESSION = "glasses+skin_color=dark - skin_color=dark + skin_color=light"
EXEMPLARS = 3  # of each concept, as in the paper
BESIDE = {"any": "any sample", "single": "single exemplars", "pixels": "the same with pixels"}


class Arithmetic(Claim):
    """How often sums of mean latents show what was asked for, beside single latents, pixels, and any sample."""

    title: ClassVar[str] = "Vector arithmetic"
    statement: ClassVar[str] = (
        "Mean latents of three exemplars can be added and subtracted with the meaning of what they draw; single "
        "exemplars are unstable, and the same sums of pixels give noise."
    )
    paper: ClassVar[str] = (
        "shown, not measured: smiling woman − neutral woman + neutral man, and two more (section 6.3.2, figure 7)"
    )
    criterion: ClassVar[str] = (
        f"The sum is “{EXPRESSION}” of drawn faces; a classifier says in which trials the result shows all that was asked "
        f"for. Holds if the 95 % interval of that share, with {EXEMPLARS} exemplars, lies above that of any sample, above "
        "that of single exemplars, and above that of sums of pixels, of which only those count that are as clear as "
        "samples are. Does not hold here if it lies below one of them, or if it reaches no further than any sample's. "
        "Else it cannot be told."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        kind: {
            "expression": EXPRESSION,
            "three": {"count": three, "of": 60},
            "single": {"count": 28, "of": 100},
            "any": {"count": 170, "of": 2048},
            "pixels": {"count": pixels, "of": 60},
            "three_clear": {"count": three, "of": 60},
        }
        for kind, three, pixels in (("holds", 50, 15), ("does not hold here", 20, 50), ("cannot tell", 45, 39))
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        return [
            main_training(bench),
            Work("sums with three exemplars and with one", bench.choose(seconds=1.0, minutes=8.0)),
        ]

    def measure(self, bench: Bench) -> Facts:
        run = bench.train(main_training(bench))
        return {**bench.remember("sums", lambda: add(bench, run)), "run": run.name}

    def judge(self, facts: Facts) -> Verdict:
        if "why_not" in facts:
            return Verdict("cannot tell", facts["why_not"])
        three, clear = span(facts["three"]), span(facts["three_clear"])
        sides = {
            name: apart(clear if name == "pixels" else three, span(facts[name]))  # pictures that are clear, both
            for name in BESIDE
        }
        words = ", ".join(f"{('below', 'not apart from', 'above')[side + 1]} {BESIDE[name]}" for name, side in sides.items())
        if -1 in sides.values() or three[1] <= facts["any"]["count"] / facts["any"]["of"]:
            kind: Kind = "does not hold here"
        else:
            kind = "holds" if all(side > 0 for side in sides.values()) else "cannot tell"
        return Verdict(kind, f"{self.ours(facts)}: {words}")

    def ours(self, facts: Facts) -> str:
        if "why_not" in facts:
            return str(facts["why_not"])
        three, single, every, pixels = (write_share(facts[name]) for name in ("three", "single", "any", "pixels"))
        return f"{three} with three exemplars, {single} with one, any sample {every}, clear sums of pixels {pixels}"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        if "why_not" in facts:
            return []
        names = {"three": "three exemplars", **BESIDE, "three_clear": "three exemplars, clear"}
        shares = {words: (facts[name]["count"] / facts[name]["of"], span(facts[name])) for name, words in names.items()}
        caption = "The result in the middle, around it with noise; beside it the exemplars and the same with pixels"
        return [
            Figure("sum", "nine samples around the result, exemplars, and the sum of pixels", caption),
            Estimates(f"Results that show {facts['expression'].partition(' ')[0]} as asked", shares, "share of trials"),
        ]

    def commands(self, facts: Facts) -> Sequence[str]:
        if "run" not in facts:
            return []
        return [f'zoo arithmetic runs/{facts["run"]} "{EXPRESSION}" --exemplars {count}' for count in (EXEMPLARS, 1)]


def add(bench: Bench, model: Any) -> dict[str, Any]:
    """Return how often sums show what was asked for; or why that cannot be found out."""
    import zoo
    from zoo_core import UsageError

    searched, trials = bench.choose(seconds=512, minutes=4096), bench.choose(seconds=30, minutes=100)
    told: dict[int, Any] = {}
    for exemplars in (EXEMPLARS, 1):
        try:
            found = zoo.arithmetic(
                model,
                EXPRESSION,
                exemplars=exemplars,
                searched=searched,
                trials=trials,
                device=bench.device,
                report=bench.report,
            )
        except UsageError as error:  # no exemplars among its samples
            return {"why_not": error.message}
        if exemplars == EXEMPLARS:
            bench.picture("sum", found.picture())
        told[exemplars] = found.to_json()
    three = {"three": "latent", "any": "base", "pixels": "pixel_clear", "three_clear": "latent_clear"}
    facts = {name: keep_share(told[EXEMPLARS][key]) for name, key in three.items()}
    return {"expression": EXPRESSION, **facts, "single": keep_share(told[1]["latent"])}
