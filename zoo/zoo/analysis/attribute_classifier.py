"""The attribute classifier: a small network that tells what can be seen in a picture, and where.

It is trained on a labeled pack and cached by the pack's content. A tenth of the pack is held out, and the accuracy on it is
part of the classifier. Pictures of generators are blurrier and noisier than the pack's, so it is trained on such ones too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from zoo_core import DataError, UsageError

from ..devices import CPU, exact_float32, move_to
from ..documents import read_document
from ..files import atomic_folder, cache_folder, name_in_text, note_use
from ..packs import Pack, to_images
from ..progress import SILENT, Reporter
from ..randomness import generator_for, seeded
from ..schemas import ListOf, MapOf, Number, Whole
from .labels import Vocabulary, attribute_labels, vocabulary_of

INFO, WEIGHTS = "classifier.json", "classifier.safetensors"
DAMAGED = (DataError, OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)

VERSION = 2  # raised when the same pack would get another classifier
_SHARES = MapOf(Number(0))
_SCHEMA = {
    **{"attributes": MapOf(ListOf(str), least=1), "boxed": ListOf(str), "held_out?": Whole(0), "side?": Whole(0)},
    **{"accuracy?": _SHARES, "majority?": _SHARES, "overlap?": _SHARES},
}
SIDE = 64  # larger pictures are reduced to this
BATCH, EPOCHS, LEAST_STEPS, MOST_STEPS, RATE, BLOCK = 64, 5, 600, 1200, 2e-3, 256
TOLD = 20  # steps on a GPU after which the loss is shown
_STREAM = "judge"  # prefix of the names of its random streams; with another, other weights would be trained


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class AttributeNetwork(nn.Module):
    """Convolutions down to 4×4, one linear layer of 128 units (the embedding), and one linear layer for all values.

    Where there are boxes, a second branch says for each cell of a quarter-size map whether a box covers it.
    """

    def __init__(self, channels: int, values: int, boxed: int) -> None:
        super().__init__()
        self.low = nn.Sequential(_block(channels, 32, 2), _block(32, 64, 2))
        self.deep = nn.Sequential(_block(64, 128, 2), _block(128, 128))
        pooled = (nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(inplace=True))
        self.embed = nn.Sequential(_block(128, 128, 2), *pooled)
        self.values = nn.Linear(128, values)
        self.where = nn.Sequential(nn.Conv2d(192, 64, 1), nn.ReLU(inplace=True), nn.Conv2d(64, boxed, 1)) if boxed else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [N, C, S, S] in [−1, 1] → logits of all values [N, V], embedding [N, 128], logits of cells [N, B, S/4, S/4]."""
        low = self.low(x)
        deep = self.deep(low)
        embedding = self.embed(deep)
        cells = self.where(torch.cat([low, F.interpolate(deep, low.shape[-2:])], dim=1)) if self.where else low[:, :0]
        return self.values(embedding), embedding, cells


