"""Metrics by the libraries that the field takes for them: torch-fidelity, prdc, POT, pytorch-msssim.

What such a library computes on the CPU whatever it is given is computed here for features that lie on another device, to the
same numbers; tests compare the two.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoo_core import Measurement, Metric, UsageError

KID_SUBSET, KID_SUBSETS = 1000, 100
PROJECTIONS = 256
NEIGHBORS, DENSE_NEIGHBORS = 3, 5  # k of precision and recall, and of density and coverage
DENSE_MOST = 10_000  # images of each kind that density and coverage look at, the first ones
SPLITS = 10
PAIRS = 1000  # of images whose MS-SSIM is averaged
_SEED = 2020  # torch-fidelity's own
_BLOCK = 2000


class _Whole(Metric):
    """A metric whose library gives the standard error with the number, or that takes long."""

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return self.evaluate(real, fake).values


class Kid(_Whole):
    """Kernel Inception Distance: the squared maximum mean discrepancy under a polynomial kernel; may be below 0.

    Bińkowski et al. 2018, arXiv:1801.01401. Mean and standard deviation over random subsets.
    """

    minimum = 10
    on_device = True
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

        size = min(KID_SUBSET, len(fake), len(real))
        subsets = KID_SUBSETS if size < max(len(fake), len(real)) else 1  # all of both: each would be the same
        chosen = {"kid_subset_size": size, "kid_subsets": subsets}
        if fake.device.type == "cpu":
            found = kid_features_to_metric(fake, real, **chosen, rng_seed=_SEED, verbose=False)
            mean, spread = found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD]
        else:
            mean, spread = compute_kid(fake, real, subsets, size)
        if subsets == 1:
            return Measurement({"kid": mean}, {}, {**chosen, "kid_spread": "none, as one subset holds all images"})
        return Measurement({"kid": mean}, {"kid": spread}, {**chosen, "kid_spread": "over subsets"})


def compute_kid(fake: Tensor, real: Tensor, subsets: int, size: int) -> tuple[float, float]:
    """Return mean and standard deviation over random subsets of the unbiased estimate, from the same subsets as the library.

    The kernel is (x · y / d + 1)³ (Bińkowski et al. 2018, arXiv:1801.01401, section 4).
    """
    import numpy as np

    rng = np.random.RandomState(_SEED)
    found = []
    for _ in range(subsets):
        numbers = [torch.from_numpy(rng.choice(len(x), size, replace=False)).to(x.device) for x in (fake, real)]
        a, b = fake[numbers[0]].float(), real[numbers[1]].float()
        aa, bb, ab = ((x @ y.T / a.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
        among = sum(kernel.sum(dtype=torch.float64) - kernel.diagonal().sum(dtype=torch.float64) for kernel in (aa, bb))
        found.append(among / (size * (size - 1)) - 2 * ab.mean(dtype=torch.float64))
    each = torch.stack(found)
    return float(each.mean()), float(each.std(correction=0))


class SlicedWasserstein(_Whole):
    """The 2-Wasserstein distance along random directions, root of its mean square: Bonneel et al. 2015."""

    requires, extra = "ot", "dcgan-zoo[eval]"
    protocol: ClassVar[Mapping[str, Any]] = {"swd_projections": PROJECTIONS}

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        from ot.sliced import sliced_wasserstein_distance  # on the CPU: on a device it would draw other directions

        found = sliced_wasserstein_distance(fake.numpy(), real.numpy(), n_projections=PROJECTIONS, seed=seed)
        return Measurement({"swd": float(found)}, protocol=self.protocol)


class PrecisionRecall(Metric):
    """Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991), in blocks."""

    lower_is_better, scale = False, (0.0, 1.0)
    on_device = True
    minimum = 2 * NEIGHBORS
    protocol: ClassVar[Mapping[str, Any]] = {"precision_neighbors": NEIGHBORS}
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

        if fake.device.type != "cpu":
            shares = {"precision": lies_within(fake, real, NEIGHBORS), "recall": lies_within(real, fake, NEIGHBORS)}
            return {name: float(inside.float().mean()) for name, inside in shares.items()}
        chosen = {"prc_neighborhood": NEIGHBORS, "prc_batch_size": _BLOCK}
        found = prc_features_to_metric(fake, real, **chosen, save_cpu_ram=True, verbose=False)
        return {"precision": found[KEY_METRIC_PRECISION], "recall": found[KEY_METRIC_RECALL]}


def compute_radii(features: Tensor, k: int) -> Tensor:
    """Return the distance [n] from each vector [n, d] to its k-th nearest other one, in blocks, on their device."""
    blocks = torch.split(features, _BLOCK)
    return torch.cat([torch.cdist(block, features).kthvalue(k + 1).values for block in blocks])


def lies_within(features: Tensor, others: Tensor, k: int) -> Tensor:
    """Return whether each vector lies in the ball of one of the others that reaches to its k-th neighbor: bool [n]."""
    radii = compute_radii(others, k)
    return torch.cat([(torch.cdist(block, others) <= radii).any(1) for block in torch.split(features, _BLOCK)])


class DensityCoverage(Metric):
    """Density and coverage (Naeem et al. 2020, arXiv:2002.09797)."""

    lower_is_better, scale = False, (0.0, 1.0)
    on_device = True
    minimum = 2 * DENSE_NEIGHBORS
    protocol: ClassVar[Mapping[str, Any]] = {"density_neighbors": DENSE_NEIGHBORS}
    requires, extra = "prdc", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        from prdc import compute_prdc

        real, fake = real[:DENSE_MOST], fake[:DENSE_MOST]
        if fake.device.type != "cpu":
            radii = compute_radii(real, DENSE_NEIGHBORS)
            counts = torch.zeros(2, dtype=torch.int64, device=fake.device)
            for block, radius in zip(torch.split(real, _BLOCK), torch.split(radii, _BLOCK), strict=True):
                distances = torch.cdist(block, fake)
                counts += torch.stack([(distances < radius[:, None]).sum(), (distances.amin(1) < radius).sum()])
            within, covered = counts.cpu().tolist()
            return {"density": within / (DENSE_NEIGHBORS * len(fake)), "coverage": covered / len(real)}
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how many there are
            found = compute_prdc(real.numpy(), fake.numpy(), nearest_k=DENSE_NEIGHBORS)
        return {name: float(found[name]) for name in ("density", "coverage")}


class InceptionScore(_Whole):
    """Whether a classifier is sure of each sample, and samples are of many classes: Salimans et al. 2016, arXiv:1606.03498.

    Mean and standard deviation over `SPLITS` parts.
    """

    needs, uses_real, features = "logits", False, "inception"
    lower_is_better = False
    on_device = True
    minimum, reliable = SPLITS, 5000
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

        found = isc_features_to_metric(fake, splits=SPLITS, shuffle=True, rng_seed=_SEED)
        protocol = {"is_splits": SPLITS, "is_spread": "over splits"}
        return Measurement({"is": found[KEY_METRIC_ISC_MEAN]}, {"is": found[KEY_METRIC_ISC_STD]}, protocol)


class MsSsim(Metric):
    """How alike random pairs of samples are: Wang et al. 2003; for GANs Odena et al. 2017, arXiv:1610.09585.

    The protocol says how alike real images are.
    """

    needs = "images"
    on_device = True
    minimum, most = 4, 2 * PAIRS
    requires, extra = "pytorch_msssim", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return {"ms-ssim": mean_similarity(fake)[0]}

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        (value, window), (theirs, _) = (mean_similarity(images, seed=seed) for images in (fake, real))
        return Measurement({"ms-ssim": value}, protocol={"ms_ssim_of_real_pairs": theirs, "ms_ssim_window": window})


def mean_similarity(images: Tensor, *, seed: int = 0) -> tuple[float, int]:
    """Mean MS-SSIM of random pairs of images [N, C, S, S], and the side of its window: 11, or less for small images.

    Raises:
        UsageError: the images are too small for five scales.
    """
    import numpy as np
    from pytorch_msssim import ms_ssim

    side = images.shape[-1]
    window = min(11, (side - 1) // 16 + 1)
    window -= 1 - window % 2  # odd
    if window < 3:
        raise UsageError(f"MS-SSIM needs images of more than 32 pixels, not {side}", hint="leave ms-ssim out of --metrics")
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(images))).to(images.device)
    a, b = (images[part] / 2 + 0.5 for part in order[: len(images) // 2 * 2].chunk(2))
    pieces = zip(torch.split(a, 50), torch.split(b, 50), strict=True)
    found = [ms_ssim(x, y, data_range=1.0, win_size=window, size_average=False) for x, y in pieces]
    return float(torch.cat(found).mean()), window
