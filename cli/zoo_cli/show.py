"""`zoo show`."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click

from zoo_core.options import write_value
from zoo_core.records import KINDS, SINGULAR
from zoo_core.words import printable

from .completion import completing
from .output import echo, json_option, print_json, print_table, warn_about_plugins

_GROUPS = {
    **{kind: SINGULAR[kind] for kind in ("algorithms", "generators", "discriminators", "losses", "datasets")},
    "features": "features",
}
"""Kind → what stands before the dot of its options after --set. A network has the role that a recipe gives it there."""

_FLAGS = ("dataset.data", "dataset.split")  # options of their own in every command
_COLUMN, _ENDLESS = 34, 100_000


@click.command(no_args_is_help=True)
@click.argument("name", shell_complete=completing("recipes", *KINDS))
@json_option
def show(name: str, as_json: bool) -> None:
    """Say all about NAME: summary, paper, options with types and defaults.

    NAME is what zoo list shows, of any kind, or "training" or "optimizer" for the settings that every recipe has.

    Options are shown as they are typed after --set. Those of a recipe have the values that it trains with; "*" marks what
    it says itself.

    \b
    Examples:
      zoo show dcgan
      zoo show gan
      zoo show dcgan-paper --json
      zoo show training
    """
    from zoo.describing import describe

    warn_about_plugins()
    found = describe(name)
    if as_json:
        print_json(found)
        return
    for number, thing in enumerate(found):
        echo(nl=number > 0)
        _print(thing)


def _print(thing: dict[str, Any]) -> None:
    echo(f"{SINGULAR.get(thing['kind'], thing['kind'])} {thing['name']}", bold=True, nl=False)
    echo(f"  ({thing['distribution']} {thing['version']})" if thing.get("distribution") else "")
    for key in ("summary", "paper", "base", "url", "where", "recipe", "dataset", "license"):
        if thing.get(key):
            echo(f"  {key}: {printable(str(thing[key]))}")
    if thing["kind"] == "recipes":
        _print_recipe(thing)
    if thing.get("phases"):
        echo("  phases of a step:")
        print_table([(f"    {p['name']}", f"updates {', '.join(p['updates'])}", _often(p)) for p in thing["phases"]])
    if thing["kind"] == "algorithms":
        echo("  parts:")
        averaged = dict.fromkeys(thing["averages"], "averaged, and published")
        print_table([(f"    {role}", SINGULAR[kind], averaged.get(role, "")) for role, kind in thing["parts"].items()])
    if "claims" in thing:
        echo(f"  claims (how each is judged: zoo reproduce {thing['name']} --dry-run):")
    for name, claim in thing.get("claims", {}).items():
        echo(f"    {name}: {printable(claim['statement'])}")
    if "options" in thing:
        _print_options(thing)


def _print_recipe(thing: dict[str, Any]) -> None:
    from zoo.describing import SIZES

    echo(f"  algorithm: {thing['algorithm']}")
    for role, part in thing["parts"].items():
        echo(f"  {role}: {part['name']}")
    echo(f"  image sizes: {', '.join(map(str, thing['sizes']))}, of those tried from {SIZES[0]} to {SIZES[-1]}")


def _print_options(thing: dict[str, Any]) -> None:
    """Print options as they are typed after --set, with the value that they have; "*" marks what a recipe itself says."""
    if not thing["options"]:
        echo("  no options")
        return
    group = thing["name"] if thing["kind"] == "settings" else _GROUPS.get(thing["kind"], "")
    if thing["kind"] == "recipes":
        echo('  options of --set ("*": what the recipe itself says):')
    else:
        echo("  options of --set:" if group else "  options:")
    rows = []
    for option in thing["options"]:
        name, kind, default = option["name"], option["type"], option["default"]
        value = option.get("value", default)
        key = option.get("key") or ".".join(filter(None, [group, name]))
        shown, otherwise = write_value(value), write_value(default)
        typed = f"--{name}" if key in _FLAGS else f"{key}={shown}"
        about = ", ".join(filter(None, [kind, option["range"], f"else {otherwise}" if shown != otherwise else ""]))
        about = f"{about}: {option['help']}" if option["help"] else about
        rows.append((f"{'*' if option.get('set') else ' '} {printable(typed)}", printable(about)))
    width = click.get_current_context().terminal_width or shutil.get_terminal_size().columns
    formatter = click.HelpFormatter(indent_increment=2, width=width if sys.stdout.isatty() else _ENDLESS)
    with formatter.indentation():
        formatter.write_dl(rows, col_max=_COLUMN if sys.stdout.isatty() else _ENDLESS)
    echo(formatter.getvalue(), nl=False, lines=True)


def _often(phase: dict[str, Any]) -> str:
    every, at = phase["every"], phase["at"]
    when = "in every step" if every == len(at) else f"in {len(at)} of {every} steps"
    return f"{when}, with the optimizer step of the phase before" if phase["joins"] else when
