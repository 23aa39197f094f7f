"""`zoo train --evaluate-every`: a cheap distance that watches a training and keeps its best checkpoint."""

from __future__ import annotations

from functools import cache

from zoo_core import Generator, ImageSpec, UsageError

from ..comparing.distance import Gaussian, Moments, frechet_distance
from ..models.model import Model
from ..packs import to_images, to_uint8
from ..progress import Reporter
from ..runs.evaluation import Evaluation
from ..training.planning import Plan
from .extractors import extractor, vectors_of
from .images import chosen_images, open_data

FEATURES = "scattering"
"""Of which extractor: one that is always there, needs no weights and is quick."""

SAMPLES, REAL = 1000, 5000


def watch(
    plan: Plan, every: int, *, features: str = FEATURES, samples: int = SAMPLES, report: Reporter | None = None
) -> Evaluation:
    """What `zoo.train` takes as `evaluation`: the Fréchet distance between features of samples and of the training images.

    It is no FID unless the features are Inception's: its name says whose they are ("frechet_scattering").

    Args:
        plan: the training, as `zoo.plan` resolved it.
        every: real images between two evaluations.
        features: of which extractor.
        samples: how many are drawn, from the same latents each time. At most 5,000 real images are looked at.
        report: hears of the progress.

    Raises:
        UsageError: no such extractor; fewer than 2 samples; `every` below 1.
    """
    if samples < 2:
        raise UsageError(f"a distance needs at least 2 samples, not {samples}")
    network = extractor(features, device=plan.device)

    @cache
    def real(image: ImageSpec) -> Gaussian:
        dataset = plan.config.dataset
        assert dataset is not None
        name = f"{dataset['distribution']}:{dataset['name']}"
        pack = open_data(image, name, dataset["data"], dataset["split"], options=dataset["options"])
        moments = Moments.of_length(network.dim)
        with (report or Reporter()).task("features of real images", min(REAL, len(pack)), "images") as task:
            for vectors in vectors_of(network, chosen_images(pack, REAL).pieces(0)):
                moments.add(vectors)
                task.update(moments.count)
        return moments.gaussian()

    def measure(generator: Generator) -> float:
        moments = Moments.of_length(network.dim)
        drawn = (to_images(to_uint8(images)) for images in Model(generator, None).batches(samples))
        for vectors in vectors_of(network, drawn):
            moments.add(vectors)
        return frechet_distance(moments.gaussian(), real(generator.image))

    return Evaluation(f"frechet_{features.rpartition(':')[2].replace('-', '_')}", measure, every)
