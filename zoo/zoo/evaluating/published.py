"""Numbers that others published, to stand beside ours. Those with a "?" were not confirmed from the paper itself."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One row: method, result with all labels and with few, as printed; "" where there is none."""

    method: str
    all_labels: str
    few_labels: str


CIFAR10 = (
    Published("1-layer K-means", "80.6 %", "63.7 ± 0.7 % ?"),
    Published("3-layer K-means, learned receptive fields", "82.0 %", "70.7 ± 0.7 % ?"),
    Published("view-invariant K-means", "81.9 %", "72.6 ± 0.7 % ?"),
    Published("Exemplar CNN", "84.3 %", "77.4 ± 0.2 % ?"),
    Published("DCGAN + L2-SVM, trained on ImageNet-1k", "82.8 %", "73.8 ± 0.4 % ?"),
)
SVHN = (
    Published("DCGAN + L2-SVM", "", "error 22.48 %"),
    Published("supervised CNN of the same architecture", "", "error 28.87 % (validation)"),
)
TABLES = {"cifar10": CIFAR10, "svhn": SVHN}
"""Dataset → table of Radford et al. 2015, arXiv:1511.06434, section 5: CIFAR-10 with all labels and 400 per class, SVHN with
1,000 labels."""

ONE_NN = {
    "mnist": (
        Published("real images", "error 3.1 % ?", ""),
        Published("DCGAN, 50,000 samples", "error 2.98 %", ""),
        Published("DCGAN, 10 million samples", "error 1.48 %", ""),
        Published("plain GAN, 50,000 samples", "error 6.28 % ?", ""),
    )
}
"""Dataset → table of the nearest-neighbor test in the paper's appendix."""

FEW = {"svhn": 100}
"""Dataset → labels per class, where the paper has no other protocol."""
