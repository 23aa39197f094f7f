"""How files are spoiled: as accidents, other versions, people who edit by hand and people who mean harm would."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import string
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

BAD = "=x\x1b[31m\u202e\nerror: forged\x9b\u2066'\"<b>`|*_[a](b){{7*7}}\r"
"""Steers a terminal, turns text around, forges a line, ends attributes and cells, is markup, a formula and a template."""

VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        3,
        7,
        10**9,
        2**31,
        2**63,
        10**40,
        -(10**9),
        0.0,
        -0.0,
        0.5,
        1.5,
        1e-300,
        1e308,
        -1e308,
    ),
    *("", "x", "../x", "/etc/passwd", "os:system", "0", "NaN", "a" * 100_000, BAD, "\ud800", "\x00"),
    *([], [[]], [None], [1] * 50, ["a"] * 1000, {}, {"a": {}}, {"a": [1]}, [[1, 2], [3]], [{}], {"": ""}),
    *(float("nan"), float("inf"), float("-inf")),
]
"""What stands instead of something else."""


def nest(levels: int) -> Any:
    """Return a list in a list in a list."""
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


def change_json(value: Any, draw: random.Random) -> tuple[Any, str]:
    """Return plain data with one thing changed somewhere, and what in words."""
    value = json.loads(json.dumps(value))
    places: list[tuple[Any, Any, str]] = []

    def find(inner: Any, where: str) -> None:
        items = inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        for key, item in [*items][:60]:
            places.append((inner, key, f"{where}.{key}"))
            find(item, f"{where}.{key}")

    find(value, "")
    if not places:
        return draw.choice(VALUES), "all of it"
    depth = draw.choice((1, 2, 2, 3, 3, 9))  # keys near the top matter most
    near = [place for place in places if place[2].count(".") <= depth]
    holder, key, where = draw.choice(near or places)
    how = draw.choice(
        ("replace", "replace", "replace", "drop", "drop", "add", "tweak", "tweak", "rename", "repeat", "swap", "nest")
    )
    if how == "replace":
        holder[key] = draw.choice(VALUES)
    elif how == "drop":
        del holder[key]
    elif how == "add" and isinstance(holder, dict):
        holder[draw.choice(("extra", "", BAD, "__class__", "version", "x" * 5000))] = draw.choice(VALUES)
    elif how == "rename" and isinstance(holder, dict):
        holder[draw.choice((str(key).upper(), f"{key}s", f"_{key}", BAD))] = holder.pop(key)
    elif how == "repeat" and isinstance(holder, list):
        holder += [holder[key]] * draw.choice((1, 2, 100))
    elif how == "swap" and len(holder) > 1:
        other = draw.choice([k for k in (holder if isinstance(holder, dict) else range(len(holder))) if k != key])
        holder[key], holder[other] = holder[other], holder[key]
    elif how == "nest":
        holder[key] = draw.choice((nest(40), nest(900), [holder[key]], {"value": holder[key]}))
    else:
        how = "tweak"
        holder[key] = _tweak(holder[key], draw)
    return value, f"{how} {where[1:60]}"


def _tweak(value: Any, draw: random.Random) -> Any:
    if isinstance(value, bool):
        return draw.choice((not value, int(value), str(value)))
    if isinstance(value, int | float):
        return draw.choice((-value, value + 1, value - 1, value * 1000, float(value), str(value), value / 2, 0))
    if isinstance(value, str):
        return draw.choice(
            (value.upper(), value[:-1], value * 1000, f" {value}", value + BAD, [value], value.encode().hex())
        )
    if isinstance(value, list):
        return draw.choice((value[::-1], value[:1], value * 20, dict(enumerate(value)), value[0] if value else None))
    if isinstance(value, dict):
        return draw.choice(([*value.items()], [*value], {**value, "extra": 1}, {}))
    return draw.choice(VALUES)


def change_text(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Return the bytes of a text with something done to them that no writer of JSON would."""
    how = draw.choice(
        (
            "bom",
            "utf-16",
            "cut",
            "flip",
            "insert",
            "twice",
            "deep",
            "tail",
            "latin",
            "crlf",
            "empty",
            "zeros",
            "spaces",
            "long",
        )
    )
    if how == "bom":
        return b"\xef\xbb\xbf" + data, how
    if how == "utf-16":
        return data.decode("utf-8", "replace").encode("utf-16"), how
    if how == "twice":
        at = data.find(b"{")
        return data[: at + 1] + b'"format": 2, "format": 2, "sha256": {}, ' + data[at + 1 :], how
    if how == "deep":
        return draw.choice((b"[" * 200_000, b'{"a":' * 100_000, b"[" * 500 + b"]" * 500)), how
    if how == "tail":
        return data + draw.choice((b"}", b"garbage", b"\x00", b'{"step": 1}', b"\n" * 5)), how
    if how == "latin":
        return data.replace(b'"', b'"\xe9\xff', 1), how
    if how == "crlf":
        return data.replace(b"\n", b"\r\n"), how
    if how == "empty":
        return b"", how
    if how == "zeros":
        return bytes(len(data)), how
    if how == "spaces":
        return data + b" " * draw.choice((100, 2 << 20, 80 << 20)), how
    if how == "long":
        return b'{"a": ' + b"9" * 20_000 + b"}", how
    return change_bytes(data, draw, how)


