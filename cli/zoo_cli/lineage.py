"""`zoo lineage`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .completion import completing
from .output import echo, json_option, print_json, warn_about_plugins

if TYPE_CHECKING:
    from zoo import Ancestor


@click.command(no_args_is_help=True)
@click.argument("model", shell_complete=completing("models"))
@json_option
@click.pass_context
def lineage(ctx: click.Context, model: str, as_json: bool) -> None:
    """Show which model MODEL was fine-tuned from, and that one from, with checksums.

    Weights that lie on this machine are compared with what the younger model says of them: exit code 1 where they differ.

    \b
    Examples:
      zoo lineage runs/my-flowers
      zoo lineage user/name
    """
    import zoo

    warn_about_plugins()
    found = zoo.lineage(model)
    if as_json:
        print_json({"models": [asdict(ancestor) for ancestor in found]})
    else:
        for depth, ancestor in enumerate(found):
            _say(ancestor, depth)
    if any(ancestor.verdict == "differs" for ancestor in found):
        ctx.exit(1)


def _say(ancestor: Ancestor, depth: int) -> None:
    known = {
        "": f"@{ancestor.revision[:12]}" if ancestor.revision else "",
        ", recipe ": ancestor.recipe or "",
        ", trained on ": ancestor.dataset or "",
        ", ": f"{ancestor.images:,} images" if ancestor.images else "",
        ", license: ": " / ".join(ancestor.licenses),
    }
    branch = "   " * (depth - 1) + "└─ " if depth else ""
    echo(branch + ancestor.model + "".join(words + value for words, value in known.items() if value))
    for file, digest in ancestor.sha256.items():
        echo(f"{'   ' * depth}   {file}  sha256 {digest[:16]}…")
    verdicts = {
        "the same": f"the weights in {ancestor.where} are these",
        "differs": f"the weights in {ancestor.where} are NOT these",
        "not at hand": "not on this machine, so not checked",
        "no checksums": "no checksums are known",
    }
    echo(f"{'   ' * depth}   {verdicts[ancestor.verdict]}", fg="red" if ancestor.verdict == "differs" else None)
