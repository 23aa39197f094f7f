"""Convolutions and LeakyReLU that are cheap to differentiate twice, as gradient penalties do.

torch's own second derivative of a convolution goes through its groups one by one, 300 operations for 96 of them, and moves
dimensions to and fro; that of LeakyReLU carries zeros along. Here the gradient to an input is a transposed convolution or a
mask in the graph, whose own derivatives are convolutions and masks again. Numbers differ from torch's by rounding alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu
from torch.overrides import has_torch_function

SLOPE = 0.2  # of LeakyReLU below zero


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, groups: int) -> Tensor:
    """Return the convolution of x [N, C, H, W], as `torch.nn.functional.conv2d` does."""
    if _differentiates(x):
        given = [t if t is None or not t.is_leaf else t.view_as(t) for t in (x, weight, bias)]  # `_is_asked` knows no leaves
        out: Tensor = _Convolution.apply(*given, stride, padding, groups)
        return out
    return conv2d(x, weight, bias, stride, padding, 1, groups)


def rectify(x: Tensor) -> Tensor:
    """Return LeakyReLU of x, in its place."""
    if _differentiates(x):
        out: Tensor = _LeakyReLU.apply(x)
        return out
    return leaky_relu(x, SLOPE, inplace=True)


def _differentiates(x: Tensor) -> bool:
    """Return whether gradients may be asked for, and come in the precision of x. Autocast has one for each operation, a
    compiler has operations of its own, and whoever watches torch's functions wants to see them."""
    watched = has_torch_function((x,)) or torch.compiler.is_compiling()
    kind = x.device.type
    lower = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)  # type: ignore[attr-defined]
    return torch.is_grad_enabled() and x.requires_grad and not lower and not watched


class _Convolution(torch.autograd.Function):
    """The gradient to the weight can be differentiated too, by torch's own formula; nobody does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, groups: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding, groups
        return conv2d(x, weight, bias, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), (stride, padding, groups) = ctx.saved_tensors, ctx.how
        to_x, to_weight, to_bias = (_is_asked(ctx, number) for number in range(3))
        found: list[Tensor | None] = [None, None, None]
        again = to_x and torch.is_grad_enabled()  # the gradient's own gradient will be asked for
        if again:
            extra = (x.shape[2] + 2 * padding - weight.shape[2]) % stride
            found[0] = conv_transpose2d(gradient, weight, None, stride, padding, extra, groups)
        mask = [to_x and not again, to_weight, to_bias]
        if any(mask):
            how = [weight.shape[0]], [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups
            rest = torch.ops.aten.convolution_backward(gradient, x, weight, *how, mask)
            found = [mine if mine is not None else theirs for mine, theirs in zip(found, rest, strict=True)]
        return *found, None, None, None


def _is_asked(ctx: Any, number: int) -> bool:
    """Return whether a backward pass that is under way wants the gradient to an input, as torch's own operations know: one
    that stops at the images wants none of the weights'."""
    asked = getattr(torch._C, "_will_engine_execute_node", None)
    wanted: bool = ctx.needs_input_grad[number]
    return wanted and (asked is None or asked(ctx.next_functions[number][0]))


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = leaky_relu(x, SLOPE, inplace=True)
        ctx.mark_dirty(out)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (out,) = ctx.saved_tensors
        return _Mask.apply(gradient, out.detach())


class _Mask(torch.autograd.Function):
    """A gradient as it is where the rectifier's output is positive, and times the slope elsewhere."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, out: Tensor) -> Tensor:
        ctx.save_for_backward(out)
        found: Tensor = torch.ops.aten.leaky_relu_backward(gradient, out, SLOPE, True)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _Mask.apply(gradient, *ctx.saved_tensors), None
