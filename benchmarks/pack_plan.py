"""What packing all of LSUN's bedrooms and all of ImageNet would cost, from what a few of their pictures cost here.

    python benchmarks/pack_plan.py --data DIR [--size 64] [--cores 8] [--json]

DIR has `lsun/` and `imagenet/` with some of the pictures. Decoding is measured on these, in processor seconds of one
process, which a busy machine changes little. Listing is measured on archives made for it, of `--members` tiny members: an
LMDB, and a tar of tars, gone through first and then taken from the index that this left. Everything is then multiplied by
the number of pictures of the whole dataset: `hours` with `--cores` cores, `pack_gb` of disk for the pack, the seconds of
listing, and `memory_mb` of the process that builds for its records (worker processes are sent theirs chunk by chunk).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from PIL import Image

from zoo.packs.workers import CHUNK, decode_chunk
from zoo_core import registry

WHOLE = {"lsun": 3_033_042, "imagenet": 1_281_167}
LISTING = """
import json, re, sys, time
from zoo_core import registry
def held():
    return 1024 * int(re.search("RssAnon:\\s*(\\d+)", open("/proc/self/status").read())[1])  # not the mapped archive
dataset = registry.create("datasets", sys.argv[1], {"data": sys.argv[2]})
before, start = held(), time.process_time()
listing = dataset.listing()
listing.fingerprint()
print(json.dumps([len(listing.records), time.process_time() - start, held() - before]))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--cores", type=int, default=8)
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    result: dict[str, Any] = {"size": given.size, "cores": given.cores, "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ZOO_CACHE"] = f"{scratch}/cache"
        listings = {"lsun": synthetic_lmdb, "imagenet": synthetic_tar}
        for name, make in listings.items():
            seconds = decoding(name, given.data / name, given.size)
            data = make(Path(scratch) / name, given.members)
            again = {"listing": listing(name, data), "from_index": listing(name, data)}
            result[name] = plan(WHOLE[name], seconds, again, given.size, given.cores)
            say(f"{name}: " + ", ".join(f"{key} {value:,}" for key, value in result[name].items()))
    result["load_after"] = os.getloadavg()
    print(json.dumps(result))


def plan(count: int, seconds: float, listings: dict[str, dict[str, float]], size: int, cores: int) -> dict[str, float]:
    """The whole dataset."""
    first, again = listings["listing"], listings["from_index"]
    return {
        "pictures": count,
        "ms_per_picture": round(1000 * seconds, 3),
        "hours": round(count * seconds / cores / 3600, 2),
        "pack_gb": round(count * size * size * 3 / 1e9, 1),
        "listing_seconds": round(count * first["seconds"], 1),
        "listing_again_seconds": round(count * again["seconds"], 1),
        "memory_mb": round(count * max(first["bytes"], again["bytes"]) / 1e6),
    }


def decoding(name: str, data: Path, size: int) -> float:
    """Processor seconds to decode, crop and resize a picture."""
    dataset = registry.create("datasets", name, {"data": str(data)})
    records = dataset.listing().records
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        kept = sum(len(decode_chunk(dataset, records[i : i + CHUNK], size, 3).images) for i in range(0, len(records), CHUNK))
        best = min(best, (time.process_time() - start) / kept)
    return best


def listing(name: str, data: Path) -> dict[str, float]:
    """Processor seconds and bytes for each record, in a process of its own, so that its memory is its own."""
    done = subprocess.run([sys.executable, "-c", LISTING, name, str(data)], capture_output=True, text=True, check=True)
    count, seconds, size = json.loads(done.stdout)
    return {"seconds": seconds / count, "bytes": size / count}


def synthetic_lmdb(folder: Path, count: int) -> Path:
    """Keys like LSUN's (40 hexadecimal digits), values of a page or so, as those that are not stored beside their keys."""
    target = folder / "bedroom_train_lmdb"
    target.mkdir(parents=True)
    chance = np.random.default_rng(0)
    keys = sorted(bytes(chance.integers(0, 256, 20, np.uint8)).hex().encode() for _ in range(count))
    environment = lmdb.open(str(target), map_size=count * 16_384)
    with environment.begin(write=True) as transaction:
        for key in keys:
            transaction.put(key, bytes(3000), append=True)
    environment.close()
    return folder


def synthetic_tar(folder: Path, count: int) -> Path:
    """A tar of a hundred tars."""
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    with tarfile.open(folder / "ILSVRC2012_img_train.tar", "w") as outer:
        for kind in range(100):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for i in range(count // 100):
                    add(archive, f"n{kind:08d}_{i}.JPEG", buffer.getvalue())
            add(outer, f"n{kind:08d}.tar", inner.getvalue())
    return folder


def add(archive: tarfile.TarFile, name: str, value: bytes) -> None:
    """A file in a tar."""
    info = tarfile.TarInfo(name)
    info.size = len(value)
    archive.addfile(info, io.BytesIO(value))


if __name__ == "__main__":
    main()
