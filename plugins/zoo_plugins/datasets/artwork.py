"""DiceBear at work: the styles that are installed, what it chooses and draws in one, and the pixels of that.

DiceBear's checks against its schemas are left out: what is given to it here comes from its own package or from ours.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from zoo_core.errors import DataError

if TYPE_CHECKING:
    from dicebear import Style
    from PIL.Image import Image

_LETTERED = frozenset({"initials", "initial-face"})  # letters want a font of the system: other pixels on every machine
_LOCK = threading.Lock()


@cache
def style_names() -> tuple[str, ...]:
    """Return the styles that are installed and draw the same everywhere, in alphabetic order; `DataError` without them."""
    found = {path.name.removesuffix(".json") for path in _folder().iterdir() if path.name.endswith(".json")}
    return tuple(sorted(found - _LETTERED))


@cache
def definition(style: str) -> Mapping[str, Any]:
    """Return a style as its package has it, with its license and author under "meta"."""
    found: dict[str, Any] = json.loads(_folder().joinpath(f"{style}.json").read_text("utf-8"))
    return found


def versions(drawing: str) -> str:
    """Return what pixels depend on: `drawing`, which says how it was told what to draw, and the packages that draw.

    Raises `DataError` where one of them is missing.
    """
    try:
        packages = [f"{package} {version(package)}" for package in ("dicebear-core", "dicebear-styles", "resvg-py")]
    except PackageNotFoundError as error:
        raise DataError(f"drawing needs {error.name}", hint=f"type: pip install {error.name}") from error
    return ", ".join([drawing, *packages])


@cache
def _load_style(name: str) -> Style:
    """Return a style as DiceBear draws it."""
    from dicebear import Style

    with _unchecked():  # the check of one style takes longer than 100 drawings
        return Style(definition(name))


def compose(style: str, options: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the SVG that DiceBear draws, and all that was chosen for it: what `Avatar` does, without checks and copies."""
    from dicebear.options import Options
    from dicebear.renderer import Renderer
    from dicebear.resolver import Resolver

    made = _load_style(style)
    with _unchecked():  # of ten options the check takes as long as the drawing
        resolver = Resolver(made, Options(dict(options)))
    return Renderer(made, resolver).render(), resolver.resolved()


def render(svg: str, *, resolution: int) -> Image:
    """Turn an SVG into an RGB picture of resolution × resolution pixels, on white."""
    import resvg_py

    from zoo_core.pictures import open_picture

    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=resolution, height=resolution, background="white", skip_system_fonts=True
    )
    return open_picture(png).convert("RGB")


@contextmanager
def _unchecked() -> Iterator[None]:
    """Leave out DiceBear's checks against its schemas."""
    from dicebear.validator import OptionsValidator, StyleValidator

    with _LOCK:
        checks = [(owner, vars(owner)["validate"]) for owner in (OptionsValidator, StyleValidator)]
        try:
            for owner, _ in checks:
                owner.validate = staticmethod(lambda data: None)  # type: ignore[method-assign]
            yield
        finally:
            for owner, check in checks:
                owner.validate = check  # type: ignore[method-assign]


def _folder() -> Any:
    try:
        return files("dicebear_styles")
    except ModuleNotFoundError as error:
        raise DataError("drawing needs dicebear-styles", hint="type: pip install dicebear-styles") from error
