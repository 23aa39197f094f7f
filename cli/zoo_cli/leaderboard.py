"""`zoo leaderboard`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .completion import completing, completing_metric, completing_words
from .options import (
    batch_option,
    channels_option,
    device_option,
    precision_option,
    samples_option,
    set_option,
    size_option,
)
from .output import echo, exit_by_signal, json_option, print_json, print_table, warn_about_plugins

if TYPE_CHECKING:
    from zoo.leaderboard.checking import Check
    from zoo.leaderboard.summary import Leaderboard

_folder = click.argument("folder", metavar="DIR")
_sort = click.option("--sort", metavar="METRIC", help="What comes first: the best of this column.  [default: the first]")

_keep_runs = click.option("--keep-runs", is_flag=True, help="Keep the run folders, in a folder cells.")


def _read_texts(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:
    return value or None


@click.group()
def leaderboard() -> None:
    """Fill, show and check a leaderboard of recipes.

    \b
    Examples:
      zoo leaderboard build board --recipes dcgan --datasets faces --images 20000
      zoo leaderboard show board --html board.html
      zoo leaderboard check board dcgan/faces
    """


@leaderboard.command(no_args_is_help=True)
@_folder
@click.option(
    "--recipes",
    multiple=True,
    callback=_read_texts,
    metavar="NAMES",
    shell_complete=completing("recipes", several=True),
    help="Recipes, with commas between; repeatable.",
)
@click.option(
    "--datasets",
    multiple=True,
    callback=_read_texts,
    metavar="NAMES",
    shell_complete=completing("datasets", several=True),
    help="Datasets, with options NAME:KEY=VALUE and commas between; repeatable.",
)
@click.option("--seeds", metavar="N", type=int, help="Trainings of each row: seeds 0, 1 and so on.  [default: 3]")
@click.option("--images", type=int, metavar="N", help="Budget: real images shown.")
@size_option()
@channels_option()
@batch_option
@set_option("of all recipes that know them; RECIPE/KEY is one recipe's")
@click.option(
    "--features",
    metavar="NAME",
    shell_complete=completing("features", several=True),
    help="What describes an image; several with commas between.  [default: scattering,efficientnet-lite0]",
)
@click.option(
    "--metrics",
    metavar="NAMES",
    shell_complete=completing("metrics", several=True),
    help="Names, with commas between; zoo list metrics shows all.  [default: frechet,kid,precision,recall]",
)
@samples_option("of each model", "1000")
@click.option("--real", type=int, metavar="N", help="Real images that they are measured against.  [default: 1000]")
@precision_option()
@device_option
@click.option(
    "--threads",
    metavar="auto|N",
    shell_complete=completing_words("auto"),
    help="Threads that compute on a CPU; more processes are faster than more threads.  [default: 1]",
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Leave out all other recipes, datasets or rows; repeatable.")
@click.option("--limit-minutes", type=float, metavar="N", help="Begin no cell that would end later.")
@click.option("--renew", is_flag=True, help="Train anew what failed, and rows whose recipes have changed.")
@_keep_runs
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
def build(folder: str, as_json: bool, **choices: Any) -> None:
    """Train and measure the cells of a leaderboard.

    Start it as often as there are processors, also on other machines that share DIR: each process takes the next cell that
    is free, and what one leaves that is killed is taken over. `zoo leaderboard build DIR` goes on with a board; more
    recipes, datasets and seeds may be named then.

    DIR/*.json are the results. A recipe that fails is a row with its reason.

    \b
    Examples:
      zoo leaderboard build board --recipes dcgan,sngan \\
        --datasets faces,faces:style=notionists --images 20000 --size 32
      zoo leaderboard build board
      zoo leaderboard build board --only 'dcgan*' --limit-minutes 30
    """
    import zoo

    warn_about_plugins()
    found = zoo.build_leaderboard(folder, **choices)
    print_json(found.to_json()) if as_json else _say(found, None)
    exit_by_signal(found.signal)


@leaderboard.command(no_args_is_help=True)
@_folder
@_sort
@click.option("--html", metavar="FILE", type=click.Path(), help="Write a page with samples.")
@click.option("--markdown", metavar="FILE", help="Write Markdown too; - prints it instead.")
@json_option
def show(folder: str, sort: str | None, html: str | None, markdown: str | None, as_json: bool) -> None:
    """Show a leaderboard as far as it is: means and 95 % intervals.

    \b
    Examples:
      zoo leaderboard show board
      zoo leaderboard show board --sort kid --html board.html
      zoo leaderboard show board --markdown leaderboard.md
    """
    import zoo
    from zoo.leaderboard.pages import write_markdown

    printed = markdown == "-"
    found = zoo.show_leaderboard(folder, sort=sort, html=html, markdown=None if printed else markdown)
    for file in filter(None, (html, None if printed else markdown)):
        echo(f"written to {file}", err=True)
    if printed:
        echo(write_markdown(found, sort), nl=False, lines=True)
    else:
        print_json(found.to_json()) if as_json else _say(found, sort)


@leaderboard.command(no_args_is_help=True)
@_folder
@click.argument("row", metavar="RECIPE/DATASET")
@click.option("--seeds", metavar="N", type=int, default=3, show_default=True, help="Trainings of seeds new to the board.")
@click.option(
    "--metric",
    metavar="NAME",
    shell_complete=completing_metric,
    help="What is to decide: METRIC:FEATURES, or METRIC of the first.  [default: the board's first column]",
)
@device_option
@click.option("--renew", is_flag=True, help="Train anew what an earlier check has trained.")
@_keep_runs
@json_option
@click.pass_context
def check(ctx: click.Context, /, folder: str, row: str, as_json: bool, **choices: Any) -> None:
    """Run a row of a leaderboard again, with other seeds.

    It is inside where the mean of the new seeds lies in the 95 % prediction interval that the board's seeds give. The
    board's first seed is trained once more too: on the same kind of machine it must give the same weights. Exits with 1
    where one of both is not so. What was found is kept in DIR/checks, and zoo leaderboard show tells it.

    \b
    Examples:
      zoo leaderboard check board dcgan/faces
      zoo leaderboard check board dcgan/faces:style=notionists --seeds 5
    """
    import zoo

    warn_about_plugins()
    found = zoo.check_leaderboard(folder, row, **choices)
    print_json(found.to_json()) if as_json else _say_check(found)
    exit_by_signal(found.signal)
    if not found.passed:
        ctx.exit(1)


def _say_check(found: Check) -> None:
    from zoo.reports.page import number

    rows = [("column", "board", "now", "expected", "")]
    for name, judged in found.columns.items():
        expected = f"{number(judged.low)} to {number(judged.high)}"
        rows.append((name, number(judged.board), number(judged.new), expected, "inside" if judged.inside else "outside"))
    print_table(rows)
    echo(f"{found.row}: {found.sentence}")


def _say(found: Leaderboard, sort: str | None) -> None:
    from zoo.leaderboard.tables import NOTHING, describe_board, explain_intervals, list_troubles, make_tables

    for table in make_tables(found, sort):
        if any(entry.text != NOTHING for row in table.rows for entry in row[:-1]):
            echo(f"{table.dataset}, {table.features} features", bold=True)
            print_table([table.heads, *([name, *map(str, row)] for name, row in zip(table.names, table.rows, strict=True))])
            echo()
    for name, why in list_troubles(found):
        echo(f"{name} {why}")
    for line in [*describe_board(found), explain_intervals(found, bold=False)]:
        echo(line)
    for text in found.warnings:
        echo(f"warning: {text}", fg="yellow", err=True)
    if found.signal:
        echo(f"stopped by {found.signal}; everything is saved, and the same command goes on")
