"""Metrics that look at samples alone: Inception Score by torch-fidelity, MS-SSIM by pytorch-msssim."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zoo_core import Measurement, Metric, UsageError

SPLITS = 10
PAIRS = 1000
"""Pairs of images whose MS-SSIM is averaged."""

_SEED = 2020  # torch-fidelity's own


class InceptionScore(Metric):
    """Whether a classifier is sure of each sample, and samples are of many classes: Salimans et al. 2016, arXiv:1606.03498.

    Mean and standard deviation over `SPLITS` parts.
    """

    needs, uses_real, features = "logits", False, "inception"
    lower_is_better = False
    minimum, reliable = SPLITS, 5000
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return self.evaluate(real, fake).values

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
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(images)))
    a, b = (images[part] / 2 + 0.5 for part in order[: len(images) // 2 * 2].chunk(2))
    found = [
        ms_ssim(x, y, data_range=1.0, win_size=window, size_average=False)
        for x, y in zip(torch.split(a, 50), torch.split(b, 50), strict=True)
    ]
    return float(torch.cat(found).mean()), window
