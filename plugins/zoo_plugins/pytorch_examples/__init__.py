"""`zoo import pytorch-examples`: checkpoints of the DCGAN in github.com/pytorch/examples. Record of the plugin."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Checkpoints of PyTorch's DCGAN example",
    commands={
        "import-pytorch-examples": Component(
            "zoo_plugins.pytorch_examples.commands:import_checkpoints", "Make a model folder of netG_epoch_N.pth."
        )
    },
)
