"""Freed memory is kept for the next tensor, and handed back when training is over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from zoo import allocator

SMALL, LARGE = 4 << 20, 12 << 20  # numbers of 4 bytes; 32 MiB, the most that glibc keeps by itself, lie between
SCRIPT = f"""
SMALL, LARGE = {SMALL}, {LARGE}
import json, os, resource
import torch
from zoo.allocator import keep_freed_memory, keep_freed_memory_during

def faults(numbers):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

with keep_freed_memory_during() as told:
    with keep_freed_memory_during():
        faults(LARGE)
    kept, held = faults(LARGE), resident()
back, small, large = held - resident(), faults(SMALL), faults(LARGE)
print(json.dumps(dict(told=told, told_for_good=keep_freed_memory(), kept=kept, back=back, small=small, large=large)))
"""


def found_in_process(**environment: str) -> dict[str, Any]:
    """What the script prints in a process whose user has set nothing of the allocator but `environment`."""
    if not hasattr(os, "confstr") or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""):
        pytest.skip("the C library is not glibc")
    bare = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env={**bare, **environment}
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pages(numbers: int) -> int:
    return 4 * numbers // os.sysconf("SC_PAGE_SIZE")


def test_memory_is_kept_and_handed_back() -> None:
    for _ in range(4):  # what else a process does may leave a block in the way, or a gap of the right size
        found = found_in_process()
        assert found["told"]
        assert found["told_for_good"]
        pieces = {
            "kept": found["kept"] <= 3 * pages(LARGE),  # of ten
            "back": found["back"] > pages(LARGE) / 2,
            "large": found["large"] >= 9 * pages(LARGE),  # each such tensor is a mapping of its own again
            "small": found["small"] <= 3 * pages(SMALL),  # these are not: glibc's own threshold would have grown as far
        }
        if all(pieces.values()):
            return
    raise AssertionError(f"never all at once; last {pieces} of {found}")


@pytest.mark.parametrize(
    "environment", [{"MALLOC_TRIM_THRESHOLD_": "1000000"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}], ids=str
)
def test_what_the_user_set_stays(environment: dict[str, str]) -> None:
    found = found_in_process(**environment)
    assert not found["told"]
    assert not found["told_for_good"]
    assert found["kept"] >= 10 * pages(LARGE)


def test_other_tunables_are_none_of_the_allocators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.rtld.nns=3")
    assert not allocator._is_set_by_user()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    with allocator.keep_freed_memory_during() as told:
        assert not told
