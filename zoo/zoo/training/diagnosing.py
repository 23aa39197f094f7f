"""`zoo.diagnose`: the health of a run in words, from what it wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from zoo_core import ZooError, registry
from zoo_core.words import duration

from ..files import Place
from ..reports.displaying import Displayed
from ..runs.checkpoints import checkpoints
from ..runs.folders import find_run
from ..runs.run import RunRecord, read_log, read_run
from .advising import advise
from .health import HealthWarning, History, detect_problems
from .references import Reference, read_references
from .rescue import apply_interventions, describe

Verdict = Literal["healthy", "ailing", "stopped", "unknown"]


@dataclass(frozen=True, repr=False)
class Diagnosis(Displayed):
    """The health of a run.

    Args:
        verdict: "ailing" while something is amiss; "stopped" where it could not go on; "unknown" where there are too few
            readings to tell.
        warnings: what is amiss at its end, with advice.
        passed: kinds of warnings that are gone → images shown when first and last seen.
        words: sentences about both networks and the samples, with numbers, in the language of the loss.
        commands: kind of warning → what to try, each to be typed as it stands.
        language: what the logits are, see `zoo_core.Loss`.
        references: the curves of a healthy and of a sick training of this recipe.
        readings, measures: the lines of `metrics.jsonl`, for curves.
    """

    run: Path
    verdict: Verdict
    warnings: tuple[HealthWarning, ...]
    passed: dict[str, tuple[int, int]]
    words: tuple[str, ...]
    readings: tuple[Mapping[str, Any], ...]
    measures: tuple[Mapping[str, Any], ...]
    commands: dict[str, list[str]] = field(default_factory=dict)
    language: str = "scores"
    references: tuple[Reference, ...] = ()

    def _describe(self) -> str:
        amiss = ", ".join(warning.kind for warning in self.warnings)
        return f"{self.run}: {self.verdict}{f' ({amiss})' if amiss else ''}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the curves."""
        last = self.readings[-1] if self.readings else {}
        return {
            "run": str(self.run),
            "verdict": self.verdict,
            "signs": [{**asdict(w), "commands": self.commands.get(w.kind, [])} for w in self.warnings],
            "language": self.language,
            "references": [reference.label for reference in self.references],
            "passed": {kind: list(when) for kind, when in self.passed.items()},
            "words": list(self.words),
            "last": {key: value for key, value in last.items() if key != "signs"},
            "measures": {name: values[-1][1] for name, values in self.measures_by_name().items()},
        }

    def measures_by_name(self) -> dict[str, list[tuple[int, float]]]:
        """Return every measure by name: (images shown, value)."""
        found: dict[str, list[tuple[int, float]]] = {}
        for line in self.measures:
            for name, value in line.items():
                if name not in ("step", "images", "epoch", "seconds", "final", "signs") and isinstance(value, int | float):
                    found.setdefault(name, []).append((int(line["images"]), float(value)))
        return found


def diagnose(run: Place) -> Diagnosis:
    """Tell the health of a run folder, also while it is training. Raises `UsageError` where it is none, `CheckpointError`
    where its `run.json` is damaged, `ZooError` where a file cannot be read.
    """
    folder = find_run(run)
    record = read_run(folder)
    file = folder / "metrics.jsonl"
    lines = read_log(file) if file.exists() else []
    history = History.of(lines)
    language = _language(record)
    found = detect_problems(history, language)
    why = lines[-1].get("stopped") if lines else None
    if why:
        kept = checkpoints(folder / "checkpoints")
        whole = f"; the newest checkpoint is {kept[-1].name}" if kept else "; there is no checkpoint"
        found.insert(0, HealthWarning("diverged", f"{why}{whole}", "lower the learning rate"))
    judged = bool(history.recent() or history.diversities())
    verdict: Verdict = "stopped" if why else "ailing" if found else "healthy" if judged else "unknown"
    words = (_about(record, lines), *_rescues(record), *_networks(history, language), *_distance(record, history))
    words = (*words, _samples(history))
    seen: dict[str, tuple[int, int]] = {}
    for line in lines:
        for kind in line.get("signs", ()):
            seen[kind] = (seen.get(kind, (line["images"],))[0], line["images"])
    passed = {kind: when for kind, when in seen.items() if kind not in {warning.kind for warning in found}}
    return Diagnosis(
        folder,
        verdict,
        tuple(found),
        passed,
        words,
        tuple(history.readings),
        tuple(history.measures),
        {warning.kind: advise(warning.kind, record, folder) for warning in found},
        language,
        read_references(record.config.recipe["name"]),
    )


