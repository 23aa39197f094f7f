"""`zoo.report`: one self-contained HTML file with everything that can be said about a model.

Each section is an analysis; `report.html` tells in words what it found. One that cannot be had (no labels, no discriminator,
…) says so in one sentence and the rest goes on.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch

from zoo_core import CheckpointError, ModelError, UsageError, ZooError
from zoo_core.pictures import read_picture

from .. import __version__
from ..documents import read_json
from ..files import Place
from ..loading import find_folder, load
from ..models.card import name_metric, read_metrics
from ..models.model import Model
from ..notebook import AUTOMATIC
from ..packs import Pack
from ..progress import Reporter
from ..reports.displaying import Displayed
from ..reports.figures import svg
from ..reports.numbers import judge
from ..reports.page import write_page
from ..reports.pictures import SCALE, sheet
from ..runs.config import versions
from ..runs.documents import LIMIT
from ..runs.run import is_run, read_run
from ..training.curves import curves_of
from ..training.diagnosing import diagnose
from .arithmetic import arithmetic
from .attribute_classifier import AttributeClassifier
from .classifiers import classifier_for
from .features import features
from .forgetting import forget
from .labels import (
    ABSENT,
    HIDDEN,
    ImageSource,
    ModelImages,
    Vocabulary,
    attribute_labels,
    find_images,
    request_images,
    vocabulary_of,
)
from .samples import block
from .walks import turn, walk

TEMPLATE = Path(__file__).with_name("report.html")
SAMPLES, NEIGHBORED = 64, 256


@dataclass(frozen=True, repr=False)
class Report(Displayed):
    """A report that was written."""

    path: Path  # of the HTML file
    sections: tuple[str, ...]  # titles of the sections
    left_out: dict[str, str]  # title → why it is not there
    numbers: dict[str, Any]  # section → what its command's `--json` would hold

    def _describe(self) -> str:
        return f"{self.path}: {len(self.sections) - len(self.left_out)} of {len(self.sections)} sections"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        told = {"sections": list(self.sections), "left_out": self.left_out, "numbers": self.numbers}
        return {"report": str(self.path), **told}


class Part(NamedTuple):
    """A section as the template knows it: its title, what was found, its numbers, and why it was left out, if it was."""

    title: str
    found: Any
    numbers: Any = None
    left_out: str = ""


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

    def real(self) -> Pack:
        """Return the real images; raises `UsageError` where there are none."""
        if self.pack is None:
            raise UsageError(self.why_no_pack or "there are no real images to compare with")
        return self.pack

    def labeled(self) -> dict[str, Any]:
        """Return what an analysis is given that looks for words in labeled images; raises `UsageError` without labels."""
        vocabulary_of(self.real())
        return {"images": self.pack, "searched": self.searched, "seed": self.seed, "report": self.report}

    def command(self, verb: str, *words: str) -> str:
        """Return what to type to get a section by itself."""
        images: list[str] = []
        if self.images is not None and not isinstance(self.images, Pack) and verb not in ("walk", "sample"):
            images = ["--dataset", self.images.dataset, *(["--data", str(self.images.data)] if self.images.data else [])]
        seed = ["--seed", str(self.seed)] if self.seed else []
        searched = dict.fromkeys(("arithmetic", "turn", "report"), self.searched) | {"forget": self.searched // 2}
        search = ["--searched", str(searched[verb])] if verb in searched else []
        return shlex.join(["zoo", verb, self.where, *words, *images, *seed, *search])


def report(
    model: Place,
    *,
    images: ImageSource = None,
    dataset: str | None = None,
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    attribute: str | None = None,
    expression: str | None = None,
    searched: int = 2048,
    seed: int = 0,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Report:
    """Write one HTML file about a run or a model.

    Args:
        model: where it lies. Of a run folder the report tells about its training too.
        images: labeled images; by default those that it was trained on.
        dataset, data, options: the same by name, in place of `images`, as the command line takes them.
        attribute: what is forgotten and turned; by default the first attribute that can be absent.
        expression: of the arithmetic; by default that attribute and one other.
        searched: samples among which exemplars are looked for.
        seed: of the samples.
        device: "cpu", "cuda", …, or "auto".
        out: the file; by default `report.html` in the folder, where `zoo push` finds it.
        report: hears the progress.

    Raises:
        UsageError: there is no such model, or the file's name does not end in .html.
        ZooError: the model cannot be read, or the file cannot be written.
    """
    images = request_images(images, dataset, data, options)
    if isinstance(model, Model):
        hint = "write it into one: zoo.export(model, 'DIR')"
        raise UsageError("a report is about a folder, and this is a model in memory", hint=hint)
    loaded = load(model, device=device)
    place = find_folder(model)
    target = Path(out) if out is not None else place / "report.html"
    if target.suffix.lower() not in (".html", ".htm") or target.is_dir():
        raise UsageError(f"{target} is no name for a web page", hint="for example: --out report.html")
    pack, why, chosen, sums = None, "", "", ""
    try:
        pack = find_images(loaded, model, images).pack(report)
        chosen, sums = _choose_words(pack, vocabulary_of(pack))
    except ZooError as error:
        why = error.message
    subject = Subject(
        os.fspath(model), place, loaded, images, pack, why, attribute or chosen, expression or sums, searched, seed, report
    )
    parts = []
    with report.task("writing the report", len(SECTIONS), "sections") as task:
        for title, analyze in SECTIONS.items():
            try:
                found = analyze(subject)
                part = Part(title, *found) if isinstance(found, tuple) else Part(title, found, found.to_json())
            except ZooError as error:
                part = Part(title, None, left_out=error.message.splitlines()[0])
            parts.append(part)
            task.update(len(parts))
    lead = f"Report on {place.name}, written by zoo {__version__}. Nothing in it was chosen by hand."
    config = loaded.config
    recipe = (config.get("recipe") or {}).get("name") or config.get("parts", {}).get("generator", {}).get("name", "model")
    tools = {"dumps": json.dumps, "judge": judge, "scale": SCALE, "name_metric": name_metric}
    settings = read_json(place / "run.json", LIMIT, error=CheckpointError, ours=True) if is_run(place) else config
    given = {"subject": subject, "recipe": recipe, "samples": SAMPLES, "neighbored": NEIGHBORED, "settings": settings}
    title = f"{recipe}, {loaded.image.size}×{loaded.image.size}"
    write_page(target, TEMPLATE, title=title, lead=lead, sections=parts, **given, **tools)
    left_out = {part.title: part.left_out for part in parts if part.left_out}
    return Report(target, tuple(SECTIONS), left_out, {part.title: part.numbers for part in parts if part.numbers})


def _choose_words(pack: Pack, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return what is turned and forgotten, and an expression of it and one other thing ("" where the labels name only one).

    Of the attributes that can be absent, and of all other values, that which is nearest to being in two of five images;
    what other things can hide comes last.
    """
    found = []  # whether it is always there, whether it can be hidden, how far from two in five, word, attribute
    for name, values in vocabulary.items():
        shown = [v for v in values if v not in (*ABSENT, HIDDEN)]
        always = not set(values) & set(ABSENT)
        for word, meant in {f"{name}={v}": [v] for v in shown}.items() if always else [(name, shown)]:
            columns = torch.tensor([values.index(v) for v in meant])
            share = float(torch.isin(attribute_labels(pack)[name], columns).float().mean())
            found.append((always, HIDDEN in values, abs(share - 0.4), word, name))
    *_, first, attribute = min(found)
    others = sorted(found, key=lambda each: (not each[0], *each[1:]))
    other = next((word for *_, word, name in others if name != attribute), "")
    return first, f"{first}+{other} - {other} + neutral" if other else ""


