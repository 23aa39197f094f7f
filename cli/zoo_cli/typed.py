"""What somebody typed, and what a command takes: words, options and arguments, for those who explain mistakes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import click

TYPED = "zoo_cli.typed"
"""Where `ctx.meta` holds the words behind `zoo`."""

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


def as_option(word: str, ctx: click.Context) -> list[str] | None:
    """Return how a word that stands alone is written as an option of the command; None where nobody knows."""
    from zoo.names import FILE, FOLDER, what_is

    known = list_flags(ctx)
    key, sign, value = word.partition("=")
    if sign:
        option = OPTIONS.get(key.replace("_", "-"), f"--{key.replace('_', '-')}")
        if option in known:
            return [option, value]
        keys = [key] if "." in key else find_keys(key, ctx) if "--set" in known else []
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


def read_number(text: str, kind: Any) -> str:
    """Return the number that is meant by "64px", "64x64", "10m", "60k", "1e5", "1,000"; "" for none."""
    match = re.fullmatch(r"\+?(\d[\d_,]*(?:\.\d+)?(?:e\+?\d+)?)\s*(k|m|[a-z%]*|[x×]\d+)", text.lower())
    if match is None:
        return ""
    number = float(re.sub("[_,]", "", match[1])) * (1000 if match[2] == "k" else 1)
    whole = isinstance(kind, click.types.IntParamType)
    return "" if whole and number != int(number) else f"{int(number)}" if number == int(number) else f"{number:g}"


def find_keys(name: str, ctx: click.Context) -> list[str]:
    from zoo.runs.options import find_settings
    from zoo_core import ZooError, registry

    recipe = str(
        ctx.params.get("recipe") or next((word for word in read_typed(ctx) if word in registry.names("recipes")), "dcgan")
    )
    try:
        parts = dict(registry.parts(registry.recipe(recipe)))
    except ZooError:
        parts = {}
    return find_settings(name, parts)


def value_at(typed: Sequence[str], at: int) -> tuple[str, int]:
    """Return the value of the option at a place, "" for none, and how many words both take."""
    if at >= len(typed):
        return "", 0
    if "=" in typed[at]:
        return typed[at].partition("=")[2], 1
    following = typed[at + 1] if at + 1 < len(typed) else "-"
    alone = following.startswith("-") and not re.match(r"-[\d.]", following)
    return ("", 1) if alone else (following, 2)


def read_options(typed: Sequence[str]) -> list[str]:
    first = next((i for i, word in enumerate(typed) if word.startswith("-")), len(typed))
    return list(typed[first:])


def list_flags(ctx: click.Context) -> dict[str, str]:
    """Return the options of a command, and what stands for their values."""
    found = {}
    for param in ctx.command.params:
        if isinstance(param, click.Option):
            for flag in (*param.opts, *param.secondary_opts):
                found[flag] = "" if param.is_flag else param.metavar or (param.name or "").upper()
    return found


def list_arguments(ctx: click.Context) -> list[click.Argument]:
    return [param for param in ctx.command.params if isinstance(param, click.Argument)]


def name_parameter(param: click.Parameter) -> str:
    """Return what a person calls a parameter: --size, MODEL."""
    if isinstance(param, click.Argument):
        return (param.metavar or param.name or "").strip("[]").upper()
    return max(param.opts, key=len)


def is_typed(param: click.Parameter, ctx: click.Context) -> bool:
    words = {word.partition("=")[0] for word in read_typed(ctx)}
    return isinstance(param, click.Option) and bool(words & {*param.opts})


def find_example(ctx: click.Context) -> str:
    """Return the first example of a command's help."""
    lines = (ctx.command.help or "").splitlines()
    return next((line.strip() for line in lines if line.strip().startswith(f"{ctx.command_path} ")), "")


def read_typed(ctx: click.Context) -> list[str]:
    return list(ctx.meta.get(TYPED, ()))


def join_words(words: Sequence[str]) -> str:
    return shlex.join(["zoo", *filter(None, words)])


def list_meant(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else ""


def say_all_options(ctx: click.Context) -> str:
    return f"to see all: {ctx.command_path} --help"


def make_plain(text: str) -> str:
    """Return a sentence of click's as we write them: without the point, in lower case at the beginning."""
    text = text.strip().removesuffix(".")
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or len(first) == 1 else text
