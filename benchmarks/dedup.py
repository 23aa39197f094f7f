"""How many planted near-duplicates `zoo data dedup` finds, and what else it takes away, beside perceptual hashes.

    python benchmarks/dedup.py --data DIR [--out DIR] [--json]

DIR/faces is a folder of pictures. Near-duplicates of `--planted` of them join them: moved by up to 2 pixels each way,
rescaled by up to 2 %, brightness changed by up to 3 %, saved as JPEG of quality 60. For equal hashes and each radius:
`recall`, the share of the planted ones for which their original stands (or the same image as for it), and `removed`, the
originals that went.

The perceptual hashes are `imagehash.phash` of 64 and of 256 bits. Their threshold is the least at which at least as many
originals have another within it; their recall is the share of planted images within it of their own original, which is
more generous than grouping. The third rival has 256 bits and is asked with nine small movements, as `zoo data dedup` with a
radius is with 25.

Then the time to group synthetic hashes, random ones of which a tenth stands twice: equal hashes, N against 2N
(`time_ratios`), and each radius (`radius_seconds`, of 100,000 hashes without movements).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image

import zoo
from zoo.packs.curation import dedup
from zoo.packs.curation.autoencoder import fit_hash
from zoo.packs.curation.grouping import equal_hashes, group

RADII = range(9)
QUALITY, SHIFT, RESCALE, BRIGHTNESS = 60, 2.0, 0.02, 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--planted", type=int, default=500)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, help="take only the first so many pictures")
    parser.add_argument("--hashes", type=int, default=1_000_000, help="largest number of synthetic hashes")
    parser.add_argument("--out", type=Path, help="where galleries of removed originals go, one for each radius")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    result: dict[str, Any] = {"load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ZOO_CACHE"] = scratch
        originals, whose = plant(given.data / "faces", Path(scratch) / "pictures", given.planted, given.seed, given.most)
        pack = zoo.build_pack(zoo.PackRequest("folder", data=Path(scratch) / "pictures", size=given.size))
        result |= {"originals": originals, "planted": len(whose), "size": given.size}
        result["radii"] = found(pack, originals, whose, given.seed, given.out, say, result)
        result["perceptual"] = perceptual(pack, originals, whose, [row["removed"] for row in result["radii"]], say)
    good = [row for row in result["radii"] if row["recall"] >= 0.9]
    best = min(good, key=lambda row: row["removed"]) if good else max(result["radii"], key=lambda row: row["recall"])
    result |= {"radius": best["radius"], "recall": best["recall"], "removed": best["removed"]}
    rivals = {name: rows[best["radius"]]["recall"] for name, rows in result["perceptual"].items()}
    moved = rivals.pop("phash 256, moved")
    result |= {"perceptual_recall": max(rivals.values()), "perceptual_moved_recall": moved}
    result |= synthetic(given.hashes, say)
    result["load_after"] = os.getloadavg()
    print(json.dumps(result))


def plant(source: Path, target: Path, count: int, seed: int, most: int | None) -> tuple[int, list[int]]:
    """Fill `target` with the pictures, then the planted ones; the number of pictures, and whose copy each planted one is."""
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    readable = []
    for path in paths[:most]:
        try:
            Image.open(path).load()
            readable.append(path)
        except OSError:
            continue
    if len(readable) < count:
        sys.exit(f"{source} has {len(readable)} pictures, fewer than are to be planted")
    chance = random.Random(seed)
    whose = sorted(chance.sample(range(len(readable)), count))
    for folder in ("a", "b"):
        (target / folder).mkdir(parents=True)
    for i, path in enumerate(readable):
        (target / "a" / f"{i:07d}{path.suffix}").symlink_to(path.resolve())
    for place, i in enumerate(whose):
        copy = disturbed(Image.open(readable[i]), chance)
        copy.save(target / "b" / f"{place:07d}.jpg", quality=QUALITY)
    return len(readable), whose


def disturbed(image: Image.Image, chance: random.Random) -> Image.Image:
    """The picture a little moved, rescaled and brightened; what comes in from outside repeats the edge."""
    image = image.convert("L" if image.mode == "L" else "RGB")
    border = 16
    pixels = np.asarray(image)
    margins = ((border, border), (border, border), *[(0, 0)] * (pixels.ndim - 2))
    padded = Image.fromarray(np.pad(pixels, margins, mode="edge"))
    scale = 1 + chance.uniform(-RESCALE, RESCALE)
    across, down = chance.uniform(-SHIFT, SHIFT), chance.uniform(-SHIFT, SHIFT)
    width, height = image.size
    left, top = border + width / 2 * (1 - scale) + across, border + height / 2 * (1 - scale) + down
    where = (scale, 0, left, 0, scale, top)
    moved = padded.transform(image.size, Image.Transform.AFFINE, where, Image.Resampling.BICUBIC)
    gain = 1 + chance.uniform(-BRIGHTNESS, BRIGHTNESS)
    return moved.point([min(255, round(level * gain)) for level in range(256)] * len(moved.getbands()))


def found(
    pack: zoo.Pack,
    originals: int,
    whose: list[int],
    seed: int,
    out: Path | None,
    say: Callable[[str], None],
    result: dict[str, Any],
) -> list[dict[str, Any]]:
    """What stands for what at equal hashes and at each radius."""
    start = time.perf_counter()
    learned = fit_hash(pack, seed=seed)
    result["learning_seconds"] = round(time.perf_counter() - start, 2)
    start = time.perf_counter()
    hashes = learned.hashes(pack)
    result["hashing_seconds"] = round(time.perf_counter() - start, 2)
    say(f"{len(pack):,} images: learning {result['learning_seconds']} s, hashing {result['hashing_seconds']} s")
    own, copies = np.array(whose), np.arange(originals, originals + len(whose))
    rows = []
    for radius in RADII:
        start = time.perf_counter()
        groups = group(hashes, np.arange(len(pack)), radius, moved=lambda numbers: learned.moved_hashes(pack, numbers))
        seconds = time.perf_counter() - start
        removed = groups.removed[groups.removed < originals]
        recall = float((groups.keeper[copies] == groups.keeper[own]).mean())
        rows.append(
            {
                "radius": radius,
                "recall": round(recall, 4),
                "removed": len(removed),
                "share": round(len(removed) / originals, 5),
                "seconds": round(seconds, 2),
            }
        )
        share = len(removed) / originals
        say(f"radius {radius}: recall {recall:.3f}, {len(removed)} originals removed ({share:.2%}), {seconds:.1f} s")
        if out is not None and len(removed):
            pairs = [dedup.Pair(i, int(groups.keeper[i]), int(groups.distance[i])) for i in removed.tolist()]
            dedup.save_png(pack, dedup.choose_pairs(pairs, 100), out / f"removed-{radius}.png")
    return rows


def perceptual(
    pack: zoo.Pack, originals: int, whose: list[int], removed: list[int], say: Callable[[str], None]
) -> dict[str, list[dict[str, Any]]]:
    """For each perceptual hash, its recall at the threshold that removes at least as many originals as each radius does."""
    import torch

    images = pack.gather(torch.arange(len(pack))).numpy()
    pictures = [Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in images]
    results = {}
    for name, side, ways in (("phash 64", 8, 1), ("phash 256", 16, 1), ("phash 256, moved", 16, 9)):
        bits = np.stack([imagehash.phash(picture, hash_size=side).hash.ravel() for picture in pictures])
        asking = (
            bits[None] if ways == 1 else np.stack([moved_bits(pictures, side, x, y) for x in (0, -1, 1) for y in (0, -1, 1)])
        )
        nearest = np.full(originals, bits.shape[1])
        own = np.full(len(whose), bits.shape[1])
        signs = bits.astype(np.float32) * 2 - 1
        for way in asking.astype(np.float32) * 2 - 1:
            own = np.minimum(own, ((bits.shape[1] - (way[whose] * signs[originals:]).sum(1)) / 2).round().astype(int))
            for start in range(0, originals, 1024):
                rows = np.arange(start, min(start + 1024, originals))
                apart = ((bits.shape[1] - way[rows] @ signs[:originals].T) / 2).round().astype(int)
                apart[np.arange(originals)[None] >= rows[:, None]] = bits.shape[1]
                nearest[rows] = np.minimum(nearest[rows], apart.min(1))
        results[name] = []
        for radius, count in enumerate(removed):
            threshold = next(t for t in range(bits.shape[1] + 1) if (nearest <= t).sum() >= count)
            row = {"threshold": threshold, "removed": int((nearest <= threshold).sum())}
            results[name].append({"radius": radius, **row, "recall": round(float((own <= threshold).mean()), 4)})
        shown = ", ".join(f"{row['recall']:.3f} ({row['removed']})" for row in results[name])
        say(f"{name}: recall (originals removed) at as many removed as radius 0 to {len(removed) - 1}: {shown}")
    return results


def moved_bits(pictures: list[Image.Image], side: int, across: int, down: int) -> np.ndarray:
    """Hashes of the pictures, moved by a 48th of their width (two thirds of the most that copies are moved)."""
    found = []
    for picture in pictures:
        step = picture.width / 48
        padded = Image.fromarray(
            np.pad(np.asarray(picture), ((4, 4), (4, 4), *[(0, 0)] * (len(picture.getbands()) > 1)), mode="edge")
        )
        where = (1, 0, 4 + across * step, 0, 1, 4 + down * step)
        moved = padded.transform(picture.size, Image.Transform.AFFINE, where, Image.Resampling.BICUBIC)
        found.append(imagehash.phash(moved, hash_size=side).hash.ravel())
    return np.stack(found)


def synthetic(most: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds to group random hashes of which a tenth stands twice."""
    chance = np.random.default_rng(0)
    sets = {count: random_hashes(count, chance) for count in (most // 8, most // 4, most // 2, most)}
    seconds = dict.fromkeys(sets, float("inf"))
    for _ in range(9):
        for count, hashes in sets.items():  # in turn, so that all sizes meet the same disturbances
            start = time.perf_counter()
            equal_hashes(hashes, np.arange(count))
            seconds[count] = min(seconds[count], time.perf_counter() - start)
    for count, value in seconds.items():
        say(f"equal hashes: {count:,} in {value:.3f} s")
    counts = list(seconds)
    ratios = [round(seconds[b] / seconds[a], 3) for a, b in itertools.pairwise(counts)]
    some = random_hashes(min(most, 100_000), chance)
    curve = []
    for radius in RADII:
        start = time.perf_counter()
        group(some, np.arange(len(some)), radius)
        curve.append(round(time.perf_counter() - start, 3))
        say(f"radius {radius}: {len(some):,} hashes in {curve[-1]:.2f} s")
    rounded = {str(count): round(value, 4) for count, value in seconds.items()}
    return {"equal_seconds": rounded, "time_ratios": ratios, "time_ratio": max(ratios), "radius_seconds": curve}


def random_hashes(count: int, chance: np.random.Generator) -> np.ndarray:
    hashes = chance.integers(0, 256, (count, 16), np.uint8)
    tenth = count // 10
    hashes[-tenth:] = hashes[:tenth]
    chance.shuffle(hashes)
    return hashes


if __name__ == "__main__":
    main()
