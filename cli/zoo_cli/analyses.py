"""`zoo walk`, `arithmetic`, `turn`, `features`, `forget`, `project`, `report`: each calls `zoo`'s function of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import WHAT_IT_MEANS, analysis_options, analyze, print_accuracy, samples_seed_option
from .completion import completing
from .options import Renamed, model_argument, out_option, samples_option, searched_option, seed_option, steps_option
from .output import echo, print_table

if TYPE_CHECKING:
    from zoo.analysis.arithmetic import Arithmetic
    from zoo.analysis.features import FeatureComparison
    from zoo.analysis.forgetting import Ablation
    from zoo.analysis.projection import Projection
    from zoo.analysis.reports import Report
    from zoo.analysis.walks import Turning, Walk


@click.command(no_args_is_help=True)
@model_argument
@click.option("--latents", metavar="N", default=9, show_default=True, help="Random latents that the walk goes through.")
@steps_option("the walk from each latent to the next", default=10)
@click.option(
    "--how",
    type=click.Choice(["spherical", "linear"]),
    metavar="NAME",
    default="spherical",
    show_default=True,
    help="Interpolation: spherical or linear.",
)
@click.option(
    "--along",
    metavar="N",
    help="Instead move number N of each latent from end to end (the first is 0), or with 0-9 make each of ten the largest.",
)
@analysis_options("samples", out="walk.png")
def walk(**choices: Any) -> None:
    """Walk through MODEL's latent space: a row of pictures from each latent to the next.

    Smooth rows mean that it has learned; jumps mean that it repeats training images. A name that ends in .gif makes an
    animation.

    \b
    Examples:
      zoo walk runs/dcgan-faces --out walk.png
      zoo walk runs/dcgan-faces --how linear --out walk.gif --json
      zoo walk runs/infogan-drawings --along 0-9
    """
    found: Walk | None = analyze("walk", **choices)
    if found is None:
        return
    for space, s in found.smoothness.items():
        echo(f"smoothness in {space}: {s.verdict(found.images.shape[1])}")
        echo(f"  largest step: {s.jump:.2f} × the difference of unrelated pictures (worst path: {s.worst:.2f})")
        echo(f"  largest step: {s.path:.2f} × the mean step (frames shuffled: {s.shuffled:.2f})")


def _read_numbers(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int] | None:
    """Return "3,17,40" as numbers; raises `click.BadParameter`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() for part in parts):
        raise click.BadParameter(f"{text!r} are no numbers of samples; for example: 3,17,40")
    return [int(part) for part in parts]


def _read_most(ctx: click.Context, param: click.Parameter, text: str | None) -> int | str | None:
    """Return a number of maps, or "all"; raises `click.BadParameter`."""
    if text is not None and text != "all" and not text.isdigit():
        raise click.BadParameter(f"{text!r} is neither 'all' nor a number of maps; for example: --most 20")
    return int(text) if text is not None and text != "all" else text


_BY_HAND = "Exemplars of the first concept, by hand: numbers that zoo sample --numbered shows."


@click.command(no_args_is_help=True)
@model_argument
@click.argument("expression", required=False)
@click.option("--a", metavar="IDS", callback=_read_numbers, help=_BY_HAND)
@click.option("--b", metavar="IDS", callback=_read_numbers, help="Of the second.")
@click.option("--c", metavar="IDS", callback=_read_numbers, help="Of the third.")
@click.option("--exemplars", metavar="N", default=3, show_default=True, help="Samples in each mean.")
@click.option("--trials", metavar="N", default=100, show_default=True, help="Most trials, each with fresh exemplars.")
@analysis_options("search", "images", "samples", out="arithmetic.png")
def arithmetic(a: list[int] | None, b: list[int] | None, c: list[int] | None, **choices: Any) -> None:
    """Add and subtract what MODEL's latents mean.

    EXPRESSION has concepts with + or - between them, and blanks around these. A concept is words joined by + without blanks.
    A word is a value ("smile"), attribute=value ("hair_color=brown"), or an attribute that can be absent ("glasses").
    "neutral" has none of what the rest of the expression names. Exemplars are found by a classifier (that of the drawn faces
    comes with the package, others are trained once on the labeled images), or named by hand.

    \b
    Examples:
      zoo arithmetic dcgan-faces "glasses+dark - dark + light"
      zoo sample runs/dcgan-faces -n 100 --numbered --out samples.png
      zoo arithmetic runs/dcgan-faces "A - B + C" --a 3,17,40 --b 5,9,12 --c 1,2,8
    """
    chosen = [ids for ids in (a, b, c) if ids is not None]
    found: Arithmetic | None = analyze("arithmetic", chosen=chosen or None, **choices)
    for term, ids in zip(found.terms, found.exemplars, strict=True) if found else ():
        echo(f"{term}: samples {','.join(map(str, ids))}")
    if found and (s := found.success):
        echo(f"wanted: {s.wanted}")
        echo(f"  latent arithmetic: {s.latent}: {s.verdict}")
        echo(f"  the same in pixels: {s.pixel}")
        echo(f"  any sample: {s.base}")
        echo(f"  latent arithmetic, clear pictures only: {s.latent_clear}")
        echo(f"  the same in pixels, clear pictures only: {s.pixel_clear}")
        print_accuracy(s.accuracy)
        echo(WHAT_IT_MEANS)


