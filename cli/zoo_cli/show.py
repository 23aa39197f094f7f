"""`zoo show`."""

from __future__ import annotations

from typing import Any

import click

from zoo_core.records import KINDS, SINGULAR
from zoo_core.words import printable

from .completion import completing
from .output import echo, json_option, print_json, print_table, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("name", shell_complete=completing("recipes", *KINDS))
@json_option
def show(name: str, as_json: bool) -> None:
    """Say all about NAME: summary, paper, options with types and defaults.

    NAME is what zoo list shows, of any kind, or "training" or "optimizer" for the settings that every recipe has. A recipe
    is shown with all the values that it trains with; "*" marks those that it says itself.

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
    for key in ("summary", "paper", "base", "where", "recipe", "dataset", "license"):
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
    if "options" in thing:
        echo("  options:" if thing["options"] else "  no options")
        print_table([(f"    {o['name']}", o["type"], f"[{_text(o['default'])}]", o["help"]) for o in thing["options"]])


def _print_recipe(thing: dict[str, Any]) -> None:
    from zoo.describing import SIZES

    echo(f"  algorithm: {thing['algorithm']}")
    for role, part in thing["parts"].items():
        echo(f"  {role}: {part['name']}")
    echo(f"  image sizes: {', '.join(map(str, thing['sizes']))}, of those tried from {SIZES[0]} to {SIZES[-1]}")
    echo("  settings:")
    said = thing["settings"]
    rows = []
    for key, value in thing["values"].items():
        group, _, option = key.rpartition(".")
        mine = key in said or (group.startswith("optimizer.") and f"optimizer.{option}" in said)
        rows.append((f"  {'*' if mine else ' '} {key}", _text(value)))
    print_table(rows)


def _often(phase: dict[str, Any]) -> str:
    every, at = phase["every"], phase["at"]
    when = "in every step" if every == len(at) else f"in {len(at)} of {every} steps"
    return f"{when}, with the optimizer step of the phase before" if phase["joins"] else when


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
