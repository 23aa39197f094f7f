"""Street View House Numbers, cropped digits, as the official .mat files (Netzer et al. 2011)."""

from __future__ import annotations

import zlib
from typing import Annotated

import numpy as np

from zoo_core.datasets import Listing
from zoo_core.errors import DataError

from .arrays import ArrayDataset, ArrayRecords
from .matlab import read_arrays
from .sources import Origin, check_split

ORIGIN = Origin(
    "SVHN",
    "http://ufldl.stanford.edu/housenumbers/, there format 2: train_32x32.mat, test_32x32.mat, extra_32x32.mat",
    "train: 182 MB, 73,257 pictures of 32×32; test: 64 MB, 26,032; extra: 1.3 GB, 531,131",
    "a folder with train_32x32.mat and the like, or one of these files",
)
_SPLITS = ("train", "test", "extra")
_MOST_BYTES = 4 << 30  # two and a half times the largest split


class SVHN(ArrayDataset):
    """Digits from house numbers, 32×32 in color, with the digit as label.

    The files are MATLAB's version 5. The whole array is held in memory.

    Raises:
        DataError: no file of that split, or one that is damaged.
    """

    default_channels = 3
    license = "non-commercial use only (http://ufldl.stanford.edu/housenumbers/)"
    credit = "SVHN, Netzer et al. 2011 (http://ufldl.stanford.edu/housenumbers/)"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds train_32x32.mat"] = None,
        split: Annotated[str, "'train', 'test' or 'extra'"] = "train",
    ) -> None:
        super().__init__(data=data, split=split)
        check_split("SVHN", split, _SPLITS)

    def listing(self) -> Listing:
        data = ORIGIN.existing(self.data)
        name = f"{self.split}_32x32.mat"
        path = data / name if data.is_dir() else data
        if path.name != name or not path.is_file():
            raise ORIGIN.wrong(data, looked_for=name)
        try:
            held = read_arrays(path, ("X", "y"), _MOST_BYTES)
            pixels, digits = held["X"], held["y"].reshape(-1)
        except KeyError as error:
            raise DataError(f"{path} is no SVHN file: it holds no array {error}", hint="download it again") from error
        except (ValueError, EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path} is no SVHN file, or cut short: {error}", hint="download it again") from error
        if pixels.dtype != np.uint8 or pixels.shape[:3] != (32, 32, 3) or pixels.ndim != 4 or len(digits) != pixels.shape[3]:
            raise DataError(
                f"{path} holds X {list(pixels.shape)} of {pixels.dtype} and {len(digits)} labels; "
                "expected X [32, 32, 3, N] of uint8 and N labels"
            )
        labels = digits.astype(np.int64) % 10  # the files call the digit 0 "10"
        return Listing(ArrayRecords(pixels.transpose(3, 0, 1, 2), labels, self.split), classes=tuple("0123456789"))
