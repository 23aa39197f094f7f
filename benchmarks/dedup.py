"""How many planted near-duplicates the two methods of `zoo data dedup` find, and what else they take away.

    python benchmarks/dedup.py --pictures DIR|ZIP|drawn [--out DIR] [--json]

Near-duplicates of `--planted` of the pictures join them: moved by up to 2 of 64 pixels each way, rescaled by up to 2 %,
brightness changed by up to 3 %, saved as JPEG of quality 60. "drawn" stands for 5,000 of the zoo's own drawn faces. For each
method, at equal hashes and at each radius: `recall`, the share of the planted ones for which their original stands (or the
same image as for it), and `removed`, the originals that went. `at_most` compares: the best recall of each method among its
radii that remove no more than so many originals, beyond those that equal hashes remove. Seconds are CPU time, all threads.

Beside them stands `imagehash.phash` of 64 and of 256 bits, where ImageHash is installed: for each radius of the method
"hash", the recall at the least threshold at which at least as many originals have another within it. That is the share of
planted images within it of their own original, which is more generous than grouping, and pictures are not moved.

Then the time to group synthetic hashes, random ones of which a tenth stands twice: equal hashes, N against 2N
(`time_ratios`), and each radius (`radius_seconds`, of 100,000 hashes without movements).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zoo
from zoo.packs.curation import dedup
from zoo.packs.curation.autoencoder import fit_hash
from zoo.packs.curation.grouping import equal_hashes, group
from zoo.packs.curation.hashing import perceptual_hash

RADII = {"hash": (0, 2, 3, 4, 5, 6, 7, 8), "autoencoder": (0, 2, 3, 4, 5, 6, 7, 8)}
BEYOND = (0, 2, 5, 10, 20, 50, 100, 200)  # originals removed beyond the exact duplicates
QUALITY, SHIFT, RESCALE, BRIGHTNESS = 60, 2 / 64, 0.02, 0.03
DRAWN = 5000

Say = Callable[[str], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", required=True, help="a folder, a zip, or 'drawn'")
    parser.add_argument("--planted", type=int, default=500)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, help="take only the first so many pictures")
    parser.add_argument("--hashes", type=int, default=1_000_000, help="largest number of synthetic hashes; 0: none")
    parser.add_argument("--out", type=Path, help="where galleries of removed originals go, one for each method and radius")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    say: Say = (lambda text: None) if given.json else print
    result: dict[str, Any] = {"pictures": given.pictures, "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ZOO_CACHE"] = scratch
        source = unpack(given.pictures, Path(scratch) / "source")
        originals, whose = plant(source, Path(scratch) / "pictures", given.planted, given.seed, given.most)
        pack = zoo.build_pack(zoo.PackRequest("folder", data=Path(scratch) / "pictures", size=given.size))
        result |= {"originals": originals, "planted": len(whose), "size": given.size, "methods": {}}
        for method in RADII:
            result["methods"][method] = found(method, pack, originals, whose, given.seed, given.out, say)
        if find_spec("imagehash"):
            removed = [row["removed"] for row in result["methods"]["hash"]["radii"]]
            result["imagehash"] = perceptual(pack, originals, whose, removed, say)
    result["at_most"] = compare(result["methods"], say)
    if given.hashes:
        result |= synthetic(given.hashes, say)
    result["load_after"] = os.getloadavg()
    print(json.dumps(result))


def unpack(pictures: str, target: Path) -> Path:
    """Return a folder of the pictures; what is drawn or lies in a zip is written into `target`."""
    if pictures == "drawn":
        dataset = zoo.registry.create("datasets", "faces", {"count": DRAWN})
        target.mkdir()
        for i, record in enumerate(dataset.listing().records):
            dataset.decode(record).image.convert("RGB").save(target / f"{i:05d}.png")
        return target
    if zipfile.is_zipfile(pictures):
        with zipfile.ZipFile(pictures) as archive:
            archive.extractall(target)
        return target
    return Path(pictures)


def compare(methods: dict[str, Any], say: Say) -> list[dict[str, Any]]:
    """For each number of originals that may go, the best recall of each method and the radius that has it."""
    rows = []
    for most in BEYOND:
        row: dict[str, Any] = {"removed_beyond_exact": most}
        for method, measured in methods.items():
            radii = measured["radii"]
            good = [r for r in radii if r["removed"] <= radii[0]["removed"] + most]
            best = max(good, key=lambda r: r["recall"])
            row[method] = {key: best[key] for key in ("recall", "radius", "removed")}
        rows.append(row)
        words = (f"{method} {row[method]['recall']:.3f} (radius {row[method]['radius']})" for method in methods)
        say(f"at most {most} originals more than exact ones: {', '.join(words)}")
    return rows


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
    border = 16 + min(image.size) // 16
    pixels = np.asarray(image)
    margins = ((border, border), (border, border), *[(0, 0)] * (pixels.ndim - 2))
    padded = Image.fromarray(np.pad(pixels, margins, mode="edge"))
    scale = 1 + chance.uniform(-RESCALE, RESCALE)
    width, height = image.size
    most = SHIFT * min(width, height)
    across, down = chance.uniform(-most, most), chance.uniform(-most, most)
    left, top = border + width / 2 * (1 - scale) + across, border + height / 2 * (1 - scale) + down
    where = (scale, 0, left, 0, scale, top)
    moved = padded.transform(image.size, Image.Transform.AFFINE, where, Image.Resampling.BICUBIC)
    gain = 1 + chance.uniform(-BRIGHTNESS, BRIGHTNESS)
    return moved.point([min(255, round(level * gain)) for level in range(256)] * len(moved.getbands()))


def found(
    method: str, pack: zoo.Pack, originals: int, whose: list[int], seed: int, out: Path | None, say: Say
) -> dict[str, Any]:
    """What stands for what at equal hashes and at each radius."""
    start = time.process_time()
    hashing = perceptual_hash(pack.spec.channels) if method == "hash" else fit_hash(pack, seed=seed)
    learned = time.process_time()
    hashes = hashing.hashes(pack)
    hashed = time.process_time()
    result: dict[str, Any] = {
        "learning_seconds": round(learned - start, 2),
        "hashing_seconds": round(hashed - learned, 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "radii": [],
    }
    say(f"{method}: {', '.join(f'{key} {value}' for key, value in result.items() if key != 'radii')}")
    own, copies = np.array(whose), np.arange(originals, originals + len(whose))
    for radius in RADII[method]:
        start = time.process_time()
        groups = group(hashes, np.arange(len(pack)), radius, moved=lambda numbers: hashing.hash_moved(pack, numbers))
        seconds = time.process_time() - start
        removed = groups.removed[groups.removed < originals]
        recall = float((groups.keeper[copies] == groups.keeper[own]).mean())
        row = {"radius": radius, "recall": round(recall, 4), "removed": len(removed), "seconds": round(seconds, 2)}
        result["radii"].append(row)
        say(f"  radius {radius}: recall {recall:.3f}, {len(removed)} originals removed, {seconds:.1f} s")
        if out is not None and len(removed):
            pairs = [dedup.Pair(i, int(groups.keeper[i]), int(groups.distance[i])) for i in removed.tolist()]
            dedup.save_png(pack, dedup.choose_pairs(pairs, 100), out / f"{method}-{radius}.png")
        if len(removed) > 2 * max(BEYOND) + result["radii"][0]["removed"]:
            break
    return result


def perceptual(pack: zoo.Pack, originals: int, whose: list[int], removed: list[int], say: Say) -> dict[str, Any]:
    """For each of ImageHash's perceptual hashes, its recall at the threshold that removes at least as many originals."""
    import imagehash
    import torch

    images = pack.gather(torch.arange(len(pack))).numpy()
    pictures = [Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in images]
    results = {}
    for side in (8, 16):
        start = time.process_time()
        bits = np.stack([imagehash.phash(picture, hash_size=side).hash.ravel() for picture in pictures])
        seconds = time.process_time() - start
        signs = bits.astype(np.float32) * 2 - 1
        own = ((bits.shape[1] - (signs[whose] * signs[originals:]).sum(1)) / 2).round().astype(int)
        nearest = np.full(originals, bits.shape[1])
        for begin in range(0, originals, 1024):
            rows = np.arange(begin, min(begin + 1024, originals))
            apart = ((bits.shape[1] - signs[rows] @ signs[:originals].T) / 2).round().astype(int)
            apart[np.arange(originals)[None] >= rows[:, None]] = bits.shape[1]
            nearest[rows] = apart.min(1)
        found = []
        for count in removed:
            threshold = next(t for t in range(bits.shape[1] + 1) if (nearest <= t).sum() >= count)
            row = {"threshold": threshold, "removed": int((nearest <= threshold).sum())}
            found.append({**row, "recall": round(float((own <= threshold).mean()), 4)})
        results[f"phash {side**2}"] = {"hashing_seconds": round(seconds, 2), "thresholds": found}
        shown = ", ".join(f"{row['recall']:.3f} ({row['removed']})" for row in found)
        say(f"imagehash.phash of {side**2} bits, {seconds:.1f} s: recall (originals removed) {shown}")
    return results


def synthetic(most: int, say: Say) -> dict[str, Any]:
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
    for radius in range(9):
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
