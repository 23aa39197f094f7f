"""`zoo.report`: one self-contained HTML file with everything that can be said about a model.

A section that cannot be had (no labels, no discriminator, …) says so in one sentence and the rest goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo_core import UsageError, ZooError

from .. import __version__
from ..loading import find_folder, load
from ..packs import Pack
from ..progress import Reporter
from ..reports.page import Section, write_page
from .concepts import ABSENT, HIDDEN
from .labeled_images import ImageSource, Vocabulary, attribute_labels, find_images, vocabulary_of
from .sections import SECTIONS, Subject, recipe_name

_SILENT = Reporter()


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Args:
        path: of the HTML file.
        sections: titles of the sections.
        left_out: title → why it is not there.
        numbers: section → what its command's `--json` would hold.
    """

    path: Path
    sections: tuple[str, ...]
    left_out: dict[str, str]
    numbers: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "report": str(self.path),
            "sections": list(self.sections),
            "left_out": self.left_out,
            "numbers": self.numbers,
        }


def report(
    model: str | Path,
    *,
    images: ImageSource = None,
    attribute: str | None = None,
    expression: str | None = None,
    searched: int = 2048,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
    report: Reporter = _SILENT,
) -> Report:
    """Write one HTML file about a run or a model.

    Args:
        model: where it lies. Of a run folder the report tells about its training too.
        images: labeled images; by default those that it was trained on.
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
    loaded = load(model, device=device)
    place = find_folder(model)
    target = Path(out) if out is not None else place / "report.html"
    if target.suffix.lower() not in (".html", ".htm") or target.is_dir():
        raise UsageError(f"{target} is no name for a web page", hint="for example: --out report.html")
    pack, why = None, ""
    try:
        pack = find_images(loaded, model, images).pack(report)
    except ZooError as error:
        why = error.message
    vocabulary: Vocabulary = {}
    if pack is not None:
        try:
            vocabulary = vocabulary_of(pack)
        except UsageError as error:
            why = error.message
    chosen, sums = _choice(pack, vocabulary)
    subject = Subject(
        str(model), place, loaded, images, pack, why, attribute or chosen, expression or sums, searched, seed, report
    )
    sections, left_out, numbers = _sections(subject)
    title = f"{recipe_name(loaded)}, {loaded.image.size}×{loaded.image.size}"
    lead = f"Report on {place.name}, written by zoo {__version__}. Nothing in it was chosen by hand."
    write_page(target, title=title, lead=lead, sections=sections)
    return Report(target, tuple(s.title for s in sections), left_out, numbers)


def _sections(subject: Subject) -> tuple[list[Section], dict[str, str], dict[str, Any]]:
    sections: list[Section] = []
    left_out: dict[str, str] = {}
    numbers: dict[str, Any] = {}
    with subject.report.task("writing the report", len(SECTIONS), "sections") as task:
        for i, (title, make) in enumerate(SECTIONS.items()):
            try:
                section, found = make(subject)
                numbers.update({title: found} if found else {})
            except ZooError as error:
                left_out[title] = error.message.splitlines()[0]
                section = Section(title, warnings=[f"Left out: {left_out[title].rstrip('.')}."])
            sections.append(section)
            task.update(i + 1)
    return sections, left_out, numbers


def _choice(pack: Pack | None, vocabulary: Vocabulary) -> tuple[str, str]:
    """What is turned and forgotten, and an expression of it and one other thing ("" where the labels name only one).

    Of the attributes that can be absent, and of all other values, that which is nearest to being in two of five images;
    what other things can hide comes last.
    """
    if pack is None or not vocabulary:
        return "", ""
    tables = attribute_labels(pack)
    found: dict[bool, list[tuple[bool, float, str, str]]] = {True: [], False: []}
    for name, values in vocabulary.items():
        shown = [v for v in values if v not in ABSENT and v != HIDDEN]
        absent = len(shown) < len([v for v in values if v != HIDDEN])
        words = {name: shown} if absent else {f"{name}={v}": [v] for v in shown}
        for word, meant in words.items():
            columns = torch.tensor([values.index(v) for v in meant])
            share = float(torch.isin(tables[name], columns).float().mean())
            found[absent].append((HIDDEN in values, abs(share - 0.4), word, name))
    everything = sorted(found[True]) + sorted(found[False])
    *_, first, attribute = everything[0]
    others = sorted(found[False]) + sorted(found[True])
    other = next((word for *_, word, name in others if name != attribute), "")
    return first, f"{first}+{other} - {other} + neutral" if other else ""
