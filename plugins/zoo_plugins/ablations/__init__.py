"""DCGAN with one guideline broken at a time: recipes only, each the difference from `dcgan`."""

from zoo_core import Plugin, Recipe

STRIDES = "pooling in D, nearest-neighbor upsampling in G, instead of strides"
BOTH = "generator", "discriminator"
UNNORMALIZED = {f"{network}.norm": "none" for network in BOTH}
FC = "fully connected hidden layers at the smallest maps of both networks"
BROKEN = (
    ("dcgan-maxpool", f"max {STRIDES}", {"discriminator.downsample": "max", "generator.upsample": "nearest"}),
    ("dcgan-avgpool", f"average {STRIDES}", {"discriminator.downsample": "avg", "generator.upsample": "nearest"}),
    ("dcgan-gap", "global average pooling at the end of D", {"discriminator.head": "gap"}),
    ("dcgan-fc", FC, {"discriminator.hidden": 1024, "generator.hidden": 1024}),
    ("dcgan-nobn", "no batch normalization", UNNORMALIZED),
    (
        "dcgan-nobn-he",
        "no batch normalization, but biases and weights that keep the scale, of which dcgan has neither",
        {
            **UNNORMALIZED,
            **{f"{network}.{key}": value for network in BOTH for key, value in (("bias", True), ("init", "he"))},
        },
    ),
    (
        "dcgan-allbn",
        "batch normalization at G's output and D's input too",
        {"discriminator.input_norm": True, "generator.output_norm": True},
    ),
    ("dcgan-relu", "ReLU in D", {"discriminator.activation": "relu"}),
    ("dcgan-beta09", "Adam with β1 0.9", {"optimizer.beta1": 0.9}),
    ("dcgan-lr1e-3", "learning rate 1e-3", {"optimizer.lr": 1e-3}),
)
"""Name, summary and options of each."""

plugin = Plugin(
    summary="DCGAN's guidelines, each broken on purpose",
    recipes=[Recipe(name, base="dcgan", summary=summary, options=options) for name, summary, options in BROKEN],
)
