"""Reading a pack, or a view of one: images through a memory map, labels in memory; and writing views."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zoo_core import DataError, ImageSpec, UsageError
from zoo_core.words import plural

from ..documents import LETTERS, fault, read_json, shorten_path
from ..files import Place, atomic_folder, name_in_text, sha256, write_json
from ..locks import hold
from ..reports.displaying import Displayed
from ..reports.pictures import grid
from ..schemas import ListOf, MapOf, Maybe, OneOf, Text, Whole, brief, find_problem, show
from .cache import LIMIT, read_info

FORMAT = 2  # version of what lies in a pack's folder
_AGAIN = "delete that folder and run the same command again"
LABELS = "labels.safetensors"  # everything about the images but the images


class Pack(Displayed):
    """The images of one split at one size, on disk. Made by `open_pack`.

    Pickling one pickles its path, so worker processes share the memory map. A view has some of another pack's images.

    Attributes:
        path: its folder.
        info: what `pack.json` says.
        spec: size, channels and number of classes of its images.
        key: names its content; equal keys, equal images.
        shards: uint8 tensors [n, S, S, C] on memory maps; those of a view are the other pack's, with all its images.
        index: int64 [N], the number of each image in `shards`; None where they are all of them in order.
        files: the folder of the shards, which for a view is the other pack's.
        labels: int64 [N], index into `info["classes"]` (−1: none); None where the dataset has no classes.
        attributes: attribute → int64 [N], index of its value in `info["attributes"]`.
        boxes: attribute → int16 [N, 4]: left, top, right, bottom in pixels of the packed images, −1 where not visible.
        records: int64 [N], each image's position in the dataset's listing.
        sides: int32 [N], height and width in pixels of the part of the source that each image shows.
    """

    def __init__(
        self, path: Path, files: Path, info: dict[str, Any], shards: tuple[Tensor, ...], tables: dict[str, Tensor]
    ) -> None:
        self.path, self.files, self.info, self.shards = path, files, info, shards
        self.index = tables.get("image")
        self.key: str = info["key"]
        self.spec = ImageSpec(info["size"], info["channels"], num_classes=len(info["classes"]))
        self.labels = tables.get("labels")
        self.records, self.sides = tables["record"], tables["side"]
        self.attributes = {name: tables["attributes"][:, i].contiguous() for i, name in enumerate(info["attributes"])}
        self.boxes = {name: tables["boxes"][:, i].contiguous() for i, name in enumerate(info["boxed"])}
        self._starts = torch.tensor([0, *map(len, shards)]).cumsum(0)[:-1]  # [shards]: number of the first image of each

    def __len__(self) -> int:
        return int(self.info["count"])

    def __fspath__(self) -> str:  # a pack stands wherever its folder may
        return str(self.path)

    def _describe(self) -> str:
        return f"{self.path}: {plural(len(self), 'image')} of {self.spec.shape}"

    def _pictures(self) -> tuple[Image.Image]:
        pixels = self.gather(torch.linspace(0, len(self) - 1, min(32, len(self))).long())
        return (grid(pixels, columns=8),)

    def __reduce__(self) -> tuple[Callable[[Path], Pack], tuple[Path]]:
        return (open_pack, (self.path,))

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return len(self) * self.spec.size**2 * self.spec.channels

    def gather(self, indices: Tensor) -> Tensor:
        """Copy the images uint8 [n, S, S, C] with the numbers int64 [n], in that order, from the memory map.

        Raises:
            IndexError: a number is negative or not below `len(pack)`.
        """
        size, channels = self.spec.size, self.spec.channels
        if self.index is not None:
            indices = self.index.take(indices) if not (indices < 0).any() else indices
        shards = [shard.flatten(1) for shard in self.shards]  # views; rows of one dimension are copied fastest
        if len(shards) == 1:
            return shards[0].index_select(0, indices).view(-1, size, size, channels)
        images = torch.empty(len(indices), size * size * channels, dtype=torch.uint8)
        where = (torch.searchsorted(self._starts, indices, right=True) - 1).clamp_(min=0)  # [n]: the shard of each
        for number in sorted(set(where.tolist())):
            rows = (where == number).nonzero().squeeze(1)
            images.index_copy_(0, rows, shards[number].index_select(0, indices[rows] - self._starts[number]))
        return images.view(-1, size, size, channels)

    def verify(self) -> None:
        """Read every file and compare its checksum; raises `DataError` naming the first that differs."""
        shards = [(self.files / entry["file"], entry) for entry in self.info["shards"]]
        for path, entry in (*shards, (self.path / self.info["labels"]["file"], self.info["labels"])):
            try:
                found = sha256(path)
            except OSError as error:
                raise _damaged(path.parent, f"{path.name} cannot be read: {error.strerror}") from error
            if found != entry["sha256"]:
                raise _damaged(path.parent, f"the checksum of {path.name} differs")


def open_pack(folder: Place) -> Pack:
    """Open the pack in `folder`. Checks names, sizes and shapes; `Pack.verify` checks the content.

    Raises:
        DataError: the folder holds no pack, or a damaged one.
    """
    path = Path(folder)
    info = _read_info(path)
    view = info.get("view")
    files = _looked_into(path, view) if view else path
    size, channels, count = info["size"], info["channels"], info["count"]
    shards = []
    for entry in info["shards"]:
        tensors = _tensors(files, entry["file"])
        _expect(files, entry["file"], tensors, "images", (entry["count"], size, size, channels), torch.uint8)
        shards.append(tensors["images"])
    total = sum(map(len, shards))
    if total != count and not view:
        raise _damaged(path, f"its files hold {plural(total, 'image')}, pack.json says {count:,}")
    labels = info["labels"]["file"]
    tables = {name: tensor.clone() for name, tensor in _tensors(path, labels).items()}
    columns = {"labels": len(info["classes"]), "attributes": len(info["attributes"]), "boxes": len(info["boxed"])}
    for there, key, shape, dtype in (
        (True, "record", (count,), torch.int64),
        (True, "side", (count,), torch.int32),
        (columns["labels"], "labels", (count,), torch.int64),
        (columns["attributes"], "attributes", (count, columns["attributes"]), torch.int64),
        (columns["boxes"], "boxes", (count, columns["boxes"], 4), torch.int16),
        (view, "image", (count,), torch.int64),
    ):
        if there:
            _expect(path, labels, tables, key, shape, dtype)
    tables = {key: table for key, table in tables.items() if columns.get(key, True) and (key != "image" or view)}
    _check_numbers(path, info, tables, total, files)
    pack = Pack(path, files, info, tuple(shards), tables)
    for folder in {path, files}:
        hold(folder, pack)
    return pack


_SHARD = {"file": Text(plain=True), "count": Whole(1), "sha256": str}
_SCHEMA = {
    "format": Whole(FORMAT, FORMAT),
    "key": str,
    "dataset": {"name": str, "split?": str, "data?": Maybe(str), "*": Any},
    "size": Whole(1, 8192),
    "channels": OneOf((1, 3)),
    "count": Whole(1),
    "classes": ListOf(str),
    "attributes": MapOf(ListOf(str)),
    "boxed": ListOf(str),
    "skipped?": {"count": Whole(0), "records": ListOf({"key": str, "reason": str, "*": Any})},
    "remarks?": MapOf(Whole(0)),
    "notes?": ListOf(str),
    **dict.fromkeys(("license?", "credit?", "restriction?", "hub?"), Maybe(str)),
    "shards": ListOf(_SHARD, least=1),
    "labels": {"file": Text(plain=True), "sha256": str},
    "view?": {"path": str, "key": str},
    "chosen?": ListOf(dict),
    "*": Any,
}


def _read_info(path: Path) -> dict[str, Any]:
    """Return what the `pack.json` of a pack says, checked."""
    file = path / "pack.json"
    if not file.exists() and not file.is_symlink():
        what = "holds no pack (there is no pack.json)" if path.is_dir() else "does not exist"
        raise DataError(f"{shorten_path(path)} {what}", hint="to see the packs that exist: zoo data list")
    info = read_json(file, LIMIT, error=DataError, hint=_AGAIN, ours=True)
    found = info.get("format") if isinstance(info, dict) else None
    if found != FORMAT or isinstance(found, bool):
        wrong = f"{shorten_path(path)} is a pack of format {show(found)}; this zoo reads format {FORMAT}"
        raise DataError(wrong, hint="to build it again: zoo data build")
    if "licence" in info:  # as packs of before version 0.2 spell it
        info["license"] = info.pop("licence")
    if problem := find_problem(info, _SCHEMA):
        raise fault(file, problem, error=DataError, hint=_AGAIN, ours=True)
    return info  # type: ignore[no-any-return]


def _check_numbers(path: Path, info: Mapping[str, Any], tables: Mapping[str, Tensor], total: int, files: Path) -> None:
    """Raise `DataError` where a label, a value of an attribute or a number of an image lies outside of what there is."""
    if "image" in tables and not _within(tables["image"], 0, total):
        raise _damaged(path, f"it shows images that {shorten_path(files)} does not have")
    if "labels" in tables and not _within(tables["labels"], -1, len(info["classes"])):
        raise _damaged(path, f"it has labels beyond its {plural(len(info['classes']), 'class', 'classes')}")
    for i, (name, values) in enumerate(info["attributes"].items()):
        if not _within(tables["attributes"][:, i], -1, len(values)):
            raise _damaged(path, f"attribute {show(name)} has values beyond its {len(values)}")


def _within(numbers: Tensor, least: int, below: int) -> bool:
    return int(numbers.min()) >= least and int(numbers.max()) < below


def _looked_into(path: Path, view: dict[str, Any]) -> Path:
    """Return the folder of the pack that a view shows some images of, which must still be that pack."""
    files = path / str(view["path"])
    if read_info(files).get("key") != view["key"]:
        hint = "build that pack again (zoo data build), or this view (zoo data dedup)"
        raise DataError(f"{path} shows images of the pack {os.path.normpath(files)}, which is not there", hint=hint)
    return files


def _tensors(path: Path, name: str) -> dict[str, Tensor]:
    """Return the tensors of a file. On the CPU safetensors puts them on a private memory map of it and reads nothing yet."""
    try:
        if not (path / name).exists():
            raise _damaged(path, f"{name} is missing")
        if not (path / name).is_file():
            raise _damaged(path, f"{name} is no file")
        with (
            name_in_text(path / name) as text,
            safe_open(str(text), framework="pt", device="cpu") as file,  # which checks lengths before it maps
        ):
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError, ValueError, RuntimeError, MemoryError, TypeError) as error:
        raise _damaged(path, f"{name} cannot be read: {error}") from error


def _expect(path: Path, name: str, found: dict[str, Tensor], key: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if key not in found:
        raise _damaged(path, f"{name} has no {key}")
    if tuple(found[key].shape) != shape or found[key].dtype != dtype:
        kind = str(found[key].dtype).removeprefix("torch.")
        raise _damaged(path, f"{key} in {name} is {kind} {tuple(found[key].shape)}, expected {shape}")


def _damaged(path: Path, what: str) -> DataError:
    start = f"the pack {shorten_path(path)} is damaged"
    return DataError(f"{start}: {brief(what, LETTERS - len(start) - len(_AGAIN) - 3)}", hint=_AGAIN)


def write_view(pack: Pack, folder: str | Path, images: Tensor, why: Mapping[str, Any]) -> Pack:
    """Write a view, a pack that holds the given images of `pack` and no pixels: it reads them from there.

    The folder may be moved together with the pack's, if both lie side by side, and is useless without it.

    Args:
        pack: may itself be a view.
        folder: the new folder; one that exists is replaced if it is a view.
        images: int64 [n], numbers of images of `pack`, at least one.
        why: plain data about how they were chosen; becomes part of `pack.json` and of the key.

    Raises:
        UsageError: no image is left, or the folder is something else.
        ZooError: it cannot be written.
    """
    folder = Path(folder)
    if not len(images):
        raise UsageError("a view needs at least one image")
    if folder.exists() and "view" not in read_info(folder):
        raise UsageError(f"{folder} exists and is no view of a pack", hint="choose another folder: --out DIR")
    tables = {"image": images if pack.index is None else pack.index[images]}
    tables |= {"record": pack.records[images], "side": pack.sides[images]}
    if pack.labels is not None:
        tables["labels"] = pack.labels[images]
    for name, columns in (("attributes", pack.attributes), ("boxes", pack.boxes)):
        if columns:
            tables[name] = torch.stack([column[images] for column in columns.values()], dim=1)
    files = pack.files.resolve()
    beside = files.parent == folder.resolve().parent
    origin = pack.info.get("view") or {"key": pack.key}
    with atomic_folder(folder, replace=True) as new:
        save_file({name: table.contiguous() for name, table in tables.items()}, new / LABELS)
        info = {
            **pack.info,
            "key": hashlib.sha256(json.dumps({"view": pack.key, **why}, sort_keys=True).encode()).hexdigest(),
            "count": len(images),
            "labels": {"file": LABELS, "sha256": sha256(new / LABELS)},
            "view": {"path": os.path.join("..", files.name) if beside else str(files), "key": origin["key"]},
            "chosen": [*pack.info.get("chosen", []), dict(why)],
        }
        write_json(new / "pack.json", info)
    return open_pack(folder)


def to_images(batch: Tensor) -> Tensor:
    """uint8 [N, S, S, C] → float32 [N, C, S, S] in [−1, 1] on the same device, in channels-last memory format.

    0 becomes −1 and 255 becomes 1, the range of the generator's tanh (Radford et al. 2015, arXiv:1511.06434, section 4).
    """
    images = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)  # [N, C, S, S]
    return images.div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Float [N, C, S, S] in [−1, 1] → uint8 [N, S, S, C], to the nearest level; what lies outside is clipped.

    `to_uint8(to_images(batch))` is `batch`.
    """
    levels = images.detach().to(torch.float32, copy=True).add_(1).mul_(127.5).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
