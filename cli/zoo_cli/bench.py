"""`zoo bench`."""

from __future__ import annotations

from typing import Any

import click

from .completion import completing
from .output import json_option, print_json, print_table, warn_about_plugins
from .train import set_option


@click.command(no_args_is_help=True)
@click.argument("recipe", shell_complete=completing("recipes"))
@click.option("--size", type=int, help="Height and width of the images in pixels.  [default: the recipe's]")
@click.option("--channels", type=int, help="1 (gray) or 3 (color).  [default: 3]")
@click.option("--batch", type=int, help="Images in a minibatch.  [default: the recipe's]")
@set_option
@click.option("--precision", default="auto", show_default=True, help="auto, fp32, bf16 or fp16.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …")
@click.option("--compile", is_flag=True, help="Compile the networks first (torch.compile); told apart as warm-up.")
@click.option("--rounds", type=int, default=5, show_default=True, help="Readings, whose median counts.")
@click.option("--steps", type=int, default=2, show_default=True, help="Training steps of each reading.")
@json_option
def bench(as_json: bool, **choices: Any) -> None:
    """Measure how fast RECIPE trains on this machine: images per second and the share of what the machine can do.

    Trains on random images in memory, so that no data are needed. Close other programs: a busy machine is a slow one.

    \b
    Examples:
      zoo bench dcgan
      zoo bench dcgan --batch 128 --precision fp32 --json
      zoo bench wgan-gp --size 32 --rounds 3
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.bench(**choices, report=reporter_for_terminal())
    if as_json:
        print_json(found.to_json())
        return
    kind = "gray" if found.channels == 1 else "color"
    threads = f", {found.threads} threads" if found.device == "cpu" else ""
    print_table(
        [
            ("recipe", f"{found.recipe}, {found.size}×{found.size} {kind}, batch {found.batch}"),
            ("device", f"{found.device} in {found.precision}{threads}" + (", compiled" if found.compile else "")),
            ("images/s", f"{found.images_per_s:.1f} (median of {found.rounds} readings of {found.steps} steps)"),
            ("step", f"{found.ms_per_step:.1f} ms"),
            ("needed", f"{found.flop_per_image / 1e9:.3f} GFLOP for each image"),
            ("achieved", f"{found.flops / 1e9:.1f} GFLOP/s"),
            ("peak", f"{found.peak_flops / 1e9:.1f} GFLOP/s, this machine's best matrix product in {found.precision}"),
            ("share", f"{found.peak_share:.1%}"),
            ("warm-up", f"{found.warm_up_s:.1f} s, not counted"),
        ]
    )
