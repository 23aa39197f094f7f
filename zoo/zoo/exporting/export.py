"""`zoo.export`: a model as something to take elsewhere."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import torch

from zoo_core import UsageError
from zoo_core.errors import unknown

from ..catalog import find_entry
from ..files import Place
from ..loading import load, local_folder
from ..models.config import check_publishable, note_choice
from ..models.model import Model, ModelLike
from ..progress import Reporter
from .graphs import PIXELS

FORMS = ("model", "onnx", "html")
"""What `zoo.export` makes: a model folder, a folder of ONNX files, one page."""

_FILES = frozenset((".bin", ".ckpt", ".h5", ".json", ".keras", ".npz", ".pb", ".pkl", ".pt", ".pth", ".safetensors"))
"""How names of files end for which somebody takes an export."""

_PAGES = (".html", ".htm")


def export(
    model: ModelLike,
    folder: Place,
    *,
    to: str = "model",
    raw: bool = False,
    bf16: bool = False,
    pixels: str = "float",
    runtime: Place | None = None,
    last: bool = False,
    at: int | None = None,
    report: Reporter | None = None,
) -> Path:
    """Write a run's best checkpoint, or any model, in a form to take elsewhere.

    Args:
        model: the run or its folder, or a model in memory; for ONNX and a page also a model folder, a name of the catalog,
            or "user/name[@revision]" on the Hub.
        folder: what to make: a folder, or a file that ends in .html.
        to: "model" for a model folder; "onnx" for generator.onnx and discriminator.onnx, compared with torch by onnxruntime;
            "html" for one page that draws in the browser, without a server and a network.
        raw: take the weights that are not averaged.
        bf16: of a model folder, store the parameters in bfloat16, half the size; they are computed in float32 when loaded.
        pixels: of ONNX, what images are: "float", [N, C, S, S] in [−1, 1], or "uint8", [N, S, S, C].
        runtime: of a page, the archive that `npm pack onnxruntime-web` wrote; by default it is fetched once and kept.
        last, at: of a run, take the newest checkpoint instead, or the one after so many images.
        report: hears which one it was.

    Raises:
        UsageError, ModelError, CheckpointError: there is no such run or model, the place is taken, or the images that the
            model was trained on allow no publishing.
        ModelError: a network cannot be written as a graph; says why.
        ZooError: the extra [onnx] is not installed, a place cannot be written, or the page's runtime cannot be fetched.
    """
    place, typed = Path(folder), "MODEL" if isinstance(model, Model) else shlex.quote(os.fspath(model))
    if to not in FORMS:
        raise unknown("form of an export", to, FORMS, hint="for example: --to onnx")
    _check_choices(to, bf16, pixels, runtime)
    _check_name(to, place, typed)
    report = report or Reporter()
    if to == "model":
        from .model_folder import write_model_folder

        dtype = torch.bfloat16 if bf16 else None
        return write_model_folder(model, place, raw=raw, dtype=dtype, last=last, at=at, report=report)
    loaded = load(model, raw=raw, last=last, at=at)
    check_publishable(loaded.config)
    note_choice(loaded.config, report)
    if to == "onnx":
        from .onnx_folder import write_onnx

        return write_onnx(loaded, place, pixels=pixels, report=report)
    from .page import write_page

    archive = None if runtime is None else Path(runtime)
    return write_page(loaded, place, runtime=archive, source=_public_name(model), report=report)


def _public_name(model: ModelLike) -> str:
    """Return what everybody calls a model: its name in the catalog or on the Hub; "" for one that only lies here."""
    if isinstance(model, Model) or local_folder(model) == Path(model).expanduser():
        return ""
    return os.fspath(model) if find_entry(os.fspath(model)) or local_folder(model) is None else ""


def _check_choices(to: str, bf16: bool, pixels: str, runtime: Place | None) -> None:
    """Raise `UsageError` for a choice that another form has."""
    if pixels not in PIXELS:
        raise unknown("form of images", pixels, PIXELS, hint="for example: --pixels uint8")
    for flag, given, of in (
        ("--bf16", bf16, "model"),
        ("--pixels", pixels != "float", "onnx"),
        ("--runtime", runtime is not None, "html"),
    ):
        if given and to != of:
            raise UsageError(f"{flag} is a choice of --to {of}, and this is --to {to}", hint=f"leave {flag} out")


def _check_name(to: str, place: Path, typed: str) -> None:
    """Raise `UsageError` for a name of a file where a folder is made, or of a folder where a page is."""
    kind, bare = place.suffix.lower(), shlex.quote(str(place.with_suffix("")))
    if to == "html":
        if place.is_dir():
            raise UsageError(f"{place} is a folder, and a page is one file", hint="name a file: FILE.html")
        if kind not in _PAGES:
            page = shlex.quote(f"{place}.html")
            raise UsageError(
                f"{place} does not end in .html, as a page does", hint=f"type: zoo export {typed} {page} --to html"
            )
        if place.exists():
            raise UsageError(f"{place} exists already", hint="choose another name, or remove it first")
    elif kind in _PAGES:
        raise UsageError(f"{place} names a page", hint=f"for one: zoo export {typed} {shlex.quote(str(place))} --to html")
    elif kind == ".onnx":
        also = "" if to == "onnx" else f"; for the zoo itself: zoo export {typed} {bare}"
        what = "an export to ONNX is a folder" if to == "onnx" else "an export is a model folder"
        raise UsageError(
            f"{place} names a file, and {what}", hint=f"for generator.onnx: zoo export {typed} {bare} --to onnx{also}"
        )
    elif kind in _FILES:
        raise UsageError(
            f"{place} names a file, and an export is a model folder: config.json and safetensors",
            hint=f"for example: zoo export {typed} {bare}",
        )
    elif to == "onnx" and place.exists():
        raise UsageError(f"{place} exists already", hint="choose another folder, or remove it first")
