"""Follow `docs/plugins.md` and the page of each kind literally, then build, install and use the example packages.

    python .ci/plugins.py

Packages are installed into an environment on top of that of the interpreter, into which `zoo` was installed. Every line of
the guide's ```sh blocks is run by bash, in order, in an empty folder, with a stand-in for the Hub; `zoo train` gets a
smaller budget. Before the block that pulls, the plugin is uninstalled, to see what is said where it is missing. Those of the
pages are run too, but for their installations, which are one, and their checks, which are one process. The classes of all
```python blocks must conform.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from PIL import Image  # noqa: E402

from helpers.hub_server import HubServer  # noqa: E402
from zoo_core.records import KINDS  # noqa: E402

BUDGET = " --images 320 --batch 32 --set dataset.count=96"
TOKEN = "hf_standInForTheGuide"
SCRIPTS = {"zoo": "from zoo_cli import main", "pytest": "from pytest import main"}
CHECKS = """
import sys
from zoo_cli.main import zoo
sys.exit(any(zoo(["plugins", "check", name], standalone_mode=False) for name in sys.argv[1:]))
"""


def overlay(folder: Path) -> Path:
    """Make an environment that has all of this one's packages, so that others may use this one meanwhile; its programs."""
    venv.create(folder, symlinks=True, with_pip=True)
    programs = folder / "bin"
    (found,) = folder.glob("lib/*/site-packages")
    (found / "below.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", "utf-8")
    for name, line in SCRIPTS.items():
        (programs / name).write_text(f"#!{programs / 'python'}\nimport sys\n{line}\nsys.exit(main())\n", "utf-8")
        (programs / name).chmod(0o755)
    return programs


def check(names: Iterable[str], folder: Path, env: dict[str, str]) -> None:
    """Run `zoo plugins check` for each, in one process: alone it is mostly the import of torch."""
    sh(f"python -c '{CHECKS}' {' '.join(names)}", folder, env)


def sh(command: str, folder: Path, env: dict[str, str], *, fails: bool = False) -> str:
    """Run a line; stop unless it succeeds (or fails, where that is expected). Returns all that it printed."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    print("\n".join([f"\n$ {command}", *done.stdout.splitlines()[-12:]]), flush=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"exit code {done.returncode}, expected {'another' if fails else 0}")
    return done.stdout


GUIDE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
PAGES = "\n".join(page.read_text("utf-8") for page in sorted((ROOT / "docs" / "plugins").glob("*.md")))
CLASSES = """
import guide
from zoo_core import Plugin, registry
from zoo_core.records import COMPONENTS
from zoo_core.registries import interface_of
from zoo_core.testing import assert_conforms
registry.add(Plugin(networks={"encoder": "guide:Encoder"}))
for kind in COMPONENTS:
    for found in vars(guide).values():
        if isinstance(found, type) and issubclass(found, interface_of(kind)) and found.__module__ == "guide":
            assert_conforms(kind, found)
            print(kind, found.__name__, "conforms")
