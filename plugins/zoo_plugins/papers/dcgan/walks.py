"""Claim: walks in latent space are smooth (section 6.1 and figure 4), which a generator that memorized cannot show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zoo_core import Bench, Claim, Estimates, Facts, Figure, Training, Verdict, Work
from zoo_core.intervals import apart, mean_interval
from zoo_core.papers import Shown

from .trainings import main_training, random_distance

STEPS, PICTURES = 10, 50  # frames of a path; pictures that the control has memorized
WALKS = {"seconds": 3, "minutes": 5, "hour": 10}  # of each generator, by profile
MIDDLE = 0.5  # of a jump: halfway between standing still and showing an unrelated picture


class SmoothWalks(Claim):
    """Largest steps of walks: of the trained generator, and of one that memorized 50 pictures."""

    title: ClassVar[str] = "Smooth walks"
    statement: ClassVar[str] = "Walking through latent space changes samples smoothly: there are no sharp transitions."
    paper: ClassVar[str] = "shown, not measured: nine random latents, all transitions smooth (section 6.1, figure 4)"
    criterion: ClassVar[str] = (
        "A jump is the largest step of a path over the mean difference of unrelated frames: 1 where a picture changes into "
        f"another at once, 1/{STEPS - 1} for even steps. Holds if the 95 % interval of the mean jump lies below {MIDDLE} "
        f"and below that of a generator that memorized {PICTURES} training pictures. Does not hold here if it lies above "
        f"{MIDDLE} or above the control's. Else it cannot be told; nor if the control does not jump, nor if the generator "
        "has learned nothing: its distance to the data must be less than half of that of random weights."
    )
    examples: ClassVar[Mapping[str, Facts]] = {
        "holds": {"distances": [1.0, 9.0], "trained": [0.2, 0.22, 0.21], "memorized": [0.98, 1.0, 0.99]},
        "does not hold here": {"distances": [1.0, 9.0], "trained": [0.97, 0.99, 0.98], "memorized": [0.98, 1.0, 0.99]},
        "cannot tell": {"distances": [1.0, 9.0], "trained": [0.2, 0.9, 0.5], "memorized": [0.98, 1.0, 0.99]},
    }

    def plan(self, bench: Bench) -> Sequence[Training | Work]:
        walks = bench.choose(**WALKS)
        return [main_training(bench), Work(f"{2 * walks} walks of 8 paths", bench.choose(seconds=1.0, minutes=4.0))]

    def measure(self, bench: Bench) -> Facts:
        walks = bench.choose(**WALKS)
        return dict(bench.remember("jumps", lambda: measure_jumps(bench, main_training(bench), walks)))

    def judge(self, facts: Facts) -> Verdict:
        ours, control = mean_interval(facts["trained"]), mean_interval(facts["memorized"])
        learned, random = facts["distances"]
        if learned > random / 2:
            return Verdict("cannot tell", f"it has not learned to draw: distance {learned:.3g}, random weights {random:.3g}")
        if ours is None or control is None or control[0] <= MIDDLE:
            return Verdict("cannot tell", f"the control, which memorized, does not jump: {_words(facts['memorized'])}")
        told = f"mean jump {_words(facts['trained'])}, of the control {_words(facts['memorized'])}"
        side = apart(ours, control)
        if ours[1] < MIDDLE and side < 0:
            return Verdict("holds", f"{told}: below {MIDDLE} and below the control")
        if ours[0] > MIDDLE or side > 0:
            return Verdict("does not hold here", f"{told}: above {MIDDLE}")
        return Verdict("cannot tell", f"{told}: the intervals do not say")

    def ours(self, facts: Facts) -> str:
        return f"jump {_words(facts['trained'])}; memorized on purpose {_words(facts['memorized'])}"

    def figures(self, facts: Facts, bench: Bench) -> Sequence[Shown]:
        values = {
            name: (sum(found) / len(found), mean_interval(found))
            for name, found in (("trained", facts["trained"]), ("memorized on purpose", facts["memorized"]))
        }
        return [
            Figure("trained", "a walk of the trained generator, a path in each row", "The trained generator"),
            Figure("memorized", "a walk of the control, a path in each row", f"The control: {PICTURES} memorized pictures"),
            Estimates("Largest step of a path", values, "over the mean difference of unrelated frames"),
        ]

    def commands(self, facts: Facts) -> Sequence[str]:
        return [f"zoo walk runs/{facts['run']} --latents 9 --steps {STEPS} --out walk.png"] if "run" in facts else []


def measure_jumps(bench: Bench, training: Training, walks: int) -> dict[str, Any]:
    """Return the mean jump of each walk, in pixels, of both generators; keep a picture of the first of each."""
    import zoo

    run = bench.train(training)
    model = zoo.load(run, device=bench.device)
    control = zoo.Model(memorize(bench.pack(training), model.generator).to(model.device), model.discriminator, model.config)
    distances = [bench.measure(model, training).distance, random_distance(bench, training)]
    facts: dict[str, Any] = {"run": run.name, "distances": distances}
    for name, walked in (("trained", model), ("memorized", control)):
        found = [zoo.walk(walked, steps=STEPS, seed=seed, report=bench.report) for seed in range(walks)]
        bench.picture(name, found[0].picture())
        facts[name] = [walk.smoothness["pixels"].jump for walk in found]
    return facts


def memorize(pack: Any, like: Any, pictures: int = PICTURES) -> Any:
    """Return a generator that has memorized the first pictures of a pack, for latents like those of another generator."""
    import torch

    from .copying import MemorizingGenerator

    pixels = pack.gather(torch.arange(min(pictures, len(pack))))  # uint8 [K, S, S, C]
    images = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
    return MemorizingGenerator(images, latent_dim=like.latent_dim, latent=like.latent)


def _words(values: Sequence[float]) -> str:
    interval = mean_interval(values)
    shown = f"{sum(values) / len(values):.2f}"
    return shown if interval is None else f"{shown} ({interval[0]:.2f} to {interval[1]:.2f})"
