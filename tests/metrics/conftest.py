"""What the tests of evaluation get."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.metrics import Counting, components


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    Counting.seen, Counting.breaks_at = 0, -1
    with components():
        yield
