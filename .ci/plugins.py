"""Follow `docs/plugins.md` literally, then build, install and use the example packages.

    python .ci/plugins.py

Runs in the environment of the interpreter that it is given, into which `zoo` was installed; packages are installed there.
Every line of the guide's ```sh blocks is run by bash, in order, in an empty folder, with a stand-in for the Hub; `zoo train`
gets a smaller budget. Before the last block, the plugin is uninstalled, to see what is said where it is missing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from helpers.hub_server import HubServer  # noqa: E402

BUDGET = " --images 320 --batch 32 --set dataset.count=96"
TOKEN = "hf_standInForTheGuide"


def sh(command: str, folder: Path, env: dict[str, str], *, fails: bool = False) -> str:
    """Run a line; stop unless it succeeds (or fails, where that is expected). Returns all that it printed."""
    print(f"\n$ {command}", flush=True)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    print("\n".join(done.stdout.splitlines()[-12:]), flush=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"exit code {done.returncode}, expected {'another' if fails else 0}")
    return done.stdout


def guide(folder: Path, env: dict[str, str]) -> None:
    """The ten minutes."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "plugins.md").read_text("utf-8"), re.M | re.S)
    *before, last = blocks
    for line in "".join(before).splitlines():
        sh(line + BUDGET if line.startswith("zoo train ") else line, folder, env)
    sh("pip uninstall -y zoo-acme", folder, env)
    for command in ("zoo pull ada/acme-faces", "zoo sample ada/acme-faces -n 16 --seed 1 --out none.png"):
        said = sh(command, folder, env, fails=True)
        if "pip install zoo-acme" not in said or "Traceback" in said:
            sys.exit("the error does not name the package")
    for line in last.splitlines():
        sh(line, folder, env)
    if (folder / "mine.png").read_bytes() != (folder / "theirs.png").read_bytes():
        sys.exit("the pulled model draws other pixels")
    print("\nthe pulled model draws the same pixels", flush=True)


def examples(folder: Path, env: dict[str, str]) -> None:
    """As wheels, installed beside zoo, and used."""
    for name in ("zoo-features-efficientnet", "zoo-resgan"):
        sh(f"pip wheel -q --no-deps -w wheels '{ROOT / 'examples' / name}'", folder, env)
    sh("pip install -q wheels/*.whl pytest", folder, env)
    for name in ("zoo-features-efficientnet", "zoo-resgan"):
        sh(f"zoo plugins check {name}", folder, env)
        sh(f"pytest -q -p no:cacheprovider '{ROOT / 'examples' / name / 'tests'}'", folder, env)
    small = "--set generator.width=16 --set discriminator.width=16"
    sh(f"zoo train resgan --dataset faces {small}{BUDGET}", folder, env)
    sh("zoo sample runs/resgan-faces -n 4 --out resgan.png", folder, env)
    code = """
import torch
from zoo_core import registry
extractor = registry.create("features", "efficientnet-lite0").eval()
assert extractor(torch.zeros(2, 1, 64, 64)).shape == (2, 1280)
"""
    sh(f"python -c '{code}'", folder, env)


def main() -> None:
    """Both, in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "a new folder")
        folder.mkdir()
        with HubServer(Path(temporary, "hub"), {TOKEN: "ada"}) as server:
            env = {
                **os.environ,
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
                "ZOO_CACHE": str(Path(temporary, "cache")),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HF_ENDPOINT": server.url,
                "HF_HOME": str(Path(temporary, "hf")),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_TOKEN": TOKEN,
            }
            guide(folder, env)
            examples(folder, env)


if __name__ == "__main__":
    main()
