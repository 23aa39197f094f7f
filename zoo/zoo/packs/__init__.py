"""Packs: a dataset after decoding, cropping and resizing, cached on disk and read through a memory map.

`build_pack` makes one or finds it in the cache, `open_pack` reads one, `Pack` is one, `write_view` makes one of some of its
images. Importing this package imports no torch, because the worker processes that decode pictures import it too.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
