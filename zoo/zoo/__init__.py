"""A zoo of generative adversarial networks: the public Python API.

    import zoo

    run = zoo.train("dcgan", dataset="faces", images=60_000)
    model = zoo.load(run.path)
    zoo.save_grid(model.sample(64, seed=1), "faces.png")

Importing this package imports no torch; each public name is loaded when it is first used.
"""

import lazy_loader

from .version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
