"""`zoo import newmu`: the weights that the paper's authors published (github.com/Newmu/dcgan_code). Record of the plugin."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Weights that others published in other formats",
    commands={
        "import": Component("zoo_plugins.newmu.commands:import_weights", "Make model folders of weights from elsewhere.")
    },
)
