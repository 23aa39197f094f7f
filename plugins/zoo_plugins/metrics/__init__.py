"""The field's metrics: record of the plugin. Each is computed by the library that the field takes for it."""

from zoo_core import Component, Plugin

HERE = "zoo_plugins.metrics"
KYNKAANNIEMI = "Kynkäänniemi et al. 2019, arXiv:1904.06991"
NAEEM = "Naeem et al. 2020, arXiv:2002.09797"

_ROWS = (
    ("fid", "frechet:Fid", "Fréchet Inception Distance, by torch-fidelity", "Heusel et al. 2017, arXiv:1706.08500"),
    ("frechet", "frechet:Frechet", "Fréchet distance of any features, by torch alone", "Dowson and Landau 1982"),
    ("kid", "libraries:Kid", "Kernel Inception Distance, by torch-fidelity", "Bińkowski et al. 2018, arXiv:1801.01401"),
    ("swd", "libraries:SlicedWasserstein", "sliced Wasserstein distance, by POT", "Bonneel et al. 2015"),
    ("precision", "libraries:PrecisionRecall", "samples among the real images, by torch-fidelity", KYNKAANNIEMI),
    ("recall", "libraries:PrecisionRecall", "real images among the samples, by torch-fidelity", KYNKAANNIEMI),
    ("density", "libraries:DensityCoverage", "like precision, less led astray by outliers, by prdc", NAEEM),
    ("coverage", "libraries:DensityCoverage", "like recall, less led astray by outliers, by prdc", NAEEM),
    ("is", "libraries:InceptionScore", "Inception Score, by torch-fidelity", "Salimans et al. 2016, arXiv:1606.03498"),
    ("ms-ssim", "libraries:MsSsim", "likeness of random pairs, by pytorch-msssim", "Odena et al. 2017, arXiv:1610.09585"),
)

plugin = Plugin(
    summary="FID, KID and the field's other metrics",
    metrics={name: Component(f"{HERE}.{target}", summary, paper) for name, target, summary, paper in _ROWS},
)
