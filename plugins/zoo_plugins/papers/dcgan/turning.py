"""Claim: one direction of latent space turns what samples show (section 6.3.2 and figure 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Lines, Training, Verdict, Work
from zoo_core.intervals import mean_interval
from zoo_core.papers import Kind, Shown

from .trainings import main_training
from .words import write_mean

CONCEPTS = (("turn=left", "turn=right"), ("no-glasses", "glasses"))
"""Of drawn faces: the paper's own example, whose labels they have, and something that cannot be had by mirroring."""
PAPER = 4  # exemplars of each side in the paper
LEAST = 0.1  # by how much a probability must rise, as everywhere: less is what it differs by from seed to seed


class Turning(Claim):
    """By how much the probability of what is turned to rises along a direction, from one end to the other."""

    title: ClassVar[str] = "The turn vector"
    statement: ClassVar[str] = (
        "Added to random latents, the difference of mean latents of faces that look left and right turns faces around."
    )
    paper: ClassVar[str] = (
        "shown, not measured: four samples of each side, interpolations along the axis (section 6.3.2, figure 8)"
    )
    criterion: ClassVar[str] = (
        "Along the direction from faces that look left to faces that look right, a classifier's mean probability of “right” "
        f"rises; several sets of samples give its rise an interval. Holds if its 95 % interval lies above {LEAST}, does not "
        f"hold here if it lies below. Else it cannot be told; nor where samples that look left or right are not found. From "
        "no glasses to glasses stands beside it, and the paper's four exemplars."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        kind: {"turn=right": {"rises": rises, "along": [0.1, 0.5], "kept": 0.6, "exemplars": [60, 60]}}
        for kind, rises in (
            ("holds", [0.4, 0.45, 0.42]),
            ("does not hold here", [0.0, 0.01, 0.005]),
            ("cannot tell", [0.0, 0.4, 0.2]),
        )
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        sets = bench.choose(seconds=2, minutes=3, hour=5)
        each = bench.choose(seconds=0.5, minutes=2.0)
        return [main_training(bench), Work(f"turning {sets} sets of samples, three ways", 3 * sets * each)]

    def measure(self, bench: Bench) -> Facts:
        run = bench.train(main_training(bench))
        facts: dict[str, Any] = {"run": run.name}
        for start, end in CONCEPTS:
            facts[end] = bench.remember(f"to-{_key(end)}", lambda: turn(bench, run, start, end, 256))  # noqa: B023
        few = bench.remember("as-the-paper", lambda: turn(bench, run, *CONCEPTS[0], PAPER))
        return {**facts, "paper": few}

    def judge(self, facts: Facts) -> Verdict:
        told = facts[CONCEPTS[0][1]]
        interval = mean_interval(told["rises"]) if "rises" in told else None
        if interval is None:
            return Verdict("cannot tell", told.get("why_not", "one set of samples gives no interval"))
        kind: Kind = "holds" if interval[0] > LEAST else "does not hold here" if interval[1] < LEAST else "cannot tell"
        return Verdict(kind, f"the probability of “right” rises by {write_mean(told['rises'])}; {LEAST} is asked for")

    def ours(self, facts: Facts) -> str:
        names = {"turn=right": "to the right", "glasses": "to glasses", "paper": f"to the right with {PAPER} exemplars"}
        found = [
            f"{words}: {write_mean(facts[name]['rises'])}" for name, words in names.items() if "rises" in facts.get(name, {})
        ]
        return f"probability rises {', '.join(found)}" if found else str(facts["turn=right"].get("why_not", "not measured"))

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        found = {name: facts[name] for name in ("turn=right", "glasses", "paper") if "rises" in facts.get(name, {})}
        names = {
            "turn=right": "left to right",
            "glasses": "no glasses to glasses",
            "paper": f"{PAPER} exemplars, left to right",
        }
        rises = {names[n]: (fmean(told["rises"]), mean_interval(told["rises"])) for n, told in found.items()}
        along = {names[n]: [(float(i), p) for i, p in enumerate(told["along"])] for n, told in found.items()}
        shown: list[Shown] = [
            Figure(_key(end), f"samples from {start} to {end}, one in each row", f"{start} → {end}")
            for start, end in CONCEPTS
        ]
        if found:
            shown.append(Estimates("Rise of the probability of the second concept", rises, "from one end to the other"))
            shown.append(Lines("Along the direction, first set of samples", along, "step", "probability"))
        return shown

    def commands(self, facts: Facts) -> Sequence[str]:
        if "run" not in facts:
            return []
        return [f"zoo turn runs/{facts['run']} --from {start} --to {end} --out {_key(end)}.png" for start, end in CONCEPTS]


def turn(bench: Bench, model: Any, start: str, end: str, exemplars: int) -> dict[str, Any]:
    """Return by how much the probability of `end` rises, for several sets of samples; or why nobody can tell."""
    import zoo
    from zoo_core import UsageError

    searched, samples = bench.choose(seconds=512, minutes=2048), bench.choose(seconds=16, minutes=48)
    found: list[Any] = []
    for seed in range(bench.choose(seconds=2, minutes=3, hour=5)):
        try:
            one = zoo.turn(
                model,
                start,
                end,
                exemplars=exemplars,
                searched=searched,
                samples=samples,
                seed=seed,
                device=bench.device,
                report=bench.report,
            )
        except UsageError as error:  # no exemplars among its samples
            return {"why_not": error.message}
        if not found and exemplars != PAPER:
            bench.picture(_key(end), one.picture())
        found.append(one.to_json())
    rises = [told["probability"][-1] - told["probability"][0] for told in found]
    first = found[0]
    return {
        "rises": rises,
        "along": list(first["probability"]),
        "kept": first["kept_mean"],
        "exemplars": list(first["exemplars"]),
    }


def _key(concept: str) -> str:
    return concept.replace("=", "-").replace("_", "-")
