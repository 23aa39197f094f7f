"""Numbers that others published, to stand beside ours. Those with a "?" were not confirmed from the paper itself."""

from __future__ import annotations

# Radford et al. 2015, arXiv:1511.06434: section 5, CIFAR-10 with all labels and 400 per class, SVHN with 1,000 labels; and
# the nearest-neighbor test of the appendix. Each row: method, result with all labels and with few, as printed.
_TABLES = {
    "cifar10": (
        ("1-layer K-means", "80.6 %", "63.7 ± 0.7 % ?"),
        ("3-layer K-means, learned receptive fields", "82.0 %", "70.7 ± 0.7 % ?"),
        ("view-invariant K-means", "81.9 %", "72.6 ± 0.7 % ?"),
        ("Exemplar CNN", "84.3 %", "77.4 ± 0.2 % ?"),
        ("DCGAN + L2-SVM, trained on ImageNet-1k", "82.8 %", "73.8 ± 0.4 % ?"),
    ),
    "svhn": (
        ("DCGAN + L2-SVM", "", "error 22.48 %"),
        ("supervised CNN of the same architecture", "", "error 28.87 % (validation)"),
    ),
    "one-nn mnist": (
        ("real images", "error 3.1 % ?", ""),
        ("DCGAN, 50,000 samples", "error 2.98 %", ""),
        ("DCGAN, 10 million samples", "error 1.48 %", ""),
        ("plain GAN, 50,000 samples", "error 6.28 % ?", ""),
    ),
}
FEW = {"svhn": 100}  # labels per class of a dataset, where the paper has no other protocol


def published(table: str) -> dict[str, list[dict[str, str]]]:
    """Return what `Results.details` tells: the rows of a dataset's table, none for most."""
    return {
        "published": [dict(zip(("method", "all_labels", "few_labels"), row, strict=True)) for row in _TABLES.get(table, ())]
    }
