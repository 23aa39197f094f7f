"""Names for the shell to complete. Imports no torch and says nothing about what is broken."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completing(*kinds: str) -> Complete:
    """Return what `shell_complete=` takes: the names of these kinds in the registry, or of "plugins"."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from zoo_core import registry

        found: dict[str, str] = {}
        for kind in kinds:
            found |= {entry.name: entry.summary for entry in registry.entries(kind)}
            for p in registry.plugins() if kind == "plugins" else ():
                found |= dict.fromkeys((p.distribution, p.name), p.plugin.summary if p.plugin else "")
        return [CompletionItem(name, help=found[name] or None) for name in sorted(found) if name.startswith(incomplete)]

    return complete
