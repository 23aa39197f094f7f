"""torch's Adam, without the import of torch's compiler."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch


class Adam(torch.optim.Adam):
    """`torch.optim.Adam` in every number, without the parts that import `torch._dynamo`, which takes seconds and 150 MB.

    torch wraps an optimizer's methods for the sake of whoever compiles an optimizer. Here nobody does; networks that are
    compiled import what they need. Where torch wraps differently than it did, its own methods are used as they are.
    """

    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    zero_grad = unwrap(torch.optim.Adam.zero_grad)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """As torch's."""
        return _step(self, closure)


_step = unwrap(torch.optim.Adam.step)
