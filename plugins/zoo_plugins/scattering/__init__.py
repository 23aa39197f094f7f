"""Features of pictures by fixed wavelets: record of the plugin."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Features by fixed wavelets, which need no weights and no download",
    features={
        "scattering": Component(
            "zoo_plugins.scattering.extractor:Scattering",
            "strength of edges at several scales and colors, on a 4×4 grid; fixed wavelets, nothing learned",
            paper="after Bruna and Mallat 2013, arXiv:1203.1513",
        )
    },
)
