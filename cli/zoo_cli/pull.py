"""`zoo pull`."""

from __future__ import annotations

import shlex
from typing import Any

import click

from .output import json_option, print_json, print_table, warn_about_plugins


@click.command()
@click.argument("model", required=False)
@click.option("--to", metavar="DIR", help="Make a copy of your own.  [default: it stays in the Hub's cache]")
@click.option("--revision", help="Branch, tag or commit.  [default: main]")
@json_option
def pull(model: str | None, to: str | None, revision: str | None, as_json: bool) -> None:
    """Fetch MODEL and check it; without MODEL, list the catalog.

    MODEL is a name of the catalog, user/name[@revision] on the Hugging Face Hub, or a model folder, which is only checked.

    \b
    Examples:
      zoo pull
      zoo pull ada/dcgan-faces@v1 --to faces
      HF_HUB_OFFLINE=1 zoo pull ada/dcgan-faces
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    if model is None:
        if to is not None or revision is not None:
            raise click.UsageError("--to and --revision need a MODEL; zoo pull alone lists the catalog")
        _print_catalog(as_json)
        return
    found = zoo.pull(model, to=to, revision=revision, report=reporter_for_terminal())
    if as_json:
        print_json({"model": found.folder, "repo": found.repo, "commit": found.commit, "refused": found.refused})
        return
    click.echo(found.folder)
    if found.commit:
        click.echo(f"this is {found.repo} at commit {found.commit}{' (from the cache)' if found.cached else ''}")
        click.echo(f"to have this very one again: zoo pull {found.repo}@{found.commit}")
    name = model if to is None else to
    click.echo(f"draw from it: zoo sample {shlex.quote(name)} -n 64 --out samples.png")


def _print_catalog(as_json: bool) -> None:
    import zoo

    entries = zoo.read_catalog()
    if as_json:
        print_json([entry.as_dict() for entry in entries])
        return
    if not entries:
        click.echo("no installed plugin provides a model")
    print_table([_row(entry.as_dict()) for entry in entries])
    click.echo("published models: zoo list --hub")


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    size = (f"{model['size']}×{model['size']}", f"{model['bytes'] / 1e6:.1f} MB")
    place = model["where"] if "/" in model["where"].partition(":")[0] else model["distribution"]
    return (model["name"], size[0], model["dataset"], size[1], place, model["license"], model["summary"])
