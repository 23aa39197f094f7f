"""`zoo export`."""

from __future__ import annotations

import os

import click

from .completion import completing, completing_words
from .options import checkpoint_options, out_option, raw_option, take_once
from .output import echo, json_option, print_json, warn_about_plugins

_ENDINGS = {"onnx": "-onnx", "html": ".html"}  # of the name that is made where none was given


@click.command(no_args_is_help=True)
@click.argument("model", shell_complete=completing("models"))
@click.argument("directory", metavar="[DIR|FILE.html]", required=False)
@out_option("it", otherwise="MODEL-model, MODEL-onnx or MODEL.html, here", metavar="PATH")
@click.option(
    "--to",
    metavar="FORM",
    default="model",
    show_default=True,
    shell_complete=completing_words("model", "onnx", "html"),
    help="What it becomes: model, onnx or html.",
)
@raw_option
@click.option("--bf16", is_flag=True, help="Store the parameters in bfloat16: half the size, slightly other pictures.")
@click.option(
    "--pixels",
    metavar="TYPE",
    default="float",
    show_default=True,
    shell_complete=completing_words("float", "uint8"),
    help="Of ONNX, what images are: float, [N, C, S, S] in [−1, 1], or uint8, [N, S, S, C].",
)
@click.option(
    "--runtime", metavar="FILE", help="Of a page, what npm pack onnxruntime-web wrote.  [default: fetched once and kept]"
)
@checkpoint_options
@json_option
def export(
    model: str,
    directory: str | None,
    out: str | None,
    to: str,
    raw: bool,
    bf16: bool,
    pixels: str,
    runtime: str | None,
    last: bool,
    at: int | None,
    as_json: bool,
) -> None:
    """Write a run's best checkpoint as a model folder, or any MODEL as ONNX or as one page.

    A model folder loads anywhere; ONNX runs without torch; a page draws in the browser, without a server and a network. The
    last two need: pip install "dcgan-zoo[onnx]"

    \b
    Examples:
      zoo export runs/dcgan-faces --out my-faces
      zoo export runs/dcgan-faces --out my-faces --bf16
      zoo export dcgan-faces faces-onnx --to onnx
      zoo export dcgan-faces faces.html --to html
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    name = os.path.basename(os.path.abspath(model)).rpartition(":")[2] + _ENDINGS.get(to, "-model")  # of acme:name
    written = zoo.export(
        model,
        take_once(directory, out, "DIR", name),
        to=to,
        raw=raw,
        bf16=bf16,
        pixels=pixels,
        runtime=runtime,
        last=last,
        at=at,
        report=reporter_for_terminal(),
    )
    if as_json:
        print_json({"model" if to == "model" else "out": written})
    else:
        echo(written)
