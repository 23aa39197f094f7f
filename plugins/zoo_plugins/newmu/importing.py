"""From the authors' arrays to a model: read, turned, put into the zoo's networks, with statistics and an origin."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo_core import DataError, ModelError, UsageError, registry
from zoo_core.words import plural

from .arrays import read_array
from .pairs import PAIRS, REPOSITORY, Pair, find_pairs

if TYPE_CHECKING:
    import zoo

LATENTS, BATCH = 1024, 128  # samples that give the discriminator's statistics, and how many images go together
REAL = 10_000  # most real images that do instead
NAMED = 6  # missing files that are named
CLONE = f"git clone {REPOSITORY}"
PAPER = "Radford, Metz and Chintala 2015, arXiv:1511.06434"
CREDIT = "Alec Radford, Luke Metz and Soumith Chintala"


def choose_pairs(place: Path, name: str | None = None) -> tuple[dict[str, Path], dict[str, str]]:
    """Return which pairs can be imported from a folder, name → folder, and those that lack files, name → why.

    Args:
        place: a clone of the repository, a folder of pairs, or the folder of one.
        name: the only pair that is wanted.

    Raises:
        UsageError: no such folder, or no such pair in it.
        DataError: there are some of its files, and not all that one pair has.
    """
    if not place.is_dir():
        what = "is a file, not a folder" if place.exists() else "does not exist"
        raise UsageError(f"{place} {what}", hint=f"to have it: {CLONE}")
    found = find_pairs(place)
    if name is not None and name in found:
        found = {name: found[name]}
    if not found or (name is not None and name not in found):
        wanted = PAIRS[name] if name else next(iter(PAIRS.values()))
        example = wanted.name_file("generator", 1)
        raise UsageError(
            f"{place} has no files of {f'the pair {name}' if name else 'the authors'} ({example}, …)",
            hint=f"to have them: {CLONE}, and then: zoo import newmu dcgan_code",
        )
    lacking = {pair: why for pair, folder in found.items() if (why := _tell_missing(PAIRS[pair], folder))}
    if len(lacking) == len(found):
        raise DataError("; ".join(lacking.values()), hint=f"the repository has them all: {CLONE}")
    return {pair: folder for pair, folder in found.items() if pair not in lacking}, lacking


def _tell_missing(pair: Pair, folder: Path) -> str:
    """Say which files of a pair a folder has not; "" where it has all."""
    missing = pair.missing(folder)
    if not missing:
        return ""
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    files = "a file" if len(missing) == 1 else plural(len(missing), "file")
    return f"{folder} lacks {files} of the pair {pair.name}: {', '.join(missing[:NAMED])}{more}"


def import_pair(
    pair: Pair,
    folder: Path,
    *,
    dataset: str | None = None,
    data: str | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> zoo.Model:
    """Return the model of a pair whose files lie in a folder.

    The authors kept no batch-norm statistics: they normalized by those of the minibatch, and for features of the
    discriminator by those of their training images. The generator's are estimated as those of any model of the zoo, the
    discriminator's from real images where some are named, else from its generator's samples.

    Args:
        dataset, data: the real images, as `zoo.PackRequest` takes them; by default of what the pair was trained on.
        note: hears what is done.

    Raises:
        DataError: a file is damaged, or not what this pair has there.
        ModelError: what the weights draw is no picture.
    """
    import zoo

    model, sums = build_model(pair, folder)
    note(f"{pair.name}: {plural(len(sums), 'file')} of {folder}")
    zoo.estimate_statistics(model.generator)
    statistics = _estimate_discriminator(model, pair, folder, dataset, data)
    note(f"{pair.name}: batch-norm statistics of the generator are of {LATENTS:,} latents, the discriminator's {statistics}")
    model.config["batch_norm"] = f"{model.config['batch_norm']}; the discriminator's {statistics}"
    model.config["provenance"] = {
        "dataset": describe_dataset(pair.dataset),
        "license": "mit",
        "source": describe_source(pair, sums),
    }
    return model


def build_model(pair: Pair, folder: Path) -> tuple[zoo.Model, dict[str, str]]:
    """Return the networks of a pair with the authors' weights, without statistics, and the files' SHA-256 sums.

    Everything is read, and refused, before a network is built.
    """
    import zoo

    weights: dict[str, dict[str, Tensor]] = {role: {} for role in pair.files}
    sums = {}
    for role, file, tensor, shape, convert in pair.expected():
        weights[role][tensor] = convert(read_array(folder / file, shape))
        sums[file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    model = zoo.create(pair.recipe, size=pair.size, channels=3, options=pair.options)
    for role, network in model.networks.items():
        own = dict(network.named_parameters())
        assert own.keys() == weights[role].keys()
        with torch.no_grad():
            for name, value in weights[role].items():
                own[name].copy_(value)
    del model.config["algorithm"]  # how they were trained is not known but for what the names of files say
    model.config["recipe"] = {**model.config["recipe"], "paper": PAPER}
    model.config["weights"] = "the authors', of float32, with every kernel turned as torch has it"
    return model, sums


def describe_dataset(name: str) -> dict[str, str]:
    """Return what the zoo's own dataset says of its images, license and credit among it."""
    declared = registry.load("datasets", name)
    facts = {key: str(getattr(declared, key)) for key in ("license", "credit", "hub")}
    return {"name": name, **{key: value for key, value in facts.items() if value}}


