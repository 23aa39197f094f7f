"""What is checked, and how one check's outcome is recorded."""

from __future__ import annotations

import inspect
import math
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import OptionError, ZooError
from ..records import ImageSpec

N = 4  # images in the batches that are checked
LATENT = 8  # length of a latent where no generator says another

_OURS = str(Path(__file__).parent)
_TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True)
class Outcome:
    """What one check found: a problem ("" where all is well), its CPU time, and what else is worth knowing."""

    name: str
    problem: str = ""
    seconds: float = 0.0
    note: str = ""


class Failed(Exception):
    """A check's finding."""


def require(condition: bool, problem: str) -> None:
    """Raise `Failed` with `problem` unless `condition` holds."""
    if not condition:
        raise Failed(problem)


class Subject:
    """A component under examination. `options` and `image` are known once the first checks have passed.

    Args:
        cls: the class, or the `Component` that names it until it has been imported.
        options, image: what the person gave instead of `tiny`; None where nothing.
    """

    image: ImageSpec
    options: dict[str, Any]

    def __init__(self, kind: str, cls: Any, *, options: Mapping[str, Any] | None, image: ImageSpec | None) -> None:
        self.kind, self.cls, self.given, self.wanted_image, self.needs = kind, cls, options, image, ""

    @property
    def label(self) -> str:
        return f"{getattr(self.cls, '__module__', '?')}:{getattr(self.cls, '__qualname__', self.cls)}"

    @property
    def is_network(self) -> bool:
        return self.kind in ("generators", "discriminators", "networks")

    def build(self, *, image: ImageSpec | None = None, seed: int = 0) -> Any:
        """Return a new instance; weights come from `seed`."""
        torch.manual_seed(seed)
        if self.is_network:
            return self.cls(**supplied(self.cls, image or self.image), **self.options)
        return self.cls(**self.options)

    def build_or_refuse(self, image: ImageSpec) -> Any:
        """Return a new instance, or None where the component refuses such images by `OptionError`."""
        try:
            return self.build(image=image)
        except OptionError:
            return None


def supplied(cls: type, image: ImageSpec, latent_dim: int = LATENT) -> dict[str, Any]:
    """Return what the zoo hands to the constructor of a part of an algorithm beside its options."""
    wanted = inspect.signature(cls).parameters
    given: dict[str, Any] = {"image": image} if "image" in wanted else {}
    if "latent_dim" in wanted and wanted["latent_dim"].default is inspect.Parameter.empty:
        given["latent_dim"] = latent_dim
    return given


AnySubject = TypeVar("AnySubject")


def run(checks: Sequence[Callable[[AnySubject], str | None]], subject: AnySubject, *, stop: bool = False) -> list[Outcome]:
    """Run each check; whatever it raises becomes its problem, what it returns its note. `stop` ends at the first problem."""
    outcomes = []
    for check in checks:
        problem, note, start = "", None, time.process_time()
        try:
            with _isolated():
                note = check(subject)
        except Failed as error:
            problem = str(error)
        except ZooError as error:
            problem = error.message
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error} {place(error)}".strip()
        name = check.__name__.strip("_").replace("_", " ")
        outcomes.append(Outcome(name, problem, time.process_time() - start, note or ""))
        if stop and problem:
            break
    return outcomes


@contextmanager
def _isolated() -> Iterator[None]:
    """Random states, gradient mode, default type and threads as they were; torch starts from a fixed seed, on one thread:
    networks are tiny, and on a busy machine threads mostly wait for each other.
    """
    dtype, threads, state = torch.get_default_dtype(), torch.get_num_threads(), random.getstate()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
            random.setstate(state)


def place(error: BaseException) -> str:
    """Where an error happened: the innermost line that is neither ours nor torch's."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not f.filename.startswith((_OURS, _TORCH))]
    return f"(in {theirs[-1].name}, {theirs[-1].filename}:{theirs[-1].lineno})" if theirs else ""


# What the checks of several kinds ask.


def as_tensor(value: object, what: str, *, shape: Sequence[int], meaning: str) -> Tensor:
    """Return `value` if it is a finite float32 tensor of `shape`; `meaning` spells the shape in words."""
    if not isinstance(value, Tensor):
        raise Failed(f"{what} gave a {type(value).__name__}, expected a tensor {meaning}")
    require(list(value.shape) == list(shape), f"{what} gave {list(value.shape)}, expected {meaning} = {list(shape)}")
    require(value.dtype == torch.float32, f"{what} gave {value.dtype}, expected torch.float32 from float32 input")
    bad = int((~torch.isfinite(value)).sum())
    require(not bad, f"{what} gave {bad} of {value.numel()} numbers that are not finite")
    return value


def same(one: Tensor, other: Tensor, *, tolerance: float = 0.0) -> bool:
    """Return whether two tensors agree, relative to the larger of 1 and their largest value."""
    if one.shape != other.shape:
        return False
    if not tolerance:
        return torch.equal(one, other)
    return difference(one, other) <= tolerance * max(1.0, float(one.detach().abs().max()))


def require_same(one: Tensor, other: Tensor, problem: str, *, tolerance: float = 0.0) -> None:
    """Raise `Failed` with `problem`, which has a place for their difference, unless two tensors agree."""
    if not same(one, other, tolerance=tolerance):
        raise Failed(problem.format(difference(one, other) if one.shape == other.shape else math.inf))


def difference(one: Tensor, other: Tensor) -> float:
    """Largest absolute difference."""
    return float((one - other).detach().abs().max())


def require_no_draws(what: str, call: Callable[[], Any]) -> Any:
    """Run `call`; fail if it draws from torch's or Python's global random numbers."""
    torch_state, state = torch.get_rng_state(), random.getstate()
    result = call()
    untouched = torch.equal(torch_state, torch.get_rng_state()) and state == random.getstate()
    require(untouched, f"{what} draws from the global random numbers, expected none in evaluation mode")
    return result


def listed(names: Sequence[str], limit: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
