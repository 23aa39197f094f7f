"""Draw the picture of the README: a few samples of every trained model that is installed, side by side, none of them chosen.

    python .ci/picture.py                              # docs/images/models.png, of all models that `zoo list models` shows
    python .ci/picture.py --models dcgan-faces,mlp-faces --out models.png

Samples 0, 1, 2, … of seed 0 in a square for each model, its name below. The ground is transparent, for light and dark pages.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

import zoo
from zoo_core import registry

OUT = Path(__file__).resolve().parent.parent / "docs" / "images" / "models.png"
SIDE = 64  # pixels of each sample; smaller ones are enlarged by a whole number, larger ones reduced
GAP, BETWEEN, LABEL = 2, 18, 26
INK = (128, 128, 128, 255)  # readable on white and on black


def draw_model(name: str, side: int) -> Image.Image:
    """Return side × side samples of a model with its name below."""
    model = zoo.load(name)
    pictures = zoo.to_pictures(model.sample(side * side, seed=0))
    width = side * (SIDE + GAP) - GAP
    block = Image.new("RGBA", (width, width + LABEL))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, side)
        method = Image.Resampling.NEAREST if picture.width < SIDE else Image.Resampling.LANCZOS
        small = picture.convert("RGB").resize((SIDE, SIDE), method)
        block.paste(small, (column * (SIDE + GAP), row * (SIDE + GAP)))
    font = ImageFont.load_default(13)
    ImageDraw.Draw(block).text((width / 2, width + LABEL / 2), name, INK, font, anchor="mm")
    return block


def draw(names: list[str], columns: int, side: int) -> Image.Image:
    """Return the blocks of several models, as many in a row as fit best into `columns`."""
    blocks = [draw_model(name, side) for name in names]
    rows = math.ceil(len(blocks) / columns)
    columns = math.ceil(len(blocks) / rows)
    width, height = blocks[0].size
    sheet = Image.new("RGBA", (columns * (width + BETWEEN) - BETWEEN, rows * (height + BETWEEN) - BETWEEN))
    for number, block in enumerate(blocks):
        row, column = divmod(number, columns)
        sheet.paste(block, (column * (width + BETWEEN), row * (height + BETWEEN)))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="", help="names with commas between; all of them otherwise")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--columns", type=int, default=4, help="most models in a row")
    parser.add_argument("--side", type=int, default=3, help="so many samples in each direction")
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = given.models.split(",") if given.models else [entry.name for entry in registry.entries("models")]
    sheet = draw(names, given.columns, given.side)
    sheet.save(given.out, optimize=True)
    print(f"{given.out}: {len(names)} models, {sheet.width} × {sheet.height} pixels, {given.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
