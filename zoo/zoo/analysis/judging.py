"""The attribute judge: a small network that tells what can be seen in a picture, and where.

It is trained on a labeled pack and cached by the pack's content. A tenth of the pack is held out, and the accuracy on it is
part of the judge. Pictures of generators are blurrier and noisier than the pack's, so it is trained on altered ones too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from zoo_core import DataError, UsageError

from ..files import atomic_folder, cache_folder
from ..packs import Pack, to_images
from ..progress import Reporter
from ..randomness import generator_for, seeded

VERSION = 2
"""Raised when the same pack would get another judge."""

CLASS = "class"
"""The name under which a dataset's classes count as an attribute."""

SIDE = 64
"""Larger pictures are reduced to this."""

BATCH, EPOCHS, LEAST_STEPS, MOST_STEPS = 64, 5, 600, 1200
RATE, BLOCK = 2e-3, 256
_SILENT = Reporter()


def attributes_of(pack: Pack) -> dict[str, tuple[str, ...]]:
    """What a pack's images are labeled with: attribute → names of its values. Classes are the attribute "class".

    Raises:
        UsageError: they have no labels.
    """
    found = {name: tuple(values) for name, values in pack.info["attributes"].items()}
    if pack.labels is not None and len(pack.info["classes"]) > 1:
        found[CLASS] = tuple(pack.info["classes"])
    if not found:
        name = pack.info["dataset"]["name"].partition(":")[2]
        raise UsageError(
            f"the images of dataset {name!r} have no labels, so nothing can learn to judge them",
            hint="choose a labeled dataset (--dataset faces), or give --data a folder with one sub-folder for each label",
        )
    return found


def labels_of_pack(pack: Pack) -> dict[str, Tensor]:
    """Attribute → int64 [N], index of each image's value, −1 where nobody knows it."""
    return {
        name: pack.labels if name == CLASS and name not in pack.attributes else pack.attributes[name]  # type: ignore[misc]
        for name in attributes_of(pack)
    }


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class AttributeNetwork(nn.Module):
    """Convolutions down to 4×4, one linear layer of 128 units (the embedding), and one linear layer for all values.

    Where there are boxes, a second branch says for each cell of a quarter-size map whether a box covers it.
    """

    def __init__(self, channels: int, values: int, boxed: int) -> None:
        super().__init__()
        self.low = nn.Sequential(_block(channels, 32, 2), _block(32, 64, 2))
        self.deep = nn.Sequential(_block(64, 128, 2), _block(128, 128))
        self.embed = nn.Sequential(
            _block(128, 128, 2), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(inplace=True)
        )
        self.values = nn.Linear(128, values)
        self.where = nn.Sequential(nn.Conv2d(192, 64, 1), nn.ReLU(inplace=True), nn.Conv2d(64, boxed, 1)) if boxed else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """x [N, C, S, S] in [−1, 1] → logits of all values [N, V], embedding [N, 128], logits of cells [N, B, S/4, S/4]."""
        low = self.low(x)
        deep = self.deep(low)
        embedding = self.embed(deep)
        cells = None
        if self.where is not None:
            cells = self.where(torch.cat([low, F.interpolate(deep, size=low.shape[-2:])], dim=1))
        return self.values(embedding), embedding, cells


