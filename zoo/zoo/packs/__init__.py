"""Packs: a dataset after decoding, cropping and resizing, cached on disk and read through a memory map.

`build_pack` makes one or finds it in the cache, `open_pack` reads one, `Pack` is one, `write_view` makes one of some of its
images. Importing this package imports no torch, because the worker processes that decode pictures import it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_core._lazy import attach

if TYPE_CHECKING:
    from .build import build_pack as build_pack
    from .pack import Pack as Pack
    from .pack import open_pack as open_pack
    from .pixels import to_images as to_images
    from .pixels import to_uint8 as to_uint8
    from .request import PackRequest as PackRequest
    from .views import write_view as write_view

_WHERE = {
    "Pack": ".pack",
    "PackRequest": ".request",
    "build_pack": ".build",
    "open_pack": ".pack",
    "to_images": ".pixels",
    "to_uint8": ".pixels",
    "write_view": ".views",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
