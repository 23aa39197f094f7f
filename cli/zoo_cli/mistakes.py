"""What was meant by a command that click refuses, in the two lines of every error: what was wrong, and what to type."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import click

from .typed import (
    OPTIONS,
    as_option,
    find_example,
    find_keys,
    is_typed,
    join_words,
    list_arguments,
    list_flags,
    list_meant,
    make_plain,
    name_parameter,
    read_number,
    read_options,
    read_typed,
    say_all_options,
    value_at,
)

COMMANDS = {
    **dict.fromkeys(("generate", "draw", "gen", "samples", "image"), "sample"),
    **dict.fromkeys(("fit", "run", "start", "learn"), "train"),
    **dict.fromkeys(("resume", "continue"), "train --resume"),
    **dict.fromkeys(("download", "fetch", "get", "install", "models", "catalog"), "pull"),
    **dict.fromkeys(("upload", "publish", "share"), "push"),
    **dict.fromkeys(("eval", "test", "metrics", "measure", "score"), "evaluate"),
    **dict.fromkeys(("ls", "dir", "search"), "list"),
    **dict.fromkeys(("info", "describe", "options"), "show"),
    **dict.fromkeys(("interpolate", "morph"), "walk"),
    **dict.fromkeys(("health", "check", "status", "debug"), "diagnose"),
    **dict.fromkeys(("benchmark", "speed", "profile"), "bench"),
    **dict.fromkeys(("convert", "save"), "export"),
    **dict.fromkeys(("invert", "encode"), "project"),
    **dict.fromkeys(("pack", "build", "prepare"), "data build"),
    **dict.fromkeys(("packs",), "data list"),
    "plugin": "plugins",
    "version": "--version",
}
"""Other words for commands."""

_SURE = 0.75  # how alike two words are of which one is surely meant by the other

_VALUES = {"--device": ("cuda", "cpu"), "--precision": ("fp16", "bf16", "fp32"), "--track": ("tensorboard", "wandb")}
"""Options whose values people type as flags: --cuda."""


def explain(error: click.UsageError, outer: click.Context) -> tuple[str, str]:
    """Return what was wrong with a command, and what to type next; `outer` is the context of `zoo` itself."""
    ctx, said = error.ctx or outer, error.format_message()
    if isinstance(error, click.NoSuchOption):
        return _explain_option(error.option_name, ctx)
    if isinstance(error, click.MissingParameter):
        return _explain_missing(error, ctx)
    if isinstance(error, click.BadParameter):
        return _explain_value(error, ctx)
    if isinstance(error, click.BadOptionUsage):
        words = f"{error.option_name} needs a value" if "requires" in said else f"{error.option_name} takes no value"
        of = ctx.command_path if error.ctx else f"zoo {next(iter(read_typed(ctx)), '')}"  # click does not say where
        return words, f"to see all: {of} --help"
    if isinstance(ctx.command, click.Group) and (unknown := re.match(r"No such command ['\"](.+?)['\"]", said)):
        return _explain_command(unknown[1], ctx)
    if match := re.match(r"Got unexpected extra arguments? \((.*)\)", said, re.DOTALL):
        return _explain_extra(match[1].split(" "), ctx)
    return _split_hint(said, ctx)


def _split_hint(said: str, ctx: click.Context) -> tuple[str, str]:
    """Return a message of ours, in which what to type comes last, in its two lines."""
    for before in ("for example: ", "type: "):
        message, found, hint = said.partition(f"; {before}")
        if found:
            return make_plain(message), before + hint
    return make_plain(said), say_all_options(ctx)


def _explain_option(flag: str, ctx: click.Context) -> tuple[str, str]:
    """An option that the command does not have: another word for one, an argument, a setting, or a near one."""
    from zoo_core.errors import near

    message = f"{ctx.command_path} has no option {flag}"
    typed, name = read_typed(ctx), flag.lstrip("-").replace("_", "-")
    at = next((i for i, word in enumerate(typed) if word == flag or word.startswith(f"{flag}=")), len(typed))
    value, used = value_at(typed, at)

    def instead(*words: str, instead_of: int = used) -> str:
        return f"type: {join_words([*typed[:at], *words, *typed[at + instead_of :]])}"

    def rename(new: str) -> str:
        takes = known[new]  # what follows a flag belongs to something else
        return instead(new, value or takes) if takes else instead(new, instead_of=min(used, 1))

    known = list_flags(ctx)
    other = OPTIONS.get(name.lower() if len(name) > 1 else name, "")
    if f"--{name.lower()}" in known:  # --Size, --dry_run
        return message, rename(f"--{name.lower()}")
    if other in known:
        if name.lower() in _VALUES.get(other, ()):
            return message, instead(other, name.lower(), instead_of=min(used, 1))
        return message, rename(other)
    argument = next((p for p in list_arguments(ctx) if p.name == name or (p.metavar or "").lower() == name), None)
    if argument is not None and value:
        return f"{message}; {name_parameter(argument)} comes without one", instead(value)
    if "--set" in known:
        keys = find_keys(name, ctx)
        exact = [key for key in keys if key.rpartition(".")[2].replace("_", "-") == name.lower()]
        if exact or (keys and not near(name, [flag.lstrip("-") for flag in known])):
            return message + list_meant(keys[1:] and keys), instead("--set", f"{keys[0]}={value or 'VALUE'}")
        if name == "loss" or (name in ("generator", "discriminator", "algorithm")):
            return f"{message}: it is a part of the recipe", "to see which recipe has which: zoo list recipes"
    close = near(name, [flag.lstrip("-") for flag in known if flag.startswith("--")], limit=2)
    close = [word for word in close if word != "help"]
    if close and SequenceMatcher(None, name.lower(), close[0]).ratio() >= _SURE:
        return message + list_meant([f"--{close[0]}"]), rename(f"--{close[0]}")
    return message + list_meant([f"--{word}" for word in close]), say_all_options(ctx)


def _explain_command(name: str, ctx: click.Context) -> tuple[str, str]:
    """A command that there is not: another word for one, something to train, draw from or list, or a near one."""
    from zoo.names import CATALOG, RUN, what_is
    from zoo_core.errors import near
    from zoo_core.records import KINDS, SINGULAR

    message, typed = f"{ctx.command_path} has no command {name}", read_typed(ctx)
    at = typed.index(name) if name in typed else 0
    rest = typed[at + 1 :]

    def instead(*words: str) -> str:
        return f"type: {join_words([*typed[:at], *words])}"

    commands = ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else []
    if ctx.parent is None:
        plural = {**{kind: kind for kind in ("recipes", *KINDS)}, **{one: kind for kind, one in SINGULAR.items()}}
        if name == "help":
            return message, instead(*rest[:1], "--help")
        if name in COMMANDS and (name not in ("metrics", "models") or rest):
            return message, instead(*COMMANDS[name].split(), *rest)
        if name in plural:
            return message, instead("list", plural[name])
        what = what_is(name)
        if what == "a recipe":
            more = rest or ["--dataset", "faces"]
            return f"{message}; it is a recipe", instead("train", name, *more)
        if what in (CATALOG, RUN):
            return f"{message}; it is {what}", instead("sample", name, *(rest or ["--out", "samples.png"]))
        if what:
            return f"{message}; it is {what}", instead("show", name) if not os.path.exists(
                name
            ) else "to see all: zoo --help"
    close = near(name, commands)
    if close:
        return message + list_meant(close), instead(close[0], *rest)
    return message, f"to see all: {ctx.command_path} --help"


def _explain_extra(extras: Sequence[str], ctx: click.Context) -> tuple[str, str]:
    """Words that the command has no place for: each may belong to an option, or stand where the argument should."""
    from zoo.names import is_model, what_is

    typed = read_typed(ctx)
    arguments = list_arguments(ctx)
    given = [str(ctx.params[p.name]) for p in arguments if p.name and ctx.params.get(p.name) is not None and p.nargs == 1]
    moved: dict[str, list[str] | None] = {word: as_option(word, ctx) for word in extras}
    wanted = (arguments[0].metavar or arguments[0].name or "").lower() if arguments else ""
    if wanted in ("model", "run") and len(given) == 1 and not is_model(given[0]):
        models = [word for word in extras if is_model(word)]
        if models and (option := as_option(given[0], ctx)):  # fid runs/faces
            moved = {**moved, models[0]: [models[0]], given[0]: option}
    word = next(iter(extras), "")
    what = what_is(word)
    takes = "no argument" if not arguments else f"only {' and '.join(map(name_parameter, arguments))}"
    message = f"{ctx.command_path} takes {takes}, and {word!r} is one too many" + (f"; it is {what}" if what else "")
    if what == "a recipe" and ctx.info_name == "train":
        return (
            f"{message}; a training has one",
            f"to compare them: {join_words(['compare', *given, *extras, *read_options(typed)])}",
        )
    if all(moved.values()):
        words: list[str] = []
        for typed_word in typed:
            words += moved.get(typed_word) or [typed_word]
        return message, f"type: {join_words(words)}"
    usage = " ".join(ctx.command.collect_usage_pieces(ctx))
    return message, f"usage: {ctx.command_path} {usage} (zoo … --help says more)".replace("zoo …", ctx.command_path)


def _explain_missing(error: click.MissingParameter, ctx: click.Context) -> tuple[str, str]:
    """An argument or option that must be given."""
    needed = [p for p in ctx.command.params if p.required and not ctx.params.get(p.name or "")]
    needed = [p for p in needed if not is_typed(p, ctx)] or ([error.param] if error.param else [])
    example, flags = find_example(ctx), list_flags(ctx)
    names = [f"{called} {flags[called]}" if called in flags else called for called in map(name_parameter, needed)]
    return f"{ctx.command_path} needs {' and '.join(names)}", f"for example: {example}" if example else ""


def _explain_value(error: click.BadParameter, ctx: click.Context) -> tuple[str, str]:
    """A value that an option or argument cannot have."""
    from zoo_core.errors import near

    name = name_parameter(error.param) if error.param is not None else ""
    said, hint = _split_hint(error.message, ctx)
    before, message = (f"{name}: " if name and name not in said else ""), said
    value = match[1] if (match := re.match(r"'(.*?)' is not", said, re.DOTALL)) else ""
    kind = error.param.type if error.param is not None else None

    def instead(better: str) -> str:
        typed = read_typed(ctx)
        pairs = [(value, better), (f"{name}={value}", f"{name}={better}")]
        words = list(typed)
        for old, new in pairs:
            if old in words:
                words[words.index(old)] = new
                return f"type: {join_words(words)}"
        return f"type: {name} {better}"

    if isinstance(kind, click.Choice) and value:
        valid = [str(choice) for choice in kind.choices]
        close = near(value, valid)
        message = f"{value!r} is none of: {', '.join(valid)}" if not close else f"{value!r} is not valid{list_meant(close)}"
        return before + message, instead(close[0]) if close else f"for example: {instead(valid[0]).removeprefix('type: ')}"
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType) and (number := read_number(value, kind)):
        return before + message, instead(number)
    typed = read_typed(ctx)
    if name == "--set" and (match := re.match(r"'(.+)' is not KEY=VALUE", said)):
        bare, _, behind = match[1].partition(":")
        following = typed[at + 1 : at + 2] if (at := typed.index(match[1]) if match[1] in typed else len(typed)) else []
        wanted = behind or next((word for word in following if not word.startswith("-")), "")
        if wanted:
            words = [*typed[:at], f"{bare}={wanted}", *typed[at + 1 + (not behind) :]]
            return message, f"type: {join_words(words)}"
    return before + message, hint
