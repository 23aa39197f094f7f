"""Trackers: the interface of somewhere else that the numbers and pictures of a training go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar


class Tracker(ABC):
    """Somewhere else that numbers and pictures of one training go, besides its run folder.

    Made by the main process alone, after the run folder. Raises `ZooError` where it cannot write.

    Args:
        folder: the run folder; what a tracker writes goes below it.
        images: real images shown so far, of a run that goes on; what was recorded behind them counts no more.
        config: the resolved configuration of the run, plain data.

    Attributes:
        requires: the Python module that it needs, "" for none.
        extra: what to install for it ("dcgan-zoo[tensorboard]").
    """

    requires: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    def __init__(self, *, folder: Path, images: int, config: Mapping[str, Any]) -> None:
        self.folder = folder

    @abstractmethod
    def scalars(self, values: Mapping[str, float], images: int) -> None:
        """Record numbers by name, after `images` real images."""

    @abstractmethod
    def picture(self, name: str, image: Any, images: int) -> None:
        """Record a picture, a uint8 tensor [C, H, W], after `images` real images."""

    def close(self) -> None:  # noqa: B027
        """Write out what is left. Nothing is called afterwards."""
