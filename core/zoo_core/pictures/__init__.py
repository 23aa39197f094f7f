"""The one door through which pictures are opened, and how any of them becomes plain gray or plain color.

What is opened here is a regular file, of a format that Pillow decodes by itself, and not so large that its pixels would take
the memory. `read_picture` is all that most need; who wants to look at a picture before its pixels are decoded calls
`open_picture`, then `as_plain`, within `guard`.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from PIL import Image

from .guarding import guard as guard
from .limits import MAX_PIXELS as MAX_PIXELS
from .limits import PictureError as PictureError
from .limits import ScaleError as ScaleError
from .limits import check as check
from .limits import explain as explain
from .opening import open_picture as open_picture
from .plain import as_bytes as as_bytes
from .plain import as_plain as as_plain
from .plain import orientation as orientation
from .profiles import Findings as Findings
from .profiles import changes_colors as changes_colors
from .profiles import to_srgb as to_srgb


def read_picture(source: str | os.PathLike[str] | bytes | BinaryIO | Image.Image) -> Image.Image:
    """Return a picture as it should be seen, with all its pixels, as "L" or "RGB": see `as_plain`.

    Raises:
        FileNotFoundError: there is no such file.
        PictureError: it cannot be read, for whatever reason, or should not be.
    """
    with guard():
        try:
            if isinstance(source, Image.Image):
                return as_bytes(as_plain(source))
            with open_picture(source) as opened:
                return as_bytes(as_plain(opened))
        except (PictureError, FileNotFoundError):
            raise
        except Exception as error:
            raise PictureError(explain(error)) from error
