"""Walks between the kept pictures, or between random ones, as a strip and as a film."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from ...analysis.walks import interpolate
from ...models.grids import to_pictures
from ...randomness import latents_for
from ...reports.pictures import save_gif
from .. import markup
from ..limits import KEPT, limit_count, read_whole
from ..page import Page, Shelf, show
from ..subjects import Subject, stack

_RANDOM, _SIDE = 4, 192  # latents of a walk where fewer than two are kept; pixels of a film


def add(page: Page) -> None:
    """Make the tab."""
    gr.Markdown("From each kept picture to the next; while fewer than two are kept, between random ones.")
    with gr.Row():
        steps = gr.Slider(3, 24, value=8, step=1, label="Pictures of each path", min_width=160)
        how = gr.Radio(["spherical", "linear"], value="spherical", label="Interpolation", min_width=160)
        seed = gr.Number(0, label="Seed of random ones", precision=0, minimum=0, maximum=2**31 - 1, min_width=120)
    go = gr.Button("Walk", variant="primary", scale=0, min_width=160)
    strips = [show(label=f"Walk of {subject.name}") for subject in page.subjects]

    def walk(steps: Any, how: Any, seed: Any, shelf: Shelf) -> list[str]:
        wanted = read_whole(steps, "the number of pictures", 3, 24)
        number = read_whole(seed, "the seed", 0, 2**31 - 1)
        kind = "linear" if how == "linear" else "spherical"
        return [_walk(subject, wanted, kind, number, shelf) for subject in page.subjects]

    page.listen(go.click, walk, [steps, how, seed, page.shelf], strips)


def _walk(subject: Subject, steps: int, how: str, seed: int, shelf: Shelf) -> str:
    kept = [each for each in shelf if subject.fits(each)][:KEPT]
    if len(kept) >= 2:
        ends, labels = stack(kept), [each.label for each in kept]
    else:
        ends, labels = latents_for(subject.model.generator, seed, range(_RANDOM)), [0] * _RANDOM
    most = limit_count(steps * (len(ends) - 1), subject.model.image.size) // steps
    ends = ends[: max(2, most + 1)]
    paths = interpolate(ends[:-1], ends[1:], steps, how)  # [P, steps, D]
    classes = [label for label in labels[: len(paths)] for _ in range(steps)]
    images = subject.draw(paths.flatten(0, 1), classes)
    names = [f"path {i // steps + 1}, step {i % steps + 1}" for i in range(len(images))]
    animation = _film(images)
    files = {
        "walk.png": markup.png_of(images, steps),
        "walk.gif": animation,
        "walk.safetensors": markup.latents_file(paths.flatten(0, 1), model=subject.name, steps=str(steps)),
    }
    strip = markup.tiles(markup.tiles_of(images, names), heading=subject.name, columns=steps)
    return strip + markup.film(animation, f"the walk of {subject.name} as a film") + markup.downloads(files)


def _film(images: Tensor) -> bytes:
    """Return an animation there and back."""
    scale = max(1, _SIDE // images.shape[-1])
    there = [
        p.resize((scale * p.width, scale * p.height), Image.Resampling.NEAREST) for p in to_pictures(torch.as_tensor(images))
    ]
    with TemporaryDirectory() as folder:
        return save_gif([*there, *there[-2:0:-1]], Path(folder, "walk.gif")).read_bytes()
