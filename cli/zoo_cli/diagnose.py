"""`zoo diagnose`."""

from __future__ import annotations

from pathlib import Path

import click

from .completion import completing
from .options import out_option
from .output import echo, json_option, print_json, print_table

HEADINGS = {
    "healthy": ("healthy: no sign of failure", "green"),
    "ailing": ("ailing", "yellow"),
    "stopped": ("it could not go on", "red"),
    "unknown": ("too early to tell", None),
}


@click.command(no_args_is_help=True)
@click.argument("run", shell_complete=completing("runs"))
@out_option("a picture of the curves", otherwise="none is drawn")
@json_option
def diagnose(run: str, out: str | None, as_json: bool) -> None:
    """Tell in words how the training in RUN does, and what to try; also while it is training.

    Looks for a discriminator that wins outright, a generator's gradient that vanishes, samples that collapse, losses that
    oscillate, and numbers that are none. What it says to try can be typed as it stands. Beside the run's own curves stand
    those of a training of the same recipe that went well and of one that did not, where they were measured.

    \b
    Examples:
      zoo diagnose runs/dcgan-faces
      zoo diagnose runs/dcgan-faces --out health.png
      zoo diagnose runs/dcgan-faces --json
    """
    import zoo
    from zoo.training.curves import save_health, sparklines

    found = zoo.diagnose(run)
    drawn = save_health(found, Path(out)) if out else None
    if as_json:
        print_json({**found.to_json(), "curves": drawn})
        return
    heading, color = HEADINGS[found.verdict]
    echo(heading, fg=color, bold=True)
    for warning in found.warnings:
        echo(f"- {warning.words}")
        commands = found.commands.get(warning.kind, [])
        for command in commands:
            echo(f"  try: {command}")
        if not commands:
            echo(f"  try: {warning.advice}")
    for kind, (first, last) in found.passed.items():
        echo(f"- {kind}: seen from {first:,} to {last:,} images, and gone")
    for words in found.words:
        echo(words)
    print_table(sparklines(found))
    for reference in found.references:
        echo(f"{reference.health}: {reference.label}")
    if drawn:
        echo(f"curves: {drawn}")
