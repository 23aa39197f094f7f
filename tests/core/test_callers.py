"""Messages name flags on the command line, and arguments in Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import zoo
from zoo_core import UsageError
from zoo_core.callers import FUNCTION, for_caller, name_arguments, naming_flags

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        ("try: --size 64 or --size 128", "try: size=64 or size=128"),
        ("for example: --set generator.width=128", 'for example: options={"generator.width": 128}'),
        (
            "try: --size 64; or: --set generator.coarsest=6 --set discriminator.coarsest=6",
            'try: size=64; or: options={"generator.coarsest": 6, "discriminator.coarsest": 6}',
        ),
        ("leave it out: --set training.augment=[]", 'leave it out: options={"training.augment": []}'),
        ("for example: --set 'dataset.classes=a b'", 'for example: options={"dataset.classes": "a b"}'),
        ("name a model: --set features.model=runs/a", 'name a model: feature_options={"model": "runs/a"}'),
        ("train: --set algorithm.conditional=true", 'train: options={"algorithm.conditional": True}'),
        ("unknown --set key 'generator.widht'", "unknown option 'generator.widht'"),
        ("--data and --set belong to a dataset", "'data' and 'options' belong to a dataset"),
        ("--epochs and --minutes are budgets; give one", "'epochs' and 'minutes' are budgets; give one"),
        ("a resumed run stays\nleave --out out", "a resumed run stays\nleave 'out' out"),
        ("write: --data photos", 'write: data="photos"'),
        ("go on: zoo train --resume mine --out other", 'go on: zoo.train(resume="mine", out="other")'),
        ("leave --split away", "leave 'split' away"),
        ("--compile works on CUDA GPUs", "'compile' works on CUDA GPUs"),
        ("let the zoo fetch it: --download; or: --data DIR", 'let the zoo fetch it: download=True; or: data="DIR"'),
        ("try: --no-graphs", "try: graphs=False"),
        ("For the current folder: --data .", 'For the current folder: data="."'),
        ("(--precision bf16 or fp32 would do)", '(precision="bf16" or fp32 would do)'),
        ("for example: --metrics fid,kid", 'for example: metrics="fid,kid"'),
        ("raise --samples, or leave kid out of --metrics", "raise 'samples', or leave kid out of 'metrics'"),
        ("type: --dataset hub --data 'a b/c'", 'type: dataset="hub", data="a b/c"'),
        ("the least is 1\nfor example: -n 64", "the least is 1\nfor example: n=64"),
        ("--min-size must be at least 8", "'min_size' must be at least 8"),
        (
            "for example: zoo train dcgan --dataset faces (zoo list recipes shows all)",
            'for example: zoo.train("dcgan", dataset="faces") (zoo list recipes shows all)',
        ),
        (
            "go on: zoo train --resume 'my runs/a'; or choose another folder: --out DIR",
            'go on: zoo.train(resume="my runs/a"); or choose another folder: out="DIR"',
        ),
        ("to go on: zoo train --resume runs/a --images 64", 'to go on: zoo.train(resume="runs/a", images=64)'),
        ("try: zoo compare dcgan mlp-gan --dataset faces …", 'try: zoo.compare(["dcgan", "mlp-gan"], dataset="faces", …)'),
        ("write its model: zoo export runs/a DIR", 'write its model: zoo.export("runs/a", "DIR")'),
        ("look: zoo push … --dry-run", "look: zoo.push(…, dry_run=True)"),
        (
            'try: zoo arithmetic MODEL "A - B + C" --a 3,17,40 --b 5,9',
            'try: zoo.arithmetic("MODEL", "A - B + C", a=[3, 17, 40], b=[5, 9])',
        ),
        ("it has none; zoo evaluate writes it", "it has none; zoo evaluate writes it"),
        ("zoo train makes run folders in runs/", "zoo train makes run folders in runs/"),
        ("build one: zoo data build faces --size 64; or", "build one: zoo data build faces --size 64; or"),
        ("zoo sample MODEL --numbered shows them", "zoo sample MODEL --numbered shows them"),
        ('with: pip install --upgrade "dcgan-zoo[eval]"', 'with: pip install --upgrade "dcgan-zoo[eval]"'),
        ("unpack it: tar --zstd -xf a.tar -C a", "unpack it: tar --zstd -xf a.tar -C a"),
        ("a – b -- c, no flags", "a – b -- c, no flags"),
    ],
)
def test_arguments_stand_where_flags_stood(flags: str, arguments: str) -> None:
    assert name_arguments(flags) == arguments
    assert name_arguments(arguments) == arguments  # an error may quote another one


def test_errors_speak_to_whoever_calls() -> None:
    error = UsageError("100 is no size", hint="try: --size 64")
    assert str(error) == "100 is no size\ntry: size=64"
    with naming_flags():
        assert str(error) == "100 is no size\ntry: --size 64"
        assert for_caller("--size") == "--size"
    assert str(error) == "100 is no size\ntry: size=64"


def test_every_function_that_a_call_names_exists() -> None:
    assert set(zoo.__all__) >= set(FUNCTION.pattern.split("|"))


def _messages() -> Iterator[tuple[str, str]]:
    """Yield every text of the packages that is no docstring, with values in the place of what is filled in."""
    for root in ("core/zoo_core", "zoo/zoo", "plugins/zoo_plugins"):
        for file in sorted((ROOT / root).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
            documents = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                text = ""
                if isinstance(node, ast.JoinedStr):
                    values = [part.value if isinstance(part, ast.Constant) else "7" for part in node.values]
                    text = "".join(map(str, values)).replace("--7", "--images")
                elif isinstance(node, ast.Constant) and node not in parts | documents:
                    text = node.value if isinstance(node.value, str) else ""
                if "--" in text and " " in text and file.name != "callers.py":
                    yield f"{file.name}:{node.lineno}", text


# what stays as it is typed in a terminal
_TYPED = re.compile(r"pip install|tar --|zoo (--|list|data|sample|plugins|leaderboard)|hf download")


def test_no_message_names_a_flag_in_python() -> None:
    found = {place: name_arguments(text) for place, text in _messages()}
    assert len(found) > 50
    assert {place: text for place, text in found.items() if "--" in text and not _TYPED.search(text)} == {}
