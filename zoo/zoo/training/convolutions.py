"""Faster weight gradients of convolutions, for float32 on CPUs with AVX2 and no AVX-512.

oneDNN, which torch asks, is slow at the gradient of a strided convolution's weights where feature maps are small. Laid out
as one matrix product of unfolded windows, in pieces that stay in the cache, it runs at nearly the speed of any matrix
product. Everything else of a convolution stays torch's own. With AVX-512 there is nothing to gain, and other processors were
not measured (docs/results/own-parts.md).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, conv_transpose2d, pad
from torch.overrides import TorchFunctionMode

PAYS = torch.backends.cpu.get_cpu_capability() == "AVX2"
"""Whether this is a processor on which torch's own kernels are slower."""

CHANNELS = 32  # fewest channels on both sides; below it torch's own kernels are faster
PIXELS = 1024  # positions that are unfolded together, over all images of a piece
LARGEST = 256  # most positions of one image's small side; above it torch's own kernels keep up


class FastConvolutions(TorchFunctionMode):
    """Within this context convolutions compute the gradients of their weights by matrix products, where that is faster; they
    cannot be differentiated twice. Results differ from torch's by rounding alone.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is conv2d and not kwargs:
            x, weight, bias, stride, padding, dilation, groups = (*tuple(args), *_DEFAULTS[len(args) :])
            fits = _fits(x, weight, stride, padding, dilation, groups)
            sides = ((x.shape[i + 2] + 2 * padding[i] - weight.shape[i + 2]) // stride[i] + 1 for i in (0, 1) if fits)
            if fits and math.prod(sides) <= LARGEST:
                return _Convolution.apply(x, weight, bias, stride, padding, None)
        elif function is conv_transpose2d and not kwargs:
            x, weight, bias, stride, padding, extra, groups, dilation = (*tuple(args), *_TRANSPOSED[len(args) :])
            if _fits(x, weight, stride, padding, dilation, groups) and x.shape[2] * x.shape[3] <= LARGEST:
                return _Convolution.apply(x, weight, bias, stride, padding, extra)
        return function(*args, **(kwargs or {}))


_DEFAULTS: tuple[Any, ...] = (None, None, None, (1, 1), (0, 0), (1, 1), 1)
_TRANSPOSED: tuple[Any, ...] = (None, None, None, (1, 1), (0, 0), (0, 0), 1, (1, 1))


def _fits(x: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> bool:
    """Return whether this is a plain strided convolution with enough channels whose weights want a gradient."""
    return (
        PAYS
        and torch.is_grad_enabled()
        and weight.requires_grad
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and x.ndim == 4
        and groups == 1
        and all(isinstance(value, tuple) and len(value) == 2 for value in (stride, padding, dilation))
        and tuple(dilation) == (1, 1)
        and max(stride) > 1
        and min(weight.shape[:2]) >= CHANNELS
    )


class _Convolution(torch.autograd.Function):
    """A convolution, or a transposed one where `extra` (its output padding) is given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, extra: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding, extra
        if extra is None:
            return conv2d(x, weight, bias, stride, padding)
        return conv_transpose2d(x, weight, bias, stride, padding, extra)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, extra = ctx.how
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            how = (None, stride, padding)
            if extra is not None:
                to_x = conv2d(gradient, weight, *how)
            else:
                rest = ((1, 1), False, (0, 0), 1, (True, False, False))
                to_x = torch.ops.aten.convolution_backward(gradient, x, weight, *how, *rest)[0]
        if ctx.needs_input_grad[1]:
            small, large = (gradient, x) if extra is None else (x, gradient)
            to_weight = weight_gradient(small, large, (weight.shape[2], weight.shape[3]), stride, padding)
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_x, to_weight, to_bias, None, None, None


def weight_gradient(
    small: Tensor, large: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Return the gradient [a, b, *kernel] of a strided convolution's weights, in channels-last memory format.

    Args:
        small: [N, a, h, w], the gradient of the output (for a transposed convolution, its input).
        large: [N, b, H, W], the input (for a transposed convolution, the gradient of its output).
    """
    (n, a, h, w), b = small.shape, large.shape[1]
    rows = small.permute(0, 2, 3, 1)  # [N, h, w, a]
    images = large.permute(0, 2, 3, 1)  # [N, H, W, b]
    total = large.new_zeros(a, kernel[0] * kernel[1] * b)
    piece = max(1, PIXELS // (h * w))
    for start in range(0, n, piece):
        part = pad(images[start : start + piece], (0, 0, padding[1], padding[1], padding[0], padding[0])).contiguous()
        count, height, width = part.shape[:3]
        # One row of a window is contiguous: kernel width times channels.
        windows = part.as_strided(
            (count, h, w, kernel[0], kernel[1] * b), (height * width * b, stride[0] * width * b, stride[1] * b, width * b, 1)
        )
        total.addmm_(rows[start : start + piece].reshape(-1, a).t(), windows.reshape(count * h * w, -1))
    return total.view(a, *kernel, b).permute(0, 3, 1, 2)
