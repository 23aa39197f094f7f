"""Which labeled images belong to a model: those that are named, else those that it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo_core import UsageError, ZooError

from ..loading import find_folder
from ..models.model import Model
from ..packs import Pack, PackRequest, build_pack
from ..progress import Reporter
from ..runs.run import is_run, read_run

Images = Pack | PackRequest | None
"""Images beside a model: a pack, a request for one, or None for those that the model was trained on."""

_SILENT = Reporter()


def images_for(model: Model, where: Model | str | Path, images: Images = None, *, report: Reporter = _SILENT) -> Pack:
    """The pack of `images`, with the model's size and channels; without `images`, of what the model was trained on.

    Args:
        model: the model.
        where: what it was loaded from; a run folder knows where its pictures lie.
        images: a pack, or a request whose size and channels are replaced by the model's.
        report: hears what is packed.

    Raises:
        UsageError: the model does not say what it was trained on, or the pack's images are of another size.
        DataError: the images are not there.
    """
    if isinstance(images, Pack):
        if images.spec.size != model.image.size or images.spec.channels != model.image.channels:
            raise UsageError(
                f"the pack has images of {images.spec.shape}, the model draws {model.image.shape}",
                hint="build the pack with the model's size and channels",
            )
        return images
    if images is None:
        return _of_training(model, where, report)
    request = PackRequest(images.dataset, images.data, images.split, model.image.size, model.image.channels, images.options)
    return build_pack(request, report=report)


def _of_training(model: Model, where: Model | str | Path, report: Reporter) -> Pack:
    described: dict[str, Any] = {}
    if not isinstance(where, Model):
        place = find_folder(where)
        run = place if is_run(place) else place.parent
        if is_run(run):
            described = read_run(run).config.dataset or {}
    if not described:
        described = model.config.get("provenance", {}).get("dataset") or {}
    hint = "say which images: --dataset NAME [--data PATH]; zoo list datasets shows all"
    if not described.get("name"):
        raise UsageError("the model does not say what it was trained on", hint=hint)
    request = PackRequest(
        described["name"],
        described.get("data"),
        described.get("split", "train"),
        model.image.size,
        model.image.channels,
        described.get("options", {}),
    )
    try:
        pack = build_pack(request, report=report)
    except ZooError as error:
        error.hint = f"{error.hint}\n{hint}" if error.hint else hint
        raise
    trained_on = described.get("count", len(pack))
    if trained_on != len(pack):  # a model folder does not say where its photographs lay
        raise UsageError(
            f"the model was trained on {trained_on:,} images of {described['name']}, "
            f"and without --data there are {len(pack):,}",
            hint=hint,
        )
    return pack
