"""Where numbers and pictures of a training go besides its run folder: record of the plugin. One file each."""

from zoo_core import Component, Plugin

_HERE = "zoo_plugins.trackers"

plugin = Plugin(
    summary="Trackers of trainings",
    trackers={
        "tensorboard": Component(f"{_HERE}.tensorboard:TensorBoard", "event files in RUN/tensorboard"),
        "trackio": Component(f"{_HERE}.trackio:Trackio", "a dashboard on this machine, or a Space of Hugging Face"),
        "wandb": Component(f"{_HERE}.wandb:WeightsAndBiases", "Weights & Biases, online or offline"),
    },
)
