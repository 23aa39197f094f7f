"""Looking after packs: what the cache holds, what a pack shows, and packs without near-duplicates."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
