"""What becomes of odd files in a pack: nothing may crash, hang, start a program, print, or come out as another picture.

    python benchmarks/odd_files.py --data DIR [--json]

DIR holds odd files of any kind, at any depth; Pillow's own tests are a good collection (`Tests/images` of its source
package). Each file goes alone, whatever its name, through the decoder of packs, in a process of its own with limits of time
and memory. Where it decodes, and a reader that is written here as plainly as can be decodes it too, the pixels are compared:
the mean absolute difference may be 2 of 255, and 6 for JPEGs, which packs decode at a reduced scale.

The last line of standard output is one JSON object: how many files there were, were decoded, skipped and compared, and the
names of those with which something went wrong. The exit code is 1 where there are such.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from zoo.packs.workers import decode_chunk
from zoo_core import FileDataset, Record

SECONDS, MEMORY = 20, 4 << 30  # that a file may take
TOLERANCE, REDUCED_TOLERANCE = 2.0, 6.0
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.startfile")  # what Python's audit calls them


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    files = sorted(path for path in given.data.rglob("*") if path.is_file())
    decode_chunk(
        FileDataset(data=str(given.data)), [], given.size, 3
    )  # whatever is loaded late is loaded now, and inherited
    Image.init()
    start, found = time.monotonic(), [judge(path, given.size) for path in files]
    problems: dict[str, list[str]] = {name: [] for name in ("crashed", "hung", "programs", "printed", "differ")}
    reasons: collections.Counter[str] = collections.Counter()
    worst: dict[str, float] = {}
    for path, result in zip(files, found, strict=True):
        name = path.relative_to(given.data).as_posix()
        for problem in problems:
            if result.get(problem):
                problems[problem].append(f"{name}: {result[problem]}")
        if "reason" in result:
            reasons[result["reason"]] += 1
        if "difference" in result:
            worst[name] = result["difference"]
    if not given.json:
        for reason, count in reasons.most_common(20):
            print(f"{count:5}  {reason}")
        for problem, names in problems.items():
            print(f"{problem}: {len(names)}", *names, sep="\n  ")
    summary: dict[str, Any] = {
        "files": len(files),
        "decoded": sum(bool(result.get("decoded")) for result in found),
        "skipped": sum(reasons.values()),
        "compared": len(worst),
        "only_the_reference_decodes": [
            f"{path.relative_to(given.data).as_posix()}: {result['reason']}"
            for path, result in zip(files, found, strict=True)
            if "reason" in result and result.get("reference")
        ],
        **problems,
        "worst": sorted(worst.items(), key=lambda item: -item[1])[:5],
        "mean": round(float(np.mean([*worst.values()])), 3) if worst else None,
        "seconds": round(time.monotonic() - start, 1),
    }
    print(json.dumps(summary))
    return 1 if any(problems.values()) else 0


def judge(path: Path, size: int) -> dict[str, Any]:
    """Decode a file in a process that may die or be ended; tell what happened."""
    context = multiprocessing.get_context("fork")  # a new interpreter for each would take minutes to start
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=decode, args=(path, size, send))
    process.start()
    send.close()
    result: dict[str, Any] = {}
    try:
        while receive.poll(SECONDS):
            result |= receive.recv()
            if "done" in result:
                break
        else:
            result["hung"] = f"after {SECONDS} s"
    except EOFError:
        pass
    if "hung" in result:
        process.kill()
    process.join()
    if "done" not in result and "hung" not in result:
        result["crashed"] = f"exit code {process.exitcode}"
    return result


def decode(path: Path, size: int, send: Connection) -> None:
    """Send what the pack's decoder makes of a file, then what the reference says about it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    started: list[str] = []
    sys.addaudithook(lambda event, details: started.append(event) if event in PROGRAMS else None)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        dataset, record = FileDataset(data=str(path.parent)), Record(path.name, source=path.name)
        chunk = decode_chunk(dataset, [record], size, 3)
        sys.stdout.flush()
        sys.stderr.flush()
        said.seek(0)
        printed = said.read().decode(errors="replace")[:200]
        send.send({"programs": ", ".join(started), "printed": printed, "decoded": not chunk.skipped})
        if chunk.skipped:
            send.send({"reason": chunk.skipped[0]})
        try:
            expected, reduced = reference(path, size)
        except Exception:  # any file may be odd in a way that only the zoo reads, or nobody
            send.send({"done": True, "why": traceback.format_exc(limit=-1)})
            return
        send.send({"reference": True})
        if not chunk.skipped:
            # channel by channel, as a gray picture with one odd channel would else be three quarters right
            difference = float(np.abs(chunk.images[0].astype(float) - expected).mean((0, 1)).max())
            send.send({"difference": round(difference, 3)})
            if difference > (REDUCED_TOLERANCE if reduced else TOLERANCE):
                send.send({"differ": f"by {difference:.1f} of 255"})
        send.send({"done": True})


def reference(path: Path, size: int) -> tuple[np.ndarray, bool]:
    """The central square of a picture, [S, S, 3], and whether it is a JPEG: as plainly as Pillow lets one say it."""
    Image.init()
    known = [name for name in Image.OPEN if name not in ("EPS", "WMF", "IPTC")]
    with Image.open(path, formats=known) as image:
        if min(image.size) < max(2, size / 8) or image.width * image.height > 178_956_970:
            raise ValueError("of no use")
        jpeg, profile, clear = image.format in ("JPEG", "MPO"), image.info.get("icc_profile"), image.info.get("transparency")
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith(("I", "F")):
            values = np.asarray(image).astype(float)
            most = 65535 if image.mode != "F" else 1 if values.max() <= 1 else 255
            if not (values.min() >= 0 and values.max() <= most):
                raise ValueError("on an unknown scale")
            if isinstance(clear, int):
                values[np.asarray(image) == clear] = most
            image = Image.fromarray((values * 255 / most).astype(np.float32))
            return np.repeat(_cut(image, size).clip(0, 255)[:, :, None], 3, 2), jpeg
        if image.mode == "La":
            image = image.convert("LA")
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        color = image if image.mode in ("CMYK", "LAB", "L") else image.convert("RGBA").convert("RGB") if alpha else image
        color = color if color.mode in ("CMYK", "LAB", "L", "RGB") else color.convert("RGB")
        if profile:
            color = _in_srgb(color, profile)
        color = color.convert("RGB")
        if alpha is not None:
            white = Image.new("RGB", color.size, "white")
            white.paste(color, mask=alpha)
            color = white
    return _cut(color, size), jpeg


def _cut(image: Image.Image, size: int) -> np.ndarray:
    """The central square, which may begin in the middle of a pixel."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box)).astype(float)


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() == "RGB":
            image = image.convert("RGB")
        converted = ImageCms.profileToProfile(image, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except Exception:  # a damaged profile, or one for other pixels
        return image
    assert converted is not None
    return converted


if __name__ == "__main__":
    sys.exit(main())
