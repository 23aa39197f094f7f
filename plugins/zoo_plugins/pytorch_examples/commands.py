"""`zoo import pytorch-examples`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from zoo_core import ModelError
from zoo_core.words import printable


@click.command("pytorch-examples", no_args_is_help=True)
@click.argument("generator", metavar="NETG", type=click.Path(path_type=Path))
@click.argument("discriminator", metavar="[NETD]", required=False, type=click.Path(path_type=Path))
@click.option("--out", metavar="DIR", required=True, type=click.Path(path_type=Path), help="The model folder to write.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for a machine to read.")
def import_checkpoints(generator: Path, discriminator: Path | None, out: Path, as_json: bool) -> None:
    """Import checkpoints of PyTorch's DCGAN example: netG_epoch_N.pth and,
    if it is there, netD_epoch_N.pth, which dcgan/main.py of
    github.com/pytorch/examples writes.

    The files are read as plain weights (torch.load with weights_only); code
    in them is refused. Their batch-norm statistics are kept, so the model
    computes what theirs does in evaluation mode.

    \b
    Examples:
      zoo import pytorch-examples netG_epoch_24.pth --out faces
      zoo import pytorch-examples netG_epoch_24.pth netD_epoch_24.pth --out faces
      zoo sample faces --out samples.png
    """
    import zoo

    from .importing import build_model

    if out.exists():
        raise ModelError(f"{out} exists already", hint="choose another folder: --out DIR, or remove it first")
    folder = zoo.export(build_model(generator, discriminator), out)
    text = json.dumps({"model": str(folder)}) if as_json else printable(str(folder))
    sys.stdout.write(text + "\n")
