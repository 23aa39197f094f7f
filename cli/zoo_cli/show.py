"""`zoo show`."""

from __future__ import annotations

from typing import Any

import click

from .completion import completing
from .output import json_option, print_json, print_table, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument(
    "name", shell_complete=completing("recipes", "generators", "discriminators", "losses", "datasets", "features")
)
@json_option
def show(name: str, as_json: bool) -> None:
    """Say all about NAME: summary, paper, options with types and defaults.

    NAME is a recipe, generator, discriminator, loss, dataset or feature extractor, or "training" or "optimizer" for the
    settings that every recipe has.

    \b
    Examples:
      zoo show dcgan
      zoo show dcgan-paper --json
      zoo show training
    """
    from zoo.describing import describe

    warn_about_plugins()
    found = describe(name)
    if as_json:
        print_json(found)
        return
    for i, thing in enumerate(found):
        if i:
            click.echo()
        _print(thing)


def _print(thing: dict[str, Any]) -> None:
    click.secho(
        f"{thing['kind'].removesuffix('s') if thing['kind'] != 'losses' else 'loss'} {thing['name']}", bold=True, nl=False
    )
    click.echo(f"  ({thing['distribution']} {thing['version']})" if thing.get("distribution") else "")
    for key in ("summary", "paper", "base", "generator", "discriminator", "loss"):
        if thing.get(key):
            click.echo(f"  {key}: {thing[key]}")
    if thing.get("settings"):
        click.echo("  settings:")
        print_table([(f"    {key}", str(value)) for key, value in thing["settings"].items()])
    if "options" in thing:
        click.echo("  options:" if thing["options"] else "  no options")
        print_table([(f"    {o['name']}", o["type"], f"[{_default(o['default'])}]", o["help"]) for o in thing["options"]])


def _default(value: Any) -> str:
    return "none" if value is None else str(value)