@dataclass(frozen=True)
class AttributeClassifier:
    """A trained judge.

    Args:
        network: in evaluation mode, on the CPU.
        attributes: attribute → names of its values.
        boxed: attributes that it can locate.
        accuracy: attribute → share of held-out images that it judges right.
        majority: attribute → share of held-out images that have the commonest value: what guessing would get.
        overlap: boxed attribute → mean overlap (intersection over union) of cells found and cells covered, held out.
        held_out: how many images that was measured on.
    """

    network: AttributeNetwork
    attributes: Mapping[str, tuple[str, ...]]
    boxed: tuple[str, ...]
    accuracy: Mapping[str, float]
    majority: Mapping[str, float]
    overlap: Mapping[str, float]
    held_out: int

    def probabilities(self, images: Tensor) -> dict[str, Tensor]:
        """Attribute → probabilities [N, values] for images [N, C, S, S] in [−1, 1]."""
        logits = torch.cat([self._seen(part)[0] for part in torch.split(images, BLOCK)])
        parts = torch.split(logits, [len(values) for values in self.attributes.values()], dim=1)
        return {name: part.softmax(1) for name, part in zip(self.attributes, parts, strict=True)}

    def embeddings(self, images: Tensor) -> Tensor:
        """What the judge sees in images, before it names it: [N, 128], non-negative."""
        return torch.cat([self._seen(part)[1] for part in torch.split(images, BLOCK)])

    def cells(self, images: Tensor, attribute: str) -> Tensor:
        """The probability [N, h, w] that each cell of a quarter-size map shows a boxed attribute.

        Raises:
            UsageError: the judge's dataset has no boxes of it.
        """
        if attribute not in self.boxed:
            raise UsageError(
                f"the dataset has no boxes of {attribute!r}; it has boxes of: {', '.join(self.boxed) or 'none'}"
            )
        found = []
        for part in torch.split(images, BLOCK):
            cells = self._seen(part)[2]
            assert cells is not None
            found.append(cells[:, self.boxed.index(attribute)].sigmoid())
        return torch.cat(found)

    @torch.no_grad()
    def _seen(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        seen: tuple[Tensor, Tensor, Tensor | None] = self.network(fitted(images))
        return seen

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the weights."""
        return {
            "attributes": {name: list(values) for name, values in self.attributes.items()},
            "boxed": list(self.boxed),
            "accuracy": dict(self.accuracy),
            "majority": dict(self.majority),
            "overlap": dict(self.overlap),
            "held_out": self.held_out,
        }


def clearness(judged: Mapping[str, Tensor]) -> Tensor:
    """How sure a judge is on the whole [N]: the mean over attributes of the greatest probability. Blends are unclear."""
    return torch.stack([p.amax(1) for p in judged.values()]).mean(0)


def fitted(images: Tensor) -> Tensor:
    """Images no larger than the judge looks at."""
    if images.shape[-1] <= SIDE:
        return images
    return F.interpolate(images, size=(SIDE, SIDE), mode="area")


def classifier_of(pack: Pack, *, report: Reporter = _SILENT) -> AttributeClassifier:
    """The judge of a labeled pack: from the cache, or trained now (a few minutes on a laptop's processor).

    Raises:
        UsageError: the pack has no labels.
        DataError: it has too few images to learn from.
        ZooError: the cache cannot be written.
    """
    attributes = attributes_of(pack)
    key = hashlib.sha256(f"judge {VERSION} {pack.key}".encode()).hexdigest()
    folder = cache_folder("judges") / f"{pack.path.name.rpartition('-')[0] or 'judge'}-{key[:16]}"
    if (folder / "judge.json").is_file():
        try:
            return _read(folder, pack.spec.channels)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            report.warn(f"the judge in {folder} is damaged ({error}); it is trained again")
    report.note(f"training a judge of {', '.join(attributes)} on {len(pack):,} labeled images; it is kept in the cache")
    judge = _train(pack, attributes, report)
    with atomic_folder(folder, replace=True) as new:
        save_file({name: t.contiguous() for name, t in judge.network.state_dict().items()}, new / "judge.safetensors")
        (new / "judge.json").write_text(json.dumps(judge.to_json(), indent=2) + "\n", encoding="utf-8")
    return judge


def _read(folder: Path, channels: int) -> AttributeClassifier:
    info = json.loads((folder / "judge.json").read_text(encoding="utf-8"))
    attributes = {name: tuple(values) for name, values in info.pop("attributes").items()}
    boxed = tuple(info.pop("boxed"))
    network = AttributeNetwork(channels, sum(map(len, attributes.values())), len(boxed))
    network.load_state_dict(load_file(folder / "judge.safetensors"))
    return AttributeClassifier(network.eval(), attributes, boxed, **info)


def _train(pack: Pack, attributes: Mapping[str, tuple[str, ...]], report: Reporter) -> AttributeClassifier:
    if len(pack) < 20:
        raise DataError(f"{len(pack)} labeled images are too few to learn from; the least is 20")
    order = torch.randperm(len(pack), generator=generator_for(0, "judge split"))
    held, seen = order[: min(2000, len(pack) // 10)], order[min(2000, len(pack) // 10) :]
    labels, boxed = labels_of_pack(pack), tuple(pack.boxes)
    with seeded(0, "judge weights"):
        network = AttributeNetwork(pack.spec.channels, sum(map(len, attributes.values())), len(boxed))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = min(MOST_STEPS, max(LEAST_STEPS, EPOCHS * len(seen) // BATCH))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    rng = generator_for(0, "judge batches")
    sizes = [len(values) for values in attributes.values()]
    network.train()
    with report.task("training the judge", steps * BATCH, "images") as task:
        for step in range(steps):
            chosen = seen[torch.randint(len(seen), (BATCH,), generator=rng)]
            images, moved = augment(fitted(to_images(pack.gather(chosen))), rng)
            logits, _, cells = network(images)
            loss = torch.zeros(())
            for name, part in zip(attributes, torch.split(logits, sizes, dim=1), strict=True):
                target = labels[name][chosen]
                if bool((target >= 0).any()):
                    loss = loss + F.cross_entropy(part, target, ignore_index=-1)
            if cells is not None:
                covered = _covered(pack, chosen, cells.shape[-1], moved)
                loss = loss + 3 * F.binary_cross_entropy_with_logits(cells, covered)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            task.update((step + 1) * BATCH, loss=f"{float(loss.detach()):.2f}")
    judge = AttributeClassifier(
        network.eval().to(memory_format=torch.contiguous_format), attributes, boxed, {}, {}, {}, len(held)
    )
    return _measured(judge, pack, held, labels)


def _measured(judge: AttributeClassifier, pack: Pack, held: Tensor, labels: Mapping[str, Tensor]) -> AttributeClassifier:
    """The judge with what the held-out images say about it."""
    images = to_images(pack.gather(held))
    accuracy, majority, overlap = {}, {}, {}
    for name, p in judge.probabilities(images).items():
        target = labels[name][held]
        known = target >= 0
        if not bool(known.any()):
            continue
        accuracy[name] = round(float((p.argmax(1) == target)[known].float().mean()), 4)
        majority[name] = round(float(target[known].bincount().max() / known.sum()), 4)
    for i, name in enumerate(judge.boxed):
        found = judge.cells(images, name) > 0.5
        covered = _covered(pack, held, found.shape[-1], torch.zeros(len(held), 2))[:, i] > 0.5
        there = covered.flatten(1).any(1)
        both, either = (found & covered).flatten(1).sum(1), (found | covered).flatten(1).sum(1)
        if bool(there.any()):
            overlap[name] = round(float((both / either.clamp(min=1))[there].mean()), 4)
    return AttributeClassifier(judge.network, judge.attributes, judge.boxed, accuracy, majority, overlap, len(held))


def _covered(pack: Pack, chosen: Tensor, cells: int, moved: Tensor) -> Tensor:
    """Whether a box covers each cell's middle, as 0 or 1: [n, boxed, cells, cells]; images were moved by pixels [n, 2]."""
    boxes = torch.stack([table[chosen] for table in pack.boxes.values()], dim=1).float()  # [n, B, 4]
    there = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 0] >= 0)
    side = min(SIDE, pack.spec.size)
    boxes = boxes * (side / pack.spec.size) + moved.repeat(1, 2)[:, None]
    middle = (torch.arange(cells) + 0.5) * (side / cells)
    across = (middle >= boxes[..., :1]) & (middle < boxes[..., 2:3])  # [n, B, cells]
    down = (middle >= boxes[..., 1:2]) & (middle < boxes[..., 3:])
    return (down[..., :, None] & across[..., None, :] & there[..., None, None]).float()


def augment(images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images moved by up to a thirty-second of their side, some blurred, some noisy; and the moves [n, 2] (x, y)."""
    n, _, side, _ = images.shape
    reach = side // 32
    moved = torch.randint(-reach, reach + 1, (n, 2), generator=rng)
    if reach:
        padded = F.pad(images, [reach] * 4, mode="replicate")
        images = torch.stack(
            [
                p[:, reach - y : reach - y + side, reach - x : reach - x + side]
                for p, (x, y) in zip(padded, moved.tolist(), strict=True)
            ]
        )
    share = torch.rand(n, 1, 1, 1, generator=rng) * (torch.rand(n, 1, 1, 1, generator=rng) < 0.5)
    blurred = F.avg_pool2d(F.pad(images, [1] * 4, mode="replicate"), 3, 1)
    noise = torch.randn(images.shape, generator=rng) * 0.15 * torch.rand(n, 1, 1, 1, generator=rng)
    return images.lerp(blurred, share) + noise, moved.float()
