"""The contract of the zoo: everything that the author of a plugin needs.

Importing this package imports no torch; each public name is loaded when it is first used, so that a plugin's record costs
nothing to list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import attach

if TYPE_CHECKING:
    from .algorithms import Algorithm as Algorithm
    from .algorithms import Phase as Phase
    from .algorithms import Step as Step
    from .augmentations import Augmentation as Augmentation
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
    from .interfaces import Network as Network
    from .metrics import Measurement as Measurement
    from .metrics import Metric as Metric
    from .records import CONTRACT as CONTRACT
    from .records import Component as Component
    from .records import ImageSpec as ImageSpec
    from .records import Plugin as Plugin
    from .records import PretrainedModel as PretrainedModel
    from .records import Recipe as Recipe
    from .registries import Registry as Registry
    from .registries import registry as registry
    from .trackers import Tracker as Tracker

_WHERE = {
    "Algorithm": ".algorithms",
    "Augmentation": ".augmentations",
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
    "Measurement": ".metrics",
    "Metric": ".metrics",
    "ModelError": ".errors",
    "Network": ".interfaces",
    "OptionError": ".errors",
    "Phase": ".algorithms",
    "Picture": ".datasets",
    "Plugin": ".records",
    "PluginError": ".errors",
    "PretrainedModel": ".records",
    "Recipe": ".records",
    "Record": ".datasets",
    "Registry": ".registries",
    "Step": ".algorithms",
    "Tracker": ".trackers",
    "TrainingError": ".errors",
    "UnknownNameError": ".errors",
    "UsageError": ".errors",
    "ZooError": ".errors",
    "registry": ".registries",
}

__all__ = sorted(_WHERE)
__getattr__, __dir__ = attach(globals(), _WHERE)
