"""The options of a component, read from its source: as `zoo_core.options.schema` tells them, without importing the module.

Importing a component takes seconds where it needs torch; the shell completes in a fraction of one. What the source does not
say plainly (an option's type that is computed, say) is left open rather than run.
"""

from __future__ import annotations

import ast
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from importlib.util import find_spec, resolve_name
from operator import or_
from pathlib import Path
from typing import Any

from zoo_core.options import Option, Range, split_annotated

_PLAIN: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "Any": Any,
}
_FAILURES = (SyntaxError, ValueError, TypeError, KeyError, AttributeError, ImportError, OSError, RecursionError)


@dataclass(frozen=True)
class _Module:
    """A parsed source: its name, the package that relative imports start from, and what its top level defines or imports."""

    name: str
    package: str
    classes: dict[str, ast.ClassDef]
    values: dict[str, ast.expr]
    imports: dict[str, tuple[str, str]]  # name → module and the name there


def outline(target: str) -> dict[str, Option]:
    """Return the options of "package.module:Class" by name; none where its source cannot be read.

    Packages above the module are imported, as for any import; the module itself is not, nor what it imports.
    """
    module, _, name = target.partition(":")
    try:
        found = _find_constructor(_read(module), name)
        return dict(_options(*found)) if found else {}
    except _FAILURES:
        return {}


@cache
def _read(name: str) -> _Module:
    spec = find_spec(name)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise ImportError(f"{name} has no source")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    module = _Module(name, package, {}, {}, {})
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            module.classes[node.name] = node
        elif isinstance(node, ast.Assign):
            module.values.update(pair for target in node.targets for pair in _assignments(target, node.value))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            module.values[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom):
            where = resolve_name("." * node.level + (node.module or ""), package)
            module.imports.update((alias.asname or alias.name, (where, alias.name)) for alias in node.names)
    return module


def _assignments(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for part, own in zip(target.elts, value.elts, strict=False):
            yield from _assignments(part, own)


def _follow(module: _Module, name: str) -> tuple[_Module, str] | None:
    """Return where an imported name is defined, None outside of the module's own distribution."""
    where, original = module.imports.get(name, ("", ""))
    if where.partition(".")[0] not in (module.name.partition(".")[0], "zoo_core"):
        return None
    return _read(where), original


def _find_constructor(module: _Module, name: str) -> tuple[_Module, ast.arguments] | None:
    """Return the signature of a class's constructor, its own or inherited, and the module that it stands in."""
    if (found := module.classes.get(name)) is None:
        there = _follow(module, name)
        return _find_constructor(*there) if there else None
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return module, node.args
    for base in found.bases:
        inherited = _find_constructor(module, base.id) if isinstance(base, ast.Name) else None
        if inherited:
            return inherited
    return None


def _options(module: _Module, arguments: ast.arguments) -> Iterator[tuple[str, Option]]:
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.arg == "image" or default is None or argument.annotation is None:  # supplied by the zoo
            continue
        kind, words, numbers = split_annotated(_evaluate(module, argument.annotation))
        yield argument.arg, Option(argument.arg, kind, _evaluate(module, default), words, numbers)


def _evaluate(module: _Module, node: ast.expr) -> Any:
    """Return the value or type that an expression stands for; `Any` for one that would have to be run."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        pass
    if isinstance(node, ast.Name):
        return _evaluate_name(module, node.id)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Range":
        ends = {str(keyword.arg): _evaluate(module, keyword.value) for keyword in node.keywords}
        return Range(*(_evaluate(module, end) for end in node.args), **ends)
    if isinstance(node, ast.JoinedStr):
        pieces = [piece.value if isinstance(piece, ast.FormattedValue) else piece for piece in node.values]
        return "".join(str(_evaluate(module, piece)) for piece in pieces)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):  # 10**9
        base, power = (_evaluate(module, side) for side in (node.left, node.right))
        return base**power if isinstance(base, int) and isinstance(power, int) and 0 <= power <= 64 else Any
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _evaluate(module, node.operand)
        return -value if isinstance(value, int | float) else Any
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return reduce(or_, (_as_type(_evaluate(module, side)) for side in (node.left, node.right)))
    if isinstance(node, ast.Subscript):
        outer = getattr(node.value, "id", None) or getattr(node.value, "attr", "")
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        parts = tuple(_evaluate(module, part) for part in inner)
        if outer in ("Literal", "Annotated", "Union", "Optional"):
            return getattr(typing, outer)[parts if outer != "Optional" else parts[0]]
        if outer in ("list", "tuple", "dict"):
            return _PLAIN[outer][parts]
    return Any


def _evaluate_name(module: _Module, name: str) -> Any:
    if name in module.values:
        return _evaluate(module, module.values[name])
    if name in module.imports:
        there = _follow(module, name)
        return _evaluate_name(*there) if there else Any
    return _PLAIN.get(name, Any)


def _as_type(value: Any) -> Any:
    return types.NoneType if value is None else value
