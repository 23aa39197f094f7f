"""The page: a heading, the shelf of kept pictures, and the tabs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import gradio as gr

from . import markup
from .limits import WAITING
from .page import Page, show
from .shelf import add_shelf
from .subjects import Subject
from .tabs import arithmetic, directions, inside, judge, sample, training, walk

TABS: Mapping[str, ModuleType] = {
    "Sample": sample,
    "Walk": walk,
    "Arithmetic": arithmetic,
    "Directions": directions,
    "Inside": inside,
    "Real or not": judge,
    "Training": training,
}

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
_MONOSPACE = ("ui-monospace", "DejaVu Sans Mono", "monospace")


def choose_theme() -> Any:
    """Return the theme of a page, as `launch` takes it: its fonts are the machine's own, none is fetched."""
    theme = gr.themes.Default(font=_FONTS, font_mono=_MONOSPACE, primary_hue="blue")
    theme = theme.set(button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700")
    readable = {"body_text_color_subdued": "*neutral_600", "block_info_text_color": "*neutral_600"}
    dark = {f"{name}_dark": "*neutral_300" for name in readable}
    return theme.set(**readable, **dark)


def build_page(subjects: tuple[Subject, ...], stopping: threading.Event) -> Any:
    """Make the page of some models."""
    title = ", ".join(subject.name for subject in subjects)
    with gr.Blocks(title=f"zoo demo: {title}", analytics_enabled=False, delete_cache=(600, 600)) as blocks:
        facts = "".join(f"<p class='zoo-words'>{markup.escape(f'{s.name}: {s.facts}')}</p>" for s in subjects)
        show(f"<style>{markup.CSS}</style><h1 style='font-size: 20px; font-weight: 600; margin: 0'>zoo demo</h1>{facts}")
        page = Page(blocks, subjects, gr.State(()), gr.State(-1), stopping=stopping)
        add_shelf(page)
        with gr.Tabs():
            for name, module in TABS.items():
                with gr.Tab(name):
                    module.add(page)
    blocks.queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)
    return blocks
