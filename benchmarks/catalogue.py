"""Train the models of the catalog and file them as model folders, each by the commands that its card tells.

    python benchmarks/catalogue.py                                                     # a night of a processor
    python benchmarks/catalogue.py --profile gpu                                       # minutes of a GPU
    python benchmarks/catalogue.py --only dcgan-lorelei lapgan-faces                   # a part of it
    python benchmarks/catalogue.py --list                                              # the commands alone
    python benchmarks/catalogue.py --images 128 --samples 100 --only dcgan-faces       # a minute

What is in the packages or in --out stays as it is. A training that was interrupted goes on. For each model: `zoo train`,
`zoo evaluate` of each of --features that is installed, `zoo neighbors` (does it copy?), `zoo export --bf16`, and license
and record of `python -m zoo.catalog`; at the end `filing.py` puts the folders into the packages, unless --out says where
they are to lie. Keys of the JSON object on the last line: `models`, for each its images, seconds and bytes, and `bytes` of
all.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filing import CORE
from filing import MODELS as WEIGHTS

from zoo_core import registry

LICENSE = "apache-2.0"
REAL, SAMPLES = 2000, 2000


@dataclass(frozen=True)
class Training:
    """What `zoo train` is told, without budget and place.

    Args:
        words: recipe and options as somebody types them.
        images: the budget on a processor, in real images; a GPU shows `FACTOR` times as many.
        base: the model of this table that it begins with.
    """

    words: str
    images: int
    base: str = ""


FACTOR = 4
_WIDTH = "--set generator.width={0} --set discriminator.width={0}"
# Networks of a quarter and half of the usual width learn as fast with four and two times the learning rate.
_W16, _W32 = f"{_WIDTH.format(16)} --set optimizer.lr=8e-4", f"{_WIDTH.format(32)} --set optimizer.lr=4e-4"
_NARROW = _WIDTH.format(32)
# Of no more than 64 maps, they show a processor twice the images in the same time, and end nearer to the drawings.
_SMALL = f"{_W16} --set generator.latent_dim=32 --set generator.max_width=64 --set discriminator.max_width=64"
# Styles of few lines on white need R1: without it the discriminator wins, and the samples are all alike.
_R1 = f"{_SMALL.replace('optimizer.lr', 'optimizer.generator.lr')} --set optimizer.discriminator.lr=8e-4"
_FACES = "--dataset faces --size 64 --set dataset.style"

MODELS: dict[str, Training] = {
    "dcgan-faces": Training(f"dcgan --dataset faces --size 64 {_SMALL}", 120_000),
    "dcgan-avataaars": Training("dcgan --dataset faces", 85_024),
    "dcgan-lorelei": Training(f"dcgan-r1 {_FACES}=lorelei {_R1}", 120_000),
    "dcgan-pixel-art": Training(f"dcgan-r1 {_FACES}=pixel-art {_R1}", 120_000),
    "dcgan-notionists": Training(f"dcgan-r1 {_FACES}=notionists {_R1}", 120_000),
    "dcgan-toon-head": Training(f"dcgan-r1 {_FACES}=toon-head {_R1}", 120_000),
    "dcgan-adventurer": Training(f"dcgan-r1 {_FACES}=adventurer {_R1}", 120_000),
    "cdcgan-drawings": Training(f"cdcgan --dataset drawings --size 32 {_W32}", 100_000),
    "dcgan-avataaars-128": Training(f"dcgan --dataset faces --size 128 {_SMALL}", 60_000),
    "dcgan-pixel-art-128": Training(f"dcgan-r1 --dataset faces --size 128 --set dataset.style=pixel-art {_R1}", 60_000),
    "dcgan-big-ears": Training(f"dcgan-r1 {_FACES}=big-ears {_R1}", 40_000, base="dcgan-adventurer"),
    "dcgan-paper-faces": Training(f"dcgan-paper --dataset faces --size 32 --batch 32 {_W32}", 60_000),
    "dcgan-maxpool-faces": Training(f"dcgan-maxpool --dataset faces --size 32 {_NARROW}", 60_000),
    "lapgan-faces": Training(f"lapgan --dataset faces --size 32 {_NARROW}", 40_000),
    "dcgan-r1-faces": Training(f"dcgan-r1 --dataset faces --size 32 {_NARROW}", 60_000),
    "dcgan-sn-faces": Training(f"dcgan-sn --dataset faces --size 32 {_NARROW}", 60_000),
    "wgan-gp-ttur-faces": Training(f"wgan-gp-ttur --dataset faces --size 32 {_NARROW}", 60_000),
    "sngan-faces": Training(f"sngan --dataset faces --size 32 {_WIDTH.format(16)}", 60_000),
    "wgan-gp-faces": Training(f"wgan-gp --dataset faces --size 32 {_W16}", 240_000),
    "mlp-faces": Training(
        "mlp-gan --dataset faces --size 32 --set generator.width=512 --set discriminator.width=120", 162_048
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="NAME")
    parser.add_argument("--profile", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--images", type=int, help="another budget for each")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="for each measurement, and as many real images")
    parser.add_argument("--features", nargs="*", default=["scattering", "efficientnet-lite0"])
    parser.add_argument("--work", type=Path, default=Path("runs/catalogue"), help="folder of the runs")
    parser.add_argument("--out", type=Path, help="folder of the model folders; without it they are filed in the packages")
    parser.add_argument("--list", action="store_true", help="print the commands and do nothing")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    elsewhere, given.out = given.out is not None, given.out or given.work / "models"
    installed = [name for name in given.features if any(entry.name == name for entry in registry.entries("features"))]
    done: dict[str, dict[str, Any]] = {}
    for name in order(given.only):
        if given.list:
            print(shlex.join(["zoo", *train_words(name, given)]))
            continue
        if not (find(name, given) / "config.json").exists():
            make(name, given, installed)
        done[name] = read_facts(find(name, given))
        if not given.json:
            print(json.dumps({"name": name, **done[name]}), flush=True)
    if not given.list and not elsewhere:
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("filing.py")), str(given.out)], check=True, stdout=sys.stderr
        )
    if not given.list:
        print(json.dumps({"models": done, "bytes": sum(facts["bytes"] for facts in done.values())}))


def order(names: Sequence[str]) -> list[str]:
    """Return names with each parent before its children."""
    found: list[str] = []
    for name in names:
        found += [one for one in (MODELS[name].base, name) if one and one not in found]
    return found


def find(name: str, given: argparse.Namespace) -> Path:
    """Return the folder of a model: where it was filed, else where it is made."""
    return next((place for package in (CORE, WEIGHTS) if (place := package / name).is_dir()), given.out / name)


def train_words(name: str, given: argparse.Namespace) -> list[str]:
    """Return the words of `zoo train` for a model."""
    training = MODELS[name]
    images = given.images or training.images * (FACTOR if given.profile == "gpu" else 1)
    base = ["--from", str(find(training.base, given))] if training.base else []
    return ["train", *shlex.split(training.words), *base, "--images", str(images), "--out", str(given.work / name)]


def make(name: str, given: argparse.Namespace, features: Sequence[str]) -> None:
    """Train a model, measure it and write its folder."""
    run, folder = given.work / name, given.out / name
    if not (run / "run.json").exists():
        zoo(given, *train_words(name, given))
    elif not (run / "model").exists():
        zoo(given, "train", "--resume", str(run))
    counts = ["--samples", str(given.samples), "--real", str(given.samples)]
    for extractor in features:
        zoo(given, "evaluate", str(run), "--features", extractor, "--metrics", "frechet,kid,precision,recall", *counts)
    checked = ["--samples", str(min(1000, given.samples)), "--out", str(given.work / f"{name}-neighbors")]
    zoo(given, "neighbors", str(run), *checked)
    shutil.rmtree(unfinished := given.work / f"{name}-model", ignore_errors=True)
    zoo(given, "export", str(run), "--out", str(unfinished), "--bf16")
    words = [sys.executable, "-m", "zoo.catalog", str(unfinished), "--license", LICENSE]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(unfinished, folder)


def zoo(given: argparse.Namespace, *words: str) -> None:
    """Run a command of the zoo as somebody types it."""
    begun = time.monotonic()
    if not given.json:
        print(shlex.join(["zoo", *words]), file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "zoo_cli", *words], check=True, stdout=subprocess.DEVNULL if given.json else None)
    if not given.json:
        print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def read_facts(folder: Path) -> dict[str, Any]:
    """Return images, seconds of training and bytes of a model folder."""
    provenance = json.loads((folder / "config.json").read_text(encoding="utf-8"))["provenance"]
    return {
        "images": provenance.get("images"),
        "seconds": provenance.get("seconds"),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
    }


if __name__ == "__main__":
    main()
