"""Spoil run folders and checkpoints: each is read as before, or refused with one clear error.

    python benchmarks/fuzz/run_folders.py [--tries N] [--seed S] [--only N] [--json]

Half of the changes leave the checksums as they were: a model that is loaded then has the pixels of before, or those of the
checkpoint before. The others have them redone, as a person's edit or a later version would. What is called: load, resume,
list, diagnose, compare, the curves. The last line of standard output is one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from harness import Difference, Target, Try, give_away, main, set_up
from mutating import change_bytes, change_file, change_header, change_json, change_tensors, change_text, spoilable

set_up()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

import zoo  # noqa: E402
from zoo.files import sha256  # noqa: E402
from zoo.progress import Reporter  # noqa: E402

QUIET: dict[str, Any] = {"device": "cpu", "precision": "fp32", "workers": 0, "threads": 1, "report": Reporter()}
OPTIONS = {
    **{"generator.width": 4, "generator.latent_dim": 4, "discriminator.width": 4, "training.batch": 8, "training.keep": 2},
    **{"training.log_every": 1, "training.samples_every": 16, "training.checkpoint_minutes": 1e-9},
}
TEXTS = ("run.json", "metrics.jsonl", "state.json", "config.json", "metrics.json")


def prepare(folder: Path) -> dict[str, Any]:
    """Train a finished and an unfinished run; returns the pixels that may come of each."""
    os.environ["ZOO_CACHE"] = str(folder / "cache")
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / "pictures" / f"{i}.png")
    known: dict[str, Any] = {}
    for name, watch in (("finished", False), ("watched", True)):
        run = zoo.train(
            "dcgan", dataset="folder", data=folder / "pictures", size=16, images=48, options=OPTIONS,
            out=folder / "runs" / name, watch=watch, **QUIET,
        )  # fmt: skip
        steps = sorted((run.path / "checkpoints").iterdir())
        found = [zoo.load(run.path), *(zoo.load(run.path, at=int(step.name[5:]) * 8) for step in steps)]
        known[name] = [model.sample(1) for model in found]
    give_away(folder)
    return known


def redo_checksums(run: Path) -> None:
    """Let the checksums of every checkpoint be those of what lies there, where they still can."""
    for folder in (run / "checkpoints").glob("step-*"):
        if not spoilable([folder / "state.json"]):
            continue
        try:
            state = json.loads((folder / "state.json").read_bytes())
            state.pop("sha256")
            sums = {path.name: sha256(path) for path in spoilable(folder.glob("*.safetensors"))}
            sums["state"] = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
            (folder / "state.json").write_text(json.dumps({**state, "sha256": sums}))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):
            continue


def spoil(file: Path, draw: random.Random) -> str:
    """Change one file of a run; return how."""
    if draw.random() < 0.12:
        return change_file(file, draw)
    data = file.read_bytes()
    if file.suffix == ".safetensors":
        changed, how = draw.choice((change_header, change_tensors, change_tensors, change_bytes))(data, draw)
    elif file.name in TEXTS and draw.random() < 0.75:
        lines = data.splitlines() if file.suffix == ".jsonl" else [data]
        at = draw.randrange(len(lines)) if lines else 0
        try:
            value, how = change_json(json.loads(lines[at]), draw)
            lines[at : at + 1] = [json.dumps(value).encode("utf-8", "surrogatepass")]
            changed = b"\n".join(lines) + b"\n"
        except (ValueError, RecursionError, IndexError):
            changed, how = change_text(data, draw)
    else:
        changed, how = (change_text if file.name in TEXTS else change_bytes)(data, draw)
    file.write_bytes(changed)
    return f"{file.name}: {how}"


def attempt(folder: Path, draw: random.Random, known: dict[str, Any]) -> Try:
    name, redo = draw.choice(("finished", "watched")), draw.random() < 0.6
    run, hows = folder / name, []
    if draw.random() < 0.5:  # what is read is then a checkpoint
        for path in sorted((run / "model").rglob("*"), reverse=True):
            path.unlink()
        (run / "model").rmdir()
    for _ in range(draw.choice((1, 1, 1, 2))):
        files = spoilable(run.rglob("*"))
        if not files:
            break
        texts = [path for path in files if path.name in TEXTS]
        hows.append(spoil(draw.choice(texts if draw.random() < 0.6 and texts else files), draw))
    if redo:
        redo_checksums(run)
    what = draw.choice(("load", "load", "resume", "resume", "list", "diagnose", "compare", "show"))

    def act() -> None:
        if what == "load":
            found = zoo.load(run, last=draw.random() < 0.5).sample(1)
            if not torch.isfinite(found).all():
                raise Difference("it draws numbers that are not finite")
            same = any(torch.equal(found, wanted) for wanted in known[name])
            if not (same or redo or "run.json" in "".join(hows)):  # which no checksum protects
                raise Difference("other pixels, though the checksums are those of before")
        elif what == "resume":
            zoo.train(resume=run, images=64, **QUIET)
        elif what == "list":
            [summary.to_json() for summary in zoo.list_runs(folder)]
        elif what == "diagnose":
            zoo.diagnose(run).to_json()
        elif what == "compare":
            zoo.compare_runs([run, folder / ("watched" if name == "finished" else "finished")])
        else:
            from zoo.runs.run import read_run

            repr(read_run(run))

    return Try(f"{what} {name}{' (checksums redone)' if redo else ''}: {'; '.join(hows)}", act)


TARGET = Target("run folders and checkpoints", prepare, attempt, fresh="runs")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=200))
