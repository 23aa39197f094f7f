"""How a run's training goes: its curves and newest samples, live while it trains, and a film of all samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from zoo_core import ZooError
from zoo_core.pictures import read_picture

from ...reports.figures import svg
from ...runs.folders import is_training
from ...runs.timelapse import find_grids, timelapse
from ...training.curves import curves_of
from ...training.diagnosing import diagnose
from .. import markup
from ..page import Page, show
from ..subjects import Subject

PERIOD, _WIDTH, _SECONDS = 5.0, 320, 8.0


def add(page: Page) -> None:
    """Make the tab."""
    runs = [subject for subject in page.subjects if subject.run is not None]
    if not runs:
        gr.Markdown("None of these models is a run folder. `zoo demo RUN` shows how a training went, or goes.")
        return
    for subject in runs:
        shown = show()
        make = gr.Button("Make a film of its samples", scale=0, min_width=160)
        movie = show()
        timer = gr.Timer(PERIOD, active=is_training(_folder(subject)))
        page.listen(page.blocks.load, _refresh(subject), [], [shown, timer], show_progress="hidden")
        page.listen(timer.tick, _refresh(subject), [], [shown, timer], show_progress="hidden")
        page.listen(make.click, _film(page, subject), [], movie)


def _folder(subject: Subject) -> Path:
    assert subject.run is not None
    return subject.run


def _refresh(subject: Subject) -> Callable[[], tuple[str, Any]]:
    known: dict[str, tuple[Any, str]] = {}  # drawn once for all sessions, and anew when the run has written something

    def refresh() -> tuple[str, Any]:
        folder = _folder(subject)
        live, log = is_training(folder), folder / "metrics.jsonl"
        written = (live, log.stat().st_size if log.is_file() else 0, len(list(folder.glob("samples/*.png"))))
        if known.get("page", ("", ""))[0] != written:
            known["page"] = (written, _show(subject, live))
        return known["page"][1], gr.Timer(active=live)

    return refresh


def _show(subject: Subject, live: bool) -> str:
    found = diagnose(_folder(subject))
    state = "training now; this page follows it" if live else "not training now"
    about = "\n".join(
        [f"{found.verdict}; {state}", *found.words, *(f"{warning.kind}: {warning.words}" for warning in found.warnings)]
    )
    panels = [replace(panel, lines=[line for line in panel.lines if not line.dashed]) for panel in curves_of(found)]
    charts = "".join(svg(panel, f"{panel.title} over {panel.x}") for panel in panels)
    charts = charts or markup.words("There are too few readings for curves yet.")
    return markup.words(about, heading=subject.name) + _newest(subject) + f'<div class="zoo-chart">{charts}</div>'


def _newest(subject: Subject) -> str:
    try:
        newest = find_grids(_folder(subject))[-1]
        picture = read_picture(newest)
    except (ZooError, OSError):  # not yet
        return ""
    picture.thumbnail((768, 768))
    tile = markup.Tile(picture, f"samples after {int(newest.stem):,} images", caption=f"after {int(newest.stem):,} images")
    return f'<div class="zoo-large">{markup.tiles([tile], width=240)}</div>'


def _film(page: Page, subject: Subject) -> Callable[..., str]:
    def film(progress: Any = gr.Progress()) -> str:  # noqa: B008
        with TemporaryDirectory() as folder:
            out = Path(folder, "training.gif")
            made = timelapse(_folder(subject), out, seconds=_SECONDS, width=_WIDTH, report=page.report(progress))
            data = out.read_bytes()
        name = f"samples of {subject.name} from {made.images[0]:,} to {made.images[-1]:,} images"
        return markup.film(data, name) + markup.downloads({"training.gif": data})

    return film
