"""A zoo of generative adversarial networks: the public Python API.

    import zoo

    run = zoo.train("dcgan", dataset="faces", images=60_000)
    model = zoo.load(run.path)
    zoo.save_grid(model.sample(64, seed=1), "faces.png")

Importing this package imports no torch; each public name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_core._lazy import attach

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zoo_core import ImageSpec as ImageSpec
    from zoo_core import ZooError as ZooError
    from zoo_core import registry as registry

    from .comparing.running import Comparison as Comparison
    from .comparing.running import compare as compare
    from .data.cache import Stored as Stored
    from .data.cache import clear_packs as clear_packs
    from .data.cache import find_pack as find_pack
    from .data.cache import list_packs as list_packs
    from .data.dedup import Deduplicated as Deduplicated
    from .data.dedup import deduplicate as deduplicate
    from .data.faces import detect_faces as detect_faces
    from .data.inspecting import inspect_pack as inspect_pack
    from .evaluation.evaluating import evaluate as evaluate
    from .evaluation.extractors import extract as extract
    from .evaluation.extractors import extractor as extractor
    from .evaluation.neighbouring import neighbors as neighbors
    from .evaluation.one_nn import one_nn as one_nn
    from .evaluation.probing import probe as probe
    from .evaluation.records import Results as Results
    from .hub.fetching import Fetched as Fetched
    from .hub.listing import Listed as Listed
    from .hub.listing import list_published as list_published
    from .hub.publishing import Pushed as Pushed
    from .hub.publishing import push as push
    from .hub.pulling import pull as pull
    from .inside.combining import arithmetic as arithmetic
    from .inside.examining import features as features
    from .inside.forgetting import forget as forget
    from .inside.projecting import project as project
    from .inside.reports import report as report
    from .inside.turning import turn as turn
    from .inside.walking import walk as walk
    from .models.grids import save_grid as save_grid
    from .models.grids import to_pictures as to_pictures
    from .models.loading import create as create
    from .models.loading import export as export
    from .models.loading import load as load
    from .models.model import Model as Model
    from .packs import Pack as Pack
    from .packs import PackRequest as PackRequest
    from .packs import build_pack as build_pack
    from .packs import open_pack as open_pack
    from .pretrained.catalogue import CatalogueEntry as CatalogueEntry
    from .pretrained.catalogue import read_catalogue as read_catalogue
    from .training.diagnosing import diagnose as diagnose
    from .training.evaluation import Evaluation as Evaluation
    from .training.runs import Run as Run
    from .training.speed import bench as bench
    from .training.training import plan as plan
    from .training.training import train as train

_WHERE = {
    "CatalogueEntry": ".pretrained.catalogue",
    "Comparison": ".comparing.running",
    "Deduplicated": ".data.dedup",
    "Evaluation": ".training.evaluation",
    "Fetched": ".hub.fetching",
    "ImageSpec": ".contract",
    "Listed": ".hub.listing",
    "Model": ".models.model",
    "Pack": ".packs",
    "PackRequest": ".packs",
    "Pushed": ".hub.publishing",
    "Results": ".evaluation.records",
    "Run": ".training.runs",
    "Stored": ".data.cache",
    "ZooError": ".contract",
    "arithmetic": ".inside.combining",
    "bench": ".training.speed",
    "build_pack": ".packs",
    "clear_packs": ".data.cache",
    "compare": ".comparing.running",
    "create": ".models.loading",
    "deduplicate": ".data.dedup",
    "detect_faces": ".data.faces",
    "diagnose": ".training.diagnosing",
    "evaluate": ".evaluation.evaluating",
    "export": ".models.loading",
    "extract": ".evaluation.extractors",
    "extractor": ".evaluation.extractors",
    "features": ".inside.examining",
    "find_pack": ".data.cache",
    "forget": ".inside.forgetting",
    "inspect_pack": ".data.inspecting",
    "list_packs": ".data.cache",
    "list_published": ".hub.listing",
    "load": ".models.loading",
    "neighbors": ".evaluation.neighbouring",
    "one_nn": ".evaluation.one_nn",
    "open_pack": ".packs",
    "plan": ".training.training",
    "probe": ".evaluation.probing",
    "project": ".inside.projecting",
    "pull": ".hub.pulling",
    "push": ".hub.publishing",
    "read_catalogue": ".pretrained.catalogue",
    "registry": ".contract",
    "report": ".inside.reports",
    "save_grid": ".models.grids",
    "to_pictures": ".models.grids",
    "train": ".training.training",
    "turn": ".inside.turning",
    "walk": ".inside.walking",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
