"""Weights & Biases: online where the person is logged in, else in files below the run folder that can be sent later."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from torch import Tensor

from zoo_core import Tracker, ZooError

from .sittings import keep, recall

PATIENCE = {"init_timeout": 30, "finish_timeout": 120}
"""Seconds that the server has to answer when a run begins, and to take what is left when it ends; WANDB_INIT_TIMEOUT and
WANDB_FINISH_TIMEOUT win."""


class WeightsAndBiases(Tracker):
    """Records as wandb's own settings say (WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_DIR, …); options win over them.

    Nobody is asked for a key in the middle of a command: who is not logged in, or reaches no server, records offline. A run
    that is resumed goes on under the same id; online and after `wandb sync` it is one run. The horizontal axis of all charts
    is `images`, as what a lost sitting recorded cannot be taken back.
    """

    requires = "wandb"
    extra = "dcgan-zoo[wandb]"
    tiny = {"mode": "offline"}  # noqa: RUF012

    def __init__(
        self,
        *,
        folder: Path,
        images: int,
        config: Mapping[str, Any],
        project: Annotated[str, "project; by default $WANDB_PROJECT, or zoo"] = "",
        name: Annotated[str, "name of the run; by default $WANDB_NAME, or that of the run folder"] = "",
        entity: Annotated[str, "user or team; by default $WANDB_ENTITY, or your own"] = "",
        mode: Annotated[Literal["auto", "online", "offline"], "auto: as $WANDB_MODE says, or online"] = "auto",
    ) -> None:
        super().__init__(folder=folder / "wandb", images=images, config=config)
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read on import: reports to its makers, offline too
        self.wandb: Any = import_module("wandb")
        self.file = self.folder / "run.json"
        project = project or os.environ.get("WANDB_PROJECT") or "zoo"
        before = recall(self.file)
        kept = before.get("id", "") if before.get("project") == project else ""
        told: dict[str, Any] = {"project": project, "entity": entity or None, "config": dict(config)}
        told["id"] = kept or os.environ.get("WANDB_RUN_ID") or uuid.uuid4().hex[:8]
        told["name"] = name or os.environ.get("WANDB_NAME") or folder.resolve().name
        told["dir"] = os.environ.get("WANDB_DIR") or str(folder)
        self.run: Any = self._begin(told, mode)
        self.kept = {"project": project, "id": kept or self.run.id}
        last = before.get("step", "") if kept else ""
        self.step = max(images, int(last) + 1) if last.isdecimal() else images
        keep(self.file, self.kept)
        self.run.define_metric("images", hidden=True)
        self.run.define_metric("*", step_metric="images")

    def _begin(self, told: dict[str, Any], mode: str) -> Any:
        """Return a run of wandb's: online if it is meant to be and can, else offline."""
        wandb = self.wandb
        # The progress line is no log, and what wandb says about itself is said by `look`.
        own: dict[str, Any] = {"console": "off", **PATIENCE}
        own = {key: value for key, value in own.items() if f"WANDB_{key.upper()}" not in os.environ}
        settings = wandb.Settings(silent=True, reinit="create_new", finish_timeout_raises=True, **own)
        set_up = wandb.setup(settings=wandb.Settings(silent=True)).settings
        if mode == "auto":
            mode = {"run": "online", "dryrun": "offline"}.get(set_up.mode, set_up.mode)  # its words of before
        if mode == "online" and not wandb.login(prompt=False, verify=False):
            mode, self.trouble = "offline", "not logged in (wandb login), so it records offline"
        if mode == "online":
            try:
                run = wandb.init(**told, mode=mode, resume="allow", settings=settings)
                self.look = f"to see it: {run.url}"
                return run
            except wandb.Error as error:
                mode, self.trouble = "offline", f"{str(error).strip().splitlines()[0]}; so it records offline"
                told["id"] = uuid.uuid4().hex[:8]  # wandb holds the other one to be in use
        run = wandb.init(**told, mode=mode, settings=settings)
        self.look = f"to send it: wandb sync {self._place(run)}"
        if mode == "disabled":
            self.look = "records nothing, as WANDB_MODE says"
        return run

    def scalars(self, values: Mapping[str, float], images: int) -> None:
        self._log(values, images)

    def picture(self, name: str, image: Tensor, images: int) -> None:
        pixels = image.permute(1, 2, 0).cpu().numpy()  # [H, W, C]
        shown = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        self._log({name: self.wandb.Image(shown, caption=f"{images:,} images")}, images)

    def text(self, name: str, text: str, images: int) -> None:
        self._log({name: text}, images)

    def close(self) -> None:
        keep(self.file, {**self.kept, "step": str(self.step)})
        try:
            self.run.finish()
        except TimeoutError as error:
            what = f"its server did not take what was left; to send it: wandb sync {self._place(self.run)}"
            raise ZooError(what) from error

    def _place(self, run: Any) -> str:
        """Return the folder of what was recorded, as it is typed."""
        return shlex.quote(str(Path(run.dir).parent))

    def _log(self, values: Mapping[str, Any], images: int) -> None:
        """Log under a step that never goes back, as wandb drops what does: real images, so that the sittings of a run agree,
        and one more at a time while a training that went back catches up.
        """
        self.step = images if images >= self.step else self.step + 1
        self.run.log({**values, "images": images}, step=self.step)
