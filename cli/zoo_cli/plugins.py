"""`zoo plugins`."""

from __future__ import annotations

import click

from .output import json_option, print_json, print_table, warn_about_plugins


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List installed plugins, what they provide, and which are broken.

    ZOO_PLUGINS=a,b limits the plugins that are loaded, beside the built-in ones.
    """
    from zoo.describing import list_plugins

    if ctx.invoked_subcommand is not None:
        return
    rows = list_plugins()
    if as_json:
        print_json(rows)
        return
    warn_about_plugins()
    print_table(
        [
            (
                row["name"],
                f"{row['distribution']} {row['version']}".strip(),
                row["status"]
                if row["status"] != "ok"
                else "; ".join(f"{kind}: {', '.join(names)}" for kind, names in row["provides"].items()) or "nothing",
            )
            for row in rows
        ]
    )
