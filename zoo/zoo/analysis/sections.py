"""The sections of a report: each makes a picture and numbers, or raises a `ZooError` that says why it cannot be had."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zoo_core import ModelError, UsageError

from ..models.card import read_metrics
from ..models.grids import grid_picture
from ..models.model import Model
from ..packs import Pack
from ..progress import Reporter
from ..runs.config import versions
from ..runs.log import read_log
from ..runs.run import is_run, read_run
from ..training.health import History, detect_problems
from .arithmetic import arithmetic
from .attribute_classifier import load_classifier
from .charts import line_chart
from .directions import turn
from .exemplars import Proportion, describe_preservation
from .features import features
from .forgetting import forget
from .labeled_images import ImageSource, vocabulary_of
from .page import Figure, Section
from .walks import walk

_SAMPLES, _NEIGHBORED = 64, 256


@dataclass(frozen=True)
class Subject:
    """What a report is about."""

    where: str
    place: Path
    model: Model
    images: ImageSource
    pack: Pack | None
    why_no_pack: str
    attribute: str
    expression: str
    searched: int
    seed: int
    report: Reporter

    def command(self, verb: str, *words: str) -> str:
        """What to type to get a section by itself."""
        images: list[str] = []
        if self.images is not None and not isinstance(self.images, Pack):
            images = ["--dataset", self.images.dataset, *(["--data", str(self.images.data)] if self.images.data else [])]
        seed = ["--seed", str(self.seed)] if self.seed else []
        searched = {
            "arithmetic": self.searched,
            "turn": self.searched,
            "forget": self.searched // 2,
            "report": self.searched,
        }
        seed += ["--search", str(searched[verb])] if verb in searched else []
        return shlex.join(["zoo", verb, self.where, *words, *(images if verb not in ("walk", "sample") else []), *seed])


def _samples(s: Subject) -> tuple[Section, Any]:
    images = s.model.sample(_SAMPLES, seed=s.seed)
    figure = Figure(grid_picture(images), f"{_SAMPLES} samples in a square", "None of them chosen.")
    provenance = s.model.config.get("provenance", {})
    data = provenance.get("dataset") or {}
    rows = {
        "Recipe": recipe_name(s.model),
        "Images": f"{s.model.image.size}×{s.model.image.size}, {s.model.image.channels} channels",
        "Trained on": data.get("name", "not stated"),
        "Real images shown": f"{provenance['images']:,}" if "images" in provenance else "not stated",
        "Weights": s.model.config.get("weights", "not stated"),
    }
    command = s.command("sample", "-n", str(_SAMPLES), "--out", "samples.png")
    return Section("Samples", figures=[figure], rows=rows, commands=[command]), None


def _training(s: Subject) -> tuple[Section, Any]:
    file = s.place / "metrics.jsonl"
    if not file.is_file():
        raise ModelError("this is no run folder, so nothing is known about how the training went")
    history = History.of(read_log(file))
    readings = history.readings
    if len(readings) < 2:
        raise ModelError("the run has no readings yet")

    def curve(name: str, lines: Sequence[Mapping[str, Any]] = readings) -> list[tuple[float, float]]:
        return [(line["images"], line[name]) for line in lines if isinstance(line.get(name), int | float)]

    losses = {"discriminator": curve("d_loss"), "generator": curve("g_loss")}
    verdicts = {"D(real)": curve("d_real"), "D(fake)": curve("d_fake")}
    diversity = {"diversity": curve("diversity", history.measures)}
    charts = [
        line_chart(losses, title="Losses of both networks", across="images shown"),
        line_chart(verdicts, title="What the discriminator says of real and generated images", across="images shown"),
        line_chart(diversity, title="Distance between samples over that between real images", across="images shown"),
    ]
    last = readings[-1]
    rows: dict[str, object] = {"Real images shown": f"{last['images']:,}", "Minutes": f"{last['seconds'] / 60:.1f}"}
    for name, points in {**losses, **verdicts}.items():
        tail = [value for _, value in points[-max(1, len(points) // 10) :]]
        if tail:
            what = name if name.startswith("D(") else f"Loss of the {name}"
            rows[f"{what}, mean of the last tenth"] = f"{sum(tail) / len(tail):.3f}"
    found = detect_problems(history)
    health = [f"{sign.kind}: {sign.words}." for sign in found] or ["No sign of failure at the end of the training."]
    texts = [
        "Losses of both networks, and what the discriminator says: where it tells all apart (1 and 0), the generator learns "
        "little.",
        *health,
    ]
    numbers = {"images": last["images"], "signs": [sign.kind for sign in found]}
    return Section("Training", texts, charts=charts, rows=rows, commands=[read_run(s.place).command]), numbers


def _walk(s: Subject) -> tuple[Section, Any]:
    found = walk(s.model, seed=s.seed)
    texts = [
        "A row from each of nine random latents to the next. Smooth rows mean that it has learned; jumps, that it repeats."
    ]
    rows: dict[str, object] = {}
    for space, n in found.smoothness.items():
        rows[f"Largest step over mean step, in {space}"] = f"{n.path:.2f} (shuffled: {n.shuffled:.2f})"
        rows[f"Largest step over the difference of unrelated pictures, in {space}"] = (
            f"{n.jump:.2f} (worst path: {n.worst:.2f})"
        )
    figure = Figure(found.picture(), "Eight rows of ten samples, each changing step by step into the next")
    return Section("Walk", texts, [figure], rows=rows, commands=[s.command("walk", "--out", "walk.png")]), found.to_json()


def _neighbors(s: Subject) -> tuple[Section, Any]:
    from ..evaluating.neighbors import neighbors  # brings what the extra "eval" installs

    pack = _pack(s)
    with tempfile.TemporaryDirectory() as folder:
        found = neighbors(
            s.model,
            dataset=pack.info["dataset"]["name"],
            data=pack.path,
            split=pack.info["dataset"]["split"],
            samples=_NEIGHBORED,
            shown=16,
            seed=s.seed,
            page=folder,
            write=False,
            report=s.report,
        )
        with Image.open(Path(folder) / "neighbors.png") as picture:
            shown = picture.convert("RGB")
    verdict = "It copies training images." if found.details["copies"] else "No copying was found."
    text = "Samples beside the training images nearest to them, in pixels and in features; those nearest to one first."
    rows: dict[str, object] = {
        f"Proportion of samples as near as the nearest 1 % of held-out images, in {space}": f"{share:.1%}"
        for space, share in ((name.rpartition("_")[2], value) for name, value in found.metrics.items())
    }
    figure = Figure(shown, "Sixteen samples, each beside its nearest training images")
    commands = [s.command("neighbors", "--samples", str(_NEIGHBORED))]
    return Section("Nearest neighbors", [text, verdict], [figure], rows=rows, commands=commands), found.to_json()


def _features(s: Subject) -> tuple[Section, Any]:
    found = features(s.model, images=_pack(s), seed=s.seed, report=s.report)
    told = found.to_json()
    texts = [
        "For each of the strongest features of the discriminator's last stage: the real images to which it responds most, "
        "and below them the pixels that make it respond (guided backpropagation). Below, the same with random weights."
    ]
    figures = [
        Figure(
            found.responses_picture(found.trained), "Images and guided gradients of the trained discriminator", "Trained"
        ),
        Figure(
            found.responses_picture(found.untrained), "The same of a discriminator with random weights", "Random weights"
        ),
    ]
    rows: dict[str, object] = {}
    if "selectivity" in told:
        n = told["selectivity"]
        rows["Selectivity of a feature for its best attribute value, mean"] = (
            f"{n['trained']:.3f}, random weights {n['random']:.3f}"
        )
    command = s.command("features", "--out", "features.png")
    return Section("Features", texts, figures, rows=rows, commands=[command]), told


def _judge(s: Subject) -> tuple[Section, Any]:
    judge = load_classifier(_labeled(s), report=s.report)
    rows: dict[str, object] = {
        name: f"{value:.1%} right (guessing: {judge.majority[name]:.1%})" for name, value in judge.accuracy.items()
    }
    text = (
        f"A small network, trained on the labeled images, judges all that follows. {judge.held_out:,} images were held out."
    )
    return Section("The judge", [text], rows=rows), judge.to_json()


def _arithmetic(s: Subject) -> tuple[Section, Any]:
    _labeled(s)
    if not s.expression:
        raise UsageError("the labels name only one thing, and arithmetic needs two")
    found = arithmetic(s.model, s.expression, images=s.pack, searched=s.searched, seed=s.seed, report=s.report)
    assert found.success is not None
    rows = {
        "Wanted": found.success.wanted,
        "Found in the results": _told(found.success.latent),
        "Found in the same arithmetic with pixels": _told(found.success.pixel),
        "Found in any sample": _told(found.success.base),
        "Found, and the picture is clear": _told(found.success.latent_clear),
        "Found, and the pixels' picture is clear": _told(found.success.pixel_clear),
    }
    figure = Figure(found.picture(), f"Exemplars of {s.expression}, the result with eight neighbors, and the pixel control")
    command = s.command("arithmetic", s.expression, "--out", "arithmetic.png")
    return Section("Arithmetic", [s.expression], [figure], rows=rows, commands=[command]), found.to_json()


def _turn(s: Subject) -> tuple[Section, Any]:
    _labeled(s)
    start = f"no-{s.attribute}"
    found = turn(s.model, start, s.attribute, images=s.pack, searched=s.searched, seed=s.seed, report=s.report)
    told = found.to_json()
    rows = {
        f"Probability of {s.attribute} along the way": " ".join(f"{p:.2f}" for p in found.probability),
        "Other attributes unchanged": describe_preservation(told["kept_mean"], told["kept_random_mean"], "directions"),
        "Distance from the sample itself": f"{found.identity:.2f} of that between unrelated samples",
    }
    texts = [f"Eight random samples, in the middle, moved away from {s.attribute} (left) and toward it (right)."]
    figure = Figure(found.picture(), f"Eight rows of samples that gain {s.attribute} from left to right")
    command = s.command("turn", "--from", start, "--to", s.attribute, "--out", "turn.png")
    return Section("Turning", texts, [figure], rows=rows, commands=[command]), told


def _forget(s: Subject) -> tuple[Section, Any]:
    _labeled(s)
    found = forget(s.model, s.attribute, images=s.pack, searched=s.searched // 2, seed=s.seed, report=s.report)
    told = found.to_json()
    assert found.rates is not None
    rows = {
        "Silenced": f"{len(found.maps)} of {found.of} maps of stage {found.stage}",
        f"{s.attribute} before": _told(found.rates.before),
        f"{s.attribute} after": _told(found.rates.after),
        "After silencing as many random maps": _told(found.rates.random),
        "Other attributes unchanged": describe_preservation(told["kept_mean"], told["kept_random_mean"], "maps"),
    }
    texts = [f"The maps of the second-highest stage that draw {s.attribute} are silenced; the latents are the same."]
    figure = Figure(found.picture(), f"Samples before, after forgetting {s.attribute}, and after silencing random maps")
    command = s.command("forget", "--attribute", s.attribute, "--out", "forget.png")
    return Section("Forgetting", texts, [figure], rows=rows, commands=[command]), told


def _metrics(s: Subject) -> tuple[Section, Any]:
    found = next((m for m in map(read_metrics, (s.place, s.place / "model")) if m is not None), None)
    if found is None:
        raise ModelError("nothing was measured; zoo evaluate does")
    rows: dict[str, object] = {}
    for i, block in enumerate([found, *found.get("others", [])]):
        number = f" ({i + 1})" if found.get("others") else ""
        rows |= {f"{key}{number}": _plain(value) for key, value in block.get("metrics", {}).items()}
        rows |= {f"protocol{number}: {key}": _plain(value) for key, value in block.get("protocol", {}).items()}
    return Section("Metrics", rows=rows), found


def _configuration(s: Subject) -> tuple[Section, Any]:
    commands = [str(c) for c in [s.model.config.get("provenance", {}).get("command")] if c]
    commands.append(s.command("report"))
    text = json.dumps(s.model.config, indent=2)
    rows: dict[str, object] = dict(versions())
    if is_run(s.place):
        text = json.dumps(json.loads((s.place / "run.json").read_text(encoding="utf-8")), indent=2)
    texts = ["Versions are those that wrote this report; those of the training are in its configuration."]
    return Section("Configuration and environment", texts, rows=rows, commands=commands, folded=("All settings", text)), None


def _pack(s: Subject) -> Pack:
    if s.pack is None:
        raise UsageError(s.why_no_pack or "there are no real images to compare with")
    return s.pack


def _labeled(s: Subject) -> Pack:
    pack = _pack(s)
    vocabulary_of(pack)
    return pack


def _told(share: Proportion) -> str:
    low, high = share.interval
    return f"{share.rate:.1%} (95 %: {low:.1%} to {high:.1%})"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def recipe_name(model: Model) -> str:
    return str((model.config.get("recipe") or {}).get("name") or model.config.get("generator", {}).get("name", "model"))


SECTIONS: dict[str, Callable[[Subject], tuple[Section, Any]]] = {
    "Samples": _samples,
    "Training": _training,
    "Walk": _walk,
    "Nearest neighbors": _neighbors,
    "Features": _features,
    "The judge": _judge,
    "Arithmetic": _arithmetic,
    "Turning": _turn,
    "Forgetting": _forget,
    "Metrics": _metrics,
    "Configuration and environment": _configuration,
}
"""Title → what makes the section and the numbers that its command's `--json` would hold."""
