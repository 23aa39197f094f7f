"""The trained model that comes with the zoo: record of the plugin. The others are in the package `dcgan-zoo-models`."""

from zoo_core import Plugin

from .records import MODELS

plugin = Plugin(summary="A model trained on drawn faces", models=MODELS)
