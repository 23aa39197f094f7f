"""`zoo list`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from operator import itemgetter

import click

from zoo_core.records import KINDS, SINGULAR
from zoo_core.words import plural

from .output import echo, json_option, print_json, print_table, warn_about_plugins

LISTED = ("recipes", *KINDS)


_ELSEWHERE = {
    "packs": "zoo data list",
    "runs": "zoo runs",
    "plugins": "zoo plugins",
    "commands": "zoo --help",
    "options": "zoo show dcgan",
}
"""What has a command of its own."""


class _Kind(click.Choice[str]):
    """A kind of thing, which may be called by the name of one: recipe."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in _ELSEWHERE:
            raise click.BadParameter(f"{value} are listed elsewhere; type: {_ELSEWHERE[value]}")
        plurals = {one: kind for kind, one in SINGULAR.items() if kind in LISTED}
        return super().convert(plurals.get(value.lower(), value), param, ctx)


@click.command("list")
@click.argument("kind", required=False, metavar="[KIND]", type=_Kind(LISTED))
@click.option("--hub", is_flag=True, help="List models that people have published on the Hugging Face Hub instead.")
@click.option("--author", metavar="NAME", help="Author of it: with --hub, only this user's or organization's.")
@click.option("--search", metavar="WORD", help="With --hub: only those whose name holds this.")
@json_option
def list_command(kind: str | None, hub: bool, author: str | None, search: str | None, as_json: bool) -> None:
    """List what is installed: recipes, and what they and trainings are made of, by kind.

    KIND is recipes, algorithms, generators, discriminators, networks, losses, augmentations, datasets, features, metrics,
    trackers, samplers, models or papers.

    \b
    Examples:
      zoo list
      zoo list recipes
      zoo list datasets --json
      zoo list --hub --search faces
    """
    from zoo.describing import list_entries

    warn_about_plugins()
    if hub:
        if kind is not None:
            raise click.UsageError(f"--hub lists models, not {kind}")
        _print_published(author, search, as_json)
        return
    if author is not None or search is not None:
        raise click.UsageError("--author and --search go with --hub")
    entries = list_entries(kind)
    if as_json:
        print_json(entries)
        return
    if kind is not None:
        print_table([(e["name"], e["distribution"], e["summary"]) for e in entries])
        return
    for listed, of_kind in groupby(entries, key=itemgetter("kind")):
        echo(listed)
        print_table([(f"  {e['name']}", e["distribution"], e["summary"]) for e in of_kind])


def _print_published(author: str | None, search: str | None, as_json: bool) -> None:
    import zoo
    from zoo.progress import reporter_for_terminal

    models = zoo.list_published(author=author, search=search, report=reporter_for_terminal())
    if as_json:
        print_json([asdict(model) for model in models])
        return
    if not models:
        echo("no published model matches" if author or search else "nobody has published a model yet")
        return
    rows = []
    for m in models:
        size, megabytes = f"{m.size}×{m.size}" if m.size else "", f"{m.bytes / 1e6:,.1f} MB" if m.bytes else ""
        license = "private" if m.private else m.license or "license not stated"
        rows.append(
            (m.name, m.dataset or "dataset not stated", size, megabytes, f"{plural(m.downloads, 'download')}", license)
        )
    print_table(rows)
