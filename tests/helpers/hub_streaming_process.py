"""Builds packs of a dataset on a stand-in of the Hub. In a process of its own: libraries read its address at import.

    python -m helpers.hub_streaming_process FOLDER

Prints one JSON object of what `test_hub_streaming.py` looks at.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from helpers.datasets import encoded
from helpers.hub_datasets import REPO, Hub, serving, use_hub

FILES, ROWS, GROUP = 3, 40, 8
CUT = 150_000
"""Bytes of the last file that come before its download breaks off; more than are asked for at once to list it."""


def write(folder: Path) -> None:
    import datasets

    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "newt"])})
    chance = np.random.default_rng(0)
    for number in range(FILES):
        pictures = [encoded(number * ROWS + i, form="PNG") + chance.bytes(12_000) for i in range(ROWS)]
        held = {"image": [{"bytes": value, "path": None} for value in pictures], "label": [i % 3 for i in range(ROWS)]}
        rows = datasets.Dataset.from_dict(held, features=kinds)
        rows.to_parquet(str(folder / "data" / f"train-{number:05d}-of-{FILES:05d}.parquet"), batch_size=GROUP)


def run(hub: Hub) -> dict[str, Any]:
    import zoo
    from zoo.packs import write as writing
    from zoo.progress import Reporter

    class Told(Reporter):
        lines: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.lines.append(text)

    writing.SHARD_BYTES = 10 * 8 * 8 * 3
    request = zoo.PackRequest("hub", data=REPO, size=8, channels=3)
    found: dict[str, Any] = {}
    last = f"data/train-{FILES - 1:05d}-of-{FILES:05d}.parquet"
    found["sizes"] = {path: (hub.folder / path).stat().st_size for path in hub.paths()}
    hub.down.add(last)
    try:
        zoo.build_pack(request, workers=1, report=Told())
    except zoo.ZooError as error:
        found["unlisted"] = [type(error).__name__, error.message]
    hub.down.clear()
    hub.sent.clear()
    hub.limit, hub.lost = CUT, last
    try:
        zoo.build_pack(request, workers=1, report=Told())
    except zoo.ZooError as error:
        found["broken"] = [type(error).__name__, error.message]
    found["first"], found["kept"] = dict(hub.sent), Told.lines[-1]
    hub.sent.clear()
    hub.lost = ""
    hub.down.clear()
    pack = zoo.build_pack(request, workers=1, report=Told())
    found["second"], found["lines"] = dict(hub.sent), Told.lines
    assert pack.labels is not None
    found["labels"], found["count"] = pack.labels.tolist(), len(pack)
    resumed = {path.name: path.read_bytes() for path in pack.path.iterdir()}
    shutil.rmtree(pack.path)
    pack = zoo.build_pack(request, workers=1)
    found["same"] = resumed == {path.name: path.read_bytes() for path in pack.path.iterdir()}
    found["license"] = pack.info["license"]
    return found


def lose_network(folder: Path) -> list[str]:
    """Build a pack anew of which nothing is in the cache, while the stand-in stops to answer; return what is said."""
    from huggingface_hub import close_session

    import zoo
    from zoo_core import registry

    with serving(folder) as hub:
        use_client(hub.url)
        dataset = registry.create("datasets", "hub", {"data": REPO})
        records = dataset.listing().records
    close_session()  # else the stand-in goes on answering on connections that there are
    try:
        dataset.decode(records[0])
    except zoo.ZooError as error:
        return [type(error).__name__, error.message, error.hint]
    return []


def use_client(url: str) -> None:
    """Point libraries that have read their environment at another stand-in, with an empty cache."""
    import datasets
    from huggingface_hub import HfFileSystem, constants

    from zoo_plugins.datasets.hub import rows

    constants.ENDPOINT = datasets.config.HF_ENDPOINT = url
    constants.HUGGINGFACE_CO_URL_TEMPLATE = url + "/{repo_id}/resolve/{revision}/{filename}"
    constants.HF_HUB_CACHE += "-2"
    for opened in (rows._local, rows._pictures):
        opened.cache_clear()
    HfFileSystem.clear_instance_cache()


def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "repository" / "data").mkdir(parents=True)
    (folder / "repository" / "README.md").write_text("---\nlicense: cc0-1.0\n---\n")
    with serving(folder / "repository") as hub:
        use_hub(hub.url, folder)
        write(hub.folder)
        found = run(hub)
    found["gone"] = lose_network(folder / "repository")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
