"""`zoo cache`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zoo_core.words import plural

from .completion import completing
from .output import ListingGroup, echo, format_age, format_bytes, json_option, print_json, print_table

if TYPE_CHECKING:
    from zoo.caching import CacheEntry

_SHOWN = 5  # entries of each kind, where no kind is named


@click.group(cls=ListingGroup)
def cache() -> None:
    """Show and clear what the zoo keeps so as not to make it twice.

    \b
    Examples:
      zoo cache
      zoo cache list features
      zoo cache clear features unfinished
      zoo cache clear --older-than 30d --dry-run
    """


@cache.command("list")
@click.argument("kinds", metavar="[KIND]...", nargs=-1, shell_complete=completing("cache"))
@json_option
def list_command(kinds: tuple[str, ...], as_json: bool) -> None:
    """List what lies in the cache: size, last use, what made it.

    \b
    Kinds:
      packs         datasets, decoded and resized (zoo data list)
      features      features of pictures, for metrics
      classifiers   classifiers of attributes
      downloads     datasets that --download fetched
      indexes       notes about large archives
      plugins       what plugins keep
      models        models of the Hub, in its own cache
      unfinished    what interrupted commands left

    \b
    Examples:
      zoo cache
      zoo cache list packs features
      zoo cache --json
    """
    from zoo.caching import KINDS, describe_limit, list_cache
    from zoo_core.places import cache_root

    found = list_cache(kinds)
    if as_json:
        print_json([entry.to_json() for entry in found])
        return
    for kind in KINDS:
        entries = [entry for entry in found if entry.kind == kind]
        if entries:
            limit = f"; {describe_limit()}" if kind == "features" else ""
            echo(f"{kind}: {format_bytes(sum(entry.bytes for entry in entries))}, {KINDS[kind]}{limit}")
            shown = entries if kinds else entries[:_SHOWN]
            print_table([_row(entry) for entry in shown])
            if rest := entries[len(shown) :]:
                size = format_bytes(sum(entry.bytes for entry in rest))
                echo(f"  … {len(rest):,} more of {size}: zoo cache list {kind}")
    echo(f"{format_bytes(sum(entry.bytes for entry in found))} in {cache_root()}" if found else f"nothing in {cache_root()}")


@cache.command(no_args_is_help=True)
@click.argument("kinds", metavar="[KIND]...", nargs=-1, shell_complete=completing("cache"))
@click.option("--older-than", metavar="TIME", help="Only what was not used for so long: 30d, 12h, 2w, 90min.")
@click.option("--all", "everything", is_flag=True, help="Everything, of every kind.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done: nothing is deleted.")
@json_option
def clear(kinds: tuple[str, ...], older_than: str | None, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Delete KINDs of things, or what was long not used.

    Your pictures and runs are never touched. Everything in the cache can be made or fetched again, in the time
    that it took. What a process uses stays. KINDs are those that zoo cache list shows; zoo data clear deletes single packs.

    \b
    Examples:
      zoo cache clear features unfinished
      zoo cache clear --older-than 30d --dry-run
      zoo cache clear packs --older-than 2w
      zoo cache clear --all
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    gone = zoo.clear_cache(
        kinds, older_than=older_than, everything=everything, dry_run=dry_run, report=reporter_for_terminal()
    )
    size = sum(entry.bytes for entry in gone)
    if as_json:
        print_json({"cleared": [entry.to_json() for entry in gone], "bytes": size, "dry_run": dry_run})
        return
    for kind in dict.fromkeys(entry.kind for entry in gone):
        of_kind = [entry.bytes for entry in gone if entry.kind == kind]
        echo(f"{kind}: {plural(len(of_kind), 'entry', 'entries')}, {format_bytes(sum(of_kind))}")
    echo(f"{format_bytes(size)} would be freed; nothing was deleted" if dry_run else f"{format_bytes(size)} freed")


def _row(entry: CacheEntry) -> tuple[str, ...]:
    name = entry.name if len(entry.name) <= 28 else f"{entry.name[:27]}…"
    return (
        f"  {name}",
        format_bytes(entry.bytes),
        format_age(entry.age),
        entry.made + (" (in use)" if entry.in_use else ""),
    )
