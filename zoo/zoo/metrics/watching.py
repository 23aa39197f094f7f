"""`zoo train --evaluate-every`: a metric that watches a training, whose best checkpoint is kept."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from zoo_core import Generator, ImageSpec, UsageError

from ..models.model import Model
from ..packs import to_images, to_uint8
from ..progress import SILENT, Reporter
from ..runs.config import RunConfig
from ..runs.evaluation import Evaluation
from .images import choose_images, open_data, training_request
from .measuring import FEATURES, check_counts, open_criterion

SAMPLES, REAL = 1000, 5000


def watch(
    config: RunConfig,
    every: int,
    *,
    metric: str = FEATURES,
    samples: int = SAMPLES,
    device: str | torch.device = "cpu",
    report: Reporter = SILENT,
) -> Evaluation:
    """Return what `zoo.train` takes as `evaluation`: a metric of samples against the training images.

    Its name says whose features it sees ("frechet_scattering"): a Fréchet distance is no FID unless they are Inception's.

    Args:
        every: real images between two evaluations.
        metric: METRIC, METRIC:FEATURES, or FEATURES alone for their Fréchet distance.
        samples: how many are drawn, from the same latents each time. At most 5,000 real images are looked at.

    Raises:
        UsageError: no such metric or extractor; fewer samples than the metric needs; `every` below 1.
    """
    if samples < 2:
        raise UsageError(f"a distance needs at least 2 samples, not {samples}")
    criterion = open_criterion(metric, device=device)
    check_counts({criterion.name: criterion.metric}, samples, REAL, criterion.extractor.network.dim)

    @cache
    def real(image: ImageSpec) -> Tensor:
        images = choose_images(open_data(image, training_request(config)), REAL)
        return criterion.inputs(images.pieces(0), total=images.count, report=report)[0]

    def measure(generator: Generator) -> float:
        drawn = (to_images(to_uint8(images)) for images in Model(generator, None).batches(samples))
        return criterion.measure(real(generator.image), criterion.inputs(drawn)[0])

    return Evaluation(criterion.label, measure, every, criterion.metric.lower_is_better)
