"""DCGAN with one guideline broken at a time: recipes only, each the difference from `dcgan`."""

from collections.abc import Mapping

from zoo_core import Plugin, Recipe


def _broken(name: str, summary: str, options: Mapping[str, object]) -> Recipe:
    return Recipe(name, base="dcgan", summary=summary, options=options)


plugin = Plugin(
    summary="DCGAN's guidelines, each broken on purpose",
    recipes=[
        _broken(
            "dcgan-maxpool",
            "max pooling in D, nearest-neighbor upsampling in G, instead of strides",
            {"discriminator.downsample": "max", "generator.upsample": "nearest"},
        ),
        _broken(
            "dcgan-avgpool",
            "average pooling in D, nearest-neighbor upsampling in G, instead of strides",
            {"discriminator.downsample": "avg", "generator.upsample": "nearest"},
        ),
        _broken("dcgan-gap", "global average pooling at the end of D", {"discriminator.head": "gap"}),
        _broken(
            "dcgan-fc",
            "fully connected hidden layers at the 4×4 maps of both networks",
            {"discriminator.hidden": 1024, "generator.hidden": 1024},
        ),
        _broken("dcgan-nobn", "no batch normalization", {"discriminator.norm": "none", "generator.norm": "none"}),
        _broken(
            "dcgan-allbn",
            "batch normalization at G's output and D's input too",
            {"discriminator.input_norm": True, "generator.output_norm": True},
        ),
        _broken("dcgan-relu", "ReLU in D", {"discriminator.activation": "relu"}),
        _broken("dcgan-beta09", "Adam with β1 0.9", {"optimizer.beta1": 0.9}),
        _broken("dcgan-lr1e-3", "learning rate 1e-3", {"optimizer.lr": 1e-3}),
    ],
)
