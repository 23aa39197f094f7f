"""TensorBoard: event files below the run folder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo_core import Tracker, ZooError


class TensorBoard(Tracker):
    """Writes to `tensorboard/` in the run folder. What an earlier sitting recorded behind `images` is not shown any more."""

    requires = "tensorboard"
    extra = "dcgan-zoo[tensorboard]"

    def __init__(self, *, folder: Path, images: int, config: Mapping[str, Any]) -> None:
        super().__init__(folder=folder / "tensorboard", images=images, config=config)
        from torch.utils.tensorboard.writer import SummaryWriter

        with self._translate_errors():
            self.writer: Any = SummaryWriter(str(self.folder), purge_step=images)  # type: ignore[no-untyped-call]
        self.look = f"to see it: tensorboard --logdir {shlex.quote(str(self.folder))}"
        self.text("configuration", f"```json\n{json.dumps(config, indent=2, default=str)}\n```", images)

    def scalars(self, values: Mapping[str, float], images: int) -> None:
        with self._translate_errors():
            for name, value in values.items():
                self.writer.add_scalar(name, value, images)

    def picture(self, name: str, image: Tensor, images: int) -> None:
        with self._translate_errors():
            self.writer.add_image(name, image, images)

    def text(self, name: str, text: str, images: int) -> None:
        with self._translate_errors():
            self.writer.add_text(name, text, images)

    def close(self) -> None:
        with self._translate_errors():
            self.writer.close()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ZooError(f"{self.folder} cannot be written: {error.strerror or error}") from error
