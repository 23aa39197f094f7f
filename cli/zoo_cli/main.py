"""The group that all commands hang on, and how errors reach the person."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from zoo_core.words import printable

from .output import echo

_MODULES = {
    "analyses": ("arithmetic", "features", "forget", "project", "report", "turn", "walk"),
    "measuring": ("evaluate", "neighbors", "probe"),
}
_ALONE = (
    "bench",
    "compare",
    "data",
    "diagnose",
    "export",
    "lineage",
    "list",
    "plugins",
    "pull",
    "push",
    "sample",
    "show",
    "train",
)
BUILT_IN = {name: name for name in _ALONE} | {name: module for module, names in _MODULES.items() for name in names}
"""Our own commands, each with the module of this package that it stands in."""


class Failure(click.ClickException):
    """A `ZooError` on its way to the person: something failed while running."""

    def show(self, file: Any = None) -> None:
        echo("error: ", fg="red", nl=False, err=True)
        echo(self.message, err=True)


class Misuse(Failure):
    """A `ZooError` on its way to the person: the command itself was wrong."""

    exit_code = 2


FAILURES = {1: Failure, 2: Misuse}  # exit code → class


class Zoo(click.Group):
    """Loads a command when it is used; plugins add theirs, and a built-in name stays ours."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from zoo_core import registry

        return sorted({*BUILT_IN, *registry.names("commands")})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BUILT_IN:
            module = importlib.import_module(f"zoo_cli.{BUILT_IN[cmd_name]}")
            command: click.Command = getattr(module, "list_command" if cmd_name == "list" else cmd_name)
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
        """Like click's, but a plugin's command is not imported to be completed."""
        from zoo_core import registry

        theirs = {entry.name: printable(entry.summary) for entry in registry.entries("commands")}
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._ours(ctx, name) or theirs.get(name) or None) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def _ours(self, ctx: click.Context, name: str, room: int = 45) -> str:
        """Return the short help of a command of ours, "" of another."""
        command = self.get_command(ctx, name) if name in BUILT_IN else None
        return command.get_short_help_str(room) if command else ""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from zoo_core.errors import near

            close = near(args[0], self.list_commands(ctx))
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise click.UsageError(f"{error.format_message()}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Like click's, but a plugin's command is not imported to be listed."""
        from zoo_core import registry

        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        theirs = {e.name: printable(f"{e.summary} [{e.plugin.distribution}]".strip()) for e in registry.entries("commands")}
        with formatter.section("Commands"):
            formatter.write_dl([(printable(name), self._ours(ctx, name, room) or theirs[name]) for name in names])

    def invoke(self, ctx: click.Context) -> Any:
        from zoo_core import ZooError

        try:
            return super().invoke(ctx)
        except ZooError as error:
            if ctx.params.get("debug"):
                raise
            raise FAILURES.get(error.exit_code, Failure)(str(error)) from error
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            echo("stopped at once; what was saved before is whole", err=True)
            ctx.exit(130)
        except BrokenPipeError:  # the reader of our output went away
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            what = f"{type(error).__name__}: {error}"
            raise Failure(f"unexpected {what}\nto see where: zoo --debug {ctx.invoked_subcommand} …") from error


@click.group(cls=Zoo, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="dcgan-zoo", prog_name="zoo")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def zoo(debug: bool) -> None:
    """Train, sample and share generative adversarial networks.

    \b
    Examples:
      zoo train dcgan --dataset faces
      zoo sample runs/dcgan-faces --out samples.png
      zoo list recipes
    """
