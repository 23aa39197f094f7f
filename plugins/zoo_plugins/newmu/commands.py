"""`zoo import`: a group that any plugin may add to, and `zoo import newmu`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from zoo_core import ModelError, PluginError, UsageError, registry
from zoo_core.words import printable

from .pairs import PAIRS

OTHERS = "import-"  # what the names of other plugins' importers begin with


class Importers(click.Group):
    """Its own commands, and those that plugins register as "import-NAME"."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        others = {name.removeprefix(OTHERS) for name in registry.names("commands") if name.startswith(OTHERS)}
        return sorted({*self.commands, *others})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        if OTHERS + cmd_name not in registry.names("commands"):
            return None
        found = registry.load("commands", OTHERS + cmd_name)
        if not isinstance(found, click.Command):
            raise PluginError(f"command {OTHERS + cmd_name!r} is a {type(found).__name__}, not a click.Command")
        return found


@click.group("import", cls=Importers, no_args_is_help=True)
def import_weights() -> None:
    """Make model folders of weights that others published in other formats.

    \b
    Examples:
      git clone https://github.com/Newmu/dcgan_code
      zoo import newmu dcgan_code
    """


@import_weights.command("newmu", no_args_is_help=True)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the model folder here; of several pairs, one in it for each.  [default: newmu-svhn, newmu-imagenet, here]",
)
@click.option("--pair", type=click.Choice(list(PAIRS)), help="Take this pair of networks only.")
@click.option("--dataset", metavar="NAME", help="Real images for the discriminator's statistics.  [default: the pair's]")
@click.option("--data", metavar="PATH", help="Where the pictures lie: a folder, an archive, or user/name for hub.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for a machine to read.")
def newmu(directory: Path, out: Path | None, pair: str | None, dataset: str | None, data: str | None, as_json: bool) -> None:
    """Import the weights of DCGAN's authors: SVHN and ImageNet, 32×32.

    DIR is a clone of github.com/Newmu/dcgan_code, or a folder of its numbered
    .npy files; its pickles are not read. Generator and discriminator become
    one model folder, for all that takes a MODEL.

    The authors kept no batch-norm statistics. The generator's are estimated
    from latents, the discriminator's from real images where --dataset or
    --data names some, else from its generator's samples.

    \b
    Examples:
      zoo import newmu dcgan_code
      zoo import newmu dcgan_code --pair svhn --out svhn
      zoo import newmu dcgan_code --pair svhn --dataset svhn --data ~/svhn
    """
    import zoo

    from .importing import CLONE, choose_pairs, import_pair

    whole, lacking = choose_pairs(directory, pair)
    single = len(whole) + len(lacking) == 1
    folders = {name: out if out and single else (out or Path()) / f"newmu-{name}" for name in whole}
    for folder in folders.values():
        if folder.exists():
            raise ModelError(f"{folder} exists already", hint="choose another folder: --out DIR, or remove it first")
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder", hint="choose another folder: --out DIR")
    for why in lacking.values():
        _say(f"left out: {why}\nthe repository has them all: {CLONE}")
    models = {name: import_pair(PAIRS[name], place, dataset=dataset, data=data, note=_say) for name, place in whole.items()}
    for name, model in models.items():
        zoo.export(model, folders[name])
    if as_json:
        written = {name: str(folder) for name, folder in folders.items()}
        sys.stdout.write(json.dumps({"models": written, "left_out": lacking}, indent=2) + "\n")
        return
    for folder in folders.values():
        sys.stdout.write(printable(str(folder)) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(printable(text, lines=True) + "\n")
