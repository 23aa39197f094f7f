"""Claim: the discriminator's filters have learned to see specific things (section 6.2 and figure 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Training, Verdict, Work
from zoo_core.intervals import apart, mean_interval
from zoo_core.papers import Kind, Shown

from .trainings import main_training
from .words import write_mean


class Filters(Claim):
    """Guided backpropagation of trained discriminators and of random weights, and how selective their features are."""

    title: ClassVar[str] = "Filters mean something"
    statement: ClassVar[str] = (
        "Features of the trained discriminator respond to parts of the scene; those of random filters do not."
    )
    paper: ClassVar[str] = "shown, not measured: six features of the last stage beside a randomly initialized one (figure 5)"
    criterion: ClassVar[str] = (
        "The selectivity of a feature is |2·AUC − 1| for the attribute value that it tells apart best: 1 if perfectly; what "
        "chance gives, by labels of other images, stands beside it. Holds if the 95 % interval of the mean selectivity of "
        "all features of the last stage, over trainings with several seeds, lies above that of random weights. Does not "
        "hold here if it lies below. Else it cannot be told."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        "holds": {"trained": [0.65, 0.66, 0.64], "random": [0.53, 0.52, 0.54], "best": {"glasses": [0.9, 0.5]}},
        "does not hold here": {"trained": [0.42, 0.43, 0.41], "random": [0.53, 0.52, 0.54], "best": {}},
        "cannot tell": {"trained": [0.5, 0.6, 0.52], "random": [0.53, 0.52, 0.54], "best": {}},
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        trainings = list_trainings(bench)
        each = bench.choose(seconds=0.7, minutes=4.0, hour=4.0, gpu=2.0)
        return [*trainings, Work(f"guided backpropagation of {len(trainings)} discriminators", each * len(trainings))]

    def measure(self, bench: Bench) -> Facts:
        facts: dict[str, Any] = {"trained": [], "random": [], "shuffled": [], "best": {}, "runs": []}
        for training in list_trainings(bench):
            run = bench.train(training)
            told = bench.remember(f"seed-{training.seed}", lambda: look(bench, run, training.seed))  # noqa: B023
            facts["runs"].append(run.name)
            for name in ("trained", "random", "shuffled"):
                facts[name].append(told[name])
            facts["best"] = facts["best"] or told["best"]
        return facts

    def judge(self, facts: Facts) -> Verdict:
        side = apart(mean_interval(facts["trained"]), mean_interval(facts["random"]))
        kind: Kind = "holds" if side > 0 else "does not hold here" if side < 0 else "cannot tell"
        where = {1: "above", -1: "below", 0: "not apart"}[side]
        return Verdict(kind, f"{self.ours(facts)}: {where}")

    def ours(self, facts: Facts) -> str:
        return f"selectivity {write_mean(facts['trained'])}, of random weights {write_mean(facts['random'])}"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        names = {"trained": "trained", "random": "random", "shuffled": "trained, labels of other images"}
        means = {words: (fmean(facts[n]), mean_interval(facts[n])) for n, words in names.items() if facts.get(n)}
        shown: list[Shown] = [
            Figure("trained", "images and their guided gradients", "Strongest features of a trained discriminator"),
            Figure("random", "images and their guided gradients", "The same of random weights"),
            Estimates("Mean selectivity of all features of the last stage", means, "|2·AUC − 1|, over seeds"),
        ]
        for name, place in (("trained", 0), ("random", 1)):
            values: dict[str, tuple[float, None]] = {what: (pair[place], None) for what, pair in facts["best"].items()}
            if values:
                shown.append(Estimates(f"Best single feature for an attribute, {name}", values, "|2·AUC − 1|, first seed"))
        return shown

    def commands(self, facts: Facts) -> Sequence[str]:
        return [
            f"zoo features runs/{run} --seed {seed} --out features-{seed}.png"
            for seed, run in enumerate(facts.get("runs", ()))
        ]


def list_trainings(bench: Bench) -> list[Training]:
    """Return the main training with several seeds."""
    return [main_training(bench, seed) for seed in range(bench.choose(seconds=2, minutes=3))]


def look(bench: Bench, model: Any, seed: int) -> dict[str, Any]:
    """Return mean selectivities, and those of the best features for each attribute, trained and random; keep pictures of the
    first seed.
    """
    import zoo

    count = bench.choose(seconds=256, minutes=512, hour=2048)
    found = zoo.features(model, count=count, seed=seed, device=bench.device, report=bench.report)
    told = found.to_json()
    if seed == 0:
        bench.picture("trained", found.responses_picture(found.trained))
        bench.picture("random", found.responses_picture(found.untrained))
    best = {name: [pair["trained"], pair["random"]] for name, pair in told.get("best_feature", {}).items()}
    return {**{name: told["selectivity"][name] for name in ("trained", "random", "shuffled")}, "best": best}
