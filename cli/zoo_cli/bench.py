"""`zoo bench`."""

from __future__ import annotations

from typing import Any

import click

from .completion import completing
from .options import (
    batch_option,
    channels_option,
    device_option,
    precision_option,
    set_option,
    size_option,
    steps_option,
    threads_option,
)
from .output import echo, json_option, print_json, print_table, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("recipe", shell_complete=completing("recipes"))
@size_option()
@channels_option("3")
@batch_option
@set_option()
@precision_option(default="auto")
@device_option
@click.option(
    "--compile/--no-compile",
    default=None,
    help="Compile the networks (torch.compile); one more way that is measured.  [default: on GPUs]",
)
@click.option(
    "--graphs/--no-graphs",
    default=True,
    help="Replay whole steps as CUDA graphs; one more way that is measured.  [default: on GPUs]",
)
@threads_option
@click.option("--rounds", metavar="N", default=5, show_default=True, help="Readings, whose median counts.")
@steps_option("training in each reading", "2; on GPUs 40")
@json_option
def bench(as_json: bool, **choices: Any) -> None:
    """Measure how fast RECIPE trains on this machine: images per second and the share of what the machine can do.

    Trains on random images in memory, so that no data are needed, in each way in which steps can be taken here: captured as
    a CUDA graph (as zoo train does on a GPU), as they are, and with compiled networks. Close other programs: a busy machine
    is a slow one.

    \b
    Examples:
      zoo bench dcgan
      zoo bench dcgan --batch 128 --precision fp32 --json
      zoo bench wgan-gp --size 32 --rounds 3 --compile
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.bench(**choices, report=reporter_for_terminal())
    if as_json:
        print_json(found.to_json())
        return
    kind = "gray" if found.channels == 1 else "color"
    threads = f", {found.threads} thread{'s' if found.threads > 1 else ''}" if found.device == "cpu" else ""
    print_table(
        [
            ("recipe", f"{found.recipe}, {found.size}×{found.size} {kind}, batch {found.batch}"),
            ("device", f"{found.device} in {found.precision}{threads}"),
            ("needed", f"{found.flop_per_image / 1e9:.3f} GFLOP for each image"),
            ("peak", f"{found.peak_flops / 1e9:.1f} GFLOP/s, this machine's best matrix product in {found.precision}"),
            (
                "readings",
                f"medians of {found.rounds}, of {found.steps} steps (or whole cycles) each; warm-up is not counted",
            ),
        ]
    )
    on_cpu = all(way.peak_memory_mb is None for way in found.ways)
    what = "operators" if on_cpu else "kernels"
    heads = ("way", "ms a step", "images/s", "% of peak", "peak MB", what, "their ms", "warm-up s", "")
    rows = [_row(way) for way in found.ways]
    columns = [i for i in range(len(heads)) if i == 0 or any(row[i] for row in rows)]  # a CPU's memory is not measured
    echo()
    print_table([[row[i] for i in columns] for row in (heads, *rows)])


def _row(way: Any) -> tuple[str, ...]:
    """Return what the table says of a way, "" for what was not measured."""
    if way.problem:
        return (way.name, *[""] * 6, f"{way.warm_up_s:.1f}" if way.warm_up_s else "", way.problem)
    counted = [f"{value:,.{digits}f}" if value is not None else "" for value, digits in _measured(way)]
    return (way.name, *counted, "")


def _measured(way: Any) -> list[tuple[float | None, int]]:
    """Return the numbers of a way with the digits that are worth printing."""
    return [
        (way.ms_per_step, 2),
        (way.images_per_s, 1),
        (100 * way.peak_share, 1),
        (way.peak_memory_mb, 0),
        (way.kernels, 0),
        (way.kernels_ms, 2),
        (way.warm_up_s, 1),
    ]
