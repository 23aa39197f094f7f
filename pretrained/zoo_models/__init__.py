"""Trained models, each in a folder of its own: record of the plugin. Imports no torch."""

from zoo_core import Plugin

from .records import MODELS

plugin = Plugin(summary="Models trained on drawn faces and drawings", models=MODELS, contract=2)
