"""The group that all commands hang on, and how errors reach the person."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from zoo_core.words import printable, printable_message

from .mistakes import explain
from .output import echo
from .typed import TYPED

SECTIONS = {
    "Train": {
        "train": "Train RECIPE on a dataset, or go on with a run.",
        "compare": "Train recipes alike and compare them, or compare runs.",
        "reproduce": "Reproduce PAPER: say of each claim whether it holds.",
        "leaderboard": "Fill, show and check a leaderboard of recipes.",
        "runs": "List trainings and delete them.",
        "diagnose": "Tell how the training in RUN does, and what to try.",
        "bench": "Measure how fast RECIPE trains on this machine.",
    },
    "Models": {
        "sample": "Draw samples from MODEL.",
        "timelapse": "Make a film of the grids that a run has saved.",
        "export": "Write a model folder, ONNX, or a page that draws.",
        "pull": "Fetch MODEL and check it, or list the catalog.",
        "push": "Publish a run or a model on the Hugging Face Hub.",
        "lineage": "Show which models MODEL came from, and check them.",
    },
    "Data": {
        "data": "Look after packs: datasets that are ready to train on.",
        "cache": "Show what lies in the cache, by kind, and clear it.",
    },
    "Measure": {
        "evaluate": "Measure how close samples come to real images: FID and more.",
        "neighbors": "Show the training images nearest to samples: does it copy?",
        "probe": "Test what the discriminator has learned, by classifying.",
    },
    "Look inside": {
        "demo": "Serve a page to look at models and play with them.",
        "walk": "Walk through the latent space.",
        "arithmetic": "Add and subtract what latents mean.",
        "turn": "Move samples from one concept to another.",
        "directions": "Find directions along which samples change.",
        "features": "Show what the discriminator looks at.",
        "forget": "Make the generator forget to draw something.",
        "project": "Find the latent whose picture is nearest to PICTURE.",
        "report": "Write one web page with all of this.",
    },
    "Plugins": {
        "list": "List what is installed: recipes, datasets, losses.",
        "show": "Say all about one of them: options, defaults, paper.",
        "plugins": "List plugins; make and check your own.",
        "completion": "Print the script that completes zoo in your shell.",
    },
}
"""Our own commands as `zoo --help` lists them: section → command → what it does, in few words."""

_MODULES = {
    "analyses": ("arithmetic", "features", "forget", "project", "report", "turn", "walk"),
    "measuring": ("evaluate", "neighbors", "probe"),
    "shells": ("completion",),
}
SUMMARIES = {name: words for section in SECTIONS.values() for name, words in section.items()}
BUILT_IN = dict(zip(SUMMARIES, SUMMARIES, strict=True)) | {n: module for module, names in _MODULES.items() for n in names}
"""Our own commands, each with the module of this package that it stands in."""


class Failure(click.ClickException):
    """A `ZooError` on its way to the person: something failed while running."""

    def show(self, file: Any = None) -> None:
        echo("error: ", fg="red", nl=False, err=True)
        echo(self.message, err=True, lines=True)


class Misuse(Failure):
    """A `ZooError` on its way to the person: the command itself was wrong."""

    exit_code = 2


_SCARCE = re.compile(r"(?i)failed to map segment|can(no|')t allocate|bad_alloc|start new thread|out of memory")
FAILURES = {1: Failure, 2: Misuse}  # exit code → class
_HELPS: tuple[type[click.UsageError], ...] = tuple(
    getattr(click.exceptions, name) for name in ("NoArgsIsHelpError",) if hasattr(click.exceptions, name)
)  # of later versions of click


def _as_misuse(error: click.UsageError, ctx: click.Context) -> click.ClickException:
    """Return an error of click's as our errors look; one that only shows the help stays what it is."""
    if isinstance(error, _HELPS):
        return error
    message, hint = explain(error, ctx)
    return Misuse("\n".join(printable_message(text) for text in (message, hint) if text))