@click.command(no_args_is_help=True)
@model_argument
@click.option("--from", "start", required=True, metavar="CONCEPT", help="What the direction leads away from: turn=left.")
@click.option("--to", "end", required=True, metavar="CONCEPT", help="What it leads to: turn=right.")
@click.option("--exemplars", metavar="N", default=256, show_default=True, help="Samples in each mean, at most.")
@click.option("--reach", metavar="N", default=1.0, show_default=True, help="How far to go, in multiples of the direction.")
@steps_option("the turn: pictures of each sample", default=9)
@samples_option("and to turn", default=64)
@analysis_options("search", "images", "samples", out="turn.png")
def turn(**choices: Any) -> None:
    """Move MODEL's samples along a direction: from what shows one concept to what shows another.

    The picture has a row for each of eight samples, which themselves stand in the middle.

    \b
    Examples:
      zoo turn runs/dcgan-faces --from turn=left --to turn=right
      zoo turn runs/dcgan-faces --from no-glasses --to glasses --reach 1.5 --json
    """
    found: Turning | None = analyze("turn", **choices)
    if found:
        along = " ".join(f"{p:.2f}" for p in found.probability)
        echo(f"probability of {choices['end']}: {along}: {found.verdict}")
        echo(f"steps at which it does not fall: {found.monotone:.0%}")
        echo(f"other attributes unchanged: {found.preservation.describe('directions')}")
        echo(
            f"distance from the sample itself, of that between unrelated samples: {found.identity:.2f} "
            f"(random directions: {found.identity_random:.2f})"
        )
        echo(f"exemplars: {found.exemplars[0]} and {found.exemplars[1]}")
        print_accuracy(found.accuracy)
        echo(WHAT_IT_MEANS)


@click.command(no_args_is_help=True)
@model_argument
@click.option(
    "--real",
    "count",
    cls=Renamed,
    old=["--images"],
    metavar="N",
    default=512,
    show_default=True,
    help="Real images, at most; chosen at random.",
)
@click.option(
    "--show",
    "shown",
    cls=Renamed,
    old=["--features"],
    metavar="N",
    default=6,
    show_default=True,
    help="How many to show of the strongest features.",
)
@click.option("--each", metavar="N", default=6, show_default=True, help="Images for each feature.")
@seed_option("random weights and of the choice of images")
@analysis_options("images", out="features.png")
def features(**choices: Any) -> None:
    """Show what MODEL's discriminator looks at: guided backpropagation for the strongest features of its last stage.

    Beside it stands a discriminator with random weights. Where the images have labels, it is measured how well single
    features tell them apart, for both.

    \b
    Examples:
      zoo features runs/dcgan-faces
      zoo features runs/dcgan-faces --real 2000 --json
    """
    found: FeatureComparison | None = analyze("features", **choices)
    if not found:
        return
    echo(f"stage {found.trained.stage}, features {', '.join(map(str, found.trained.features))}")
    numbers = found.to_json()
    if "selectivity" not in numbers:
        echo("the images have no labels, so selectivity is not measured")
        return
    s = numbers["selectivity"]
    beside = f"with random weights {s['random']:.3f}, with labels of other images {s['shuffled']:.3f}"
    echo(f"selectivity: {s['trained']:.3f}, {beside}: {s['verdict']}")
    rows = [(n, f"{v['trained']:.2f}", f"{v['random']:.2f}", v["verdict"]) for n, v in numbers["best_feature"].items()]
    print_table([("best feature for", "trained", "random weights", ""), *rows])
    echo(WHAT_IT_MEANS)


