"""Are samples better than those of the plain loop, and by what? Several seeds of each on the same photographs.

    python benchmarks/quality.py --data DIR [--epochs 12] [--seeds 3] [--sides zoo plain …] [--out DIR] [--json]

DIR is a folder of pictures (gray photographs of faces for docs/results/quality.md). Every side sees as many images:

- `zoo`: recipe `dcgan` as `zoo train` runs it. Read out three times: as it is published (the moving average, its batch-norm
  statistics estimated for it), `raw` (the last weights), and `stale` (the average with the raw weights' statistics).
- `plain`: the tutorials' loop (plain_loop.py) on the same images as color pictures, minibatches of 128, its last weights,
  drawn from as it was trained. Its tensors are in channels_last, which saves time and changes rounding only.
- `color`: as `zoo`, but a gray picture is learned as three channels. Read out also with each sample made gray.
- `batch-128`: as `zoo`, with the paper's minibatches.
- `fixed-average`: as `zoo`, with an average whose decay is 0.999 from the first step on.
- `bf16`: as `zoo`, in bf16 autocast; nothing to learn from where the processor has no bf16.

The Fréchet distance is that of `--features` (`efficientnet-lite0` comes with examples/zoo-features-efficientnet; trained on
ImageNet) between `--samples` samples and all images. `gain` is 1 − zoo / plain, of the means over seeds. What is done is
kept in --out: the same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from plain_loop import PlainLoop
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from whole import train_whole

from zoo.allocator import keep_freed_memory
from zoo.files import atomic_file, write_json
from zoo.loading import load
from zoo.metrics.extractors import extractor, stream_features
from zoo.packs import Pack, PackRequest, build_pack, to_images, to_uint8
from zoo.progress import Reporter
from zoo.runs.checkpoints import newest_checkpoint
from zoo.runs.config import RunConfig
from zoo.runs.run import is_complete
from zoo.training.state import State
from zoo_core import FeatureExtractor, ImageSpec
from zoo_plugins.metrics.frechet import Gaussian, Moments, frechet_distance

PLAIN_BATCH = 128
CHOICES: dict[str, dict[str, Any]] = {
    "zoo": {},
    "plain": {},
    "color": {"channels": 3},
    "batch-128": {"batch": 128},
    "fixed-average": {},
    "bf16": {"precision": "bf16"},
}
Draw = Callable[[int], Iterator[Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=float, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=[*CHOICES], default=["zoo", "plain"])
    parser.add_argument("--features", default="efficientnet-lite0")
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=Path("quality"))
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    keep_freed_memory()  # saves time
    network = extractor(given.features)
    packs = {channels: packed(given, channels) for channels in (1, 3)}
    images = round(given.epochs * len(packs[1]))
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(given.seeds):
        for side in given.sides:
            folder = given.out / f"{side}-{seed}-{given.size}-{images}"
            path = folder.with_suffix(f".{given.features}-{given.samples}.json")
            if not path.exists():
                drawn = plain(packs[3], images, seed, folder) if side == "plain" else ours(side, given, images, seed, folder)
                real = moments_of_all(network, packs[1], given.out / f"real-{given.size}.{given.features}.safetensors")
                write_json(path, {name: distance(network, draw, real, given.samples) for name, draw in drawn.items()})
            for name, value in json.loads(path.read_text()).items():
                found.setdefault(side, {}).setdefault(name, []).append(value)
            if not given.json:
                print(side, seed, {name: round(values[-1], 2) for name, values in found[side].items()}, flush=True)
    summary = {
        side: {name: {"mean": round(statistics.mean(v), 3), "each": [round(x, 3) for x in v]} for name, v in read.items()}
        for side, read in found.items()
    }
    result: dict[str, Any] = {
        "size": given.size,
        "epochs": given.epochs,
        "images_shown": images,
        "real": len(packs[1]),
        "samples": given.samples,
        "features": given.features,
        "frechet": summary,
        "load_after": os.getloadavg(),
    }
    if {"zoo", "plain"} <= summary.keys():
        result["gain"] = round(1 - summary["zoo"]["average"]["mean"] / summary["plain"]["raw"]["mean"], 3)
    print(json.dumps(result))


def packed(given: argparse.Namespace, channels: int) -> Pack:
    return build_pack(PackRequest("faces", data=given.data, size=given.size, channels=channels))


def ours(side: str, given: argparse.Namespace, images: int, seed: int, folder: Path) -> dict[str, Draw]:
    """Train, or go on, and give what to draw from."""
    update = State.update_average
    if side == "fixed-average":
        State.update_average = _fixed  # type: ignore[method-assign]
    try:
        if not folder.exists():
            choices = {"channels": 1, **CHOICES[side]}
            train_whole(
                "dcgan", dataset="faces", data=given.data, size=given.size, images=images, seed=seed, out=folder, **choices
            )
        elif not is_complete(folder):
            train_whole(resume=folder)
    finally:
        State.update_average = update  # type: ignore[method-assign]
    model, raw = load(folder), load(folder, raw=True)
    found: dict[str, Draw] = {"average": model.batches, "raw": raw.batches}
    if side == "color":
        found["average, made gray"] = _gray(model.batches)
    if side == "zoo":
        stale = load(folder)
        stored = newest_checkpoint(folder / "checkpoints", Reporter())[2]["networks.safetensors"]
        for name, buffer in stale.generator.named_buffers():
            buffer.copy_(stored[f"generator.{name}"])
        found["stale"] = stale.batches
    return found


def _fixed(state: State, role: str, ceiling: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_([*state.averages[role].parameters()], [*state.networks[role].parameters()], 1 - ceiling)


def plain(pack: Pack, images: int, seed: int, folder: Path) -> dict[str, Draw]:
    """The plain loop on shuffled minibatches; what it learned is kept in `folder`."""
    torch.manual_seed(seed)
    size = pack.spec.size
    config = RunConfig.resolve("dcgan", batch=PLAIN_BATCH, size=size).with_image(ImageSpec(size, 3))
    loop = PlainLoop(config)
    path = folder / "generator.safetensors"
    if not path.exists():
        for network in (loop.generator, loop.discriminator):
            network.to(memory_format=torch.channels_last)
        shown = 0
        while shown < images:
            for part in torch.randperm(len(pack)).split(PLAIN_BATCH):
                if len(part) < PLAIN_BATCH or shown >= images:
                    break
                loop.real = to_images(pack.gather(part)).contiguous(memory_format=torch.channels_last)
                loop.step()
                shown += len(part)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in loop.generator.state_dict().items()}, temporary)
    loop.generator.load_state_dict(load_file(path))
    draw = _drawing(loop.generator)
    return {"raw": draw, "raw, made gray": _gray(draw)}


def _drawing(generator: nn.Module) -> Draw:
    """Minibatches as they come from a generator that is still in training mode, as the tutorials draw."""

    @torch.no_grad()
    def draw(count: int) -> Iterator[Tensor]:
        rng = torch.Generator().manual_seed(0)
        for start in range(0, count, PLAIN_BATCH):
            z = torch.randn(PLAIN_BATCH, generator.latent_dim, generator=rng)  # type: ignore[call-overload]
            yield generator(z)[: count - start]

    return draw


def _gray(draw: Draw) -> Draw:
    return lambda count: (images.mean(1, keepdim=True) for images in draw(count))


def distance(network: FeatureExtractor, draw: Draw, real: Gaussian, samples: int) -> float:
    return frechet_distance(moments(network, (to_images(to_uint8(images)) for images in draw(samples))), real)


def moments_of_all(network: FeatureExtractor, pack: Pack, path: Path) -> Gaussian:
    """Of all images of a pack; kept at `path`."""
    if not path.exists():
        found = moments(network, (to_images(pack.gather(part)) for part in torch.arange(len(pack)).split(512)))
        with atomic_file(path) as temporary:
            save_file(found._asdict(), temporary)
    return Gaussian(**load_file(path))


def moments(network: FeatureExtractor, images: Iterator[Tensor]) -> Gaussian:
    found = Moments(network.dim)
    for vectors in stream_features(network, images):
        found.add(vectors)
    return found.gaussian()


if __name__ == "__main__":
    main()