def describe_source(pair: Pair, sums: dict[str, str]) -> dict[str, Any]:
    """Return what the model folder says of where its weights are from; `sums` are the files' SHA-256 sums."""
    return {
        "repository": REPOSITORY,
        "folder": f"models/{pair.folder}",
        "credit": f"{CREDIT}, trained for {pair.epoch} epochs as its files' names say",
        "license": "MIT, Copyright (c) 2015 Alec Radford",
        "license_text": (resources.files(__package__) / "LICENSE").read_text(encoding="utf-8"),
        "sha256": sums,
    }


def _estimate_discriminator(model: zoo.Model, pair: Pair, folder: Path, dataset: str | None, data: str | None) -> str:
    """Set the discriminator's batch-norm statistics; returns in words of what they are.

    Raises `ModelError` for weights that are numbers, and so large that what they give is none.
    """
    import zoo

    discriminator = model.discriminator
    assert discriminator is not None

    def look(batches: Iterable[Tensor]) -> None:
        for images in batches:
            discriminator(images)

    if dataset is None and data is None:
        samples = torch.cat(list(model.batches(LATENTS)))
        zoo.estimate_batch_norm(discriminator, lambda: look(torch.split(samples, BATCH)))
        words = f"of {LATENTS:,} samples of its generator"
    else:
        pack = zoo.build_pack(zoo.PackRequest(dataset or pair.dataset, data, size=pair.size, channels=3))
        if len(pack) < 2:
            hint = "the least is 2; --data says where others lie"
            raise UsageError(f"{plural(len(pack), 'picture')} cannot give statistics", hint=hint)
        chosen = torch.randperm(len(pack), generator=torch.Generator().manual_seed(0))[:REAL]
        parts = [part for part in torch.split(chosen, BATCH) if len(part) > 1]  # one has no variance
        pictures = (pack.gather(part).permute(0, 3, 1, 2).float() / 127.5 - 1 for part in parts)
        zoo.estimate_batch_norm(discriminator, lambda: look(pictures))
        name = str(pack.info["dataset"]["name"]).rpartition(":")[2]
        words = f"of {plural(sum(map(len, parts)), 'real image')} of {name}"
    tensors = [tensor for network in model.networks.values() for tensor in network.state_dict().values()]
    if not all(bool(tensor.isfinite().all()) for tensor in (*tensors, model.sample(1))):
        raise ModelError(
            f"the weights in {folder} are too large: what they draw is no picture", hint=f"take the authors' own: {CLONE}"
        )
    return words
