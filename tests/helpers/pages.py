"""Every page that the product writes, made by its own functions of things with hostile names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from helpers import claims
from helpers.boards import make_board, make_result
from zoo.analysis import attribute_classifier
from zoo.leaderboard.configuration import Cell
from zoo.leaderboard.results import picture_file, write_result
from zoo.packs.curation import dedup
from zoo_core import Plugin, PretrainedModel, registry

HOSTILE = "a'\"><img src=x onerror=alert(1)>{{7*7}}\u202egnp\x1b[31m\u2066&amp;"
"""What a file may be called on Linux, as a name: it ends attributes, is markup, turns text around, steers a terminal."""

SMALL: dict[str, Any] = {
    "dataset": "folder",
    "size": 16,
    "channels": 3,
    "images": 64,
    "device": "cpu",
    "precision": "fp32",
    "workers": 0,
    "threads": 1,
    "watch": False,
    "options": {"generator.width": 4, "discriminator.width": 4, "training.batch": 8, "training.log_every": 1},
}


def make_pictures(folder: Path, count: int = 120) -> Path:
    """Colored pictures in two class folders whose names are hostile."""
    rng = np.random.default_rng(0)
    for i in range(count):
        path = folder / (HOSTILE if i % 2 else f"b{HOSTILE}") / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        color = rng.integers(0, 256, 3)
        picture = np.clip(rng.normal(color, 30, (16, 16, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(path)
    return folder


class Maker:
    """Makes pages below a folder; what several need is made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = make_pictures(folder / f"pictures {HOSTILE}")
        self.runs = [
            zoo.train("dcgan", data=self.data, out=folder / f"{seed}{HOSTILE}", seed=seed, **SMALL) for seed in range(2)
        ]

    def report(self) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("LEAST_STEPS", "MOST_STEPS"):
                patch.setattr(attribute_classifier, name, 20)
            return zoo.report(self.runs[0].path, searched=64, device="cpu", out=self.folder / "report.html").path

    def compare_runs(self) -> Path:
        found = zoo.compare_runs([run.path for run in self.runs], out=self.folder / "runs")
        assert found.report is not None
        return found.report

    def compare(self) -> Path:
        choices = {key: SMALL[key] for key in ("dataset", "size", "channels", "images", "device", "precision", "threads")}
        given: dict[str, Any] = {"data": self.data, "seeds": 2, "samples": 32, "points": 2, "workers": 0, **choices}
        options = {"generator.width": 4, "discriminator.width": 4}
        return zoo.compare(["dcgan", "lsgan"], out=self.folder / f"compared {HOSTILE}", options=options, **given).report

    def neighbors(self) -> Path:
        found = zoo.neighbors(
            self.runs[0].path,
            features="pixels",
            samples=100,
            shown=12,
            device="cpu",
            page=self.folder / "neighbors",
            write=False,
        )
        return Path(found.details["files"][1])

    def dedup(self) -> Path:
        pack = zoo.open_pack(zoo.build_pack(zoo.PackRequest("folder", data=self.data, size=16)).path)
        pairs = [dedup.Pair(i, i + 1, i % 3) for i in range(0, 40, 2)]
        title = f"Near-duplicates in {self.data.name}"
        return dedup.save_page(pack, pairs, self.folder / "removed.html", title=title, summary=f"Of {self.data.name}")

    def leaderboard(self) -> Path:
        folder = self.folder / f"board {HOSTILE}"
        make_board(
            folder, {"dcgan": [3.0, 3.1], "lsgan": [3.2, 2.9], "mlp-gan": [9.0, None]}, options={"generator.x": HOSTILE}
        )
        write_result(folder, make_result("mlp-gan", 1, 0.0, state="failed", reason=HOSTILE, metrics={}))
        grid = picture_file(folder, Cell("dcgan", "faces", 0))
        grid.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (200, 90, 40)).save(grid)
        zoo.show_leaderboard(folder, html=self.folder / "board.html")
        return self.folder / "board.html"

    def catalog(self) -> Path:
        record = PretrainedModel(
            "nowhere:x",
            {"generator.safetensors": "0" * 64},
            recipe=HOSTILE,
            dataset=HOSTILE,
            license=HOSTILE,
            summary=HOSTILE,
        )
        with registry.add(Plugin(models={"hostile": record}), distribution="hostile-models"):
            return zoo.save_catalog(self.folder / "catalog.html")

    def reproduction(self) -> Path:
        paper = replace(claims.paper(good=claims.Good, failing=claims.Failing, needy=claims.Needy), title=HOSTILE)
        with registry.add(Plugin(papers={"claims": paper})):
            return zoo.reproduce("claims", profile="seconds", device="cpu", out=self.folder / f"reproduced {HOSTILE}").page


PAGES: dict[str, Callable[[Maker], Path]] = {
    "zoo.analysis.reports": Maker.report,
    "zoo.catalog.page": Maker.catalog,
    "zoo.comparing.runs": Maker.compare_runs,
    "zoo.comparing.page": Maker.compare,
    "zoo.leaderboard.pages": Maker.leaderboard,
    "zoo.metrics.nearest": Maker.neighbors,
    "zoo.packs.curation.dedup": Maker.dedup,
    "zoo.reproducing.page": Maker.reproduction,
}
"""Module that writes a page → what makes one."""
