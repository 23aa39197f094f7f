"""A − B + C of kept pictures, up to three in each, as in the paper: dragged there, or put there by a button."""

from __future__ import annotations

from typing import Any

import gradio as gr
import torch

from ...analysis.arithmetic import neighborhood
from .. import markup
from ..page import Page, Shelf, show
from ..subjects import Kept, Subject, stack

ZONES, MOST = ("A", "B", "C"), 3
_SIGNS = {"A": "", "B": "− ", "C": "+ "}
Sums = dict[str, tuple[Kept, ...]]

_DROP = (
    markup.PICK
    + """
const zoneOf = (event) => event.target.closest('[data-zone]');
element.addEventListener('dragover', (event) => {
  const zone = zoneOf(event);
  if (zone) { event.preventDefault(); zone.classList.add('zoo-over'); }
});
element.addEventListener('dragleave', (event) => {
  const zone = zoneOf(event);
  if (zone) zone.classList.remove('zoo-over');
});
element.addEventListener('drop', (event) => {
  const zone = zoneOf(event);
  const text = event.dataTransfer.getData('text/plain');
  if (!zone || !text.startsWith('zoo-kept:')) return;
  event.preventDefault();
  zone.classList.remove('zoo-over');
  trigger('select', {pick: zone.dataset.zone + ':put:' + text.slice(9)});
});
"""
)


def add(page: Page) -> None:
    """Make the tab."""
    gr.Markdown(
        "Drag kept pictures into A, B and C; or choose one and put it there. Each is the mean of up to three. A click on a "
        "picture takes it out again."
    )
    sums = gr.State(dict.fromkeys(ZONES, ()))
    zones = show(_zones(page, dict.fromkeys(ZONES, ())), js_on_load=_DROP)
    results = [show(label=f"A − B + C of {subject.name}") for subject in page.subjects]

    def change(found: Sums, shelf: Shelf, chosen: int, event: gr.EventData) -> list[Any]:
        new = _change(found, shelf, chosen, str(getattr(event, "pick", "")))
        return [new, _zones(page, new), *(_compute(subject, new) for subject in page.subjects)]

    page.listen(zones.select, change, [sums, page.shelf, page.chosen], [sums, zones, *results], show_progress="minimal")


def _change(found: Sums, shelf: Shelf, chosen: int, pick: str) -> Sums:
    """Return what stands in the zones after a click or a drop: "A:put:3", "A:put" (the chosen one), "A:take:0"."""
    zone, _, rest = pick.partition(":")
    verb, _, text = rest.partition(":")
    number = int(text) if text.isdigit() else chosen if not text else -1
    if zone not in ZONES:
        return found
    there = found[zone]
    if verb == "take":
        return {**found, zone: tuple(kept for i, kept in enumerate(there) if i != number)}
    if not 0 <= number < len(shelf):
        raise gr.Error("choose a kept picture first: click it above", title="Nothing is chosen", print_exception=False)
    if len(there) >= MOST:
        raise gr.Error(f"{zone} has {MOST} pictures; click one to take it out", title="No room", print_exception=False)
    return {**found, zone: (*there, shelf[number])}


def _zones(page: Page, found: Sums) -> str:
    parts = []
    for zone in ZONES:
        shown = []
        for number, kept in enumerate(found[zone]):
            name = f"take {kept.name} out of {zone}"
            shown += markup.tiles_of(page.draw(kept), [name], [f"{zone}:take:{number}"])
        put = f'<button type="button" data-pick="{zone}:put">Put the chosen one here</button>'
        heading = f'<p class="zoo-heading">{_SIGNS[zone]}{zone}</p>'
        parts.append(f'<div class="zoo-zone" data-zone="{zone}">{heading}{markup.tiles(shown, width=64)}{put}</div>')
    return f'<div class="zoo-zones">{"".join(parts)}</div>'


def _compute(subject: Subject, found: Sums) -> str:
    if not all(found[zone] for zone in ZONES):
        return ""
    if not all(subject.fits(kept) for zone in ZONES for kept in found[zone]):
        return markup.words("Its latents are others than those of the pictures.", heading=subject.name)
    means = [stack(found[zone]).mean(0) for zone in ZONES]
    z = means[0] - means[1] + means[2]
    label = found["A"][0].label
    near = neighborhood(z, 0)
    images = subject.draw(torch.cat([torch.stack(means), near]), [label] * (3 + len(near)))
    names = ["mean of A", "mean of B", "mean of C"]
    rows = markup.tiles(markup.tiles_of(images[:3], names), heading=f"{subject.name}: the means", columns=3)
    result = markup.large(images[7:8], "A − B + C", heading="A − B + C")
    around = ["the result" if i == 4 else f"near the result, {i}" for i in range(9)]
    grid = markup.tiles(markup.tiles_of(images[3:], around), heading="and around it, with a little noise", columns=3)
    files = {
        "arithmetic.png": markup.png_of(images[3:], 3),
        "arithmetic.safetensors": markup.latents_file(z[None], model=subject.name),
    }
    return markup.beside(rows, result, grid) + markup.downloads(files)
