"""`zoo list`."""

from __future__ import annotations

import click

from .output import json_option, print_json, print_table, warn_about_plugins

KINDS = ("recipes", "generators", "discriminators", "losses", "datasets", "features")


@click.command("list")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@json_option
def list_command(kind: str | None, as_json: bool) -> None:
    """List what is installed: recipes, generators, discriminators, losses, datasets, features.

    \b
    Examples:
      zoo list
      zoo list recipes
      zoo list datasets --json
    """
    from zoo.describing import list_entries

    warn_about_plugins()
    entries = list_entries(kind)
    if as_json:
        print_json(entries)
        return
    if kind is not None:
        print_table([(e["name"], e["distribution"], e["summary"]) for e in entries])
        return
    for listed in KINDS:
        rows = [(f"  {e['name']}", e["distribution"], e["summary"]) for e in entries if e["kind"] == listed]
        if rows:
            click.echo(listed)
            print_table(rows)
