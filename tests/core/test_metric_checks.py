"""Every conformance check of metrics can pass and can fail, and says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo_core import Measurement, Metric
from zoo_core.testing import assert_conforms, check_component


class Good(Metric):
    """The distance of means."""

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return {"good": float((real.mean(0) - fake.mean(0)).norm())}


class Alone(Metric):
    """Of generated logits."""

    needs, uses_real = "logits", False

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return {"alone": float(fake.softmax(1).amax(1).mean())}


def noisy(self: Any, real: Tensor, fake: Tensor) -> Mapping[str, float]:
    return {"good": float(torch.rand(1))}


def in_place(self: Any, real: Tensor, fake: Tensor) -> Mapping[str, float]:
    return {"good": float(fake.mul_(2).mean())}


def counted(self: Any, real: Tensor, fake: Tensor) -> Mapping[str, float]:
    self.calls = getattr(self, "calls", 0) + 1
    return {"good": float(self.calls)}


def other_names(self: Any, real: Tensor, fake: Tensor, **choices: Any) -> Measurement:
    return Measurement({"other": 1.0})


def other_spread(self: Any, real: Tensor, fake: Tensor, **choices: Any) -> Measurement:
    return Measurement(self.measure(real, fake), {"other": 1.0})


@pytest.mark.parametrize("target", [Good, Alone])
def test_a_good_metric_passes(target: type[Metric]) -> None:
    assert_conforms("metrics", target)


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"needs": "pictures"}, "requirements", "it needs 'pictures', expected one of features, logits, images"),
        ({"minimum": 0}, "requirements", "its minimum is 0"),
        ({"measure": lambda *_: 1.0}, "finite numbers", "measure gave 1.0, expected numbers by name"),
        ({"measure": lambda *_: {"good": float("nan")}}, "finite numbers", "'good': nan, expected a finite float"),
        ({"measure": noisy}, "finite numbers", "draws from the global random numbers"),
        ({"measure": in_place}, "finite numbers", "changes its input in place"),
        ({"measure": counted}, "finite numbers", "two calls on the same input give good 1.0 and 2.0"),
        ({"evaluate": lambda *_, **__: {"good": 1.0}}, "evaluation", "gave a dict, expected a zoo_core.Measurement"),
        ({"evaluate": other_names}, "evaluation", "gave other, expected what measure gives: good"),
        ({"evaluate": other_spread}, "evaluation", "gave a spread of other"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], check: str, words: str) -> None:
    broken = type("Broken", (Good,), {"__module__": __name__, **changes})
    found = {outcome.name: outcome.problem for outcome in check_component("metrics", broken)}
    assert words in found[check], found


def test_a_library_that_is_not_there_is_noted() -> None:
    absent = type("Absent", (Good,), {"__module__": __name__, "requires": "no_such_module"})
    assert {o.note for o in check_component("metrics", absent) if o.note} == {"not checked: needs no_such_module"}
