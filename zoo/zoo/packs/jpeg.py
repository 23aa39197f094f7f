"""Small JPEG files without Pillow's reading of their metadata, which takes longer than their pixels.

The pixels are Pillow's: its decoder is given the whole file. Only what decides about them is read here (ITU-T T.81, annex B:
segments of a marker, a length and its bytes, until the scan begins); a file with anything else, color profiles or EXIF data
or four channels, is left to Pillow altogether. Worker processes import this module, so it imports no torch.
"""

from __future__ import annotations

from PIL import Image

_START, _SCAN = b"\xff\xd8\xff", 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, in Huffman code
_HARMLESS = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xFE))  # tables, restart interval, JFIF, a comment
_MODES = {1: "L", 3: "RGB"}


def header(data: bytes) -> tuple[int, int, str] | None:
    """Width, height and mode ("L" or "RGB") of a JPEG file that has nothing but pixels, None for any other."""
    if data[:3] != _START:
        return None
    found, at = None, 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _SCAN:
            return found
        if marker in _FRAMES and found is None:
            mode = _MODES.get(data[at + 9])
            height, width = data[at + 5] << 8 | data[at + 6], data[at + 7] << 8 | data[at + 8]
            if data[at + 4] != 8 or mode is None or not (width and height):
                return None
            found = (width, height, mode)
        elif marker not in _HARMLESS:
            return None
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def pixels(data: bytes, width: int, height: int, mode: str) -> Image.Image | None:
    """Return the whole picture, None for a damaged file: Pillow tells what is wrong with it."""
    try:
        return Image.frombytes(mode, (width, height), data, "jpeg", mode, "")
    except (ValueError, OSError):
        return None
