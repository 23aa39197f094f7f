"""One picture, moved along directions by sliders: of the first weights, of a stage's activations, or of attributes."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch

from ...analysis.classifiers import ready_classifier
from ...analysis.directions import Directions, find_directions
from ...analysis.labels import find_images
from ...progress import SILENT
from .. import markup
from ..limits import KEPT, read_number
from ..page import Page, Shelf, show
from ..subjects import Kept, Subject

COUNT, REACH, _SAMPLES = 8, 4.0, 16
METHODS = {"sefa": "first weights (SeFa)", "pca": "activations (PCA)", "attributes": "attributes"}
_FIRST = "the first stage"


def add(page: Page) -> None:
    """Make the tab."""
    able = [subject for subject in page.subjects if _has_attributes(subject)]
    methods = [(words, name) for name, words in METHODS.items() if name != "attributes" or able]
    stages = list(dict.fromkeys(stage for subject in page.subjects for stage in subject.model.generator.stages()))
    gr.Markdown(
        "The chosen picture, or the last kept one, or sample 0; moved by so many standard deviations of the latents."
    )
    with gr.Row():
        which = page.subject_radio()
        method = gr.Radio(methods, value="sefa", label="Directions of", min_width=240)
        stage = gr.Dropdown([_FIRST, *stages], value=_FIRST, label="Stage", visible=False, min_width=140)
    find = gr.Button("Find directions", variant="primary", scale=0, min_width=160)
    start, found = gr.State(None), gr.State(None)  # the picture that is moved; model, method and stage
    with gr.Row(equal_height=False):
        with gr.Column(min_width=260):
            shown = show()
            with gr.Row():
                reset = gr.Button("Reset", size="sm", scale=0, min_width=90)
                keep = gr.Button("Keep this one", size="sm", scale=0, min_width=120)
        with gr.Column(min_width=280):
            sliders = [gr.Slider(-REACH, REACH, value=0, step=0.1, label=f"{i}", visible=False) for i in range(1, COUNT + 1)]
            about = show()

    def look(index: Any, method: Any, stage: Any, shelf: Shelf, chosen: int, progress: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        subject = page.find(index)
        kept = page.start(subject, shelf, chosen)
        directions = _find(page, subject, str(method), str(stage), progress)
        sliders = [gr.update(value=0, visible=i < len(directions.names), label=_label(directions, i)) for i in range(COUNT)]
        key = (page.subjects.index(subject), directions.method, str(stage))
        return [kept, key, _show(subject, kept, kept, directions), _about(subject, directions), *sliders]

    def move(kept: Kept | None, key: Any, *amounts: Any) -> str:
        if kept is None or key is None:
            return ""
        subject, directions = _known(page, key)
        return _show(subject, kept, _moved(subject, directions, kept, amounts), directions)

    def keep_this(kept: Kept | None, key: Any, shelf: Shelf, *amounts: Any) -> tuple[Shelf, int]:
        if kept is None or key is None:
            raise gr.Error("find directions first", title="Nothing to keep yet", print_exception=False)
        subject, directions = _known(page, key)
        new = _moved(subject, directions, kept, amounts)
        if new in shelf:
            return shelf, shelf.index(new)
        if len(shelf) >= KEPT:
            raise gr.Error(f"{KEPT} pictures are kept; remove some first", title="The shelf is full", print_exception=False)
        return (*shelf, new), len(shelf)

    given = [which, method, stage, page.shelf, page.chosen]
    page.listen([find.click, method.change, which.change], look, given, [start, found, shown, about, *sliders])
    method.change(lambda name: gr.update(visible=name == "pca"), method, stage, queue=False, api_visibility="private")
    page.listen(
        [slider.input for slider in sliders],
        move,
        [start, found, *sliders],
        shown,
        trigger_mode="always_last",
        show_progress="hidden",
    )
    back = page.listen(reset.click, lambda: [0] * COUNT, [], sliders, show_progress="hidden")
    page.listen(back.then, move, [start, found, *sliders], shown, show_progress="hidden")
    page.listen(keep.click, keep_this, [start, found, page.shelf, *sliders], [page.shelf, page.chosen])


def _has_attributes(subject: Subject) -> bool:
    """Whether a classifier of what the model draws comes with the dataset: nothing is trained for a page."""
    try:
        return ready_classifier(subject.model, find_images(subject.model, subject.where)) is not None
    except Exception:  # the model does not say, or its dataset is not installed here
        return False


def _find(page: Page, subject: Subject, method: str, stage: str, progress: Any) -> Directions:
    if method == "attributes" and not _has_attributes(subject):
        raise gr.Error(f"nothing is known of attributes of {subject.name}", print_exception=False)
    stage = stage if method == "pca" and stage in subject.model.generator.stages() else ""
    if (method, stage) not in subject.directions:
        source = (
            {"images": find_images(subject.model, subject.where).source, "searched": 1024} if method == "attributes" else {}
        )
        subject.directions[method, stage] = find_directions(
            subject.model,
            method=method,  # type: ignore[arg-type]  # checked there
            count=COUNT,
            stage=stage or None,
            steps=3,
            samples=_SAMPLES,
            report=page.report(progress) if progress is not None else SILENT,
            **source,  # type: ignore[arg-type]
        )
    return subject.directions[method, stage]


def _known(page: Page, key: tuple[int, str, str]) -> tuple[Subject, Directions]:
    index, method, stage = key
    subject = page.subjects[index]
    return subject, _find(page, subject, method, stage, None)


def _label(directions: Directions, number: int) -> str:
    if number >= len(directions.names):
        return str(number + 1)
    return directions.names[number]


def _moved(subject: Subject, directions: Directions, kept: Kept, amounts: tuple[Any, ...]) -> Kept:
    """Return a picture moved by so many standard deviations along each direction."""
    steps = [read_number(amount, "a slider", -REACH, REACH) for amount in amounts[: len(directions.names)]]
    if not any(steps):
        return kept
    z = kept.z + (torch.tensor(steps) * torch.tensor(directions.scales)) @ directions.vectors
    moves = [f"{name} {step:+.1f}" for name, step in zip(directions.names, steps, strict=True) if step]
    return Kept.of(z, subject, kept.label, f"{kept.name}; {', '.join(moves)}")


def _show(subject: Subject, before: Kept, after: Kept, directions: Directions) -> str:
    images = subject.draw(torch.stack([after.z, before.z]), [after.label, before.label])
    files = {
        "moved.png": markup.png_of(images[:1]),
        "moved.safetensors": markup.latents_file(after.z[None], model=subject.name),
        f"directions-{directions.method}.safetensors": directions.to_bytes(),
    }
    unmoved = markup.tiles(markup.tiles_of(images[1:], [f"before: {before.name}"]), width=96, heading="before")
    return markup.large(images[:1], f"after: {after.name}", heading=subject.name) + unmoved + markup.downloads(files)


def _about(subject: Subject, directions: Directions) -> str:
    if directions.probability:
        parts = [
            f"{name}: {start:.0%} to {end:.0%} ({verdict})"
            for name, (start, end), verdict in zip(
                directions.names, directions.probability, directions.verdicts, strict=True
            )
        ]
        return markup.words(
            "How often samples show it, from one end of three standard deviations to the other: " + "; ".join(parts)
        )
    times = [f"{change / max(directions.random_change, 1e-9):.1f}" for change in directions.change]
    return markup.words(f"They change pictures {', '.join(times)} times as much as random directions do.")
