"""Inside one picture: the feature maps that draw it, silenced by a click, and what the discriminator looks at in it."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch
from torch import Tensor

from ...analysis.feature_maps import (
    ablate_units,
    capture_activations,
    feature_map_shapes,
    guided_gradients,
    scale_gradients,
    stage_activations,
)
from .. import markup
from ..page import Page, Shelf, pick_of, pictures, show
from ..subjects import Kept, Subject

SHOWN, FEATURES = 64, 6
State = tuple[int, str, Kept, tuple[int, ...]]  # number of the model, stage, picture, silenced maps


def add(page: Page) -> None:
    """Make the tab."""
    gr.Markdown(
        "The feature maps of the chosen picture, or of the last kept one, or of sample 0. Click a map to silence it."
    )
    stages = {subject.name: list(feature_map_shapes(subject.model.generator)) for subject in page.subjects}
    first = stages[page.subjects[0].name]
    with gr.Row():
        which = page.subject_radio()
        stage = gr.Dropdown(first, value=first[-1] if first else None, label="Stage", min_width=140)
    with gr.Row():
        look = gr.Button("Look inside", variant="primary", scale=0, min_width=140)
        again = gr.Button("Restore all maps", scale=0, min_width=200)
    state = gr.State(None)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=260):
            shown = show()
        with gr.Column(min_width=300):
            maps = pictures(label="Feature maps")
    guided = show()

    def begin(index: Any, stage: Any, shelf: Shelf, chosen: int) -> list[Any]:
        subject = page.find(index)
        if not stages[subject.name]:
            raise gr.Error(f"{subject.name} has no stages of feature maps", title="Nothing inside", print_exception=False)
        where = stage if stage in stages[subject.name] else stages[subject.name][-1]
        found: State = (page.subjects.index(subject), where, page.start(subject, shelf, chosen), ())
        return [found, *_look(subject, found), _guide(subject, found)]

    def silence(found: State | None, event: gr.EventData) -> list[Any]:
        if found is None:
            raise gr.Error("look inside first", print_exception=False)
        index, where, kept, silenced = found
        subject = page.subjects[index]
        number = pick_of(event, feature_map_shapes(subject.model.generator)[where][0])
        silenced = tuple(sorted({*silenced} ^ {number}))
        found = (index, where, kept, silenced)
        return [found, *_look(subject, found), _guide(subject, found)]

    def restore(found: State | None) -> list[Any]:
        if found is None:
            return [None, "", "", ""]
        new: State = (*found[:3], ())
        subject = page.subjects[found[0]]
        return [new, *_look(subject, new), _guide(subject, new)]

    def offer(index: Any) -> Any:
        there = stages[page.find(index).name]
        return gr.update(choices=there, value=there[-1] if there else None)

    outputs = [state, shown, maps, guided]
    page.listen([look.click, stage.input], begin, [which, stage, page.shelf, page.chosen], outputs)
    page.listen(which.change, offer, [which], stage, show_progress="hidden")
    page.listen(maps.select, silence, [state], outputs, show_progress="minimal")
    page.listen(again.click, restore, [state], outputs)


def _draw(subject: Subject, found: State) -> tuple[Tensor, Tensor]:
    """Return the picture [1, C, S, S] as it is and with maps silenced."""
    _, stage, kept, silenced = found
    before = subject.draw(kept.z[None], [kept.label])
    if not silenced:
        return before, before
    with ablate_units(subject.model.generator.stages()[stage], silenced):
        return before, subject.draw(kept.z[None], [kept.label])


def _look(subject: Subject, found: State) -> list[str]:
    """Return the picture and the maps of a stage, those that are strongest in it, as HTML."""
    _, stage, kept, silenced = found
    labels = subject.model.labels_of([kept.label])
    activations = stage_activations(subject.model, stage, kept.z[None], labels)[0].cpu()  # [C, H, W]
    strength = activations.abs().mean((1, 2))
    order = strength.argsort(descending=True)[:SHOWN].sort().values.tolist()
    order += [number for number in silenced if number not in order]
    scale = activations.abs().amax((1, 2), keepdim=True).clamp(min=1e-12)
    images = (activations / scale).clamp(-1, 1)[:, None]  # [C, 1, H, W], 0 is gray, each map to its own scale
    shown = []
    for number in order:
        off = number in silenced
        name = f"map {number}, silenced" if off else f"map {number}"
        (tile,) = markup.tiles_of(images[number][None], [name], [str(number)])
        shown.append(markup.Tile(tile.picture, name, tile.pick, pressed=off, faded=off))
    before, after = _draw(subject, found)
    words = f"silenced: {', '.join(map(str, silenced))}" if silenced else "no map is silenced"
    picture = markup.large(after, f"{kept.name}, {words}", heading=subject.name) + markup.words(words)
    if silenced:
        picture += markup.tiles(markup.tiles_of(before, [f"before: {kept.name}"]), width=96, heading="before")
    picture += markup.downloads({"inside.png": markup.png_of(after)})
    heading = f"{stage}: {len(shown)} of {len(activations)} maps, the strongest in this picture"
    return [picture, markup.tiles(shown, heading=heading, width=56)]


def _guide(subject: Subject, found: State) -> str:
    """Return what the discriminator's strongest features respond to in the picture."""
    network = subject.model.discriminator
    if network is None:
        return markup.words("This model was published without its discriminator.", heading="What the discriminator looks at")
    picture, kept = _draw(subject, found)[1], found[2]
    labels = subject.model.labels_of([kept.label])
    where = next(network.parameters())
    with capture_activations(network.stages()) as outputs, torch.no_grad():
        network(picture.to(where.device, where.dtype), labels)
        stage = ([name for name in network.stages() if outputs[name].ndim == 4] or list(network.stages()))[-1]
        response = outputs[stage][0].reshape(outputs[stage].shape[1], -1).amax(1)
    strongest = response.argsort(descending=True)[:FEATURES].tolist()
    gradients = [scale_gradients(guided_gradients(network, picture, stage, feature, labels)) for feature in strongest]
    names = [f"feature {feature} of {stage}" for feature in strongest]
    images = torch.cat(gradients).cpu()
    heading = "What the discriminator looks at: guided backpropagation of its strongest features"
    return markup.tiles(markup.tiles_of(images, names), heading=heading, width=96)
