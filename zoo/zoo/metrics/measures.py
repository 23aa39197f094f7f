"""The measures of `zoo evaluate`, each by the library that the field takes for it, from features on disk.

torch-fidelity: FID, KID, precision and recall, Inception Score. prdc: density and coverage. POT: sliced Wasserstein
distance. pytorch-msssim: MS-SSIM.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo_core import UsageError, ZooError
from zoo_core.errors import unknown

from .images import Images

NEIGHBORS = 3
"""k of precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991)."""

DENSE_NEIGHBORS, DENSE_MOST = 5, 10_000
"""k of density and coverage, and most images of each kind that they look at (Naeem et al. 2020, arXiv:2002.09797)."""

KID_SUBSET, KID_SUBSETS = 1000, 100
PROJECTIONS = 256
SPLITS = 10
PAIRS = 1000
"""Pairs of images whose MS-SSIM is averaged."""

_BLOCK = 2000
_SEED = 2020  # torch-fidelity's own


@dataclass(frozen=True)
class Measure:
    """One of the measures.

    Args:
        name: on the command line.
        least: images of each kind below which it is refused.
        enough: images of each kind below which a warning says that it is unreliable.
        better: "lower" or "higher".
        package: what it needs, by the name under which it is imported.
        source: where it is defined.
    """

    name: str
    least: int
    enough: int
    better: str
    package: str
    source: str


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("fid", 2, 10_000, "lower", "torch_fidelity", "Heusel et al. 2017, arXiv:1706.08500"),
        Measure("kid", 10, KID_SUBSET, "lower", "torch_fidelity", "Bińkowski et al. 2018, arXiv:1801.01401"),
        Measure("precision", 2 * NEIGHBORS, 1000, "higher", "torch_fidelity", "Kynkäänniemi et al. 2019, arXiv:1904.06991"),
        Measure("recall", 2 * NEIGHBORS, 1000, "higher", "torch_fidelity", "Kynkäänniemi et al. 2019, arXiv:1904.06991"),
        Measure("is", SPLITS, 5000, "higher", "torch_fidelity", "Salimans et al. 2016, arXiv:1606.03498"),
        Measure("density", 2 * DENSE_NEIGHBORS, 1000, "higher", "prdc", "Naeem et al. 2020, arXiv:2002.09797"),
        Measure("coverage", 2 * DENSE_NEIGHBORS, 1000, "higher", "prdc", "Naeem et al. 2020, arXiv:2002.09797"),
        Measure("swd", 2, 1000, "lower", "ot", "Bonneel et al. 2015, by POT"),
        Measure(
            "ms-ssim", 4, 1000, "lower", "pytorch_msssim", "Wang et al. 2003; for GANs Odena et al. 2017, arXiv:1610.09585"
        ),
    )
}
DEFAULT = ("fid", "kid", "precision", "recall")


class Value(NamedTuple):
    """A measured number, its standard error (None where there is none), and what of the protocol is its own."""

    value: float
    spread: float | None = None
    protocol: dict[str, Any] = {}  # noqa: RUF012 (a NamedTuple's default, never changed)


def check_measures(names: tuple[str, ...]) -> None:
    """Raise `UsageError` for a measure that does not exist, `ZooError` for one whose library is not installed."""
    if not names:
        raise UsageError("no metric is named", hint=f"for example: --metrics {','.join(DEFAULT)}")
    for name in names:
        if name not in MEASURES:
            raise unknown("metric", name, MEASURES, hint=f"for example: --metrics {','.join(DEFAULT)}")
    for name in names:
        try:
            __import__(MEASURES[name].package)
        except ImportError as error:
            raise ZooError(
                f"{name} needs {MEASURES[name].package.replace('_', '-')}, which is not installed",
                hint='install it with: pip install "dcgan-zoo[eval]"',
            ) from error


def check_counts(names: tuple[str, ...], samples: int, real: int, dim: int, *, warn: Callable[[str], None]) -> None:
    """Refuse what cannot be measured from so few images, and warn of what is unreliable.

    Raises:
        UsageError: fewer samples or real images than a measure needs.
    """
    for name in names:
        measure = MEASURES[name]
        for count, what in ((samples, "samples"), (real, "real images")):
            if count < measure.least:
                flag = "--samples" if what == "samples" else "--real"
                raise UsageError(
                    f"{name} needs at least {measure.least} {what}, and there are {count}",
                    hint=f"raise {flag}, or leave {name} out of --metrics",
                )
    fewest = min(samples, real)
    weak = [name for name in names if fewest < MEASURES[name].enough]
    if "fid" in weak:
        enough = MEASURES["fid"].enough
        warn(f"fid from {fewest:,} images (below {enough:,}) is biased upward: compare only at equal numbers")
    if "fid" in names and fewest <= dim:
        warn(f"the covariance of {dim:,} features from {fewest:,} images is singular: the bias of fid is large")
    if others := [name for name in weak if name != "fid"]:
        warn(f"{', '.join(others)} from {fewest:,} images: expect a wide spread")


def kid(generated: Tensor, real: Tensor) -> Value:
    """Kernel Inception Distance: mean and standard deviation over random subsets, by torch-fidelity."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    size = min(KID_SUBSET, len(generated), len(real))
    chosen = {"kid_subset_size": size, "kid_subsets": KID_SUBSETS}
    found = kid_features_to_metric(generated, real, **chosen, rng_seed=_SEED, verbose=False)
    return Value(found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD], {**chosen, "kid_spread": "over subsets"})


