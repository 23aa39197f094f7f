"""Pictures as they are met in the field: with profiles, tags out of order, samples of few bits."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageCms


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))


def png(width: int, bits: int, color: int, row: bytes, transparent: bytes = b"") -> bytes:
    """A PNG of one row of samples as they are."""
    header = struct.pack(">IIBBBBB", width, 1, bits, color, 0, 0, 0)
    between = chunk(b"tRNS", transparent) if transparent else b""
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + between + pixels + chunk(b"IEND", b"")


def swapped_profile() -> bytes:
    """A matrix profile in which red and blue have changed places, so that nobody can overlook whether it was used."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", profile[128:132])
    for i in range(count):
        at = 132 + 12 * i
        if profile[at : at + 4] in (b"rXYZ", b"bXYZ"):
            profile[at : at + 4] = b"bXYZ" if profile[at : at + 4] == b"rXYZ" else b"rXYZ"
    return bytes(profile)


def gray_profile(gamma: float) -> bytes:
    """A profile of gray pixels, as ICC.1:2001-04 lays it out."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"gray\0" + bytes(78)
    held = [(b"desc", text), (b"wtpt", white), (b"kTRC", curve)]
    table, body, at = struct.pack(">I", len(held)), b"", 132 + 12 * len(held)
    for name, value in held:
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += padded
    head = bytearray(128)
    head[0:4] = struct.pack(">I", at + len(body))
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\x02\x10\0\0", b"mntr", b"GRAY", b"XYZ "
    head[36:40], head[68:80] = b"acsp", struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    return bytes(head) + table + body


def damaged_tiff() -> bytes:
    """A TIFF whose compressed bytes are damaged: libtiff has something to say about it."""
    data = bytearray(encoded(Image.effect_noise((64, 64), 90), "TIFF", compression="tiff_lzw"))
    data[60:90] = b"\xff" * 30
    return bytes(data)


def damaged_exif() -> bytes:
    """A red PNG of which Pillow warns that its EXIF data are damaged."""
    data, exif = encoded(Image.new("RGB", (16, 16), "red"), "PNG"), b"MM\0*\xff\xff\xff\xff" + bytes(3)
    return data[:33] + chunk(b"eXIf", exif) + data[33:]
