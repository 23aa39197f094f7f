"""Looking after packs: what the cache holds, what a pack shows, and packs without near-duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_core._lazy import attach

if TYPE_CHECKING:
    from ..cache import Stored as Stored
    from ..cache import clear_packs as clear_packs
    from ..cache import find_pack as find_pack
    from ..cache import list_packs as list_packs
    from .dedup import Deduplicated as Deduplicated
    from .dedup import deduplicate as deduplicate
    from .faces import detect_faces as detect_faces
    from .inspecting import inspect_pack as inspect_pack

_WHERE = {
    "Deduplicated": ".dedup",
    "Stored": "..cache",
    "clear_packs": "..cache",
    "deduplicate": ".dedup",
    "detect_faces": ".faces",
    "find_pack": "..cache",
    "inspect_pack": ".inspecting",
    "list_packs": "..cache",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
