"""`zoo push`."""

from __future__ import annotations

from typing import Any

import click

from zoo_core.words import plural

from .completion import completing
from .options import checkpoint_options, license_option, out_option
from .output import echo, json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model", metavar="RUN_OR_MODEL", shell_complete=completing("runs"))
@click.argument("repo")
@click.option("--private", is_flag=True, help="Make a repository that only you see.")
@click.option("--revision", metavar="NAME", help="Revision on the Hub: a branch, made if need be.  [default: main]")
@click.option("--message", metavar="WORDS", help="What the commit says.  [default: what the model is]")
@click.option("--tag", metavar="NAME", help="Name the commit, once it is complete: v1.0.")
@license_option("the model, for its card")
@click.option("--space", is_flag=True, help="Also make or update a Gradio Space with the demo of this very revision.")
@click.option("--space-name", metavar="NAME", help="Name of the Space, user/name.  [default: REPO-demo]")
@out_option("the Space, in place of the Hub", otherwise="the Hub has it", metavar="DIR", old=["--to"])
@click.option("--dry-run", is_flag=True, help="Only say what would be done: the folder is written, and nobody is asked.")
@checkpoint_options
@json_option
def push(model: str, repo: str, as_json: bool, **choices: Any) -> None:
    """Publish RUN_OR_MODEL on the Hugging Face Hub as REPO (user/name).

    Configuration, weights (safetensors), model card and samples go up in one commit. Log in once with: hf auth login

    With --space the model also gets an app to play with, zoo demo, as a Space of its own.

    \b
    Examples:
      zoo push runs/dcgan-faces ada/dcgan-faces --dry-run
      zoo push runs/dcgan-faces ada/dcgan-faces --license cc-by-4.0 --tag v1
      zoo push runs/dcgan-faces ada/dcgan-faces --space
      zoo push runs/dcgan-faces ada/dcgan-faces --space --out app --dry-run
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    pushed = zoo.push(model, repo, report=reporter_for_terminal(), **choices)
    if as_json:
        shown = {**vars(pushed), "space": pushed.space and vars(pushed.space), "dry_run": choices["dry_run"]}
        print_json({key: value for key, value in shown.items() if value not in (None, "")})
    elif pushed.folder is not None:
        echo(pushed.folder)
        megabytes = sum(pushed.files.values()) / 1e6
        echo(f"would publish {plural(len(pushed.files), 'file')}, {megabytes:,.1f} MB, as {pushed.repo}")
        if pushed.space is not None:
            echo(f"its Space {pushed.space.name} is written to {pushed.space.folder}")
    else:
        what = "published" if pushed.changed else "nothing to do: the Hub has all of it"
        tag = f", tag {pushed.tag}" if pushed.tag else ""
        echo(f"{what}: {pushed.url} at commit {pushed.commit[:12]}{tag}")
        echo(f"use it: zoo sample {pushed.repo} -n 64 --out samples.png")
        if pushed.space is not None:
            echo(f"its Space: {pushed.space.url or pushed.space.folder}")
