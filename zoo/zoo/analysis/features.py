"""What the features of a discriminator respond to (Radford et al. 2015, section 6.2, Figure 5).

Features are those of the last stage of feature maps. Beside the trained discriminator stands one with random weights: what
it shows too was not learned. The number: how well single features tell labeled attributes apart, for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from zoo_core import Discriminator, UsageError

from ..devices import arithmetic_device, move_to
from ..files import Place
from ..models.batch_norm import estimate_batch_norm
from ..models.building import build_component
from ..models.model import ModelLike
from ..notebook import AUTOMATIC
from ..packs import to_images
from ..progress import Reporter
from ..randomness import generator_for, seeded
from ..reports.displaying import Displayed
from ..reports.numbers import judge
from ..reports.pictures import arrange, save_picture, sheet
from .feature_maps import batches_for, capture_activations, guided_gradients, scale_gradients
from .labels import HIDDEN, ImageSource, attribute_labels, find_images, request_images, vocabulary_of
from .samples import block, check_count, open_model, round_values

_LEAST, _SHARE = 10, 0.05  # images with a value, and without it, for the value to be counted; share of all, at least


@dataclass(frozen=True)
class Responses:
    """What the features of one discriminator respond to."""

    stage: str  # name of the stage
    features: Sequence[int]  # numbers of the strongest features, strongest first
    images: Tensor  # [k, n, C, S, S]: for each of them, the images to which it responds most
    gradients: Tensor  # [k, n, C, S, S]: the guided gradients there, made visible
    # for all features of the stage, how well the best attribute value is told apart: |2·AUC − 1|, 1 if perfectly; [] without
    # labels. By chance one value has 0, and the best of many has more: `shuffled`
    selectivity: Sequence[float]
    shuffled: float | None  # the mean of the same where labels belong to other images
    best: Sequence[str]  # for each of the strongest features, that value and its |2·AUC − 1|, as "glasses=round 0.62"
    by_attribute: Mapping[str, float]  # attribute → the same of its best feature

    @property
    def mean(self) -> float | None:
        """Mean selectivity over all features, None without labels."""
        return sum(self.selectivity) / len(self.selectivity) if self.selectivity else None


@dataclass(frozen=True, repr=False)
class FeatureComparison(Displayed):
    """The features of a model's discriminator beside those of one with random weights."""

    trained: Responses
    untrained: Responses
    filters: Tensor | None  # first-layer filters [n, C, k, k] of the trained one, made visible; None where no layer has any
    count: int  # images that were looked at

    def _describe(self) -> str:
        names = ", ".join(map(str, self.trained.features))
        return f"of stage {self.trained.stage}: {names}, from {self.count:,} images"

    def picture(self) -> Image.Image:
        """Guided gradients beside the images, for both, and the first-layer filters."""
        parts = [self.responses_picture(self.trained), self.responses_picture(self.untrained)]
        if self.filters is not None:
            parts.append(sheet([block("first-layer filters", self.filters, 8)]))
        return arrange(parts, columns=len(parts))

    def responses_picture(self, responses: Responses) -> Image.Image:
        """Return the images to which one of the two responds, and guided gradients below them."""
        title = "trained" if responses is self.trained else "random weights"
        blocks = []
        for i, feature in enumerate(responses.features):
            best = f"; {responses.best[i]}" if responses.best else ""
            both = torch.cat([responses.images[i], responses.gradients[i]])
            blocks.append(block(f"{title}: feature {feature} of {responses.stage}{best}", both, responses.images.shape[1]))
        return sheet(blocks)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        trained, random = self.trained, self.untrained
        found: dict[str, Any] = {"images": self.count, "stage": trained.stage, "features": list(trained.features)}
        if trained.mean is not None and random.mean is not None:
            pairs = zip(sorted(trained.selectivity), sorted(random.selectivity), strict=True)
            found["selectivity"] = {
                "trained": trained.mean,
                "random": random.mean,
                "shuffled": trained.shuffled,
                "ratio": trained.mean / max(random.mean, 1e-12),
                "quantiles_above": sum(t > r for t, r in pairs) / len(trained.selectivity),
                "verdict": judge(trained.mean, random.mean, 1.0),
            }
            found["best_feature"] = {
                name: {"trained": value, "random": other, "verdict": judge(value, other, 1.0)}
                for name, value in trained.by_attribute.items()
                for other in [random.by_attribute[name]]
            }
            found["shown"] = list(trained.best)
        return dict(round_values(found))


