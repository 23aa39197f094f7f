"""Trackio: a dashboard on this machine (`trackio show`), or in a Space of Hugging Face."""

from __future__ import annotations

import io
import os
import shlex
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from zoo_core import Tracker

from .sittings import keep, recall


class Trackio(Tracker):
    """Records where trackio does by itself: in $TRACKIO_DIR, else in the cache of Hugging Face; nothing leaves the machine.

    With a Space (the option, or $TRACKIO_SPACE_ID) or a server ($TRACKIO_SERVER_URL) it goes there. A run that is resumed
    goes on in the dashboard under the same name; trackio cannot take back what a lost sitting recorded.
    """

    requires = "trackio"
    extra = "dcgan-zoo[trackio]"
    tiny = {"project": "zoo-plugins-check"}  # noqa: RUF012

    def __init__(
        self,
        *,
        folder: Path,
        images: int,
        config: Mapping[str, Any],
        project: Annotated[str, "project in the dashboard"] = "zoo",
        name: Annotated[str, "name of the run; by default that of the run folder, and four letters"] = "",
        space: Annotated[str, "Space that it is sent to (user/name), which is made where there is none"] = "",
    ) -> None:
        super().__init__(folder=folder / "trackio", images=images, config=config)
        import huggingface_hub

        trackio: Any = import_module("trackio")
        self.trackio, file = trackio, self.folder / "run.json"
        before = recall(file)
        goes_on = before.get("project") == project and bool(before.get("name")) and name in ("", before.get("name"))
        name = before["name"] if goes_on else name or f"{folder.resolve().name}-{uuid.uuid4().hex[:4]}"
        told: dict[str, Any] = {"project": project, "name": name, "config": dict(config), "embed": False}
        told["resume"] = "allow" if goes_on else "never"
        where = space or os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL") or ""
        if where and not where.startswith("http") and huggingface_hub.get_token() is None:
            self.trouble, where = "not logged in to Hugging Face (hf auth login), so it records on this machine", ""
        with _staying_here(not where), redirect_stdout(io.StringIO()):  # standard output is where results belong
            with warnings.catch_warnings(record=True) as amiss:
                self.run: Any = trackio.init(**told, space_id=(space or None) if where else None)
        self.trouble = self.trouble or "; ".join(str(warning.message) for warning in amiss)
        keep(file, {"project": project, "name": name})
        self.look = f"to see it: {where or f'trackio show --project {shlex.quote(project)}'}"

    def scalars(self, values: Mapping[str, float], images: int) -> None:
        self.run.log(dict(values), step=images)

    def picture(self, name: str, image: Tensor, images: int) -> None:
        pixels = image.permute(1, 2, 0).cpu().numpy()  # [H, W, C]
        gray = pixels.shape[2] == 1
        shown = self.trackio.Image(pixels[:, :, 0] if gray else pixels, caption=f"{images:,} images")
        self.run.log({name: shown}, step=images)

    def text(self, name: str, text: str, images: int) -> None:
        with redirect_stdout(io.StringIO()):
            self.run.alert(name, text, step=images)

    def close(self) -> None:
        with redirect_stdout(io.StringIO()):
            self.trackio.finish()


@contextmanager
def _staying_here(stays: bool) -> Iterator[None]:
    """Hide from trackio that the environment names another place, if it `stays` on this machine."""
    hidden = {key: os.environ.pop(key) for key in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL") if stays and key in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
