"""Every command that takes a dataset, with one on a stand-in of the Hub. In a process of its own: libraries read its
address at import.

    python -m helpers.hub_training_process FOLDER

Prints one JSON object of what `test_hub_commands.py` looks at.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from helpers.datasets import encoded, write_zip
from helpers.hub_datasets import REPO, serving, use_hub

TINY = ["--size", "16", "--batch", "4", "--set", "generator.width=4", "--set", "discriminator.width=4"]
NAMES = ["cat", "dog", "newt"]


def write(folder: Path) -> None:
    """The repository: pictures in a zip, in folders that are their classes."""
    members = [(f"train/{name}/{i}.png", encoded(10 * k + i, form="PNG")) for k, name in enumerate(NAMES) for i in range(6)]
    write_zip(folder / "data" / "train.zip", members)


def run(folder: Path) -> dict[str, Any]:
    import zoo
    from helpers.workplace import run

    def call(*words: str) -> dict[str, Any]:
        done = run(*words)
        return {"code": done.exit_code, "out": done.stdout, "err": done.stderr}

    data = ["--dataset", "hub", "--data", REPO]
    found: dict[str, Any] = {"dry": call("train", "dcgan", *data, *TINY, "--images", "8", "--dry-run")}
    found["train"] = call("train", "dcgan", *data, *TINY, "--images", "8", "--out", "run")
    found["resume"] = call("train", "--resume", "run", "--data", REPO, "--images", "16")
    found["run"] = json.loads(Path("run", "run.json").read_text())
    found["build"] = call("data", "build", "hub", "--data", REPO, "--size", "16", "--json")
    short = ["--seeds", "1", "--samples", "16", "--points", "1", "--metric", "pixels", "--set", "features.size=8"]
    found["compare"] = call("compare", "dcgan", *data, *TINY, "--images", "8", *short, "--out", "comparison")
    options = {"generator.width": 4, "discriminator.width": 4, "dataset.classes": "newt,cat", "dataset.limit": 5}
    made = zoo.train("dcgan", dataset="hub", data=REPO, size=16, batch=4, images=8, out="python", options=options)
    found["python"] = made.images
    found["labels"] = json.loads(Path("python", "run.json").read_text())["config"]["facts"]
    found["missing"] = call("train", "dcgan", "--dataset", "hub", "--data", "./nowhere", *TINY, "--images", "8")
    found["wrong"] = call("train", "dcgan", "--dataset", "hub", "--data", "pets", *TINY, "--images", "8", "--dry-run")
    return found


def start() -> None:
    folder = Path(sys.argv[1])
    (folder / "repository" / "data").mkdir(parents=True)
    (folder / "work").mkdir()
    os.chdir(folder / "work")
    with serving(folder / "repository") as hub:
        use_hub(hub.url, folder)
        write(hub.folder)
        print(json.dumps(run(folder)))


if __name__ == "__main__":
    start()
