"""Losses on logits: record of the plugin. One file each."""

from zoo_core import Component, Plugin

GOODFELLOW = "Goodfellow et al. 2014, arXiv:1406.2661"

plugin = Plugin(
    summary="Adversarial losses",
    losses={
        "minimax": Component("zoo_plugins.losses.minimax:Minimax", "G minimises log(1 − D(G(z))); saturates", GOODFELLOW),
        "non-saturating": Component(
            "zoo_plugins.losses.non_saturating:NonSaturating", "G maximises log D(G(z)); DCGAN's", GOODFELLOW
        ),
    },
)
