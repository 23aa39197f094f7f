"""What a trained model of a cell is worth: all metrics of all features, and its diversity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo_core import Metric, UnknownNameError, UsageError, ZooError

from ..comparing.measuring import mean_distance
from ..metrics.extractors import Extractor, open_extractor
from ..metrics.images import Images, choose_images, generate_images
from ..metrics.measuring import check_counts, measure, open_metrics, pick_number
from ..metrics.store import cache_features
from ..models.model import Model
from ..packs import Pack
from ..progress import SILENT, Reporter
from .configuration import DIVERSITY, FEATURES, Board
from .spelling import read_choice


@dataclass(frozen=True)
class Measures:
    """What a board's models are measured by, as far as it is at hand."""

    metrics: Mapping[str, Metric]
    extractors: Mapping[str, Extractor]  # as the board spells them
    absent: Mapping[str, str]  # features that are not at hand → why
    samples: int
    real: int

    def measure(self, model: Model, pack: Pack) -> dict[str, dict[str, float]]:
        """Return features → metric → value; raises `ZooError` for samples that cannot be measured."""
        drawn, there, found = generate_images(model, self.samples), choose_images(pack, self.real), {}
        for name, extractor in self.extractors.items():
            each = measure(self.metrics, extractor, there, drawn, resamples=0, seed=0, report=SILENT)
            found[name] = {metric: pick_number(metric, value.values) for metric, value in each.items()}
            found[name][DIVERSITY] = _diversity(extractor, there, drawn)
        return found


def open_measures(board: Board, device: str, report: Reporter) -> Measures:
    """Open what a board names; says which features are not at hand.

    Raises:
        UsageError: an unknown metric, feature extractor or option; too few samples; no features are at hand.
        ZooError: the library of a metric is not installed.
    """
    metrics, extractors, absent = open_metrics(list(board.metrics)), {}, {}
    for text in board.features:
        choice = read_choice(text)
        try:
            extractors[text] = open_extractor(choice.name, options=choice.options, device=device)
        except ZooError as error:
            optional = isinstance(error, UnknownNameError) and choice.name in FEATURES
            if isinstance(error, UsageError) and not optional:
                raise
            absent[text] = error.message
            report.warn(f"features {text} are not at hand, so their columns are absent: {error.message}")
    if not extractors:
        raise UsageError("none of the board's features is at hand", hint="name others: --features scattering")
    told: list[str] = []
    for extractor in extractors.values():
        check_counts(metrics, board.samples, board.real, extractor.network.dim, warn=told.append)
    for text in dict.fromkeys(told):
        report.note(text)
    return Measures(metrics, extractors, absent, board.samples, board.real)


def _diversity(extractor: Extractor, real: Images, drawn: Images) -> float:
    """Return the mean distance between two samples, as a share of that between two real images."""
    theirs, ours = (mean_distance(cache_features(extractor, images)) for images in (real, drawn))
    if not theirs:
        raise ZooError("the images are all alike: nothing can be measured against them")
    return ours / theirs
