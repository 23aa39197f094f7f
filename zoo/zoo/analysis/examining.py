"""What the features of a discriminator respond to (Radford et al. 2015, section 6.2, Figure 5).

Features are those of the last stage of feature maps. Beside the trained discriminator stands one with random weights: what
it shows too was not learned. The number: how well single features tell labeled attributes apart, for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from zoo_core import Discriminator, UsageError

from ..analysis.labeled import Images, images_for
from ..models.model import Model
from ..packs import Pack, to_images
from ..progress import Reporter
from ..randomness import generator_for
from .drawing import check_count, opened
from .guided import guided_gradients, visible
from .judging import attributes_of, labels_of_pack
from .sheets import Block, check_picture_name, save_picture, sheet
from .stages import capture_activations, no_discriminator, untrained_discriminator

_SILENT = Reporter()
_LEAST = 10  # images with a value, and without it, for the value to be counted


@dataclass(frozen=True)
class Responses:
    """What the features of one discriminator respond to.

    Args:
        stage: name of the stage.
        features: numbers of the strongest features, strongest first.
        images: [k, n, C, S, S]: for each of them, the images to which it responds most.
        gradients: [k, n, C, S, S]: the guided gradients there, made visible.
        selectivity: for all features of the stage, how well the best attribute value is told apart: |2·AUC − 1|, so that 0
            is chance and 1 is perfect; [] without labels.
        best: for each of the strongest features, that value and its |2·AUC − 1|, as "glasses=round 0.62".
        by_attribute: attribute → the same of its best feature.
    """

    stage: str
    features: Sequence[int]
    images: Tensor
    gradients: Tensor
    selectivity: Sequence[float]
    best: Sequence[str]
    by_attribute: Mapping[str, float]

    @property
    def mean(self) -> float | None:
        """Mean selectivity over all features, None without labels."""
        return sum(self.selectivity) / len(self.selectivity) if self.selectivity else None


@dataclass(frozen=True)
class Examined:
    """The features of a model's discriminator beside those of one with random weights.

    Args:
        trained, untrained: what they respond to.
        filters: first-layer filters [n, C, k, k] of the trained one, made visible; None where no layer has any.
        count: images that were looked at.
    """

    trained: Responses
    untrained: Responses
    filters: Tensor | None
    count: int

    def picture(self) -> Image.Image:
        """Guided gradients beside the images, for both, and the first-layer filters."""
        parts = [self.responses_picture(self.trained), self.responses_picture(self.untrained)]
        if self.filters is not None:
            parts.append(sheet([Block("first-layer filters", self.filters, 8)]))
        canvas = Image.new("RGB", (sum(p.width for p in parts), max(p.height for p in parts)), "white")
        left = 0
        for part in parts:
            canvas.paste(part, (left, 0))
            left += part.width
        return canvas

    def responses_picture(self, responses: Responses) -> Image.Image:
        """The images to which one of the two responds, and guided gradients below them."""
        title = "trained" if responses is self.trained else "random weights"
        blocks = []
        for i, feature in enumerate(responses.features):
            told = f"; {responses.best[i]}" if responses.best else ""
            both = torch.cat([responses.images[i], responses.gradients[i]])
            blocks.append(Block(f"{title}: feature {feature} of {responses.stage}{told}", both, responses.images.shape[1]))
        return sheet(blocks)

    def to_json(self) -> dict[str, Any]:
        """The numbers, as plain data."""
        found: dict[str, Any] = {"images": self.count, "stage": self.trained.stage, "features": list(self.trained.features)}
        if self.trained.mean is not None and self.untrained.mean is not None:
            better = [
                t > u for t, u in zip(sorted(self.trained.selectivity), sorted(self.untrained.selectivity), strict=False)
            ]
            found |= {
                "selectivity": {
                    "trained": round(self.trained.mean, 4),
                    "random": round(self.untrained.mean, 4),
                    "ratio": round(self.trained.mean / max(self.untrained.mean, 1e-12), 4),
                    "quantiles_above": round(sum(better) / len(better), 4),
                },
                "best_feature": {
                    name: {"trained": round(value, 4), "random": round(self.untrained.by_attribute[name], 4)}
                    for name, value in self.trained.by_attribute.items()
                },
                "shown": list(self.trained.best),
            }
        return found


def features(
    model: Model | str | Path,
    *,
    images: Images = None,
    count: int = 512,
    shown: int = 6,
    each: int = 6,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
    report: Reporter = _SILENT,
) -> Examined:
    """Show what the strongest features of a discriminator's last stage respond to, beside random weights.

    Args:
        model: a model, or where one lies.
        images: real images; by default those that the model was trained on. With labels, selectivity is measured.
        count: how many of them, drawn at random.
        shown: how many features; the paper has 6.
        each: images for each.
        seed: of the choice of images and of the random weights.
        device: where a model that is named by its place goes; see `zoo.load`.
        out: a picture to write.
        report: hears the progress.

    Raises:
        UsageError: the model has no discriminator, or does not say what it was trained on.
    """
    check_count(count, "the number of images", 2)
    check_count(shown, "the number of features")
    check_count(each, "the number of images for each feature")
    file = check_picture_name(out) if out is not None else None
    loaded = opened(model, device)
    if loaded.discriminator is None:
        raise no_discriminator()
    untrained = untrained_discriminator(loaded, seed)
    pack = images_for(loaded, model, images, report=report)
    chosen = torch.randperm(len(pack), generator=generator_for(seed, "features"))[:count]
    real = to_images(pack.gather(chosen)).contiguous()
    labels = None
    if loaded.discriminator.image.num_classes:
        if pack.labels is None:
            raise UsageError("this discriminator is told the label of each image, and these images have none")
        labels = pack.labels[chosen].clamp(min=0).to(loaded.device)
    _calibrate(untrained, real, labels)
    values = _values(pack, chosen)
    with report.task("guided backpropagation", 2, "networks") as task:
        both = []
        for network in (loaded.discriminator, untrained):
            both.append(_examine(network, real, labels, values, min(each, len(real)), shown))
            task.update(len(both))
    found = Examined(both[0], both[1], first_filters(loaded.discriminator), len(real))
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _examine(
    network: Discriminator, real: Tensor, labels: Tensor | None, values: Mapping[str, Tensor], each: int, shown: int
) -> Responses:
    stage, responses = _responses(network, real, labels)
    strongest = responses.amax(0).argsort(descending=True)[:shown].tolist()
    images, gradients = [], []
    for feature in strongest:
        top = responses[:, feature].argsort(descending=True)[:each]
        images.append(real[top])
        given = labels[top.to(labels.device)] if labels is not None else None
        gradients.append(visible(guided_gradients(network, real[top], stage, feature, given)))
    names, scores = list(values), selectivities(responses, values)  # [V, F]
    selectivity: list[float] = []
    best: list[str] = []
    by_attribute: dict[str, float] = {}
    if names:
        selectivity = scores.amax(0).tolist()
        best = [f"{names[int(scores[:, f].argmax())]} {float(scores[:, f].max()):.2f}" for f in strongest]
        for i, name in enumerate(names):
            attribute = name.partition("=")[0]
            by_attribute[attribute] = max(by_attribute.get(attribute, 0.0), float(scores[i].max()))
    return Responses(stage, strongest, torch.stack(images), torch.stack(gradients), selectivity, best, by_attribute)


@torch.no_grad()
def _responses(network: Discriminator, images: Tensor, labels: Tensor | None) -> tuple[str, Tensor]:
    """The last stage of feature maps (the last stage of all where none has maps), and each map's maximum [N, F]."""
    where = next(network.parameters())
    found: dict[str, list[Tensor]] = {name: [] for name in network.stages()}
    maps: dict[str, bool] = {}
    with capture_activations(network.stages()) as seen:
        for start in range(0, len(images), 64):
            given = labels[start : start + 64] if labels is not None else None
            network(images[start : start + 64].to(where.device, where.dtype), given)
            for name, out in seen.items():
                maps[name] = out.ndim == 4
                found[name].append(out.flatten(2).amax(2).float().cpu() if out.ndim > 2 else out.float().cpu())
    stage = ([name for name in found if maps[name]] or list(found))[-1]
    return stage, torch.cat(found[stage])