@dataclass(frozen=True)
class AttributeClassifier:
    """A trained classifier of what pictures show."""

    network: AttributeNetwork  # in evaluation mode; what it finds comes on the CPU
    attributes: Vocabulary  # attribute → names of its values
    boxed: tuple[str, ...]  # attributes that it can locate
    accuracy: Mapping[str, float] = field(default_factory=dict)  # attribute → proportion of held-out images classified right
    majority: Mapping[str, float] = field(default_factory=dict)  # and that have the commonest value: what guessing would get
    overlap: Mapping[str, float] = field(default_factory=dict)  # boxed attribute → mean IoU of cells found and cells covered
    held_out: int = 0  # how many images those were measured on
    side: int = 0  # of the pictures that it has learned from, as it looks at them; 0 where nobody wrote it down

    @property
    def channels(self) -> int:
        """Return 1 for gray pictures, 3 for color."""
        first = self.network.low[0][0]  # type: ignore[index]
        return int(first.in_channels)

    def probabilities(self, images: Tensor) -> dict[str, Tensor]:
        """Return attribute → probabilities [N, values] for images [N, C, S, S] in [−1, 1]."""
        parts = torch.split(self._forward(images)[0], list(map(len, self.attributes.values())), dim=1)
        return {name: part.softmax(1) for name, part in zip(self.attributes, parts, strict=True)}

    def embeddings(self, images: Tensor) -> Tensor:
        """Return the activations of the hidden layer for images: [N, 128], non-negative."""
        return self._forward(images)[1]

    def cells(self, images: Tensor, attribute: str) -> Tensor:
        """Return the probability [N, h, w] that each cell of a quarter-size map shows a boxed attribute.

        Raises:
            UsageError: the classifier's dataset has no boxes of it.
        """
        if attribute not in self.boxed:
            has = ", ".join(self.boxed) or "none"
            raise UsageError(f"the dataset has no boxes of {attribute!r}; it has boxes of: {has}")
        return self._forward(images)[2][:, self.boxed.index(attribute)].sigmoid()

    @torch.no_grad()
    def _forward(self, images: Tensor) -> list[Tensor]:
        place = next(self.network.parameters()).device
        with exact_float32():
            outputs = [self.network(shrink(move_to(part, place))) for part in torch.split(images, BLOCK)]
        return [torch.cat(parts).cpu() for parts in zip(*outputs, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the weights."""
        return {name: value for name, value in vars(self).items() if name != "network"}


def confidence(probabilities: Mapping[str, Tensor]) -> Tensor:
    """Return how sure a classifier is on the whole [N]: the mean over attributes of the greatest probability."""
    return torch.stack([p.amax(1) for p in probabilities.values()]).mean(0)


def measure_preservation(before: Mapping[str, Tensor], after: Mapping[str, Tensor], changed: set[str]) -> dict[str, float]:
    """Return attribute → proportion of images whose most probable value stays, for all but the attributes in `changed`.

    `before` holds probabilities [N, values], `after` those of the same images changed once or more in turn: [k · N, values].
    """
    values = {name: (before[name].argmax(1), after[name].argmax(1)) for name in before if name not in changed}
    return {name: float((new == old.repeat(len(new) // len(old))).float().mean()) for name, (old, new) in values.items()}


def shrink(images: Tensor) -> Tensor:
    """Return images no larger than the classifier looks at."""
    return images if images.shape[-1] <= SIDE else F.interpolate(images, size=(SIDE, SIDE), mode="area")


def load_classifier(pack: Pack, *, device: torch.device = CPU, report: Reporter = SILENT) -> AttributeClassifier:
    """Return the classifier of a labeled pack, on a device: from the cache, or trained there now (minutes on a laptop).

    Each kind of device has its own: kernels round differently, and a training makes much of that.

    Raises:
        UsageError: the pack has no labels.
        DataError: it has too few images to learn from.
        ZooError: the cache cannot be written.
    """
    attributes = vocabulary_of(pack)
    kind = "" if device.type == "cpu" else f" {device.type}"
    key = hashlib.sha256(f"classifier {VERSION} {pack.key}{kind}".encode()).hexdigest()
    folder = cache_folder("classifiers") / f"{pack.path.name.rpartition('-')[0] or 'classifier'}-{key[:16]}"
    if (folder / INFO).is_file():
        try:
            found = replace(read_classifier(folder, device), side=min(SIDE, pack.spec.size))
            note_use(folder)
            return found
        except DAMAGED as error:
            report.warn(f"the classifier in {folder} is damaged ({error}); it is trained again")
    report.note(f"training a classifier of {', '.join(attributes)} on {len(pack):,} labeled images; it is kept in the cache")
    classifier = _train(pack, attributes, device, report)
    save_classifier(classifier, folder)
    return classifier


def save_classifier(classifier: AttributeClassifier, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a classifier into a folder, whole or not at all; raises `ZooError` where it cannot be written."""
    with atomic_folder(folder, replace=True) as new:
        state = classifier.network.state_dict()
        weights = {
            name: tensor.cpu().to(dtype) if tensor.is_floating_point() else tensor.cpu() for name, tensor in state.items()
        }
        save_file(weights, new / WEIGHTS)
        (new / INFO).write_text(json.dumps(classifier.to_json(), indent=2) + "\n", encoding="utf-8")


def read_classifier(folder: Path, device: torch.device = CPU) -> AttributeClassifier:
    """Return the classifier that a folder holds, in float32; raises one of `DAMAGED` where it does not hold one."""
    info = read_document(folder / INFO, _SCHEMA, error=DataError, ours=True)
    info |= {"attributes": {name: tuple(v) for name, v in info["attributes"].items()}, "boxed": tuple(info["boxed"])}
    with name_in_text(folder / WEIGHTS) as name:
        weights = load_file(name)
    channels = weights["low.0.0.weight"].shape[1]
    network = AttributeNetwork(channels, sum(map(len, info["attributes"].values())), len(info["boxed"]))
    network.load_state_dict(weights)
    return AttributeClassifier(network.eval().to(device), **info)


def _train(pack: Pack, attributes: Vocabulary, device: torch.device, report: Reporter) -> AttributeClassifier:
    if len(pack) < 20:
        raise DataError(f"{len(pack)} labeled images are too few to learn from; the least is 20")
    order = torch.randperm(len(pack), generator=generator_for(0, f"{_STREAM} split"))
    count = min(2000, len(pack) // 10)
    held_out, fitted = order[:count], order[count:]
    labels, boxed = attribute_labels(pack), tuple(pack.boxes)
    with seeded(0, f"{_STREAM} weights"):
        network = AttributeNetwork(pack.spec.channels, sum(map(len, attributes.values())), len(boxed))
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = min(MOST_STEPS, max(LEAST_STEPS, EPOCHS * len(fitted) // BATCH))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    rng = generator_for(0, f"{_STREAM} batches")
    noise = torch.Generator(device).manual_seed(rng.initial_seed()) if device.type == "cuda" else rng
    with report.task("training the classifier", steps * BATCH, "images") as task, exact_float32():
        for step in range(steps):
            batch = fitted[torch.randint(len(fitted), (BATCH,), generator=rng)]
            images, shifts = augment(shrink(to_images(move_to(pack.gather(batch), device))), rng, noise)
            logits, _, cells = network(images)
            loss = torch.zeros((), device=device)
            for name, part in zip(attributes, torch.split(logits, list(map(len, attributes.values())), dim=1), strict=True):
                target = labels[name][batch]
                if bool((target >= 0).any()):
                    loss = loss + F.cross_entropy(part, move_to(target, device), ignore_index=-1)
            if boxed:
                covered = move_to(_covered_cells(pack, batch, cells.shape[-1], shifts), device)
                loss = loss + 3 * F.binary_cross_entropy_with_logits(cells, covered)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            if device.type == "cpu" or step % TOLD == 0:  # reading the loss waits for the device
                task.update((step + 1) * BATCH, loss=f"{float(loss.detach()):.2f}")
    network.eval().to(memory_format=torch.contiguous_format)
    return _evaluate(
        AttributeClassifier(network, attributes, boxed, held_out=len(held_out), side=min(SIDE, pack.spec.size)),
        pack,
        held_out,
    )


def _evaluate(classifier: AttributeClassifier, pack: Pack, held_out: Tensor) -> AttributeClassifier:
    """Return the classifier with its accuracy on held-out images."""
    place = next(classifier.network.parameters()).device
    images, labels = to_images(move_to(pack.gather(held_out), place)), attribute_labels(pack)
    accuracy, majority, overlap = {}, {}, {}
    for name, p in classifier.probabilities(images).items():
        target = labels[name][held_out]
        known = target >= 0
        if bool(known.any()):
            accuracy[name] = round(float((p.argmax(1) == target)[known].float().mean()), 4)
            majority[name] = round(float(target[known].bincount().max() / known.sum()), 4)
    for i, name in enumerate(classifier.boxed):
        found = classifier.cells(images, name) > 0.5
        covered = _covered_cells(pack, held_out, found.shape[-1], torch.zeros(len(held_out), 2))[:, i] > 0.5
        there = covered.any((1, 2))
        if bool(there.any()):
            each = (found & covered).sum((1, 2)) / (found | covered).sum((1, 2)).clamp(min=1)
            overlap[name] = round(float(each[there].mean()), 4)
    return replace(classifier, accuracy=accuracy, majority=majority, overlap=overlap)


def _covered_cells(pack: Pack, ids: Tensor, cells: int, shifts: Tensor) -> Tensor:
    """Return whether a box covers each cell's middle, 0 or 1: [n, boxed, cells, cells]; `shifts` [n, 2] moved the images."""
    boxes = torch.stack([table[ids] for table in pack.boxes.values()], dim=1).float()  # [n, B, 4]
    there = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 0] >= 0)
    side = min(SIDE, pack.spec.size)
    boxes = boxes * (side / pack.spec.size) + shifts.repeat(1, 2)[:, None]
    middle = (torch.arange(cells) + 0.5) * (side / cells)
    inside = (middle >= boxes[..., :2, None]) & (middle < boxes[..., 2:, None])  # [n, B, 2, cells]
    return (inside[:, :, 1, :, None] & inside[:, :, 0, None] & there[..., None, None]).float()


def augment(images: Tensor, rng: torch.Generator, noise_rng: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Move images [N, C, S, S] by up to a thirty-second of their side, blur some, add noise; return them and the shifts.

    The shifts [N, 2] are in pixels, to the right and down, on the CPU; `rng` is the CPU's. So many numbers as the noise has
    are better drawn where the images are: by `noise_rng`.
    """
    from torchvision.transforms.v2 import functional as TF  # takes seconds to import, and only training needs it

    (n, channels, side, _), place = images.shape, images.device
    reach = side // 32
    shifts = torch.randint(-reach, reach + 1, (n, 2), generator=rng)
    padded = TF.pad(images, [reach], padding_mode="edge")
    columns, rows = (torch.arange(side) + (reach - shifts)[..., None]).unbind(1)  # [n, side], of the padded images
    places = move_to((rows[:, :, None] * padded.shape[-1] + columns[:, None]).view(n, 1, -1), place)
    images = padded.flatten(2).gather(2, places.expand(-1, channels, -1)).view(images.shape)
    blur = torch.rand(n, 1, 1, 1, generator=rng) * (torch.rand(n, 1, 1, 1, generator=rng) < 0.5)
    blurred = F.avg_pool2d(TF.pad(images, [1], padding_mode="edge"), 3, 1)
    draws = noise_rng or rng
    noise = move_to(torch.randn(images.shape, generator=draws, device=draws.device), place)
    noise = noise * 0.15 * move_to(torch.rand(n, 1, 1, 1, generator=rng), place)
    return images.lerp(blurred, move_to(blur, place)) + noise, shifts.float()
