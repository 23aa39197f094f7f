"""Spoil archives of pictures: each comes out as it was, or is left out with a reason, or one clear error is said.

    python benchmarks/fuzz/picture_archives.py [--tries N] [--seed S] [--only N] [--json]

Zips and tars (plain, gzip, bzip2, xz) with flipped, lost and repeated bytes, sizes that lie, bombs (an archive, a member, a
picture that inflates to gigabytes), names that lead elsewhere, links, pipes, encrypted and nested members, files of many
frames. The last line of standard output is one JSON object.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import struct
import sys
import tarfile
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import Difference, Target, Try, main, set_up
from mutating import BAD, change_bytes, change_file

set_up()

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from zoo.packs.workers import decode_chunk  # noqa: E402
from zoo_plugins.datasets.folder import Folder  # noqa: E402

COUNT, SIZE = 6, 8


def _squeeze(data: bytes) -> bytes:
    return gzip.compress(data, 1)


COMPRESS = {"": bytes, ".gz": _squeeze, ".bz2": bz2.compress, ".xz": lzma.compress}


def picture(i: int, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(i).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def prepare(folder: Path) -> dict[str, Any]:
    """Return name → pixels of the pictures that are put into archives."""
    os.environ["ZOO_CACHE"] = str(folder / "cache")
    (folder / "empty").mkdir()
    bomb(".gz"), bomb_png()  # which the processes of the tries inherit
    return {f"{'ab'[i % 2]}/{i}.png": np.asarray(Image.open(io.BytesIO(picture(i)))) for i in range(COUNT)}


@lru_cache
def bomb(suffix: str) -> bytes:
    """Return what inflates to more than any archive of pictures of its size may hold."""
    return COMPRESS[suffix](bytes((1 << 30) + (1 << 27) if suffix == ".gz" else 1 << 26))


@lru_cache
def bomb_png() -> bytes:
    """Return a small picture with a text of 128 MB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 27), 1))
    rows = chunk(b"IDAT", zlib.compress(bytes((SIZE * 3 + 1) * SIZE)))
    return b"\x89PNG\r\n\x1a\n" + head + text + rows + chunk(b"IEND", b"")


def wide_png(side: int) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((min(side, 60_000) // 8 + 1) * 100), 9)
    parts = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def frames(count: int) -> bytes:
    file = io.BytesIO()
    made = [Image.new("L", (SIZE, SIZE), i % 256) for i in range(count)]
    made[0].save(file, "GIF", save_all=True, append_images=made[1:])
    return file.getvalue()


def odd_members(draw: random.Random) -> dict[str, bytes]:
    """Return members that come to the others: name → bytes."""
    kinds = {
        "bomb.png": bomb_png,
        "wide.png": lambda: wide_png(draw.choice((20_000, 60_000, 2**31 - 1))),
        "frames.gif": lambda: frames(300),
        "zeros.png": lambda: bytes(64 << 20),
        "../../outside.png": lambda: picture(99),
        "/absolute.png": lambda: picture(99),
        f"{BAD}.png": lambda: picture(99),
        "empty.png": lambda: b"",
        "program.png": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "inner.zip": lambda: picture(99),
        "a/0.png": lambda: picture(98),  # the name of another one
        "a" * 300 + ".png": lambda: picture(99),
        "text.png": lambda: b"hello",
    }
    return {name: kinds[name]() for name in draw.sample(sorted(kinds), draw.choice((0, 1, 1, 2)))}


def make_zip(members: dict[str, bytes], draw: random.Random) -> bytes:
    file = io.BytesIO()
    method = draw.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    )
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("\0", "_"), data)
    return file.getvalue()


def lie_about_sizes(data: bytes, draw: random.Random) -> bytes:
    """Return a zip whose directory says other sizes than its members have."""
    changed, at = bytearray(data), data.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<I", changed, at + draw.choice((20, 24)), draw.choice((0, 1000, 2**31, 2**32 - 2)))
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def make_tar(members: dict[str, bytes], draw: random.Random) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=draw.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for kind in draw.sample((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE), draw.choice((0, 1))):
            info = tarfile.TarInfo("special.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return file.getvalue()


def attempt(folder: Path, draw: random.Random, known: dict[str, Any]) -> Try:
    plain = {name: picture(int(name[2:-4])) for name in known}
    odd = odd_members(draw)
    members, hows = {**plain, **odd}, [name[:20] for name in odd]
    if draw.random() < 0.5:
        data, name = make_zip(members, draw), "photos.zip"
        if draw.random() < 0.3:
            data, hows = lie_about_sizes(data, draw), [*hows, "sizes that lie"]
    else:
        suffix = draw.choice([*COMPRESS])
        data, name = COMPRESS[suffix](make_tar(members, draw)), f"photos.tar{suffix}"
        if draw.random() < 0.1:
            data, hows = bomb(suffix), ["a bomb"]
    if draw.random() < 0.6:
        data, how = change_bytes(data, draw)
        hows.append(how)
    file = folder / name
    file.write_bytes(data)
    checked = name.endswith(".zip")  # whose members have checksums
    if draw.random() < 0.08:
        hows.append(change_file(file, draw))

    def act() -> None:
        dataset = Folder(data=str(draw.choice((file, file, folder))))
        listing = dataset.listing()
        for record in listing.records:
            found = decode_chunk(dataset, [record], SIZE, 3)
            wanted = known.get(str(record.key).removeprefix("photos/"))
            same = not len(found.images) or wanted is None or np.array_equal(found.images[0], wanted)
            if checked and not same and "a/0.png" not in odd:
                raise Difference(f"{record.key} is another picture")

    return Try(f"{name}: {'; '.join(hows)}", act)


TARGET = Target("archives", prepare, attempt, fresh="empty")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=100))