class Zoo(click.Group):
    """Loads a command when it is used; plugins add theirs, and a built-in name stays ours."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return our commands, then those of plugins; what `zoo import` lists is not listed here too."""
        from zoo_core import registry

        theirs = {*registry.names("commands")}.difference(SUMMARIES)
        listed = {name for name in theirs if not (name.startswith("import-") and "import" in theirs)}
        return [*SUMMARIES, *sorted(listed)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BUILT_IN:
            module = importlib.import_module(f"zoo_cli.{BUILT_IN[cmd_name]}")
            command: click.Command = getattr(module, "list_command" if cmd_name == "list" else cmd_name)
            command.short_help = SUMMARIES[cmd_name]
            return command
        from zoo_core import ZooError, registry

        if cmd_name not in registry.names("commands") and ":" not in cmd_name:
            return None
        try:
            loaded = registry.load("commands", cmd_name)
            if not isinstance(loaded, click.Command):
                raise ZooError(f"command {cmd_name!r} is a {type(loaded).__name__}, not a click.Command")
        except ZooError as error:
            raise FAILURES.get(error.exit_code, Failure)(str(error)) from error
        return loaded

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Like click's, but no command is imported to be completed."""
        from zoo_core import registry

        words = {entry.name: printable(entry.summary) for entry in registry.entries("commands")} | SUMMARIES
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=words[name] or None) for name in names),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[TYPED] = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _as_misuse(error, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In sections, those of plugins last; no command is imported to be listed."""
        from zoo_core import registry

        listed = {*self.list_commands(ctx)}.difference(SUMMARIES)
        theirs = {
            printable(e.name): printable(f"{e.summary} [{e.plugin.distribution}]".strip())
            for e in registry.entries("commands")
            if e.name in listed
        }
        widest = max(map(len, [*SUMMARIES, *theirs]))
        for title, commands in {**SECTIONS, "Commands of plugins": theirs}.items():
            if commands:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(widest), words) for name, words in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        from zoo_core import ZooError
        from zoo_core.callers import naming_flags

        ctx.with_resource(naming_flags())
        try:
            return super().invoke(ctx)
        except ZooError as error:
            if ctx.params.get("debug"):
                raise
            raise FAILURES.get(error.exit_code, Failure)(str(error)) from error
        except click.UsageError as error:
            raise _as_misuse(error, ctx) from None
        except (click.exceptions.Exit, click.Abort, Failure):
            raise
        except click.ClickException as error:
            raise Failure(printable_message(error.format_message())) from error
        except KeyboardInterrupt as interrupt:
            echo(str(interrupt) or "stopped at once; what was saved before is whole", err=True, lines=True)
            ctx.exit(130)
        except BrokenPipeError:  # the reader of our output went away
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            if isinstance(error, MemoryError) or _SCARCE.search(str(error)):
                hint = "ask for less at once, close other programs, or raise the limit: ulimit -v"
                raise Failure(f"there is not enough memory for this\n{hint}") from error
            if isinstance(error, OSError) and error.strerror and error.filename:
                raise Failure(printable_message(f"{os.fsdecode(error.filename)}: {error.strerror}")) from error
            what = printable_message(f"{type(error).__name__}: {error}")
            raise Failure(f"unexpected {what}\nto see where: zoo --debug {ctx.invoked_subcommand} …") from error


TO_TRY = """Train, sample and share generative adversarial networks. Three things to try:

  zoo sample dcgan-faces --out faces.png         faces at once, nothing to train
  zoo train dcgan --dataset faces --minutes 10   a network of your own
  zoo list                                       all that there is

Every command: zoo --help"""


@click.group(
    cls=Zoo,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(package_name="dcgan-zoo", prog_name="zoo")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.pass_context
def zoo(ctx: click.Context, debug: bool) -> None:
    """Train, sample and share generative adversarial networks.

    \b
    Examples:
      zoo train dcgan --dataset faces
      zoo sample runs/dcgan-faces --out samples.png
      zoo list recipes
    """
    if ctx.invoked_subcommand is None:
        echo(TO_TRY, lines=True)