@click.command(no_args_is_help=True)
@model_argument
@click.option("--attribute", metavar="WORD", help="Attribute to forget: glasses, hat, mouth=smile.")
@click.option("--boxes", metavar="FILE", help="Where it lies: boxes for numbered samples (.json), or a mask (a picture).")
@click.option(
    "--most", callback=_read_most, metavar="N|all", help="Maps to silence; all: the paper's rule.  [default: a sixth]"
)
@samples_option("to find the maps from, at most", default=150)
@click.option("--tested", metavar="N", default=256, show_default=True, help="Other samples on which it is measured.")
@searched_option(1024)
@click.option("--save", metavar="DIR", help="Write the edited generator as a model folder.")
@analysis_options("images", "samples", out="forget.png")
def forget(**choices: Any) -> None:
    """Make MODEL forget to draw something: find the feature maps that draw it, and silence them.

    Where it lies in samples is found by the classifier, or read from FILE: boxes that you drew for samples that zoo sample
    --numbered shows ({"17": [[12, 20, 50, 34]]}: left, top, right, bottom), or one black and white mask for all.

    \b
    Examples:
      zoo forget runs/dcgan-faces --attribute glasses
      zoo forget runs/dcgan-faces --attribute glasses --save no-glasses
      zoo forget runs/dcgan-faces --attribute glasses --most all
      zoo forget runs/dcgan-rooms --boxes windows.json
    """
    found: Ablation | None = analyze("forget", **choices)
    if not found:
        return
    echo(f"silenced {len(found.maps)} of {found.of} maps of stage {found.stage}")
    if (r := found.rates) is not None:
        attribute = choices["attribute"]
        echo(f"{attribute} before: {r.before}")
        echo(f"{attribute} after: {r.after}: {r.verdict}")
        echo(f"after silencing as many random maps: {r.random}")
        echo(f"other attributes unchanged: {r.preservation.describe('maps')}")
        print_accuracy(r.accuracy)
        echo(WHAT_IT_MEANS)
    where = f"{found.inside:.1f} where it was, " if found.inside is not None else ""
    echo(f"mean change in levels of 255: {where}{found.outside:.1f} elsewhere (random maps: {found.outside_random:.1f})")
    if found.saved is not None:
        echo(f"model: {found.saved}")


@click.command(no_args_is_help=True)
@model_argument
@click.argument("picture")
@click.option("--starts", metavar="N", default=8, show_default=True, help="Latents that are optimized; the best one counts.")
@steps_option("the optimizer", "200, or 0 for a model with an encoder")
@analysis_options("samples", out="project.png")
def project(**choices: Any) -> None:
    """Find the latent of MODEL whose picture is nearest to PICTURE, and write both side by side.

    A model with an encoder (recipe bigan) answers at once; --steps refines its answer.

    \b
    Examples:
      zoo project runs/dcgan-faces portrait.jpg
      zoo project runs/dcgan-faces portrait.jpg --starts 16 --steps 500 --json
    """
    found: Projection | None = analyze("project", **choices)
    if found:
        echo(f"found {found.how}")
        echo(f"difference: {found.error:.1f} levels of 255 (root mean square): {found.verdict}")
        echo(f"nearest of {found.searched} random samples: {found.nearest_sample:.1f}")


@click.command(no_args_is_help=True)
@click.argument("model", metavar="RUN", shell_complete=completing("models"))
@click.option(
    "--attribute",
    metavar="WORD",
    help="Attribute to turn and to forget.  [default: the first that can be absent]",
)
@click.option("--expression", metavar="WORDS", help="Of the arithmetic.  [default: that attribute and one other]")
@samples_seed_option
@out_option("the web page", otherwise="report.html in RUN, where zoo push finds it")
@analysis_options("search", "images")
def report(**choices: Any) -> None:
    """Write one web page about RUN (or any model): samples, training, walks, features, arithmetic, forgetting, metrics.

    The page needs no other file and no network. What cannot be had (no labels, no discriminator) is left out, and the page
    says so.

    \b
    Examples:
      zoo report runs/dcgan-faces
      zoo report runs/dcgan-faces --attribute hat --out about.html
    """
    found: Report | None = analyze("report", **choices)
    if found:
        echo(found.path)
        for title, why in found.left_out.items():
            echo(f"left out: {title}: {why}")
