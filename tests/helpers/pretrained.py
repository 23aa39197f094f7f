"""The checkout's package of weights for tests, as an editable installation would give it to a person."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "pretrained"


def register_checkout() -> None:
    """Let this process and its children find `pretrained/`, unless the package is installed.

    What an editable installation is: the folder on the path, and beside it a `dist-info` that names its entry point.
    """
    if find_spec("zoo_models") is not None:
        return
    place = Path(tempfile.gettempdir(), f"zoo-tests-models-{os.getuid() if hasattr(os, 'getuid') else 0}")
    info = place / "dcgan_zoo_models-0.2.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("METADATA", "Metadata-Version: 2.1\nName: dcgan-zoo-models\nVersion: 0.2.0\n"),
        ("entry_points.txt", "[zoo.plugins]\nmodels = zoo_models:plugin\n"),
    ):
        new = info / f"{name}.{os.getpid()}"
        new.write_text(text, encoding="utf-8")
        new.replace(info / name)  # workers of pytest-xdist do this at once
    added = [str(PACKAGE), str(place)]
    sys.path += added
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([*([before] if before else []), *added])
