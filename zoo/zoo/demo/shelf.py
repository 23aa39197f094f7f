"""The shelf of kept pictures, above all tabs: what is chosen there is looked at, walked between, added and subtracted."""

from __future__ import annotations

import gradio as gr

from . import markup
from .page import Page, Shelf, pick_of, show

NOTHING = "Nothing is kept yet: click a picture to keep it."
DRAG = (
    markup.PICK
    + """
element.addEventListener('dragstart', (event) => {
  const button = event.target.closest('[data-pick]');
  if (button) event.dataTransfer.setData('text/plain', 'zoo-kept:' + button.dataset.pick);
});
"""
)


def add_shelf(page: Page) -> None:
    """Put the shelf where the page is being made."""
    with gr.Row(equal_height=False):
        kept = show(markup.words(NOTHING), js_on_load=DRAG, elem_id="zoo-shelf", min_width=260)
    with gr.Row():
        remove = gr.Button("Remove the chosen one", size="sm", scale=0, min_width=200)
        clear = gr.Button("Clear", size="sm", scale=0, min_width=80)

    def render(shelf: Shelf, chosen: int) -> str:
        return _render(page, shelf, chosen)

    def choose(shelf: Shelf, chosen: int, event: gr.EventData) -> int:
        number = pick_of(event, len(shelf))
        return -1 if number == chosen else number

    def take_away(shelf: Shelf, chosen: int) -> tuple[Shelf, int]:
        if not 0 <= chosen < len(shelf):
            raise gr.Error("choose a kept picture first: click it", title="Nothing is chosen", print_exception=False)
        return shelf[:chosen] + shelf[chosen + 1 :], -1

    both = [page.shelf, page.chosen]
    page.listen(kept.select, choose, both, page.chosen, show_progress="hidden")
    page.listen(remove.click, take_away, both, both, show_progress="hidden")
    page.listen(clear.click, lambda: ((), -1), [], both, show_progress="hidden")
    page.listen([page.shelf.change, page.chosen.change], render, both, kept, show_progress="hidden")


def _render(page: Page, shelf: Shelf, chosen: int) -> str:
    if not shelf:
        return markup.words(NOTHING)
    found: list[markup.Tile] = []
    for number, kept in enumerate(shelf):
        (tile,) = markup.tiles_of(page.draw(kept), [f"kept {number + 1}: {kept.name}"], [str(number)])
        found.append(markup.Tile(tile.picture, tile.name, tile.pick, pressed=number == chosen, draggable=True))
    return markup.tiles(found, heading="Kept", width=64)