def features(
    model: ModelLike,
    *,
    images: ImageSource = None,
    dataset: str | None = None,
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    count: int = 512,
    shown: int = 6,
    each: int = 6,
    seed: int = 0,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> FeatureComparison:
    """Show what the strongest features of a discriminator's last stage respond to, beside random weights.

    Args:
        images: real images; by default those that the model was trained on. With labels, selectivity is measured.
        dataset, data, options: the same by name, in place of `images`, as the command line takes them.
        count: how many of them, drawn at random.
        shown: how many features; the paper has 6.
        each: images for each.
        seed: of the choice of images and of the random weights.
        device, out, report: as in `zoo.walk`.

    Raises:
        UsageError: the model has no discriminator, or does not say what it was trained on.
    """
    images = request_images(images, dataset, data, options)
    check_count(count, "the number of images", 2)
    check_count(shown, "the number of features")
    check_count(each, "the number of images for each feature")
    loaded, file = open_model(model, device, out)
    trained = loaded.discriminator
    if trained is None or "discriminator" not in loaded.config.get("parts", {}):
        raise UsageError(
            "this model was published without its discriminator, and this looks inside a discriminator",
            hint="take the run folder, or a model folder that has a discriminator.safetensors",
        )
    with seeded(seed, "untrained"):
        part, latent_dim = loaded.config["parts"]["discriminator"], loaded.generator.latent_dim
        untrained = build_component("discriminators", part, trained.image, latent_dim=latent_dim)
    untrained.to(next(trained.parameters())).eval()
    pack = find_images(loaded, model, images).pack(report)
    ids = torch.randperm(len(pack), generator=generator_for(seed, "features"))[:count]
    real = to_images(move_to(pack.gather(ids), loaded.device)).contiguous()
    labels = None
    if trained.image.num_classes:
        if pack.labels is None:
            raise UsageError("this discriminator is told the label of each image, and these images have none")
        labels = pack.labels[ids].clamp(min=0).to(loaded.device)
    whole = len(real) - len(real) % 64 or len(real)  # a last small batch would count as much as the others
    estimate_batch_norm(untrained, lambda: [untrained(*batch) for batch in batches_for(untrained, real[:whole], labels)])
    values = {}  # "attribute=value" → 1, 0 or −1 (unknown) for each image [N], of values neither too rare nor too common
    least = max(_LEAST, round(_SHARE * len(ids)))
    for name, table in attribute_labels(pack).items():
        words = list(vocabulary_of(pack)[name])
        unknown = (table[ids] < 0) | (table[ids] == (words.index(HIDDEN) if HIDDEN in words else -1))
        for i, value in enumerate(words):
            has_value = torch.where(unknown, -1, (table[ids] == i).long())
            if min(int((has_value == 1).sum()), int((has_value == 0).sum())) >= least:
                values[f"{name}={value}"] = has_value
    with report.task("guided backpropagation", 2, "networks") as task:
        first = _examine(trained, real, labels, values, min(each, len(real)), shown)
        task.update(1)
        second = _examine(untrained, real, labels, values, min(each, len(real)), shown)
    found = FeatureComparison(first, second, first_filters(trained), len(real))
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _examine(
    network: Discriminator, real: Tensor, labels: Tensor | None, values: Mapping[str, Tensor], each: int, shown: int
) -> Responses:
    stage, found = "", []  # the last stage of feature maps, of all stages where none has maps
    with capture_activations(network.stages()) as outputs, torch.no_grad():
        for batch in batches_for(network, real, labels):
            network(*batch)
            stage = ([name for name in network.stages() if outputs[name].ndim == 4] or list(network.stages()))[-1]
            found.append(outputs[stage].reshape(*outputs[stage].shape[:2], -1).amax(2).float())
    responses = torch.cat(found)  # [N, F], each map's maximum in each image
    strongest = responses.amax(0).argsort(descending=True)[:shown].cpu().tolist()
    images, gradients = [], []
    for feature in strongest:
        top = responses[:, feature].argsort(descending=True)[:each]
        classes = labels[top] if labels is not None else None
        images.append(real[top])
        gradients.append(scale_gradients(guided_gradients(network, real[top], stage, feature, classes)))
    names, scores = list(values), selectivities(responses, values).cpu()  # [V, F]
    by_attribute: dict[str, float] = {}
    for name, score in zip(names, scores, strict=True):
        attribute = name.partition("=")[0]
        by_attribute[attribute] = max(by_attribute.get(attribute, 0.0), float(score.max()))
    selectivity = scores.amax(0).tolist() if names else []
    others = torch.randperm(len(responses), generator=generator_for(0, "shuffled labels")).to(responses.device)
    shuffled = float(selectivities(responses[others], values).amax(0).mean()) if names else None
    best = [f"{names[int(scores[:, f].argmax())]} {float(scores[:, f].max()):.2f}" for f in strongest] if names else []
    return Responses(
        stage, strongest, torch.stack(images).cpu(), torch.stack(gradients).cpu(), selectivity, shuffled, best, by_attribute
    )


def selectivities(responses: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """Return |2·AUC − 1| of each feature for each value: [V, F].

    The AUC is the probability that an image with the value has the larger response (ties count half).

    Args:
        responses: [N, F].
        values: value → 1, 0 or −1 (unknown) for each image [N].
    """
    rows = []
    place = arithmetic_device(responses.device)
    for has_value in values.values():
        numbers = [(has_value == i).nonzero().squeeze(1).to(place) for i in (0, 1)]
        without, having = (responses.to(place)[chosen].T.contiguous() for chosen in numbers)  # [F, n]
        below, up_to = (torch.searchsorted(without.sort(1).values, having, right=right) for right in (False, True))
        auc = (below + up_to).double().mean(1) / (2 * without.shape[1])
        rows.append((2 * auc - 1).abs())
    return torch.stack(rows).float() if rows else responses.new_zeros(0, responses.shape[1])


def first_filters(network: Discriminator, most: int = 64) -> Tensor | None:
    """Return the filters [n, C, k, k] of the first layer that sees pixels, made visible; None where none has any."""
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
