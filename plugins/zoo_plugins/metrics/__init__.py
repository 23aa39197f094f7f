"""The field's metrics: record of the plugin. Each is computed by the library that the field takes for it."""

from zoo_core import Component, Plugin

HERE = "zoo_plugins.metrics"
KYNKAANNIEMI = "Kynkäänniemi et al. 2019, arXiv:1904.06991"
NAEEM = "Naeem et al. 2020, arXiv:2002.09797"

plugin = Plugin(
    summary="FID, KID and the field's other metrics",
    metrics={
        "fid": Component(
            f"{HERE}.frechet:Fid", "Fréchet Inception Distance, by torch-fidelity", "Heusel et al. 2017, arXiv:1706.08500"
        ),
        "frechet": Component(
            f"{HERE}.frechet:Frechet", "Fréchet distance of any features; needs no other library", "Dowson and Landau 1982"
        ),
        "kid": Component(
            f"{HERE}.distances:Kid",
            "Kernel Inception Distance, by torch-fidelity",
            "Bińkowski et al. 2018, arXiv:1801.01401",
        ),
        "precision": Component(
            f"{HERE}.neighborhoods:PrecisionRecall",
            "share of samples among the real images, by torch-fidelity",
            KYNKAANNIEMI,
        ),
        "recall": Component(
            f"{HERE}.neighborhoods:PrecisionRecall",
            "share of real images among the samples, by torch-fidelity",
            KYNKAANNIEMI,
        ),
        "density": Component(f"{HERE}.neighborhoods:DensityCoverage", "like precision, for outliers, by prdc", NAEEM),
        "coverage": Component(f"{HERE}.neighborhoods:DensityCoverage", "like recall, for outliers, by prdc", NAEEM),
        "is": Component(
            f"{HERE}.samples:InceptionScore",
            "Inception Score, by torch-fidelity; sees no real image",
            "Salimans et al. 2016, arXiv:1606.03498",
        ),
        "swd": Component(
            f"{HERE}.distances:SlicedWasserstein", "sliced Wasserstein distance, by POT", "Bonneel et al. 2015"
        ),
        "ms-ssim": Component(
            f"{HERE}.samples:MsSsim",
            "how alike random pairs of samples are, by pytorch-msssim",
            "Wang et al. 2003; for GANs Odena et al. 2017, arXiv:1610.09585",
        ),
    },
)
