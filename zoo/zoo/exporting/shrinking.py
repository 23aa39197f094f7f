"""A graph with weights of 8 bits where that costs little, and of 16 bits otherwise.

Weights of 8 bits stand in groups that share a scale; the graph itself turns them back into float32 when it is loaded, so all
that computes is as before.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.model import Model
from .checks import inputs_for, open_session

COST = 2 / 255
"""Most that any pixel of the samples may change by, of pixels in [0, 1]."""

SAMPLES, PART = 64, 16
"""Samples by which the cost is measured, and how many are drawn together."""

GROUP = 32  # most weights that share a scale
LEAST = 256  # numbers of a tensor that is worth it


@dataclass(frozen=True)
class Shrunk:
    """A graph with smaller weights, and what that costs."""

    graph: bytes
    bits: str  # of its weights, in words
    cost: float  # the largest change of a pixel of the samples, pixels in [0, 1]


def shrink(graph: Any, model: Model) -> Shrunk:
    """Return a generator's graph with weights of 8 bits, as many of its tensors as cost at most 2/255 together.

    The smallest tensors, which stand near the image, are given 16 bits until that holds; where even 16 bits cost more, all
    stay float32.
    """
    wanted = _draw(graph.SerializeToString(), model)
    names = [tensor.name for tensor in sorted(_weights(graph), key=_count)]
    for fine in range(len(names) + 1):
        small = _store(graph, eight=names[fine:], sixteen=names[:fine])
        cost = float(np.abs(_draw(small, model) - wanted).max()) / 2
        if cost <= COST:
            kinds = [f"{bits} bits" for bits, some in ((8, names[fine:]), (16, names[:fine])) if some]
            return Shrunk(small, " and ".join(kinds) or "32 bits", cost)
    return Shrunk(graph.SerializeToString(), "32 bits", 0.0)


def _draw(graph: bytes, model: Model) -> NDArray[np.float32]:
    session = open_session(graph)
    parts = [session.run(["images"], inputs_for(model, range(i, i + PART)))[0] for i in range(0, SAMPLES, PART)]
    images: NDArray[np.float32] = np.concatenate(parts)
    return images


def _count(tensor: Any) -> int:
    return int(np.prod(tensor.dims))


def _weights(graph: Any) -> list[Any]:
    """Return the tensors that are worth it, in a graph's own order."""
    from onnx import TensorProto

    return [t for t in graph.graph.initializer if t.data_type == TensorProto.FLOAT and _count(t) >= LEAST]


def _store(graph: Any, *, eight: Collection[str], sixteen: Collection[str]) -> bytes:
    """Return a graph in which some tensors have 8 or 16 bits."""
    from onnx import TensorProto, helper, numpy_helper

    graph, nodes = copy.deepcopy(graph), []
    for tensor in _weights(graph):
        name, values = tensor.name, numpy_helper.to_array(tensor)
        parts: list[Any] = []
        if name in sixteen:
            with np.errstate(over="ignore"):
                parts = [numpy_helper.from_array(values.astype(np.float16), f"{name}.h")]
            nodes.append(helper.make_node("Cast", [f"{name}.h"], [name], to=TensorProto.FLOAT))
        elif name in eight:
            levels, scales = quantize(values)
            shape = np.array(values.shape, dtype=np.int64)
            parts = [
                numpy_helper.from_array(levels, f"{name}.q"),
                numpy_helper.from_array(scales, f"{name}.s"),
                numpy_helper.from_array(shape, f"{name}.d"),
            ]
            nodes.append(helper.make_node("DequantizeLinear", [f"{name}.q", f"{name}.s"], [f"{name}.f"], axis=0))
            nodes.append(helper.make_node("Reshape", [f"{name}.f", f"{name}.d"], [name]))
        graph.graph.initializer.remove(tensor)
        graph.graph.initializer.extend(parts or [tensor])
    for node in reversed(nodes):
        graph.graph.node.insert(0, node)
    found: bytes = graph.SerializeToString(deterministic=True)
    return found


def quantize(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the levels int8 [groups, n] of a tensor's numbers in their order, and the scale float32 [groups] of each group.

    n is the most that divides the count, at most 32; a level is at most 127 steps from zero.
    """
    length = next(n for n in range(GROUP, 0, -1) if values.size % n == 0)
    groups = values.reshape(-1, length)
    scales = np.abs(groups).max(axis=1) / 127
    scales[scales == 0] = 1
    levels = np.rint(groups / scales[:, None]).astype(np.int8)
    return levels, scales.astype(np.float32)
