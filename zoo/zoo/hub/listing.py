"""`zoo list --hub`: the zoo models that people have published."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..models.card import LIBRARY, TRAINED_ON
from ..progress import Reporter
from .client import api, call, printable

_EXPAND = ["cardData", "createdAt", "downloads", "lastModified", "likes", "private", "siblings", "tags", "usedStorage"]
_SIZE = re.compile(r"(\d{1,5})x\1")


@dataclass(frozen=True)
class PublishedModel:
    """A published model, as its card and the Hub describe it; "" and None where nobody says."""

    name: str  # user/name
    dataset: str  # what it was trained on
    size: int | None  # height and width of its pictures in pixels
    bytes: int | None  # what the repository takes
    downloads: int
    likes: int
    license: str
    tags: tuple[str, ...]
    private: bool  # whether only its owner sees it


def list_published(
    *, author: str | None = None, search: str | None = None, limit: int = 200, report: Reporter | None = None
) -> list[PublishedModel]:
    """Return published zoo models of a user or organization whose name holds `search`, most downloaded first; raises
    `HubError`."""
    query: dict[str, Any] = {"author": author, "search": search, "sort": "downloads", "limit": limit, "expand": _EXPAND}
    found = call(lambda: list(api().list_models(filter=LIBRARY, **query)), what="list", report=report)
    return [_listed(info) for info in found]


def _listed(info: Any) -> PublishedModel:
    card = info.card_data.to_dict() if info.card_data is not None else {}
    tags = tuple(printable(tag, 80) for tag in info.tags or ())
    datasets = card.get("datasets") or [tag.partition(":")[2] for tag in tags if tag.startswith("dataset:")]
    datasets = datasets or [tag.removeprefix(TRAINED_ON) for tag in tags if tag.startswith(TRAINED_ON)]
    sizes = [match for match in map(_SIZE.fullmatch, tags) if match]
    return PublishedModel(
        name=printable(info.id),
        dataset=printable(", ".join(map(str, datasets)) if isinstance(datasets, list) else datasets, 60),
        size=int(sizes[0][1]) if sizes else None,
        bytes=getattr(info, "used_storage", None),
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        license=printable(card.get("license") or "", 40),
        tags=tags,
        private=bool(info.private),
    )
