"""Record of the feature extractors that the zoo itself provides: those that need its models. Imports no torch."""

from __future__ import annotations

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Features of any model's discriminator",
    features={
        "discriminator": Component(
            "zoo.evaluating.results:DiscriminatorFeatures",
            "all convolutional stages of a model's discriminator, pooled (--set features.model=MODEL)",
            "Radford, Metz and Chintala 2015, arXiv:1511.06434, section 5",
        )
    },
)
