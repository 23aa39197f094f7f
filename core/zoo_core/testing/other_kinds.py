"""Checks of augmentations, feature extractors, trackers, samplers and pretrained models."""

from __future__ import annotations

import hashlib
import importlib.resources
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from ..records import ImageSpec, PretrainedModel
from ..samplers import Sampling
from ..words import plural
from . import networks
from .algorithms import SmallDiscriminator, SmallGenerator, never_waiting, without_numbers
from .placement import staying_on
from .subjects import Failed, N, Subject, as_tensor, listed, require, require_no_draws, same

PUBLISHED = (".safetensors", ".json", ".png")  # endings of files that a model may consist of, besides `README.md`


def _images(n: int = N, *, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, 16, 16) * 2 - 1


def images(subject: Subject) -> None:
    """Shape and type stay, gray and color, for one image and for several; what is given is left as it was."""
    augment: Any = subject.build()
    for channels, n in ((3, N), (1, N), (3, 1)):
        x = _images(n, channels=channels)
        before = x.clone()
        as_tensor(augment(x), "it", shape=x.shape, meaning="[N, C, S, S]")
        require(torch.equal(x, before), "it changes its input in place, expected it untouched")
    found = augment(_images().bfloat16()).dtype
    require(found == torch.bfloat16, f"it makes {found} of bfloat16 images, expected their own type")


def each_image_by_itself(subject: Subject) -> None:
    """Equal images of one batch come out as different ones; what becomes of one does not depend on the others."""
    augment = subject.build()
    x = _images(1).repeat(16, 1, 1, 1)
    out = augment(x)
    require(not torch.equal(out, x), "it changes nothing, expected images to be changed")
    alike = all(torch.equal(out[0], other) for other in out[1:])
    require(not alike, "it changes all images of a batch alike, expected each to have a change of its own")
    results = []
    for others in (x[1:], _images(15)):
        torch.manual_seed(3)
        results.append(augment(torch.cat([x[:1], others]))[0])
    require(torch.equal(*results), "the first image depends on the rest of the batch, expected each to be changed by itself")


def gradients(subject: Subject) -> None:
    x = _images(16).requires_grad_()
    out = subject.build()(x)
    require(out.requires_grad, "no gradient passes to the images, expected it to be differentiable")
    (found,) = torch.autograd.grad((out * torch.rand_like(out)).sum(), x)
    require(bool(torch.isfinite(found).all()), "the gradient of it is not finite")
    require(bool(found.any()), "no gradient passes to the images, expected it to be differentiable")


def never_waits_for_the_device(subject: Subject) -> None:
    with without_numbers(), never_waiting("it"):
        subject.build()(torch.zeros(N, 3, 16, 16))


def stays_on_the_device(subject: Subject) -> None:
    augment = subject.build()
    with staying_on("meta", "it"):
        augment(torch.zeros(N, 3, 16, 16, device="meta"))


AUGMENTATIONS = (images, each_image_by_itself, gradients, never_waits_for_the_device, stays_on_the_device)


def _pictures(channels: int = 3, size: int = 32, n: int = N) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def vectors(subject: Subject) -> None:
    """[N, dim] for gray and color, several sizes and a single image."""
    extractor = subject.build().eval()
    dim: Any = getattr(extractor, "dim", None)
    require(isinstance(dim, int) and dim >= 1, f"its dim is {dim!r}, expected a whole number of at least 1")
    for channels, size, n in ((3, 32, N), (1, 32, N), (3, 64, N), (1, 64, 1)):
        what = f"forward of images [{n}, {channels}, {size}, {size}]"
        try:
            with torch.no_grad():
                out = extractor(_pictures(channels, size, n))
        except Exception as error:
            raise Failed(f"{what}: {type(error).__name__}: {error}; expected [N, dim]") from error
        as_tensor(out, what, shape=[n, dim], meaning="[N, dim]")


def same_input_same_output(subject: Subject) -> None:
    first = networks.repeatable(subject.build().eval())
    again = networks.repeatable(subject.build(seed=7).eval())
    require(same(first, again), "another instance gives other features, expected fixed weights or a seed among the options")


def independent_of_batch_mates(subject: Subject) -> None:
    whole = networks.independent(subject.build().eval())
    require(not same(whole[0], whole[1], tolerance=1e-6), "two images have the same features, expected different ones")


def no_side_effects(subject: Subject) -> None:
    """Gradients can pass to the images; nothing stays behind in the extractor."""
    extractor: Any = subject.build().eval()
    state = {name: tensor.clone() for name, tensor in extractor.state_dict().items()}
    x = _pictures()
    extractor(x)
    require(torch.is_grad_enabled(), "forward switches gradients off for everybody, expected torch.no_grad() as a context")
    require(x.grad is None, "forward calls backward")
    left = [name for name, p in extractor.named_parameters() if p.grad is not None]
    require(not left, f"forward leaves a gradient in {listed(left)}, expected none")
    changed = [name for name, tensor in extractor.state_dict().items() if not torch.equal(tensor, state[name])]
    require(not changed, f"forward changes {listed(changed)}, expected no state")