def _values(pack: Pack, chosen: Tensor) -> dict[str, Tensor]:
    """ "attribute=value" → 1, 0 or −1 (unknown) for each image [N], of values neither too rare nor too common."""
    if not pack.attributes and not (pack.labels is not None and len(pack.info["classes"]) > 1):
        return {}
    found = {}
    for name, table in labels_of_pack(pack).items():
        labels = table[chosen]
        for i, value in enumerate(attributes_of(pack)[name]):
            is_it = torch.where(labels < 0, -1, (labels == i).long())
            if int((is_it == 1).sum()) >= _LEAST and int((is_it == 0).sum()) >= _LEAST:
                found[f"{name}={value}"] = is_it
    return found


def selectivities(responses: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """|2·AUC − 1| of each feature for each value: [V, F], from responses [N, F] and 1, 0 or −1 [N] for each value.

    The AUC is the probability that an image with the value has the larger response (ties count half).
    """
    rows = []
    for is_it in values.values():
        known = is_it >= 0
        part, yes = responses[known], is_it[known] == 1
        ranks = _ranks(part)  # [n, F]
        positive = int(yes.sum())
        negative = len(yes) - positive
        auc = (ranks[yes].sum(0) - positive * (positive + 1) / 2) / (positive * negative)
        rows.append((2 * auc - 1).abs())
    return torch.stack(rows).float() if rows else torch.zeros(0, responses.shape[1])


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 1, ties sharing their mean: [n, F] → [n, F], float64."""
    ordered, order = values.sort(0)
    n = len(values)
    place = torch.arange(1, n + 1, dtype=torch.float64)[:, None].expand(values.shape)
    new = torch.ones(values.shape, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    group = new.long().cumsum(0) - 1  # [n, F]: number of the tie that each belongs to
    total = torch.zeros(values.shape, dtype=torch.float64).scatter_add_(0, group, place)
    size = torch.zeros(values.shape, dtype=torch.float64).scatter_add_(0, group, torch.ones_like(place))
    shared = (total / size.clamp(min=1)).gather(0, group)
    return torch.empty_like(shared).scatter_(0, order, shared)


@torch.no_grad()
def _calibrate(network: Discriminator, images: Tensor, labels: Tensor | None) -> None:
    """Give a network's batch normalization the statistics of the images; nothing else leaves evaluation mode."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return
    where = next(network.parameters())
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for start in range(0, len(images) - len(images) % 64 or len(images), 64):
        given = labels[start : start + 64] if labels is not None else None
        network(images[start : start + 64].to(where.device, where.dtype), given)
    network.eval()


def first_filters(network: Discriminator, most: int = 64) -> Tensor | None:
    """The filters of the first layer that sees pixels [n, C, k, k], made visible; None where no layer's weights are such."""
    channels, side, _ = network.image.shape
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1 and module.in_channels >= channels:
            weight = module.weight[:most, :channels]  # what is beyond the colors belongs to labels
        elif isinstance(module, nn.Linear) and module.in_features == channels * side * network.image.size:
            weight = module.weight[:most].reshape(-1, *network.image.shape)
        else:
            continue
        weight = weight.detach().float().cpu()
        return weight / weight.abs().flatten(1).amax(1).clamp(min=1e-12)[:, None, None, None]
    return None
