"""Is an encoder's latent of a picture as good as one that is searched for, and how much sooner is it there?

    python benchmarks/projecting.py [--reconstruction 0 100] [--size 32] [--width 16] [--images 200000] [--pictures 24]
    python benchmarks/projecting.py … --markdown docs/results/projecting.md
    python benchmarks/projecting.py --models RUN …

Trains `bigan` on drawn faces with each weight of the reconstruction, unless trained models are given, and projects
pictures of the test split twice with `zoo.project`: by the encoder, and by --steps steps of optimization from its usual
starts, of the same generator, which is the baseline. What is trained is kept in --out; there the pictures are too, each
given one above what the encoder and the steps found. Keys of the JSON object on the last line: `models`, and for each
`encoder`, `steps`, `nearest` (of 512 samples): the root mean square difference in levels of 255, a mean over the pictures;
`encoder_seconds`, `steps_seconds` of the processor for one picture; `faster`, the steps' time divided by the encoder's;
`worse`, the encoder's difference divided by the steps'; `frechet`, of samples.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from whole import train_whole

import zoo
from zoo.analysis.samples import block
from zoo.comparing.spreads import Spread
from zoo.packs import to_images
from zoo.progress import SILENT
from zoo.reports.pictures import save_picture, sheet
from zoo.runs.run import read_log

ROLES = ("generator", "discriminator", "encoder")

HEAD = """# By the encoder, or by steps

Written by `benchmarks/projecting.py --markdown` from what it measured. `zoo project` finds the latent of a picture that the
model has not seen: by the model's encoder, or by steps of optimization on the same generator. Differences are root mean
squares in levels of 255; those of the steps say what the generator can draw at all. Intervals are 95 %, over the pictures.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reconstruction", type=float, nargs="+", default=[0.0, 100.0], metavar="WEIGHT")
    parser.add_argument("--models", type=Path, nargs="+", help="trained already", metavar="RUN")
    parser.add_argument("--count", type=int, default=10_000, help="faces that are drawn, and a tenth as many to project")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("projecting"))
    parser.add_argument("--markdown", type=Path, help="write the page")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    found = {}
    for model in given.models or [train(weight, given) for weight in given.reconstruction]:
        found[model.name] = measure(model, given)
        if not given.json:
            print(json.dumps({model.name: found[model.name]}), flush=True)
    result = {key: getattr(given, key) for key in ("count", "size", "width", "images", "pictures", "steps", "samples")}
    result |= {"torch": torch.__version__, "models": found}
    if given.markdown:
        given.markdown.write_text(page(result), encoding="utf-8")
    print(json.dumps(result))


def train(weight: float, given: argparse.Namespace) -> Path:
    """Train, or go on, with a weight of the reconstruction."""
    folder: Path = given.out / f"bigan-{given.size}-{given.width}-{given.images}-{weight:g}"
    quiet: dict[str, Any] = {"device": "cpu", "threads": 1, "report": SILENT, "watch": False, "rescue": False}
    if (folder / "run.json").exists():
        if read_log(folder / "metrics.jsonl")[-1]["images"] < given.images:
            train_whole(resume=folder, images=given.images, **quiet)
    else:
        options = {"algorithm.reconstruction": weight, **{f"{role}.width": given.width for role in ROLES}}
        options["dataset.count"] = given.count
        own: dict[str, Any] = {"size": given.size, "seed": given.seed, "out": folder}
        train_whole("bigan", dataset="faces", images=given.images, options=options, **own, **quiet)
    return folder


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Project held-out pictures both ways."""
    model = zoo.load(folder)
    request = zoo.PackRequest("faces", split="test", size=model.image.size, options={"count": given.count})
    test = zoo.build_pack(request, report=SILENT)
    chosen = torch.arange(given.pictures) * (len(test) // given.pictures)
    pictures = zoo.to_pictures(to_images(test.gather(chosen)))
    alone = dataclasses.replace(model, others={})
    quiet: dict[str, Any] = {"device": "cpu", "report": SILENT}
    zoo.project(model, pictures[0], **quiet)  # what is imported and compiled first is nobody's time
    found: dict[str, list[Any]] = {"encoder": [], "steps": []}
    seconds: dict[str, list[float]] = {"encoder": [], "steps": []}
    for picture in pictures:
        for way, one, steps in (("encoder", model, None), ("steps", alone, given.steps)):
            begun = time.process_time()
            found[way].append(zoo.project(one, picture, steps=steps, **quiet))
            seconds[way].append(time.process_time() - begun)
    shown = [torch.stack([getattr(one, what) for one in found[way]]) for way, what in SHOWN]
    titles = ("given", "by the encoder", f"by {given.steps} steps")
    sheets = [block(title, images, given.pictures) for title, images in zip(titles, shown, strict=True)]
    save_picture(sheet(sheets), given.out / f"{folder.name}.png")
    how = {"samples": given.samples, "resamples": 0, "device": "cpu", "write": False, "report": SILENT}
    distance = zoo.evaluate(folder, metrics=("frechet",), features="scattering", **how).metrics["frechet"]
    errors = {way: [one.error for one in each] for way, each in found.items()}
    ratios = [one / other for one, other in zip(errors["encoder"], errors["steps"], strict=True)]
    return {
        **{way: round(fmean(values), 2) for way, values in errors.items()},
        "nearest": round(fmean(one.nearest_sample for one in found["steps"]), 2),
        **{f"{way}_seconds": round(fmean(values), 5) for way, values in seconds.items()},
        "faster": round(fmean(seconds["steps"]) / fmean(seconds["encoder"]), 1),
        "worse": round(fmean(errors["encoder"]) / fmean(errors["steps"]), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "frechet": round(float(distance), 3),
    }


SHOWN = (("encoder", "target"), ("encoder", "image"), ("steps", "image"))


def page(result: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    head = "model", "by the encoder", f"by {result['steps']} steps", "nearest of 512 samples", "encoder / steps, by picture"
    lines = [
        HEAD,
        f"`bigan`, drawn faces, {result['size']}×{result['size']}, width {result['width']}, {result['images']:,} images "
        f"shown; {result['pictures']} pictures of the test split; seconds of one thread, torch {result['torch']}. The last "
        "number of a model's name is the reconstruction's weight, `algorithm.reconstruction`; 0 is the paper's BiGAN.\n",
        f"| {' | '.join(head)} | seconds | the encoder is faster | Fréchet distance (`scattering`) |",
        "|" + "---|" * (len(head) + 3),
    ]
    for name, row in result["models"].items():
        spread = Spread.of(row["ratios"])
        ratio = f"{spread.mean:.2f}" + (f" ± {spread.half_width:.2f}" if spread.half_width is not None else "")
        cells = [row["encoder"], row["steps"], row["nearest"], ratio]
        cells += [f"{row['encoder_seconds']:.3f}, {row['steps_seconds']:.2f}", f"{row['faster']:.0f} times", row["frechet"]]
        lines.append(f"| `{name}` | {' | '.join(map(str, cells))} |")
    weights = " ".join(name.rpartition("-")[2] for name in result["models"])
    usual = {"count": 10_000, "size": 32, "width": 16, "images": 200_000, "pictures": 24, "steps": 200, "samples": 1000}
    changed = "".join(f" --{key} {result[key]}" for key, value in usual.items() if result[key] != value)
    command = f"python benchmarks/projecting.py --reconstruction {weights}{changed} --markdown docs/results/projecting.md"
    return "\n".join([*lines, "\nTo make it:\n", "```sh", command, "```"]) + "\n"


if __name__ == "__main__":
    main()