def _language(record: RunRecord) -> str:
    """Return what the logits are to the loss of a run, as it goes on now."""
    try:
        part = apply_interventions(record, record.config).parts["loss"]
        return str(registry.load("losses", f"{part['distribution']}:{part['name']}").language)
    except (KeyError, ZooError):  # an algorithm without one, or its plugin is gone
        return "scores"


def _rescues(record: RunRecord) -> list[str]:
    return [
        f"rescue {step['number']}, at {step['at']['images']:,} images, back to {step['back_to']['images']:,}: "
        f"{step['reason']}; on with {describe(step['settings'])}"
        for step in record.interventions
    ]


def _distance(record: RunRecord, history: History) -> list[str]:
    """Return how near the samples have come by what watches the run, and what that costs."""
    name, share = str(record.watch.get("name")), record.watch.get("share")
    found = [(float(line[name]), int(line["images"])) for line in history.measures if name in line]
    if not found:
        return []
    best = min(found)
    cost = f"; measuring took {share:.1%} of the time" if share else ""
    return [f"its {name} is {found[-1][0]:.4g}, and was {best[0]:.4g} at best, after {best[1]:,} images{cost}"]


def _about(record: RunRecord, lines: Sequence[Mapping[str, Any]]) -> str:
    config = record.config
    run = f"{config.recipe['name']} on {config.dataset['name'] if config.dataset else 'no dataset'}"
    if not lines:
        return f"{run}: nothing is written down yet"
    last = lines[-1]
    return (
        f"{run}: {last['images']:,} images shown ({last['epoch']:.2f} epochs) in {last['step']:,} steps of "
        f"{config.training.batch}, {duration(last['seconds'])}; the budget is {record.budget}"
    )


def _networks(history: History, language: str) -> list[str]:
    recent = history.recent() or history.readings[-5:]
    if not recent:
        return []
    names = ("d_loss", "g_loss", "d_real", "d_fake", "real_logit", "fake_logit", "d_right", "d_grad", "g_grad")
    now = {name: mean(values) for name in names if (values := [line[name] for line in recent if name in line])}
    words = []
    if "d_right" in now:
        share = now["d_right"]
        judged = "nearly all" if share > 0.99 else "most" if share > 0.8 else "some" if share > 0.6 else "hardly any"
        who = "critic" if language == "critic" else "discriminator"
        words.append(
            f"the {who} tells {judged} images apart ({share:.0%}): {_logits(now, language)}, loss {now['d_loss']:.3f}, "
            f"gradient {now.get('d_grad', 0):.2g}"
        )
    if "g_loss" in now:
        words.append(
            f"the generator's loss is {now['g_loss']:.3f}, {_trend(history, 'g_loss')}, gradient {now.get('g_grad', 0):.2g}"
        )
    return words


def _logits(now: Mapping[str, float], language: str) -> str:
    """Say what a discriminator says of real and of generated images, as its loss means it."""
    if "real_logit" not in now and language == "critic":  # a run of an earlier version
        return "how far apart was not written down"
    if language == "probabilities" or "real_logit" not in now:
        return f"D(real) {now['d_real']:.2f}, D(fake) {now['d_fake']:.2f}"
    real, fake = now["real_logit"], now["fake_logit"]
    if language == "critic":
        return f"it scores real ones {real - fake:.3g} above generated ones, an estimate of their distance"
    if language == "targets":
        return f"D(real) {real:.2f}, which is to be 1, D(fake) {fake:.2f}, which is to be 0"
    if language == "margins":
        return f"D(real) {real:.2f}, which is enough above 1, D(fake) {fake:.2f}, enough below −1"
    return f"it scores real ones {real:.3g}, generated ones {fake:.3g}"


def _trend(history: History, name: str) -> str:
    """In words, how the last quarter of a run compares with the quarter before."""
    values = [float(line[name]) for line in history.readings if name in line]
    quarter = len(values) // 4
    if quarter < 3:
        return "too new for a trend"
    before, after = mean(values[-2 * quarter : -quarter]), mean(values[-quarter:])
    change = after - before
    if abs(change) < 0.1 * max(abs(before), 1e-9):
        return "steady"
    return f"{'rising' if change > 0 else 'falling'} from {before:.3f} to {after:.3f} over the last half of the run"


def _samples(history: History) -> str:
    values = history.diversities()
    if not values:
        return "the samples' diversity was not measured yet (it is with each sample grid)"
    spread = f" ({min(values):.2f} to {max(values):.2f} over the run)" if len(values) > 1 else ""
    return f"its samples lie {values[-1]:.2f} times as far apart as real images do{spread}"
