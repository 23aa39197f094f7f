"""Real or not: what the models make of a picture that is handed in."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import gradio as gr
import torch

from zoo_core import ZooError

from ...analysis.projection import project
from .. import markup
from ..limits import KEPT
from ..page import Page, Shelf, pictures
from ..subjects import Kept, Subject
from ..verdicts import find_nearest, find_ready_pack, judge_picture, open_upload, square

_STARTS, _STEPS, _SEARCHED = 4, 60, 256


def add(page: Page) -> None:
    """Make the tab."""
    gr.Markdown("Hand in a picture: what does the discriminator say, which training picture is nearest, what comes near it?")
    with gr.Row():
        file = gr.File(label="A picture", file_types=["image"], type="filepath", min_width=240, height=140)
        with gr.Column(min_width=240):
            search = gr.Checkbox(True, label="Look for its latent", info="takes some seconds")
            own = gr.Button("Take a sample instead", scale=0, min_width=140)
    found = gr.State(())  # of each model, the latent that comes nearest, or None
    results = []
    with gr.Row(equal_height=False):
        for subject in page.subjects:
            with gr.Column(min_width=280):
                results.append(pictures(label=f"What {subject.name} makes of it"))

    def look(path: str | None, search: bool, progress: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        if path is None:
            return [(), *["" for _ in page.subjects]]
        try:
            picture = open_upload(path)
        except ZooError as error:
            return [(), *[markup.words(error.message, heading="No picture") for _ in page.subjects]]
        finally:
            with suppress(OSError):  # nothing that is handed in stays
                os.unlink(path)
        images = [square(picture, subject.model) for subject in page.subjects]
        return _answer(page, images, search, progress)

    def sample(search: bool, progress: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        first = [subject.first(1) for subject in page.subjects]
        images = [s.draw(kept.z[None], [0])[0] for s, kept in zip(page.subjects, first, strict=True)]
        return _answer(page, images, search, progress)

    def keep(number: int) -> Any:
        def function(latents: tuple[Kept | None, ...], shelf: Shelf) -> tuple[Shelf, int]:
            kept = latents[number] if number < len(latents) else None
            if kept is None or (kept not in shelf and len(shelf) >= KEPT):
                raise gr.Error("remove some pictures from the shelf first", title="The shelf is full", print_exception=False)
            return (shelf, shelf.index(kept)) if kept in shelf else ((*shelf, kept), len(shelf))

        return function

    page.listen(file.change, look, [file, search], [found, *results])
    page.listen(own.click, sample, [search], [found, *results])
    for number, component in enumerate(results):
        page.listen(component.select, keep(number), [found, page.shelf], [page.shelf, page.chosen])


def _answer(page: Page, images: list[torch.Tensor], search: bool, progress: Any) -> list[Any]:
    each = [_judge(page, subject, image, search, progress) for subject, image in zip(page.subjects, images, strict=True)]
    return [tuple(kept for kept, _ in each), *(shown for _, shown in each)]


def _judge(page: Page, subject: Subject, image: torch.Tensor, search: bool, progress: Any) -> tuple[Kept | None, str]:
    pack = find_ready_pack(subject)
    verdict = judge_picture(subject, image, pack)
    said = str(verdict) if verdict is not None else "It was published without its discriminator, which alone could judge."
    images = [image]
    shown = markup.tiles_of(image[None], ["the picture, as the model sees pictures"])
    captions, kept = ["as the model sees it"], None
    if pack is not None:
        nearest, error = find_nearest(pack, image)
        images.append(nearest)
        shown += markup.tiles_of(nearest[None], ["the nearest training picture"])
        captions.append(f"nearest training picture: {error:.0f} of 255 levels away")
    else:
        said += " The training pictures do not lie ready here, so the nearest is not known."
    if search:
        picture = markup.to_picture_of(image)
        result = project(
            subject.model, picture, starts=_STARTS, steps=_STEPS, searched=_SEARCHED, report=page.report(progress)
        )
        kept = Kept.of(result.latent, subject, 0, f"found for a picture, {result.error:.0f} levels away")
        images.append(result.image)
        shown += markup.tiles_of(result.image[None], ["Keep the nearest that the model draws"], ["0"])
        captions.append(f"nearest that it draws: {result.error:.0f} levels away ({result.verdict})")
    captioned = [
        markup.Tile(tile.picture, tile.name, tile.pick, caption=caption)
        for tile, caption in zip(shown, captions, strict=True)
    ]
    files = {"judged.png": markup.png_of(torch.stack(images), len(images))}
    if kept is not None:
        files["judged.safetensors"] = markup.latents_file(kept.z[None], model=subject.name)
    return kept, markup.tiles(captioned, heading=subject.name, width=120) + markup.words(said) + markup.downloads(files)
