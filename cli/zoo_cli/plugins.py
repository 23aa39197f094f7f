"""`zoo plugins`."""

from __future__ import annotations

import click

from zoo_core.records import KINDS
from zoo_core.words import plural

from .completion import completing
from .options import license_option
from .output import echo, json_option, print_json, print_table, warn_about_plugins


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List installed plugins, what they provide, and which are broken.

    ZOO_PLUGINS=a,b limits the plugins that are loaded, beside the built-in ones.

    \b
    Examples:
      zoo plugins
      zoo plugins new zoo-acme --license mit --author "Ada Lovelace"
      zoo plugins check zoo-acme
    """
    from zoo.describing import list_plugins

    if ctx.invoked_subcommand is not None:
        return
    rows = list_plugins()
    if as_json:
        print_json(rows)
        return
    warn_about_plugins()
    cells = []
    for row in rows:
        provides = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in row["provides"].items()) or "nothing"
        status = provides if row["status"] == "ok" else row["status"]
        cells.append((row["name"], f"{row['distribution']} {row['version']}".strip(), status))
    print_table(cells)


@plugins.command(no_args_is_help=True)
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    metavar="KIND",
    help="What it provides: losses, datasets, ….  [default: networks and a recipe]",
)
@license_option("the package's own code", "none")
@click.option("--author", metavar="NAME", default="", help="Author of it: 'Name' or 'Name <address>'.")
@json_option
def new(name: str, kind: str | None, license: str, author: str, as_json: bool) -> None:
    """Write a plugin package ./NAME to start from, with tests.

    NAME is what pip will install.

    \b
    Examples:
      zoo plugins new zoo-acme
      zoo plugins new zoo-acme --kind losses --license mit
    """
    from zoo.scaffold import new_plugin

    folder = new_plugin(name, kind=kind or "pair", license=license, author=author)
    if as_json:
        print_json({"folder": folder})
        return
    echo(folder)
    echo(f"install it: pip install -e ./{folder}")
    echo(f"check it: zoo plugins check {name}")


@plugins.command(no_args_is_help=True)
@click.argument("name", shell_complete=completing("plugins"))
@json_option
@click.pass_context
def check(ctx: click.Context, name: str, as_json: bool) -> None:
    """Check all that the plugin NAME provides.

    Exits with 1 where something is not what it should be.

    NAME is a distribution or one of its plugins, as zoo plugins lists them.

    \b
    Examples:
      zoo plugins check zoo-acme
      zoo plugins check dcgan-zoo --json
    """
    from dataclasses import asdict

    from zoo.describing import check_plugins

    from .main import BUILT_IN

    findings = []
    for finding in check_plugins(name, reserved=BUILT_IN):
        findings.append(finding)
        if not as_json:
            ok = f"ok ({finding.note})" if finding.note else "ok"
            result = f"problem: {finding.problem}" if finding.problem else ok
            echo(f"{finding.what:<30}  {finding.check:<34}  {result}")
    failed = sum(bool(f.problem) for f in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(f) for f in findings]})
    else:
        echo(f"{plural(len(findings), 'check')}, {plural(failed, 'problem') if failed else 'no problems'}")
    if failed:
        ctx.exit(1)
