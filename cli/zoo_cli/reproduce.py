"""`zoo reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo_core.papers import PROFILES

from .completion import completing
from .options import device_option, out_option, precision_option
from .output import echo, exit_by_signal, json_option, print_json, print_table, warn_about_plugins

if TYPE_CHECKING:
    from zoo.reproducing.rows import Reproduction

_COLORS = {"holds": "green", "does not hold here": "red", "failed": "red", "cannot tell": "yellow"}


@click.command(no_args_is_help=True)
@click.argument("paper", metavar="PAPER", shell_complete=completing("papers"))
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="minutes",
    show_default=True,
    help="How much is spent: minutes is ten minutes on two cores, on images that are drawn; gpu is sized for one GPU.",
)
@click.option("--data", multiple=True, metavar="NAME=PATH", help="Where a dataset lies that a claim needs; repeatable.")
@click.option("--only", multiple=True, metavar="CLAIM", help="Leave out all other claims; repeatable.")
@out_option("page, results, runs and pictures", otherwise="reproduction-PAPER-PROFILE", metavar="DIR")
@click.option("--markdown", metavar="FILE", help="Write Markdown too.")
@device_option
@precision_option()
@click.option(
    "--processes",
    type=int,
    metavar="N",
    show_default="one for each core, one where a GPU computes",
    help="How many processes measure claims at the same time.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and how each claim is judged.")
@json_option
def reproduce(
    paper: str,
    profile: str,
    data: tuple[str, ...],
    only: tuple[str, ...],
    out: str | None,
    markdown: str | None,
    device: str,
    precision: str | None,
    processes: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Reproduce PAPER: measure its claims, and say of each whether it holds.

    The plan and the rules by which the claims are judged are printed first. A claim whose data are not at hand is left out,
    with the reason; one whose measuring fails is a row that says so, and the others go on: the exit code is 1 then.

    Writes DIR/report.html, DIR/results.json, and all runs. The same command goes on with what was interrupted, even killed.

    \b
    Examples:
      zoo reproduce dcgan --dry-run
      zoo reproduce dcgan --out reproduction
      zoo reproduce dcgan --profile gpu --data cifar10=~/cifar10
    """
    import zoo
    from zoo.progress import reporter_for_terminal
    from zoo.reproducing.planning import plan_reproduction, read_data

    warn_about_plugins()
    folder = Path(out or f"reproduction-{paper.replace(':', '-')}-{profile}")
    given = read_data(data)
    names = [name.strip() for text in only for name in text.split(",") if name.strip()]
    if dry_run:
        report = reporter_for_terminal()
        chosen: dict[str, Any] = {"profile": profile, "data": given, "only": names, "device": device, "processes": processes}
        planned = plan_reproduction(paper, **chosen, out=folder, report=report)
        if as_json:
            print_json(planned.to_json())
            return
        print_table(planned.rows())
        for one in planned.claims:
            echo()
            echo(f"{one.name}: {one.claim.statement}", bold=True)
            echo(f"  the paper: {one.claim.paper}")
            echo(f"  the rule: {one.claim.criterion}")
        return
    done = zoo.reproduce(
        paper,
        profile=profile,
        data=given,
        only=names,
        out=folder,
        device=device,
        precision=precision,
        processes=processes,
        markdown=markdown,
    )
    print_json({**done.to_json(), "out": str(done.path), "report": str(done.page)}) if as_json else _say(done)
    exit_by_signal(done.signal)
    if done.failed:
        click.get_current_context().exit(1)


def _say(done: Reproduction) -> None:
    for row in done.rows:
        echo(f"{row.name}: ", nl=False, bold=True)
        echo(row.kind, nl=False, fg=_COLORS.get(row.kind))
        echo(f": {row.why}")
    echo(f"report: {done.page}")
    if done.signal:
        echo(f"stopped by {done.signal}; everything is saved, and the same command goes on")