FEATURES = (vectors, same_input_same_output, independent_of_batch_mates, no_side_effects, networks.cpu_seconds)


def scalars_and_pictures(subject: Subject) -> None:
    """A run of two sittings: both record numbers, a picture and words, in one folder, and close."""
    with tempfile.TemporaryDirectory() as folder:
        for images in (0, 128):
            tracker: Any = subject.cls(folder=Path(folder), images=images, config={"recipe": "dcgan"}, **subject.options)
            tracker.scalars({"d_loss": 0.5, "g_loss": 1.5}, images + 64)
            tracker.picture("samples", torch.zeros(3, 8, 8, dtype=torch.uint8), images + 64)
            tracker.text("intervention", "a lower learning rate", images + 64)
            tracker.close()


@torch.no_grad()
def chosen(subject: Subject) -> None:
    """Latents [n, latent_dim] and images, from whatever random state; each by its own number alone."""
    sampler: Any = subject.build()
    torch.manual_seed(1)
    generator, judge = SmallGenerator(image=ImageSpec(8)).eval(), SmallDiscriminator(image=ImageSpec(8)).eval()

    def draw(numbers: Sequence[int], turn: int) -> Tensor:
        seeds = [1000 * number + turn + 10**6 for number in numbers]
        return torch.cat([generator.sample_latent(1, torch.Generator().manual_seed(seed)) for seed in seeds])

    def discriminate(z: Tensor, numbers: Sequence[int]) -> Tensor:
        require(sampler.needs_discriminator, "it asks for logits, and needs_discriminator is False")
        with torch.set_grad_enabled(z.requires_grad):
            return torch.cat([judge(generator(one[None])) for one in z])  # one by one: no rounding of its own

    def choose(numbers: Sequence[int]) -> Tensor:
        asked = Sampling(generator, draw, discriminate, lambda number: torch.Generator().manual_seed(number))
        z = require_no_draws("it", lambda: sampler(asked, numbers))
        return as_tensor(z, "it", shape=[len(numbers), generator.latent_dim], meaning="latents [n, latent_dim]")

    whole = choose([0, 1, 2, 3])
    require(same(whole, choose([0, 1, 2, 3])), "it chooses others the second time, expected the same")
    alone = torch.cat([choose([3]), choose([1])])
    require(same(whole[[3, 1]], alone, tolerance=1e-5), "what it chooses depends on the samples beside it")
    require(not same(whole[0], whole[1]), "two samples have the same latent")
    as_tensor(sampler.draw(generator, whole, None), "draw", shape=[N, 3, 8, 8], meaning="images [n, C, S, S]")
    left = [name for net in (generator, judge) for name, p in net.named_parameters() if p.grad is not None]
    require(not left, f"it leaves a gradient in {listed(left)}: it must not call backward")


def stated(record: PretrainedModel) -> None:
    """What is said of it: a license, and files of kinds that hold no code."""
    require(bool(record.license), "its license is not stated, expected that of the weights")
    paths = [PurePosixPath(name) for name in record.sha256 if name != "README.md"]
    odd = [str(path) for path in paths if path.suffix not in PUBLISHED or ".." in path.parts]
    require(not odd, f"it has {listed(odd)}, expected {', '.join(f'*{suffix}' for suffix in PUBLISHED)} and README.md only")
    weights = any(name.endswith(".safetensors") for name in record.sha256)
    require(weights, "sha256 names no *.safetensors, expected the checksum of every file")


def files(record: PretrainedModel) -> str:
    """Return every file is there with its checksum, and no other."""
    package, inside, folder = record.where.partition(":")
    if not inside:
        return "not checked: lies on the Hub"
    try:
        place = importlib.resources.files(package).joinpath(*folder.split("/"))
    except ModuleNotFoundError as error:
        raise Failed(f"{record.where}: {error}") from error
    for name, expected in record.sha256.items():
        file = place.joinpath(*name.split("/"))
        require(file.is_file(), f"{record.where} has no {name}, expected every file of sha256")
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        require(found == expected, f"{record.where}: {name} has the checksum {found}, expected {expected}")
    extra = sorted({entry.name for entry in place.iterdir()} - {name.split("/")[0] for name in record.sha256})
    require(not extra, f"{record.where} has {listed(extra)} too, expected a checksum in sha256 for every file")
    return plural(len(record.sha256), "file")


TRACKERS = (scalars_and_pictures,)
SAMPLERS = (chosen,)
MODELS = (stated, files)
