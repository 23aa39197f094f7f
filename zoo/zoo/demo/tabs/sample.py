"""Samples of all models, of the same latents where theirs are alike; a click keeps one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ...randomness import latents_for
from .. import markup
from ..limits import COUNT, KEPT, limit_count, read_number, read_whole
from ..page import Page, Shelf, pick_of, pictures
from ..subjects import Kept, Subject

EACH = "each in turn"
Drawn = tuple[int, int, float, int]  # seed, how many, truncation, class (−1: each in turn)


def add(page: Page) -> None:
    """Make the tab."""
    classes = max((subject.classes for subject in page.subjects), key=len)
    with gr.Row():
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**31 - 1, min_width=120)
        count = gr.Slider(1, COUNT, value=16, step=1, label="Count", min_width=160)
        truncation = gr.Slider(
            0.1, 1, value=1, step=0.05, label="Truncation", info="below 1: nearer to the mean, more alike", min_width=160
        )
        label = gr.Dropdown([EACH, *classes], value=EACH, label="Class", visible=bool(classes), type="index", min_width=140)
    with gr.Row():
        again = gr.Button("Draw", variant="primary", scale=0, min_width=120)
        another = gr.Button("Another", scale=0, min_width=120)
    drawn = gr.State((0, 0, 1.0, -1))
    grids = []
    with gr.Row(equal_height=False):
        for subject in page.subjects:
            with gr.Column(min_width=280):
                grids.append(pictures(label=f"Samples of {subject.name}"))

    def sample(seed: Any, count: Any, truncation: Any, label: Any) -> list[Any]:
        asked: Drawn = (
            read_whole(seed, "the seed", 0, 2**31 - 1),
            read_whole(count, "the count", 1, COUNT),
            read_number(truncation, "the truncation", 0.1, 1),
            read_whole(label or 0, "the class", 0, len(classes)) - 1,
        )
        return [asked, *(_show(subject, asked) for subject in page.subjects)]

    def next_seed(seed: Any) -> int:
        return (read_whole(seed, "the seed", 0, 2**31 - 1) + 1) % 2**31

    def keep(subject: Subject) -> Callable[..., Any]:
        def function(asked: Drawn, shelf: Shelf, event: gr.EventData) -> tuple[Shelf, int]:
            number = pick_of(event, asked[1])
            z, labels = _latents(subject, asked)
            name = f"seed {asked[0]}, number {number}" + (f", truncation {asked[2]:g}" if asked[2] < 1 else "")
            new = Kept.of(z[number], subject, labels[number], name)
            if new in shelf:
                return shelf, shelf.index(new)
            if len(shelf) >= KEPT:
                raise gr.Error(
                    f"{KEPT} pictures are kept; remove some first", title="The shelf is full", print_exception=False
                )
            return (*shelf, new), len(shelf)

        return function

    asked = [seed, count, truncation, label]
    page.listen([again.click, seed.submit, *(x.change for x in asked[3:])], sample, asked, [drawn, *grids])
    page.listen([count.release, truncation.release], sample, asked, [drawn, *grids], trigger_mode="always_last")
    moved = page.listen(another.click, next_seed, [seed], seed, show_progress="hidden")
    page.listen(moved.then, sample, asked, [drawn, *grids])
    for subject, component in zip(page.subjects, grids, strict=True):
        page.listen(component.select, keep(subject), [drawn, page.shelf], [page.shelf, page.chosen], show_progress="hidden")
    page.listen(page.blocks.load, sample, asked, [drawn, *grids])


def _latents(subject: Subject, asked: Drawn) -> tuple[Any, list[int]]:
    """Return latents [n, latent_dim] and classes."""
    seed, count, truncation, label = asked
    numbers = range(limit_count(count, subject.model.image.size))
    classes = len(subject.classes) or 1
    labels = [(label if 0 <= label < classes else number % classes) for number in numbers]
    return truncation * latents_for(subject.model.generator, seed, numbers), labels


def _show(subject: Subject, asked: Drawn) -> str:
    z, labels = _latents(subject, asked)
    images = subject.draw(z, labels)
    numbers = [str(number) for number in range(len(z))]
    classes = [f", {subject.classes[label]}" if subject.classes else "" for label in labels]
    names = [f"Keep sample {number}{which}" for number, which in zip(numbers, classes, strict=True)]
    files = {
        f"samples-{asked[0]}.png": markup.png_of(images),
        f"latents-{asked[0]}.safetensors": markup.latents_file(z, seed=str(asked[0]), model=subject.name),
    }
    shown = markup.tiles(markup.tiles_of(images, names, numbers), heading=subject.name, width=72)
    few = f"{len(z)} of {asked[1]}: pictures of this size are large" if len(z) < asked[1] else ""
    return shown + markup.words(few) + markup.downloads(files)
