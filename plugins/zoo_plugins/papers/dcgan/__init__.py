"""The DCGAN paper: its claims by name, in the order of the paper. Imports no torch."""

from zoo_core import Paper, Plugin

HERE = "zoo_plugins.papers.dcgan"

plugin = Plugin(
    summary="The DCGAN paper, for zoo reproduce",
    papers={
        "dcgan": Paper(
            title="Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
            authors="Radford, Metz, Chintala 2015",
            url="https://arxiv.org/abs/1511.06434",
            claims={
                "stable": f"{HERE}.stable:StableTraining",
                "guidelines": f"{HERE}.guidelines:Guidelines",
                "epochs": f"{HERE}.epochs:OneEpochAgainstFive",
                "features": f"{HERE}.features:Features",
                "svhn": f"{HERE}.svhn:FewLabels",
                "memorization": f"{HERE}.memorization:NoMemorization",
                "walks": f"{HERE}.walks:SmoothWalks",
                "filters": f"{HERE}.filters:Filters",
                "forgetting": f"{HERE}.forgetting:Forgetting",
                "arithmetic": f"{HERE}.arithmetic:Arithmetic",
                "turning": f"{HERE}.turning:Turning",
                "mnist": f"{HERE}.mnist:ConditionalDigits",
            },
        )
    },
)
