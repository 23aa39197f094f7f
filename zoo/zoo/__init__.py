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

from .version import __version__ as __version__

if TYPE_CHECKING:
    from zoo_core import ImageSpec as ImageSpec
    from zoo_core import ZooError as ZooError
    from zoo_core import registry as registry

    from .analysis.arithmetic import arithmetic as arithmetic
    from .analysis.directions import turn as turn
    from .analysis.features import features as features
    from .analysis.forgetting import forget as forget
    from .analysis.projection import project as project
    from .analysis.reports import report as report
    from .analysis.walks import walk as walk
    from .catalog import read_catalog as read_catalog
    from .comparing.running import Comparison as Comparison
    from .comparing.running import compare as compare
    from .evaluating.evaluate import evaluate as evaluate
    from .evaluating.neighbors import neighbors as neighbors
    from .evaluating.one_nn import one_nn as one_nn
    from .evaluating.probe import probe as probe
    from .evaluating.results import Results as Results
    from .hub.fetching import FetchedModel as FetchedModel
    from .hub.listing import PublishedModel as PublishedModel
    from .hub.listing import list_published as list_published
    from .hub.publishing import PushResult as PushResult
    from .loading import create as create
    from .loading import export as export
    from .loading import load as load
    from .loading import pull as pull
    from .loading import push as push
    from .metrics.extractors import extract as extract
    from .metrics.extractors import extractor as extractor
    from .models.grids import save_grid as save_grid
    from .models.grids import to_pictures as to_pictures
    from .models.model import Model as Model
    from .packs import Pack as Pack
    from .packs import PackRequest as PackRequest
    from .packs import build_pack as build_pack
    from .packs import open_pack as open_pack
    from .packs.cache import Stored as Stored
    from .packs.cache import clear_packs as clear_packs
    from .packs.cache import find_pack as find_pack
    from .packs.cache import list_packs as list_packs
    from .packs.curation.dedup import Deduplicated as Deduplicated
    from .packs.curation.dedup import deduplicate as deduplicate
    from .packs.curation.faces import detect_faces as detect_faces
    from .packs.curation.inspecting import inspect_pack as inspect_pack
    from .runs.evaluation import Evaluation as Evaluation
    from .runs.run import Run as Run
    from .training.diagnosing import diagnose as diagnose
    from .training.speed import bench as bench
    from .training.train import plan as plan
    from .training.train import train as train

_WHERE = {
    "Comparison": ".comparing.running",
    "Deduplicated": ".packs.curation.dedup",
    "Evaluation": ".runs.evaluation",
    "FetchedModel": ".hub.fetching",
    "ImageSpec": ".contract",
    "Model": ".models.model",
    "Pack": ".packs",
    "PackRequest": ".packs",
    "PublishedModel": ".hub.listing",
    "PushResult": ".hub.publishing",
    "Results": ".evaluating.results",
    "Run": ".runs.run",
    "Stored": ".packs.cache",
    "ZooError": ".contract",
    "arithmetic": ".analysis.arithmetic",
    "bench": ".training.speed",
    "build_pack": ".packs",
    "clear_packs": ".packs.cache",
    "compare": ".comparing.running",
    "create": ".loading",
    "deduplicate": ".packs.curation.dedup",
    "detect_faces": ".packs.curation.faces",
    "diagnose": ".training.diagnosing",
    "evaluate": ".evaluating.evaluate",
    "export": ".loading",
    "extract": ".metrics.extractors",
    "extractor": ".metrics.extractors",
    "features": ".analysis.features",
    "find_pack": ".packs.cache",
    "forget": ".analysis.forgetting",
    "inspect_pack": ".packs.curation.inspecting",
    "list_packs": ".packs.cache",
    "list_published": ".hub.listing",
    "load": ".loading",
    "neighbors": ".evaluating.neighbors",
    "one_nn": ".evaluating.one_nn",
    "open_pack": ".packs",
    "plan": ".training.train",
    "project": ".analysis.projection",
    "pull": ".loading",
    "push": ".loading",
    "probe": ".evaluating.probe",
    "read_catalog": ".catalog",
    "registry": ".contract",
    "report": ".analysis.reports",
    "save_grid": ".models.grids",
    "to_pictures": ".models.grids",
    "train": ".training.train",
    "turn": ".analysis.directions",
    "walk": ".analysis.walks",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
