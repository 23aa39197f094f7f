"""What was meant by a command that click refuses, in the two lines of every error: what was wrong, and what to type."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import click

TYPED = "zoo_cli.typed"
"""Where `ctx.meta` holds the words behind `zoo`."""

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

OPTIONS = {
    **dict.fromkeys(
        ("data-dir", "data-path", "dataroot", "data-root", "dir", "folder", "input", "images-dir", "path"), "--data"
    ),
    **dict.fromkeys(("output", "output-dir", "out-dir", "outdir", "save-dir", "save", "o", "to", "file", "dest"), "--out"),
    **dict.fromkeys(("batch-size", "bs", "b"), "--batch"),
    **dict.fromkeys(("img-size", "image-size", "imsize", "resolution", "res", "s"), "--size"),
    **dict.fromkeys(("nc", "in-channels"), "--channels"),
    **dict.fromkeys(("count", "num", "n-samples", "num-samples", "num-images", "samples", "images"), "--number"),
    **dict.fromkeys(("kimg", "iterations", "steps", "nimages"), "--images"),
    **dict.fromkeys(("epoch", "num-epochs", "n-epochs", "max-epochs"), "--epochs"),
    **dict.fromkeys(("time", "max-time", "duration", "minute", "mins"), "--minutes"),
    **dict.fromkeys(("checkpoint", "ckpt", "continue", "from", "restart", "load", "restore"), "--resume"),
    **dict.fromkeys(("random-seed", "manual-seed"), "--seed"),
    **dict.fromkeys(("logger", "tracker", "log", "tensorboard", "wandb"), "--track"),
    **dict.fromkeys(("amp", "fp16", "bf16", "fp32", "half", "dtype", "mixed-precision"), "--precision"),
    **dict.fromkeys(("gpu", "cuda", "cpu", "gpus"), "--device"),
    **dict.fromkeys(("metric", "eval-metric"), "--metrics"),
    **dict.fromkeys(("num-workers", "jobs", "j"), "--workers"),
    **dict.fromkeys(("class", "y"), "--label"),
    **dict.fromkeys(("licence",), "--license"),
    **dict.fromkeys(("v", "V"), "--version"),
}
"""Other words for options."""

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
        of = ctx.command_path if error.ctx else f"zoo {next(iter(_typed(ctx)), '')}"  # click does not say where
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
            return _plain(message), before + hint
    return _plain(said), _all_options(ctx)


def _explain_option(flag: str, ctx: click.Context) -> tuple[str, str]:
    """An option that the command does not have: another word for one, an argument, a setting, or a near one."""
    from zoo_core.errors import near

    message = f"{ctx.command_path} has no option {flag}"
    typed, name = _typed(ctx), flag.lstrip("-").replace("_", "-")
    at = next((i for i, word in enumerate(typed) if word == flag or word.startswith(f"{flag}=")), len(typed))
    value, used = _value_at(typed, at)

    def instead(*words: str, instead_of: int = used) -> str:
        return f"type: {_join([*typed[:at], *words, *typed[at + instead_of :]])}"

    def rename(new: str) -> str:
        takes = known[new]  # what follows a flag belongs to something else
        return instead(new, value or takes) if takes else instead(new, instead_of=min(used, 1))

    known = _flags(ctx)
    other = OPTIONS.get(name.lower() if len(name) > 1 else name, "")
    if f"--{name.lower()}" in known:  # --Size, --dry_run
        return message, rename(f"--{name.lower()}")
    if other in known:
        if name.lower() in _VALUES.get(other, ()):
            return message, instead(other, name.lower(), instead_of=min(used, 1))
        return message, rename(other)
    argument = next((p for p in _arguments(ctx) if p.name == name or (p.metavar or "").lower() == name), None)
    if argument is not None and value:
        return f"{message}; {_called(argument)} comes without one", instead(value)
    if "--set" in known:
        keys = _find_settings(name, ctx)
        exact = [key for key in keys if key.rpartition(".")[2].replace("_", "-") == name.lower()]
        if exact or (keys and not near(name, [flag.lstrip("-") for flag in known])):
            return message + _meant(keys[1:] and keys), instead("--set", f"{keys[0]}={value or 'VALUE'}")
        if name == "loss" or (name in ("generator", "discriminator", "algorithm")):
            return f"{message}: it is a part of the recipe", "to see which recipe has which: zoo list recipes"
    close = near(name, [flag.lstrip("-") for flag in known if flag.startswith("--")], limit=2)
    close = [word for word in close if word != "help"]
    if close and SequenceMatcher(None, name.lower(), close[0]).ratio() >= _SURE:
        return message + _meant([f"--{close[0]}"]), rename(f"--{close[0]}")
    return message + _meant([f"--{word}" for word in close]), _all_options(ctx)


def _explain_command(name: str, ctx: click.Context) -> tuple[str, str]:
    """A command that there is not: another word for one, something to train, draw from or list, or a near one."""
    from zoo.names import CATALOG, RUN, what_is
    from zoo_core.errors import near
    from zoo_core.records import KINDS, SINGULAR

    message, typed = f"{ctx.command_path} has no command {name}", _typed(ctx)
    at = typed.index(name) if name in typed else 0
    rest = typed[at + 1 :]

    def instead(*words: str) -> str:
        return f"type: {_join([*typed[:at], *words])}"

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
        return message + _meant(close), instead(close[0], *rest)
    return message, f"to see all: {ctx.command_path} --help"


def _explain_extra(extras: Sequence[str], ctx: click.Context) -> tuple[str, str]:
    """Words that the command has no place for: each may belong to an option, or stand where the argument should."""
    from zoo.names import is_model, what_is

    typed = _typed(ctx)
    arguments = _arguments(ctx)
    given = [str(ctx.params[p.name]) for p in arguments if p.name and ctx.params.get(p.name) is not None and p.nargs == 1]
    moved: dict[str, list[str] | None] = {word: _as_option(word, ctx) for word in extras}
    wanted = (arguments[0].metavar or arguments[0].name or "").lower() if arguments else ""
    if wanted in ("model", "run") and len(given) == 1 and not is_model(given[0]):
        models = [word for word in extras if is_model(word)]
        if models and (option := _as_option(given[0], ctx)):  # fid runs/faces
            moved = {**moved, models[0]: [models[0]], given[0]: option}
    word = next(iter(extras), "")
    what = what_is(word)
    takes = "no argument" if not arguments else f"only {' and '.join(map(_called, arguments))}"
    message = f"{ctx.command_path} takes {takes}, and {word!r} is one too many" + (f"; it is {what}" if what else "")
    if what == "a recipe" and ctx.info_name == "train":
        return (
            f"{message}; a training has one",
            f"to compare them: {_join(['compare', *given, *extras, *_options_typed(typed)])}",
        )
    if all(moved.values()):
        words: list[str] = []
        for typed_word in typed:
            words += moved.get(typed_word) or [typed_word]
        return message, f"type: {_join(words)}"
    usage = " ".join(ctx.command.collect_usage_pieces(ctx))
    return message, f"usage: {ctx.command_path} {usage} (zoo … --help says more)".replace("zoo …", ctx.command_path)


def _as_option(word: str, ctx: click.Context) -> list[str] | None:
    """Return how a word that stands alone is written as an option of the command; None where nobody knows."""
    from zoo.names import FILE, FOLDER, what_is

    known = _flags(ctx)
    key, sign, value = word.partition("=")
    if sign:
        option = OPTIONS.get(key.replace("_", "-"), f"--{key.replace('_', '-')}")
        if option in known:
            return [option, value]
        keys = [key] if "." in key else _find_settings(key, ctx) if "--set" in known else []
        return ["--set", f"{keys[0]}={value}"] if keys and "--set" in known else None
    what = what_is(word)
    candidates: list[tuple[bool, tuple[str, ...]]] = [
        (what == "a dataset", ("--dataset",)),
        (what == "a metric", ("--metrics", "--metric")),
        (what == "a feature extractor", ("--features", "--metric")),
        (what == "a tracker", ("--track",)),
        (word in ("cpu", "cuda", "mps", "gpu"), ("--device",)),
        (word in ("fp32", "bf16", "fp16"), ("--precision",)),
        (word.isdigit(), ("--number", "--images")),
        (bool(re.search(r"\.(png|jpe?g|gif|webp|html|json)$", word)) and what != FOLDER, ("--out",)),
        (what in (FOLDER, FILE), ("--data", "--out")),
        (not what and re.fullmatch(r"[\w-]+", word) is not None, ("--attribute",)),
    ]
    if f"--{word}" in known:  # dataset faces
        return [f"--{word}"]
    for fits, options in candidates:
        option = next((option for option in options if option in known), "")
        if fits and option:
            return [option, word]
    return None


def _explain_missing(error: click.MissingParameter, ctx: click.Context) -> tuple[str, str]:
    """An argument or option that must be given."""
    needed = [p for p in ctx.command.params if p.required and not ctx.params.get(p.name or "")]
    needed = [p for p in needed if not _is_typed(p, ctx)] or ([error.param] if error.param else [])
    example, flags = _example(ctx), _flags(ctx)
    names = [f"{called} {flags[called]}" if called in flags else called for called in map(_called, needed)]
    return f"{ctx.command_path} needs {' and '.join(names)}", f"for example: {example}" if example else ""


def _explain_value(error: click.BadParameter, ctx: click.Context) -> tuple[str, str]:
    """A value that an option or argument cannot have."""
    from zoo_core.errors import near

    name = _called(error.param) if error.param is not None else ""
    said, hint = _split_hint(error.message, ctx)
    before, message = (f"{name}: " if name and name not in said else ""), said
    value = match[1] if (match := re.match(r"'(.*?)' is not", said, re.DOTALL)) else ""
    kind = error.param.type if error.param is not None else None

    def instead(better: str) -> str:
        typed = _typed(ctx)
        pairs = [(value, better), (f"{name}={value}", f"{name}={better}")]
        words = list(typed)
        for old, new in pairs:
            if old in words:
                words[words.index(old)] = new
                return f"type: {_join(words)}"
        return f"type: {name} {better}"

    if isinstance(kind, click.Choice) and value:
        valid = [str(choice) for choice in kind.choices]
        close = near(value, valid)
        message = f"{value!r} is none of: {', '.join(valid)}" if not close else f"{value!r} is not valid{_meant(close)}"
        return before + message, instead(close[0]) if close else f"for example: {instead(valid[0]).removeprefix('type: ')}"
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType) and (number := _read_number(value, kind)):
        return before + message, instead(number)
    typed = _typed(ctx)
    if name == "--set" and (match := re.match(r"'(.+)' is not KEY=VALUE", said)):
        bare, _, behind = match[1].partition(":")
        following = typed[at + 1 : at + 2] if (at := typed.index(match[1]) if match[1] in typed else len(typed)) else []
        wanted = behind or next((word for word in following if not word.startswith("-")), "")
        if wanted:
            words = [*typed[:at], f"{bare}={wanted}", *typed[at + 1 + (not behind) :]]
            return message, f"type: {_join(words)}"
    return before + message, hint


def _read_number(text: str, kind: Any) -> str:
    """Return the number that is meant by "64px", "64x64", "10m", "60k", "1e5", "1,000"; "" for none."""
    match = re.fullmatch(r"\+?(\d[\d_,]*(?:\.\d+)?(?:e\+?\d+)?)\s*(k|m|[a-z%]*|[x×]\d+)", text.lower())
    if match is None:
        return ""
    number = float(re.sub("[_,]", "", match[1])) * (1000 if match[2] == "k" else 1)
    whole = isinstance(kind, click.types.IntParamType)
    return "" if whole and number != int(number) else f"{int(number)}" if number == int(number) else f"{number:g}"


def _find_settings(name: str, ctx: click.Context) -> list[str]:
    from zoo.runs.options import find_settings
    from zoo_core import ZooError, registry

    recipe = str(
        ctx.params.get("recipe") or next((word for word in _typed(ctx) if word in registry.names("recipes")), "dcgan")
    )
    try:
        parts = dict(registry.parts(registry.recipe(recipe)))
    except ZooError:
        parts = {}
    return find_settings(name, parts)


def _value_at(typed: Sequence[str], at: int) -> tuple[str, int]:
    """Return the value of the option at a place, "" for none, and how many words both take."""
    if at >= len(typed):
        return "", 0
    if "=" in typed[at]:
        return typed[at].partition("=")[2], 1
    following = typed[at + 1] if at + 1 < len(typed) else "-"
    alone = following.startswith("-") and not re.match(r"-[\d.]", following)
    return ("", 1) if alone else (following, 2)


def _options_typed(typed: Sequence[str]) -> list[str]:
    first = next((i for i, word in enumerate(typed) if word.startswith("-")), len(typed))
    return list(typed[first:])


def _flags(ctx: click.Context) -> dict[str, str]:
    """Return the options of a command, and what stands for their values."""
    found = {}
    for param in ctx.command.params:
        if isinstance(param, click.Option):
            for flag in (*param.opts, *param.secondary_opts):
                found[flag] = "" if param.is_flag else param.metavar or (param.name or "").upper()
    return found


def _arguments(ctx: click.Context) -> list[click.Argument]:
    return [param for param in ctx.command.params if isinstance(param, click.Argument)]


def _called(param: click.Parameter) -> str:
    """Return what a person calls a parameter: --size, MODEL."""
    if isinstance(param, click.Argument):
        return (param.metavar or param.name or "").strip("[]").upper()
    return max(param.opts, key=len)


def _is_typed(param: click.Parameter, ctx: click.Context) -> bool:
    words = {word.partition("=")[0] for word in _typed(ctx)}
    return isinstance(param, click.Option) and bool(words & {*param.opts})


def _example(ctx: click.Context) -> str:
    """Return the first example of a command's help."""
    lines = (ctx.command.help or "").splitlines()
    return next((line.strip() for line in lines if line.strip().startswith(f"{ctx.command_path} ")), "")


def _typed(ctx: click.Context) -> list[str]:
    return list(ctx.meta.get(TYPED, ()))


def _join(words: Sequence[str]) -> str:
    return shlex.join(["zoo", *filter(None, words)])


def _meant(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else ""


def _all_options(ctx: click.Context) -> str:
    return f"to see all: {ctx.command_path} --help"


def _plain(text: str) -> str:
    """Return a sentence of click's as we write them: without the point, in lower case at the beginning."""
    text = text.strip().removesuffix(".")
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or len(first) == 1 else text