def _find_training(s: Subject) -> tuple[Any, Any]:
    if not (s.place / "metrics.jsonl").is_file():
        raise ModelError("this is no run folder, so nothing is known about how the training went")
    found = diagnose(s.place)
    if len(found.readings) < 2:
        raise ModelError("the run has no readings yet")
    last, means = found.readings[-1], {}
    for name in ("d_loss", "g_loss", "d_real", "d_fake"):
        values = [line[name] for line in found.readings if isinstance(line.get(name), int | float)]
        if values:
            means[name] = fmean(values[-max(1, len(values) // 10) :])
    curves = [svg(panel, f"{panel.title} over {panel.x}") for panel in curves_of(found)]
    told = {"signs": found.warnings, "last": last, "means": means, "curves": curves, "command": read_run(s.place).command}
    return told, {"images": last["images"], "signs": [sign.kind for sign in found.warnings]}


def _find_neighbors(s: Subject) -> tuple[Any, Any]:
    from ..evaluating.neighbors import neighbors  # brings what the extra "eval" installs

    pack = s.real()
    where = {"dataset": pack.info["dataset"]["name"], "data": pack.path, "split": pack.info["dataset"]["split"]}
    with tempfile.TemporaryDirectory() as folder:
        choices: dict[str, Any] = {"samples": NEIGHBORED, "shown": 16, "seed": s.seed, "page": folder, "write": False}
        found = neighbors(s.model, **where, **choices, report=s.report)
        picture = read_picture(Path(folder) / "neighbors.png").convert("RGB")
    return {"results": found, "picture": picture}, found.to_json()


def _find_classifier(s: Subject) -> AttributeClassifier:
    return classifier_for(s.model, ModelImages(s.labeled()["images"]), device=s.model.device, report=s.report)


def _find_sums(s: Subject) -> Any:
    given = s.labeled()
    if not s.expression:
        raise UsageError("the labels name only one thing, and arithmetic needs two")
    return arithmetic(s.model, s.expression, **given)


def _find_metrics(s: Subject) -> tuple[Any, Any]:
    found = read_metrics(s.place) or read_metrics(s.place / "model")
    if not found:
        raise ModelError("nothing was measured; zoo evaluate does")
    return found, found


SECTIONS: dict[str, Callable[[Subject], Any]] = {
    "Samples": lambda s: (sheet([block("", s.model.sample(SAMPLES, seed=s.seed))]), None),
    "Training": _find_training,
    "Walk": lambda s: walk(s.model, seed=s.seed),
    "Nearest neighbors": _find_neighbors,
    "Features": lambda s: features(s.model, images=s.real(), seed=s.seed, report=s.report),
    "The classifier": _find_classifier,
    "Arithmetic": _find_sums,
    "Turning": lambda s: turn(s.model, f"no-{s.attribute}", s.attribute, **s.labeled()),
    "Forgetting": lambda s: forget(s.model, s.attribute, **(s.labeled() | {"searched": s.searched // 2})),
    "Metrics": _find_metrics,
    "Configuration and environment": lambda s: (versions(), None),
}
"""Title → what finds the record that it tells of, or that and the numbers that its command's `--json` would hold."""