def change_bytes(data: bytes, draw: random.Random, how: str = "") -> tuple[bytes, str]:
    """Return bytes with some of them changed, lost or more."""
    how = how or draw.choice(("flip", "flip", "flip", "cut", "insert", "move", "more", "empty", "zero"))
    if not data or how == "empty":
        return b"", "empty"
    if how == "flip":
        changed = bytearray(data)
        head = min(len(data), draw.choice((16, 1000, len(data), len(data))))
        for _ in range(draw.choice((1, 1, 1, 5))):
            changed[draw.randrange(head)] ^= 1 << draw.randrange(8)
        return bytes(changed), how
    if how == "cut":
        return data[: draw.randrange(len(data))], how
    at = draw.randrange(len(data))
    if how == "insert":
        return data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:], how
    if how == "more":
        return data + bytes(draw.choice((1, 100, 100_000))), how
    if how == "zero":
        return data[:at] + bytes(min(64, len(data) - at)) + data[at + 64 :], how
    a, b = sorted(draw.randrange(len(data)) for _ in range(2))
    return data[b:] + data[a:b] + data[:a], "move"


def change_header(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Return a safetensors file whose header says something else."""
    try:
        length = struct.unpack("<Q", data[:8])[0]
        header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    except (ValueError, struct.error):
        return change_bytes(data, draw)
    names = [key for key in header if key != "__metadata__"]
    how = draw.choice(
        ("value", "value", "overlap", "hole", "huge", "rename", "metadata", "twin", "length", "dtype", "transpose")
    )
    if names and how in ("overlap", "hole", "huge", "dtype", "transpose", "rename", "twin"):
        name = draw.choice(names)
        entry = header[name]
        if how == "overlap":
            entry["data_offsets"] = header[draw.choice(names)]["data_offsets"]
        elif how == "hole":
            entry["data_offsets"] = [entry["data_offsets"][0] + 8, entry["data_offsets"][1] + 8]
        elif how == "huge":
            entry["shape"] = draw.choice(([2**62, 2**62], [10**9], [2**40], [0], [-1], [1] * 70, entry["shape"] + [1]))
        elif how == "dtype":
            entry["dtype"] = draw.choice(
                ("F64", "BF16", "F16", "I32", "U32", "BOOL", "F8_E4M3", "C64", "PICKLE", BAD, "I64")
            )
        elif how == "transpose":
            entry["shape"] = entry["shape"][::-1]
        elif how == "rename":
            header[draw.choice((f"{name}x", BAD, "", "x" * 10_000, name.upper()))] = header.pop(name)
        else:
            header[f"{name}.twin"] = entry
    elif how == "metadata":
        header["__metadata__"] = draw.choice(({"format": "pt"}, {"a": 1}, [], None, {"a": "b" * 100_000}, {BAD: BAD}))
    elif how == "length":
        number = draw.choice((0, 1, 2**63, 2**64 - 1, 10**8, length + 1, length - 1))
        return struct.pack("<Q", number) + data[8:], how
    else:
        header, how = change_json(header, draw)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + body, f"header: {how}"


def change_tensors(data: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Return a whole safetensors file with other tensors: what a person with a script would write."""
    try:
        tensors = load(data)
    except Exception:  # spoiled before
        return change_bytes(data, draw)
    if not tensors:
        return change_header(data, draw)
    name = draw.choice(sorted(tensors))
    tensor = tensors[name]
    how = draw.choice(
        (
            "nan",
            "inf",
            "huge",
            "zero",
            "drop",
            "add",
            "cut",
            "double",
            "half",
            "whole",
            "swap",
            "scalar",
            "negative",
            "noise",
        )
    )
    if how in ("nan", "inf", "huge") and tensor.is_floating_point() and tensor.numel():
        tensor.view(-1)[draw.randrange(tensor.numel())] = {"nan": float("nan"), "inf": float("-inf"), "huge": 3e38}[how]
    elif how == "zero":
        tensor.zero_()
    elif how == "negative":
        tensors[name] = -tensor.float() if tensor.dtype == torch.bool else -tensor
    elif how == "drop":
        del tensors[name]
    elif how == "add":
        tensors[draw.choice(("extra", BAD, "generator.0.x", "0.torch", "x" * 5000))] = torch.zeros(draw.choice((1, 1000)))
    elif how == "cut":
        tensors[name] = tensor[..., :-1].contiguous() if tensor.dim() and tensor.shape[-1] else torch.zeros(0)
    elif how == "double":
        tensors[name] = tensor.double()
    elif how == "half":
        tensors[name] = tensor.to(torch.float16)
    elif how == "whole":
        tensors[name] = tensor.to(torch.int32)
    elif how == "scalar":
        tensors[name] = torch.tensor(1.0)
    elif how == "noise":
        tensors[name] = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(draw.randrange(99))).to(
            tensor.dtype
        )
    elif len(tensors) > 1:
        other = draw.choice([n for n in sorted(tensors) if n != name])
        tensors[name], tensors[other] = tensors[other], tensor
    return save(tensors), f"{how} {name[:60]!a}"


