"""Train the attribute classifiers of the drawn faces that come with the package, and tell what their half precision costs.

    python benchmarks/face_classifiers.py [--sizes 64,32] [--count 10000] [--out pretrained/zoo_models] [--json]

For each size the faces are drawn and packed, and the classifier that any labeled dataset gets is trained on them (or comes
from the cache, where it was trained). `--out` writes it in half precision into `faces-classifier-SIZE`; the checksum of its
weights, printed as `sha256`, goes into `Faces.classifiers`. Both are measured on faces that neither has seen, the split
"test": `accuracy` (mean over attributes) in float32 and in half precision, and `agreement`, the proportion of most probable
values that are the same.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import zoo
from zoo.analysis.attribute_classifier import WEIGHTS, load_classifier, read_classifier, save_classifier
from zoo.analysis.labels import attribute_labels
from zoo.files import sha256
from zoo.packs import to_images
from zoo.progress import SILENT, reporter_for_terminal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="64,32")
    parser.add_argument("--count", type=int, default=10_000, help="faces to train on; a tenth as many are tested on")
    parser.add_argument("--out", type=Path, help="folder to write them into")
    parser.add_argument("--json", action="store_true", help="print only the JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sizes = [int(size) for size in given.sizes.split(",")]
        report = SILENT if given.json else reporter_for_terminal()
        found = {str(size): train(size, given.count, given.out or Path(temporary), report) for size in sizes}
    print(json.dumps(found))


def train(size: int, count: int, out: Path, report: Any) -> dict[str, Any]:
    request = zoo.PackRequest("faces", size=size, options={"count": count})
    pack = zoo.build_pack(request, report=report)
    begun = time.perf_counter()
    classifier = load_classifier(pack, report=report)
    seconds = time.perf_counter() - begun
    folder = out / f"faces-classifier-{size}"
    save_classifier(classifier, folder, dtype=torch.float16)
    tested = zoo.build_pack(zoo.PackRequest("faces", split="test", size=size, options={"count": count}), report=report)
    images, labels = to_images(tested.gather(torch.arange(len(tested)))), attribute_labels(tested)
    seen = [each.probabilities(images) for each in (classifier, read_classifier(folder))]
    values = [{name: p.argmax(1) for name, p in probabilities.items()} for probabilities in seen]
    right = [{name: float((v == labels[name]).float().mean()) for name, v in found.items()} for found in values]
    same = [float((values[0][name] == values[1][name]).float().mean()) for name in labels]
    return {
        "accuracy": round(sum(right[0].values()) / len(right[0]), 4),
        "accuracy_half": round(sum(right[1].values()) / len(right[1]), 4),
        "agreement": round(sum(same) / len(same), 5),
        "of_each_half": {name: round(value, 4) for name, value in right[1].items()},
        "tested": len(tested),
        "bytes": (folder / WEIGHTS).stat().st_size,
        "seconds": round(seconds, 1),
        "sha256": sha256(folder / WEIGHTS),
    }


if __name__ == "__main__":
    main()
