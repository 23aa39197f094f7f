"""The contract of the zoo: everything that the author of a plugin needs.

Importing this package imports no torch; each public name is loaded when it is first used, so that a plugin's record costs
nothing to list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import attach

if TYPE_CHECKING:
    from .datasets import FileDataset as FileDataset
    from .datasets import ImageDataset as ImageDataset
    from .datasets import Listing as Listing
    from .datasets import Picture as Picture
    from .datasets import Record as Record
    from .errors import CheckpointError as CheckpointError
    from .errors import DataError as DataError
    from .errors import ModelError as ModelError
    from .errors import OptionError as OptionError
    from .errors import PluginError as PluginError
    from .errors import TrainingError as TrainingError
    from .errors import UnknownNameError as UnknownNameError
    from .errors import UsageError as UsageError
    from .errors import ZooError as ZooError
    from .interfaces import Discriminator as Discriminator
    from .interfaces import FeatureExtractor as FeatureExtractor
    from .interfaces import Generator as Generator
    from .interfaces import Loss as Loss
    from .records import CONTRACT as CONTRACT
    from .records import Component as Component
    from .records import ImageSpec as ImageSpec
    from .records import Plugin as Plugin
    from .records import Recipe as Recipe
    from .registries import Registry as Registry
    from .registries import registry as registry

_WHERE = {
    "CONTRACT": ".records",
    "CheckpointError": ".errors",
    "Component": ".records",
    "DataError": ".errors",
    "Discriminator": ".interfaces",
    "FeatureExtractor": ".interfaces",
    "FileDataset": ".datasets",
    "Generator": ".interfaces",
    "ImageDataset": ".datasets",
    "ImageSpec": ".records",
    "Listing": ".datasets",
    "Loss": ".interfaces",
    "ModelError": ".errors",
    "OptionError": ".errors",
    "Picture": ".datasets",
    "Plugin": ".records",
    "PluginError": ".errors",
    "Recipe": ".records",
    "Record": ".datasets",
    "Registry": ".registries",
    "TrainingError": ".errors",
    "UnknownNameError": ".errors",
    "UsageError": ".errors",
    "ZooError": ".errors",
    "registry": ".registries",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
