"""Where numbers and pictures of a training go besides its run folder: record of the plugin. One file each."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Trackers of trainings",
    trackers={
        "tensorboard": Component("zoo_plugins.trackers.tensorboard:TensorBoard", "event files in RUN/tensorboard"),
    },
)