"""


def classes(folder: Path, env: dict[str, str]) -> None:
    """The classes that the pages show, as one module."""
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE + PAGES, re.M | re.S)
    shown = [block for block in blocks if re.search(r"^class ", block, re.M)]
    (folder / "guide.py").write_text("\n".join(shown), "utf-8")
    said = sh(f"python -c '{CLASSES}'", folder, env)
    if said.count("conforms") != len(re.findall(r"^class ", "\n".join(shown), re.M)):
        sys.exit("a class of the guide was not checked")


def kinds(folder: Path, env: dict[str, str]) -> None:
    """A new package of every kind, installed and checked."""
    names = {kind: f"zoo-my-{kind}" for kind in KINDS}
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGES, re.M | re.S) for line in block.splitlines()]
    wanted = [f"zoo plugins new {name} --kind {kind}" for kind, name in names.items()]
    rest = [f"{begin}{name}" for name in names.values() for begin in ("pip install ./", "zoo plugins check ")]
    if sorted(lines) != sorted(wanted + rest):
        sys.exit("the pages do not begin, install and check a package of each kind once")
    for line in wanted:
        sh(line, folder, env)
    sh("pip install -q hatchling", folder, env)  # once, not for each package
    sh(f"pip install -q --no-build-isolation {' '.join(f'./{name}' for name in names.values())}", folder, env)
    check(names.values(), folder, env)
    sh(f"pytest -q -p no:cacheprovider --import-mode=importlib {' '.join(names.values())}", folder, env)
    small = "--set generator.width=8 --set discriminator.width=8"
    track = "--track my-trackers --evaluate-every 160 --metric my-metrics --set training.augment=my-augmentations"
    sh(f"zoo train my-algorithms --dataset my-datasets {small}{BUDGET}", folder, env)
    sh(f"zoo train my-losses --dataset faces {small} {track}{BUDGET}", folder, env)
    sh("zoo sample my-models -n 4 --sampler my-samplers", folder, env)
    sh("pip uninstall -y " + " ".join(names.values()), folder, env)


def guide(folder: Path, env: dict[str, str]) -> None:
    """The ten minutes."""
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.M | re.S):
        if "zoo pull" in block:
            missing(folder, env)
        for line in block.splitlines():
            sh(line + BUDGET if line.startswith("zoo train ") else line, folder, env)
    if (folder / "mine.png").read_bytes() != (folder / "theirs.png").read_bytes():
        sys.exit("the pulled model draws other pixels")
    print("\nthe pulled model draws the same pixels", flush=True)


def missing(folder: Path, env: dict[str, str]) -> None:
    """What is said where the package of a model is not installed."""
    sh("pip uninstall -y zoo-acme", folder, env)
    for command in ("zoo pull ada/acme-faces", "zoo sample ada/acme-faces -n 16 --seed 1 --out none.png"):
        said = sh(command, folder, env, fails=True)
        if "pip install zoo-acme" not in said or "Traceback" in said:
            sys.exit("the error does not name the package")


def examples(folder: Path, env: dict[str, str]) -> None:
    """As wheels, installed beside zoo, and used."""
    names = ("zoo-features-efficientnet", "zoo-resgan", "zoo-acgan")
    places = [f"'{ROOT / 'examples' / name}'" for name in names]
    sh(f"pip wheel -q --no-deps --no-build-isolation -w wheels {' '.join(places)}", folder, env)
    sh("pip install -q wheels/*.whl", folder, env)
    check(names, folder, env)
    sh(f"pytest -p no:cacheprovider --import-mode=importlib {' '.join(places)}", folder, env)
    small = "--set generator.width=16 --set discriminator.width=16"
    sh(f"zoo train resgan --dataset faces {small}{BUDGET}", folder, env)
    sh("zoo sample runs/resgan-faces -n 4 --out resgan.png", folder, env)
    for label, color in (("cats", "orange"), ("dogs", "brown")):
        (folder / "pictures" / label).mkdir(parents=True)
        for number in range(32):
            picture = Image.new("RGB", (32, 32), color)
            picture.putpixel((number, number), (number, 0, 0))
            picture.save(folder / "pictures" / label / f"{number}.png")
    small = "--set generator.width=16 --set discriminator.width=16 --images 320 --batch 32"
    sh(f"zoo train acgan-apart --dataset folder --data pictures {small}", folder, env)
    sh("zoo sample runs/acgan-apart-pictures -n 4 --label cats --out acgan.png", folder, env)
    code = """
import torch
from zoo_core import registry
extractor = registry.create("features", "efficientnet-lite0").eval()
assert extractor(torch.zeros(2, 1, 64, 64)).shape == (2, 1280)
"""
    sh(f"python -c '{code}'", folder, env)


def main() -> None:
    """All of it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "a new folder")
        folder.mkdir()
        with HubServer(Path(temporary, "hub"), {TOKEN: "ada"}) as server:
            env = {
                **os.environ,
                "PATH": os.pathsep.join([str(overlay(Path(temporary, "env"))), os.environ.get("PATH", "")]),
                "ZOO_CACHE": str(Path(temporary, "cache")),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HF_ENDPOINT": server.url,
                "HF_HOME": str(Path(temporary, "hf")),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_TOKEN": TOKEN,
            }
            classes(folder, env)
            guide(folder, env)
            kinds(folder, env)
            examples(folder, env)


if __name__ == "__main__":
    main()
