"""A model in memory: networks, what they are, and sampling from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

import torch
from PIL import Image
from torch import Tensor, nn

from zoo_core import Discriminator, Generator, ImageSpec, ModelError, UsageError
from zoo_core.errors import unknown

from ..devices import bring_back, exact_float32, move_to
from ..files import Place
from ..packs import to_uint8
from ..randomness import generator_for, latents_for, seeded
from ..reports.displaying import Displayed
from ..reports.pictures import grid
from .batch_norm import estimate_batch_norm
from .class_mix import spread_classes
from .samplers import Choosing

CHUNK = 32
"""Images that are always drawn together. Kernels round differently for different batch sizes; with a fixed one, an image is
the same whatever is drawn beside it."""

STATISTICS, BATCH = 1024, 128
"""Fixed latents from which batch-norm statistics are estimated, and how many of them go together."""


class Exchange(Protocol):
    """How models come from elsewhere and go there, for whoever knows folders, catalog and Hub: `zoo.loading`."""

    def load(self, where: Place, *, revision: str | None, device: str) -> Model:
        """See `Model.from_pretrained`."""

    def save(self, model: Model, folder: Place) -> Path:
        """See `Model.save_pretrained`."""

    def push(self, model: Model, repo: str, **choices: Any) -> str:
        """See `Model.push_to_hub`; the choices are those of `zoo.push`."""


@dataclass(repr=False)
class Model(Displayed):
    """A generator, its discriminator, the other networks of its algorithm, all in evaluation mode; and `config.json`."""

    exchange: ClassVar[Exchange]  # set by `zoo.loading`, by which every model comes

    generator: Generator
    discriminator: Discriminator | None  # None for a model that was published without one
    config: dict[str, Any] = field(default_factory=dict)
    others: dict[str, nn.Module] = field(default_factory=dict)  # by role: an encoder, say
    sampler: Choosing | None = None  # what chooses the latents of samples, if something does
    mixed: bool = False  # whether samples have classes as often as the data, instead of in turn

    def _describe(self) -> str:
        name = (self.config.get("recipe") or {}).get("name") or type(self.generator).__name__
        count = sum(p.numel() for network in self.networks.values() for p in network.parameters())
        origin = self.config.get("provenance") or {}
        dataset = (origin.get("dataset") or {}).get("name", "")
        shown = f"{origin['images']:,} images of " if "images" in origin else ""
        trained = f", trained on {shown}{dataset}" if dataset else ""
        size, kind = self.image.size, "gray" if self.image.channels == 1 else "color"
        return f"{name}: {size}×{size} {kind}, {count / 1e6:.2g} million weights{trained}, on {self.device}"

    def _pictures(self) -> Iterable[Image.Image | bytes]:
        pixels = to_uint8(self.sample(CHUNK)).cpu()
        scale = max(1, round(64 / pixels.shape[1]))
        picture = grid(pixels, columns=8)
        return (picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST),)

    @classmethod
    def of(cls, networks: Mapping[str, Any], config: dict[str, Any]) -> Model:
        """Make a model of networks by role."""
        others = {role: network for role, network in networks.items() if role not in ("generator", "discriminator")}
        discriminator = networks.get("discriminator")
        if not isinstance(discriminator, Discriminator | None):  # an algorithm may call another kind of network so
            others["discriminator"], discriminator = discriminator, None
        return cls(networks["generator"], discriminator, config, others)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: Place, *, revision: str | None = None, device: str = "cpu"
    ) -> Model:
        """Load a model, as the mixin of `huggingface_hub` names it; `zoo.load` does the same and more.

        Args:
            pretrained_model_name_or_path: "user/name" on the Hugging Face Hub, a model folder, a run, a name of the catalog.
            revision: a branch, tag or commit on the Hub.
            device: "cpu", "cuda", "cuda:1", "mps" or "auto".

        Raises as `zoo.load` does.
        """
        return cls.exchange.load(pretrained_model_name_or_path, revision=revision, device=device)

    def save_pretrained(self, save_directory: Place) -> Path:
        """Write the model folder, and return it; raises `ModelError` where there is something."""
        return self.exchange.save(self, save_directory)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str | None = None,
        private: bool = False,
        branch: str | None = None,
        tag: str | None = None,
        license: str | None = None,
    ) -> str:
        """Publish it on the Hugging Face Hub as "user/name", and return the address of its commit.

        Configuration, weights, card and samples arrive in one commit; `zoo.push` does the same and more, under names of its
        own (`message`, `revision`), says what the others mean, and raises what this does.
        """
        choices = {"private": private, "revision": branch, "message": commit_message, "tag": tag, "license": license}
        return self.exchange.push(self, repo_id, **choices)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Role → network, of all that it has."""
        named = {"generator": self.generator, "discriminator": self.discriminator}
        return {**{role: network for role, network in named.items() if network is not None}, **self.others}

    @property
    def image(self) -> ImageSpec:
        """Size, channels and number of classes of what it draws."""
        return self.generator.image

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels, for a conditional model."""
        return tuple(self.config.get("classes", ()))

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.generator.parameters()).device

    def to(self, *args: Any, **kwargs: Any) -> Model:
        """Move all networks, as `torch.nn.Module.to` does; returns self."""
        for network in self.networks.values():
            network.to(*args, **kwargs)
        return self

    def with_sampler(self, name: str | None, options: Mapping[str, Any] | None = None) -> Model:
        """Return a model of the same networks whose samples a sampler chooses; this one where `name` is None.

        Args:
            name: "drs", "ddls", …; `zoo list samplers` shows those there are.
            options: of the sampler; texts are read as `--set sampler.KEY=VALUE` reads them.

        Raises:
            UsageError: no such sampler or option, a sampler asks a discriminator that is not there, options without one.
        """
        if name is None:
            if options:
                raise UsageError("options of a sampler, and no sampler", hint="name one: --sampler drs")
            return self
        return replace(self, sampler=Choosing(self, name, options or {}))

    def mix_classes(self) -> Model:
        """Return this model, whose samples have each class as often as the images that it learned from: what is compared
        with data must. The same where it is told no labels, or learned from equally many of each.
        """
        if self.mixed or not (self.image.num_classes and self.generator.class_counts):
            return self
        mixed = replace(self, mixed=True, sampler=None)
        return mixed.with_sampler(self.sampler.name, self.sampler.options) if self.sampler else mixed

    def sample(self, n: int, *, seed: int = 0, label: str | int | None = None) -> Tensor:
        """Draw `n` images [n, C, S, S], float32 in [−1, 1], on the CPU. Image i depends on `seed` and i alone.

        `label` is the name or index of a class, for a conditional model; by default image i has class i mod num_classes.
        Raises `UsageError` for `n` below 1, and a label that does not exist or that the model knows nothing of, `ModelError`
        where numbers overflow.
        """
        return _check_finite(torch.cat(list(bring_back(self.batches(n, seed=seed, label=label, on_device=True)))))

    @torch.no_grad()
    def batches(
        self, n: int, *, seed: int = 0, label: str | int | None = None, first: int = 0, on_device: bool = False
    ) -> Iterator[Tensor]:
        """What `sample` returns, from image `first` on, in pieces of at most 32 images, so that any number fits.

        They come on the CPU, or, `on_device`, where the generator is: then nothing waits for the device.
        """
        if n < 1:
            raise UsageError(f"cannot draw {n} images; the least is 1", hint="for example: -n 64")
        dtype = next(self.generator.parameters()).dtype
        draw: Any = self.sampler.draw if self.sampler else self.generator
        for start in range(first - first % CHUNK, n, CHUNK):
            numbers = range(start, start + CHUNK)  # always whole chunks, see CHUNK
            labels = self.labels_of(numbers, label)
            z = latents_for(self.generator, seed, numbers) if self.sampler is None else self.sampler(numbers, seed, label)
            z = move_to(z.to(dtype), self.device)
            with seeded(seed, f"sample {start}", self.device), exact_float32():  # for what a network draws by itself
                images = draw(z, labels)
            drawn = images[max(0, first - start) : n - start].float()
            yield drawn if on_device and drawn.device.type != "cpu" else _check_finite(drawn.cpu())

    def labels_of(self, numbers: Sequence[int], label: str | int | None = None) -> Tensor | None:
        """Return the classes [n] of samples by their numbers, None for an unconditional model; `label` as in `sample`."""
        count = self.image.num_classes
        if not count:
            if label is not None:
                raise UsageError("this model is unconditional: it knows no labels", hint="leave --label out")
            return None
        if label is None:
            counts = (self.mixed and self.generator.class_counts) or (1,) * count
            return move_to(spread_classes(counts, numbers), self.device)
        names = self.classes or tuple(map(str, range(count)))
        if label not in names and not (str(label).isdigit() and int(label) < count):
            raise unknown("label", str(label), names)
        chosen = names.index(str(label)) if label in names else int(label)
        return torch.full((len(numbers),), chosen, device=self.device)


ModelLike: TypeAlias = Model | Place
"""A model, or where one lies: a run or its folder, a model folder, a name of the catalog, user/name on the Hub."""


def _check_finite(images: Tensor) -> Tensor:
    """Return images on the CPU; raise `ModelError` where a number is not finite."""
    if not images.isfinite().all():
        raise ModelError("this model draws numbers that are not finite", hint="its weights are too large, or damaged")
    return images


def estimate_statistics(generator: Generator, latents: int = STATISTICS) -> None:
    """Set the generator's batch-norm statistics from fixed latents, 1,024 or fewer (classes as in its data), and evaluation
    mode.

    The paper samples with batch statistics, so that an image depends on its batch mates; statistics that are estimated once
    and stored do away with that. They are the means of the statistics of 8 minibatches of 128; see `estimate_batch_norm`.
    Global random states are left as they were.
    """
    device, classes = next(generator.parameters()).device, generator.image.num_classes
    counts = generator.class_counts or (1,) * classes

    def run() -> None:
        with seeded(0, "statistics", device), exact_float32():
            for start in range(0, latents, BATCH):
                z = move_to(generator.sample_latent(BATCH, generator_for(0, "statistics", start)), device)
                labels = move_to(spread_classes(counts, range(start, start + BATCH)), device) if classes else None
                generator(z, labels)

    estimate_batch_norm(generator, run)
