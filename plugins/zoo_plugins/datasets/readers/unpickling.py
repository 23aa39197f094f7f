"""Pickles of arrays, read without running what they ask for.

A pickle is a program that may call anything. The batches of CIFAR-10 and the downsampled ImageNet go round as pickles:
dictionaries of arrays, texts and numbers, written by Python 2 or written again by Python 3, in any protocol. Here every name
that a pickle asks for is looked up in a short table of stand-ins of ours, which only make arrays of plain numbers; all else
is refused.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo_core.errors import DataError

MOST_DIMENSIONS = 4
_NUMBERS = frozenset("?bhilqBHILQefd")  # numpy's characters of plain numbers; no objects, no structures, no texts


def read_pickle(value: bytes, name: str, what: str, hint: str = "") -> Any:
    """Return what a pickle holds: dictionaries, lists, texts, numbers and numpy arrays of numbers.

    Raises:
        DataError: it asks for anything else, is cut short, or is no pickle: `name` is no `what`.
    """
    try:
        return _unwrap(_ArraysOnly(io.BytesIO(value), encoding="bytes").load())
    except DataError as error:
        raise DataError(f"{name} is no {what}: {error.message}", hint=hint) from None
    except Exception as error:  # whatever a damaged pickle makes the unpickler stumble over
        words = f"{type(error).__name__}: {error}"[:200]
        raise DataError(f"{name} is no {what}, or cut short: {words}", hint=hint) from error


def batch_arrays(held: Any, name: str, what: str, lengths: Collection[int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pixels [N, L] and labels [N] of a batch, the dictionary that its file holds.

    Args:
        held: its keys are texts, or bytes where Python 2 wrote them.
        name: of the file, and `what` it should be, for messages.
        lengths: valid numbers of pixels L.

    Raises:
        DataError: it is no such dictionary, or has not as many labels as pictures.
    """
    found = (
        {key.decode("latin1") if isinstance(key, bytes) else key: v for key, v in held.items()}
        if isinstance(held, dict)
        else {}
    )
    pixels, labels = found.get("data"), found.get("labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] not in lengths:
        expected = " or ".join(map(str, lengths))
        raise DataError(f"{name} is no {what}: expected data [N, {expected}] of bytes and a list of labels")
    if isinstance(labels, list | tuple) and all(type(label) is int and abs(label) < 1 << 31 for label in labels):
        labels = np.array(labels, np.int64)
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{name} is no {what}: expected a whole number for each picture as labels")
    if len(labels) != len(pixels):
        raise DataError(f"{name} is no {what}: it has {len(pixels):,} pictures and {len(labels):,} labels")
    return pixels, labels.astype(np.int64)


class _Type:
    """Stands for numpy's dtype: the type of a plain number, with its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        try:
            found = np.dtype(text) if isinstance(text, str) and len(text) <= 3 else None
        except TypeError:
            found = None
        if found is None or found.char not in _NUMBERS:
            raise DataError(f"its pickle holds an array of {text!r}; expected plain numbers")
        self.type = found

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii", "replace") if isinstance(state[1], bytes) else state[1]
        if order in ("<", ">"):
            self.type = self.type.newbyteorder("<" if order == "<" else ">")


class _Array:
    """Stands for numpy's array, whose own class trusts the state that a pickle gives it."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, value = state
        self.values = _array(value, kind, shape, "F" if by_columns else "C")


def _array(value: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    if not isinstance(kind, _Type) or not isinstance(value, bytes | bytearray):
        raise DataError("its pickle holds an array of something else than plain numbers")
    if not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise DataError(f"its pickle holds an array of shape {str(shape)[:60]}")
    return np.frombuffer(value, kind.type).reshape(shape, order=order if order in ("C", "F") else "C")


def _from_buffer(value: Any, kind: Any, shape: Any, order: Any, *_: Any) -> _Array:
    """Stands for `numpy._core.numeric._frombuffer`, with which protocol 5 makes arrays."""
    found = _Array()
    found.values = _array(value, kind, shape, order)
    return found


def _number(kind: Any, value: Any = b"") -> int | float | bool:
    """Stands for `numpy._core.multiarray.scalar`: a number by itself."""
    found: int | float | bool = _array(value, kind, (), "C").item()
    return found


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Stands for `_codecs.encode`, as which Python 3 writes bytes into the protocols of Python 2."""
    encoding = encoding.decode("ascii", "replace") if isinstance(encoding, bytes) else encoding
    text = text.decode("latin1") if isinstance(text, bytes) else text  # read as bytes, as Python 2 meant its texts
    if encoding not in ("latin1", "latin-1", "iso-8859-1") or not isinstance(text, str):
        raise DataError(f"its pickle encodes something as {str(encoding)[:40]!r}; expected bytes as latin1")
    return text.encode("latin1")


def _bytes(value: Any = b"", *_: Any) -> bytes:
    """Stands for `bytes`, which Python 3 calls for none of them; a number would ask for that many zeros."""
    if not isinstance(value, bytes | bytearray | list | tuple):
        raise DataError("its pickle makes bytes of something else than bytes")
    return bytes(value)


_MULTIARRAY: dict[str, Callable[..., Any]] = {"_reconstruct": _Array, "scalar": _number}
_NUMERIC: dict[str, Callable[..., Any]] = {"_frombuffer": _from_buffer}
_BUILTINS: dict[str, Callable[..., Any]] = {"bytes": _bytes, "bytearray": _bytes}
_KNOWN: dict[str, dict[str, Callable[..., Any]]] = {
    "numpy": {"dtype": _Type, "ndarray": _Array},
    "numpy.core.multiarray": _MULTIARRAY,
    "numpy._core.multiarray": _MULTIARRAY,
    "numpy.core.numeric": _NUMERIC,
    "numpy._core.numeric": _NUMERIC,
    "_codecs": {"encode": _encode},
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
}


class _ArraysOnly(pickle.Unpickler):
    """Builds arrays of numbers, texts, numbers, lists and dictionaries."""

    def find_class(self, module: str, name: str) -> Any:
        if (found := _KNOWN.get(module, {}).get(name)) is None:
            asked = f"{module}.{name}"[:100]
            raise DataError(f"its pickle asks for {asked}, which could run a program; it is not loaded")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise DataError("its pickle refers to something outside of itself; it is not loaded")


def _unwrap(value: Any, depth: int = 0) -> Any:
    """Return the value with arrays in the place of their stand-ins."""
    if isinstance(value, _Array):
        if value.values is None:
            raise DataError("its pickle holds an array without content")
        return value.values
    if depth > sys.getrecursionlimit() // 4:
        raise RecursionError
    if type(value) is dict:
        return {_key(key): _unwrap(held, depth + 1) for key, held in value.items()}
    if type(value) in (list, tuple) and any(isinstance(held, _Array | dict | list | tuple) for held in value):
        return [_unwrap(held, depth + 1) for held in value]
    return value


def _key(key: Any) -> Any:
    if not isinstance(key, str | bytes | int):
        raise DataError("its pickle holds a dictionary whose keys are no texts")
    return key
