"""A zoo of generative adversarial networks: the public Python API.

    import zoo

    run = zoo.train("dcgan", dataset="faces", images=60_000)
    model = zoo.load(run.path)
    zoo.save_grid(model.sample(64, seed=1), "faces.png")

Importing this package imports no torch; each public name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_core._lazy import attach

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zoo_core import ImageSpec as ImageSpec
    from zoo_core import ZooError as ZooError
    from zoo_core import registry as registry

    from .hub.fetching import Fetched as Fetched
    from .hub.listing import Listed as Listed
    from .hub.listing import list_published as list_published
    from .hub.publishing import Pushed as Pushed
    from .hub.publishing import push as push
    from .hub.pulling import pull as pull
    from .models.grids import save_grid as save_grid
    from .models.grids import to_pictures as to_pictures
    from .models.loading import create as create
    from .models.loading import export as export
    from .models.loading import load as load
    from .models.model import Model as Model
    from .packs import Pack as Pack
    from .packs import PackRequest as PackRequest
    from .packs import build_pack as build_pack
    from .packs import open_pack as open_pack
    from .pretrained.catalogue import CatalogueEntry as CatalogueEntry
    from .pretrained.catalogue import read_catalogue as read_catalogue
    from .training.runs import Run as Run
    from .training.training import plan as plan
    from .training.training import train as train

_WHERE = {
    "CatalogueEntry": ".pretrained.catalogue",
    "Fetched": ".hub.fetching",
    "ImageSpec": ".contract",
    "Listed": ".hub.listing",
    "Model": ".models.model",
    "Pack": ".packs",
    "PackRequest": ".packs",
    "Pushed": ".hub.publishing",
    "Run": ".training.runs",
    "ZooError": ".contract",
    "build_pack": ".packs",
    "create": ".models.loading",
    "export": ".models.loading",
    "load": ".models.loading",
    "list_published": ".hub.listing",
    "open_pack": ".packs",
    "plan": ".training.training",
    "pull": ".hub.pulling",
    "push": ".hub.publishing",
    "read_catalogue": ".pretrained.catalogue",
    "registry": ".contract",
    "save_grid": ".models.grids",
    "to_pictures": ".models.grids",
    "train": ".training.training",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
