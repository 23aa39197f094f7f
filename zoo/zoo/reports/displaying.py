"""How records show themselves: one line where text stands, a picture in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable

from PIL import Image

from zoo_core import ZooError
from zoo_core.words import printable

from .pictures import data_url

WIDEST = 900  # pixels of a picture in a notebook


class Displayed:
    """A record whose `repr` is one line, and which a notebook shows with its pictures.

    A dataclass that is one says `repr=False`, or it would write all of its fields.
    """

    def _describe(self) -> str:
        """Return what stands in the line after the name of the class."""
        raise NotImplementedError

    def _pictures(self) -> Iterable[Image.Image | bytes]:
        """Return pictures, or bytes of PNGs, that a notebook shows; by default the record's own picture, if any."""
        draw = getattr(self, "picture", None)
        return () if draw is None else (draw(),)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {printable(self._describe())}>"

    def _repr_html_(self) -> str:
        try:
            pictures = list(self._pictures())
        except ZooError:  # a notebook shows what it can
            pictures = []
        words = html.escape(repr(self))
        style = f"max-width:min(100%,{WIDEST}px);display:block"
        shown = "".join(f'<img alt="{words}" src="{data_url(_shrink(p))}" style="{style}">' for p in pictures)
        return f"<div><code>{words}</code>{shown}</div>"


def _shrink(picture: Image.Image | bytes) -> Image.Image | bytes:
    """Return a picture at a size that a saved notebook can carry."""
    if isinstance(picture, bytes) or picture.width <= WIDEST:
        return picture
    return picture.resize((WIDEST, max(1, picture.height * WIDEST // picture.width)), Image.Resampling.LANCZOS)
