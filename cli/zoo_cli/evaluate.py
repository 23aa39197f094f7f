"""`zoo evaluate`."""

from __future__ import annotations

from typing import Any

import click

from .completion import completing
from .output import json_option, print_json, print_table, warn_about_plugins
from .train import read_settings


def feature_options(settings: dict[str, str]) -> dict[str, str]:
    """What stands behind `features.` in `--set` keys; raises `UsageError` for other keys."""
    from zoo_core import UsageError

    for key in settings:
        if not key.startswith("features."):
            raise UsageError(f"--set {key} is no option of the features", hint="for example: --set features.size=32")
    return {key.removeprefix("features."): value for key, value in settings.items()}


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option(
    "--dataset", shell_complete=completing("datasets"), help="The real images.  [default: what a run was trained on]"
)
@click.option("--data", metavar="PATH", help="Where the real images lie.")
@click.option("--split", default="train", show_default=True, help="Which part of the dataset.")
@click.option(
    "--metrics", default="fid,kid,precision,recall", show_default=True, help="Names, with commas between; see below."
)
@click.option(
    "--features", default="inception", show_default=True, shell_complete=completing("features"), help="Whose features."
)
@click.option("--samples", type=int, default=50_000, show_default=True, help="Images to draw.")
@click.option("--real", type=int, default=50_000, show_default=True, help="Most real images; of more, as many at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples and of the random halves.")
@click.option("--raw", is_flag=True, help="Take the weights that are not averaged (run folders only).")
@click.option("--resamples", type=int, default=10, show_default=True, help="Random halves for standard errors; 0 for none.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …")
@click.option("--out", metavar="FILE", help="Write the result as JSON, besides the model folder.")
@click.option("--set", "options", multiple=True, callback=read_settings, metavar="KEY=VALUE", help="An option: features.*")
@json_option
def evaluate(model: str, metrics: str, options: dict[str, str], as_json: bool, **choices: Any) -> None:
    """Measure how close MODEL's samples come to real images, with the protocol beside each number.

    Metrics: fid, kid, precision, recall, is, density, coverage, swd (sliced Wasserstein), ms-ssim. The result goes into the
    model folder and its card. Features are kept, so that the same command goes on after an interruption.

    \b
    Examples:
      zoo evaluate runs/dcgan-faces --dataset faces --samples 10000
      zoo evaluate runs/dcgan-faces --metrics fid,kid --features scattering
      zoo evaluate my-model --dataset faces --features discriminator --set features.model=runs/other
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    results = zoo.evaluate(
        model,
        metrics=[name.strip() for name in metrics.split(",") if name.strip()],
        feature_options=feature_options(options),
        report=reporter_for_terminal(),
        **choices,
    )
    if as_json:
        print_json(results.to_json())
    else:
        print_results(results)


def print_results(results: Any) -> None:
    """Numbers with their spread, then the protocol."""
    rows = []
    for name, value in results.metrics.items():
        spread = f"± {results.spread[name]:.3g}" if name in results.spread else ""
        rows.append((name, f"{value:.6g}", spread))
    print_table(rows)
    click.echo("protocol:")
    print_table([(f"  {key.replace('_', ' ')}", str(value)) for key, value in results.protocol.items()])