def precision_recall(generated: Tensor, real: Tensor) -> dict[str, float]:
    """Improved precision and recall, by torch-fidelity, in blocks."""
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    found = prc_features_to_metric(
        generated, real, prc_neighborhood=NEIGHBORS, prc_batch_size=_BLOCK, save_cpu_ram=True, verbose=False
    )
    return {"precision": found[KEY_METRIC_PRECISION], "recall": found[KEY_METRIC_RECALL]}


def density_coverage(generated: Tensor, real: Tensor) -> dict[str, float]:
    """Density and coverage, by prdc, of at most `DENSE_MOST` images of each kind, the first ones."""
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):  # it prints how many there are
        found = compute_prdc(real[:DENSE_MOST].numpy(), generated[:DENSE_MOST].numpy(), nearest_k=DENSE_NEIGHBORS)
    return {"density": float(found["density"]), "coverage": float(found["coverage"])}


def inception_score(logits: Tensor) -> Value:
    """Mean and standard deviation over `SPLITS` parts, by torch-fidelity."""
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

    found = isc_features_to_metric(logits, splits=SPLITS, shuffle=True, rng_seed=_SEED)
    return Value(found[KEY_METRIC_ISC_MEAN], found[KEY_METRIC_ISC_STD], {"is_splits": SPLITS, "is_spread": "over splits"})


def sliced_wasserstein(generated: Tensor, real: Tensor, *, seed: int = 0) -> float:
    """The 2-Wasserstein distance along random directions in the space of the features, root of its mean square, by POT."""
    from ot.sliced import sliced_wasserstein_distance

    found = sliced_wasserstein_distance(generated.numpy(), real.numpy(), n_projections=PROJECTIONS, seed=seed)
    return float(found)


def halves(
    measure: Callable[[Tensor, Tensor], dict[str, float]],
    generated: Tensor,
    real: Tensor,
    resamples: int,
    *,
    most: int = 2500,
    seed: int = 0,
) -> dict[str, float]:
    """Standard errors by resampling: spread over random parts without replacement.

    A part of m among n images, drawn without replacement, gives a mean whose variance is (1 − m/n)/m of one image's; the
    mean of all n has 1/n of it. So the standard deviation over parts is scaled by √(m / (n − m)), which is 1 for halves.
    Nothing stands twice in a part, as it would in a bootstrap, where it would be its own nearest neighbor.
    """
    if resamples < 2:
        return {}
    rng = np.random.default_rng(seed)
    sizes = [max(2, min(most, len(x) // 2)) for x in (generated, real)]
    found: dict[str, list[float]] = {}
    for _ in range(resamples):
        parts = [x[torch.from_numpy(rng.permutation(len(x))[:m])] for x, m in zip((generated, real), sizes, strict=True)]
        for name, value in measure(*parts).items():
            found.setdefault(name, []).append(value)
    scale = max((m / max(1, len(x) - m)) ** 0.5 for x, m in zip((generated, real), sizes, strict=True))
    return {name: float(np.std(values, ddof=1)) * scale for name, values in found.items()}


def ms_ssim(images: Images, *, seed: int = 0) -> tuple[float, int]:
    """Mean MS-SSIM of random pairs of images, by pytorch-msssim, and the side of its window: 11, or less for small images.

    Raises:
        UsageError: the images are too small for five scales.
    """
    from pytorch_msssim import ms_ssim as multiscale

    first = torch.cat(list(_some(images, 2 * PAIRS)))
    side = first.shape[-1]
    window = min(11, (side - 1) // 16 + 1)
    window -= 1 - window % 2  # odd
    if window < 3:
        raise UsageError(f"MS-SSIM needs images of more than 32 pixels, not {side}", hint="leave ms-ssim out of --metrics")
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(first)))
    a, b = (first[part] / 2 + 0.5 for part in order[: len(first) // 2 * 2].chunk(2))
    found = [
        multiscale(x, y, data_range=1.0, win_size=window, size_average=False)
        for x, y in zip(torch.split(a, 50), torch.split(b, 50), strict=True)
    ]
    return float(torch.cat(found).mean()), window


def _some(images: Images, most: int) -> list[Tensor]:
    """At most `most` images, evenly spread."""
    step = max(1, images.count // most)
    found, start = [], 0
    for piece in images.pieces(0):
        keep = torch.arange(start, start + len(piece)) % step == 0
        found.append(piece[keep])
        start += len(piece)
        if sum(map(len, found)) >= most:
            break
    return found
