"""How samples are chosen (`zoo sample --sampler NAME`): record of the plugin."""

from zoo_core import Component, Plugin

HERE = "zoo_plugins.samplers.choosing"

plugin = Plugin(
    summary="Samples that a discriminator helps to choose",
    samplers={
        "ddls": Component(f"{HERE}:Langevin", "Langevin dynamics in latent space", "Che et al. 2020, arXiv:2003.06060"),
        "drs": Component(f"{HERE}:Rejection", "rejection sampling by odds", "Azadi et al. 2018, arXiv:1810.06758"),
        "top-k": Component(f"{HERE}:TopK", "one of those that look the most real"),
        "truncation": Component(
            f"{HERE}:Truncation", "latents or styles nearer to their mean", "Karras et al. 2019, arXiv:1812.04948"
        ),
    },
)
