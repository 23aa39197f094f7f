"""What a file is whose name says picture and whose bytes do not, told by how it begins."""

from __future__ import annotations

import re
from typing import NamedTuple

UNKNOWN = "not a picture, or of a format that cannot be read"
HEIF_HINT = "pip install 'dcgan-zoo[heif]'"
LFS = b"version https://git-lfs.github.com/spec/"

_PROGRAM = "is not read: it would need another program"
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (LFS, "not the picture but its pointer in Git LFS; to get what it stands for: git lfs pull"),
    (b"%!PS", f"EPS {_PROGRAM}"),
    (b"\xc5\xd0\xd3\xc6", f"EPS {_PROGRAM}"),
    (b"%PDF", f"PDF {_PROGRAM}"),
    (b"\xd7\xcd\xc6\x9a", f"WMF {_PROGRAM}"),
    (b"\x01\0\x09\0", f"WMF {_PROGRAM}"),
    (b"PK\x03\x04", "a zip archive, not a picture"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not a picture"),
    (b"Rar!\x1a\x07", "a RAR archive, not a picture"),
    (b"\x1f\x8b", "compressed by gzip, not a picture"),
    (b"\x1a\x45\xdf\xa3", "a video, not a picture"),
    (b"\0\0\x01\xba", "a video, not a picture"),
    (b"\0\0\x01\xb3", "a video, not a picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture, which is not read"),
    (b"\xff\x0a", "a JPEG XL picture, which is not read"),
    (b"\x93NUMPY", "a NumPy array, not a picture"),
)


class Kind(NamedTuple):
    """What a file is."""

    words: str
    heif: bool = False


def identify(head: bytes) -> Kind:
    """Return what a file is that begins with these bytes, up to 512 of them, and that Pillow does not know."""
    if not head:
        return Kind("not a picture: the file is empty")
    if not head.strip(b"\0"):
        return Kind("not a picture: the file begins with nothing but zeros")
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning):
            return Kind(words)
    if head[4:8] == b"ftyp":
        return _identify_container(head)
    if head[:4] == b"\x01\0\0\0" and head[40:44] == b" EMF":
        return Kind(f"EMF {_PROGRAM}")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Kind("a video, not a picture")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Kind("a web page, not a picture: perhaps a download that failed")
    if text.startswith(b"<") and re.search(rb"<svg[\s>]|<!doctype svg", text):
        return Kind("SVG is not read: it is no picture of pixels")
    return Kind(UNKNOWN)


def _identify_container(head: bytes) -> Kind:
    """Return what a file of ISO's base media format is, by its brands."""
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), len(head) - 3), 4))}
    if brands & {b"avif", b"avis"}:
        return Kind("an AVIF picture, which this Pillow cannot read; type: pip install --upgrade Pillow")
    if brands & {*_HEIF_BRANDS}:
        return Kind(f"a HEIC picture, which needs one more package; type: {HEIF_HINT}", heif=True)
    if head[8:11] == b"crx":
        return Kind("a camera's raw picture (CR3), which is not read")
    return Kind("a video, not a picture")
