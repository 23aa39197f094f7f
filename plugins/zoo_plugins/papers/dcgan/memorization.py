"""Claim: DCGAN does not memorize training images (sections 4 and 6.1), with a test that would see copies, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Table, Training, Verdict, Work
from zoo_core.intervals import share_interval
from zoo_core.papers import Shown

from .trainings import main_training

LEAST = 5  # samples nearer than every held-out image from which on copying is seen: by chance with probability 1/2⁵
PLANTED, POWER, RATE = 0.01, 0.95, 0.02  # share of copies that must be found, how surely; copy rate that is ruled out
TRIALS, PLANTS = 200, 200  # plantings from which the power is estimated, of so many copies of each kind


class NoMemorization(Claim):
    """How many samples are nearer to a training image than every real image is, and how many copies would be seen."""

    title: ClassVar[str] = "No memorization"
    statement: ClassVar[str] = "The model does not memorize: its samples are no copies of training images."
    paper: ClassVar[str] = (
        "near-duplicates removed with a false-positive rate below 1 in 100 (section 4.1.1); no search for neighbors, as "
        "it is “trivially fooled” (section 6)"
    )
    criterion: ClassVar[str] = (
        "Samples, and as many training images each against all others, are compared with the training images and these "
        "mirrored, shifted by up to a sixteenth of their side and blurred, at low resolution: the distance to the nearest "
        f"over the mean of the 50 nearest. Copying is seen where at least {LEAST} samples are nearer than every such real "
        f"image (by chance in 1 of {2**LEAST} cases). "
        f"Holds if it is not seen, copies planted in {PLANTED:.0%} of the samples (exact, mirrored, shifted, blurred) are "
        f"seen in at least {POWER:.0%} of {TRIALS} plantings of every kind, so is a generator that memorized on purpose, "
        f"and the 95 % upper bound of the copy rate is at most {RATE:.0%}. Does not hold here if it is seen. Else it "
        "cannot be told."
    )
    examples: ClassVar[Mapping[str, Facts]]

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        return [
            main_training(bench),
            Work("near-duplicates", bench.choose(seconds=1.0, minutes=4.0, hour=60.0, gpu=20.0)),
            Work("neighbors of samples, planted copies and a copier", bench.choose(seconds=4.0, minutes=12.0, gpu=30.0)),
        ]

    def measure(self, bench: Bench) -> Facts:
        training = main_training(bench)
        run = bench.train(training)
        facts: dict[str, Any] = {"run": run.name}
        facts["duplicates"] = bench.remember("duplicates", lambda: remove_duplicates(bench, training))
        return {**facts, **bench.remember("copies", lambda: measure_copies(bench, training))}

    def judge(self, facts: Facts) -> Verdict:
        seen, samples = facts["seen"], facts["samples"]
        told = f"{seen} of {samples:,} samples are nearer to a training image than every real one is"
        if seen >= LEAST:
            return Verdict("does not hold here", f"{told}: copying is seen")
        weak = [kind for kind, found in facts["planted"].items() if found["power"] < POWER]
        if weak:
            return Verdict("cannot tell", f"{told}, but planted copies would not be seen surely: {', '.join(weak)}")
        if facts["copier"] < LEAST:
            return Verdict("cannot tell", f"{told}, but a generator that copies on purpose is not seen either")
        bound = bound_rate(facts)
        fine = bound <= RATE
        return Verdict("holds" if fine else "cannot tell", f"{told}; at most {bound:.2%} are copies (95 %)")

    def ours(self, facts: Facts) -> str:
        power = min((found["power"] for found in facts["planted"].values()), default=0.0)
        return f"copies at most {bound_rate(facts):.2%}; 1 % planted is seen in at least {power:.0%}"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        rows = [[kind, found["each"], f"{found['power']:.1%}"] for kind, found in facts["planted"].items()]
        values = {
            "samples": (facts["seen"] / facts["samples"], share_interval(facts["seen"], facts["samples"])),
            "memorized on purpose": (facts["copier"] / facts["samples"], share_interval(facts["copier"], facts["samples"])),
        }
        duplicates = facts["duplicates"]
        shown: list[Shown] = [
            Figure(
                "nearest",
                "samples beside their nearest training images",
                "The nearest samples, each with its training image",
            ),
            Estimates("Nearer to a training image than every real image is", values, "share of samples"),
            Table(f"Planted copies, {PLANTED:.0%} of the samples", ["kind", "share of copies seen", "plantings seen"], rows),
        ]
        if duplicates["removed"]:
            words = (
                f"Near-duplicates in the data, {duplicates['removed']:,} of {duplicates['images']:,}: judge them yourself"
            )
            shown.append(Figure("duplicates", "pairs of images that count as near-duplicates", words))
        return shown

    def commands(self, facts: Facts) -> Sequence[str]:
        return [f"zoo neighbors runs/{facts['run']} --features pixels"] if "run" in facts else []


def bound_rate(facts: Facts) -> float:
    """Return a 95 % upper bound of the share of copies among samples: the upper bound of the share seen, over the lower one
    of what is seen of planted copies of the kind that is seen least. Each bound is exact, and one-sided at 97.5 %, so that
    both hold at once in at least 95 % of cases.
    """
    upper = share_interval(facts["seen"], facts["samples"])[1]
    least = min((share_interval(found["count"], found["of"])[0] for found in facts["planted"].values()), default=0.0)
    return min(1.0, upper / max(least, 1e-9))


def remove_duplicates(bench: Bench, training: Training) -> dict[str, Any]:
    """Look for near-duplicates in the data, as the paper does, by hashes; keep a sheet of the pairs for a person."""
    import tempfile

    import zoo

    pack = bench.pack(training)
    with tempfile.TemporaryDirectory() as place:
        found = zoo.deduplicate(pack, out=f"{place}/view", gallery_folder=place, report=bench.report)
        if found.gallery is not None:
            from zoo_core import open_picture

            with open_picture(found.gallery[0]) as sheet:
                bench.picture("duplicates", sheet.copy())
    return {"images": len(pack), "removed": len(found.pairs), "groups": found.groups}


def measure_copies(bench: Bench, training: Training) -> dict[str, Any]:
    """Look for copies among samples, among real images, among planted copies of four kinds, and in a copier."""
    import torch

    import zoo

    from .copying import KINDS, find_copies
    from .walks import memorize

    model = zoo.load(bench.train(training), device=bench.device)
    pack, lot = bench.pack(training), torch.Generator().manual_seed(0)
    pixels = pack.gather(torch.arange(len(pack)))
    images = (pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).to(bench.device)
    chosen = torch.randperm(len(images), generator=lot)[: bench.choose(seconds=200, minutes=1000, hour=2000)]
    copier = zoo.Model(memorize(pack, model.generator).to(model.device), None, model.config)
    asked = {"real": images[chosen], "samples": model.sample(len(chosen)), "copier": copier.sample(len(chosen))}
    asked |= {kind: change(images[chosen[:PLANTS]]) for kind, change in KINDS.items()}
    itself = torch.cat([chosen if name == "real" else torch.full((len(part),), -1) for name, part in asked.items()])
    queries = torch.cat([part.to(bench.device) for part in asked.values()])
    with bench.report.task("looking for copies"):
        ratios, nearest = find_copies(queries, images, itself=itself)
    found = dict(zip(asked, torch.split(ratios, [len(part) for part in asked.values()]), strict=True))
    bound = float(found["real"].min())
    seen = {name: values < bound for name, values in found.items()}
    first = found["samples"].argsort()[:24]
    beside = images[nearest[len(chosen) + first].to(images.device)].cpu()
    bench.picture("nearest", torch.stack([asked["samples"][first], beside], 1).flatten(0, 1), columns=12)
    return {
        "samples": len(chosen),
        "seen": int(seen["samples"].sum()),
        "copier": int(seen["copier"].sum()),
        "planted": {kind: measure_power(seen[kind], seen["samples"], lot) for kind in KINDS},
        "bound": bound,
        "median": float(found["samples"].median()),
        "median_real": float(found["real"].median()),
    }


def measure_power(found: Any, among: Any, lot: Any) -> dict[str, float]:
    """Return how many copies are seen, and the share of plantings that are: `PLANTED` of the samples replaced.

    Args:
        found: of planted copies, which are seen [m]. among: of the samples [n].
        lot: torch's generator.
    """
    import torch

    many = max(1, round(PLANTED * len(among)))
    seen = 0
    for _ in range(TRIALS):
        copies = found[torch.randint(len(found), (many,), generator=lot)]
        others = among[torch.randint(len(among), (len(among) - many,), generator=lot)]
        seen += int(copies.sum() + others.sum()) >= LEAST
    return {"each": float(found.float().mean()), "count": int(found.sum()), "of": len(found), "power": seen / TRIALS}


def _example(seen: int, power: float) -> dict[str, Any]:
    each = {"each": power, "count": round(200 * power), "of": 200, "power": power}
    planted = dict.fromkeys(("exact", "mirrored", "shifted", "blurred"), each)
    duplicates = {"images": 4000, "removed": 3, "groups": 3}
    return {"run": "", "samples": 1000, "seen": seen, "copier": 990, "planted": planted, "duplicates": duplicates}


NoMemorization.examples = {
    "holds": _example(1, 0.99),
    "does not hold here": _example(40, 0.99),
    "cannot tell": _example(1, 0.5),
}