def change_file(path: Path, draw: random.Random) -> str:
    """Put something else in the place of a file, or take it away; return what in words."""
    hows: dict[str, Callable[[], object]] = {
        "gone": path.unlink,
        "folder": lambda: (path.unlink(), path.mkdir()),
        "fifo": lambda: (path.unlink(), os.mkfifo(path)),
        "socket": lambda: (path.unlink(), _bind(path)),
        "loop": lambda: (path.unlink(), path.symlink_to(path.name)),
        "zeros": lambda: (path.unlink(), path.symlink_to("/dev/zero")),
        "null": lambda: (path.unlink(), path.symlink_to("/dev/null")),
        "dangling": lambda: (path.unlink(), path.symlink_to("nothing")),
        "forbidden": lambda: path.chmod(0),
        "sparse": lambda: os.truncate(path, 1 << 40),
        "moved": lambda: path.rename(path.with_name(path.name + ".bak")),
        "pickle": lambda: path.write_bytes(b"\x80\x04c" + b"os\nsystem\n(S'true'\ntR."),
        "other": lambda: _replace(path, draw),
    }
    how = draw.choice(sorted(hows))
    hows[how]()
    return f"{path.name}: {how}"


def spoilable(paths: Iterable[Path]) -> list[Path]:
    """Return the regular files of a size that can be read and written again."""
    return sorted(path for path in paths if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 27)


def _bind(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # addresses of sockets are short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)
    os.chdir(here)


def _replace(path: Path, draw: random.Random) -> None:
    others = [other for other in sorted(path.parent.iterdir()) if other != path and other.is_file()]
    if others:
        shutil.copyfile(draw.choice(others), path)


def word(draw: random.Random, letters: int = 12) -> str:
    """Return a name of anything: plain, or with what a terminal, a page, a table or a shell would take amiss."""
    odd = [
        BAD,
        "\x1b]0;x\x07",
        "\u202e",
        "\u2028",
        "<script>",
        "</td>",
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "|",
        "`",
        "\r",
        "\n",
        "${x}",
        "{{1}}",
        "'",
        '"',
        "\x00",
        "ü",
        "漢",
        "&amp;",
        "%s",
        "\\",
        "../",
    ]
    return "".join(
        draw.choice(odd) if draw.random() < 0.4 else draw.choice(string.ascii_letters)
        for _ in range(draw.randrange(1, letters))
    )
