"""Freed memory is kept for the next tensor, and handed back when training is over."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from zoo import allocator

SMALL, LARGE = 4 << 20, 50 << 20  # numbers; the large one fits no gap that small ones left
SCRIPT = f"""
SMALL, LARGE = {SMALL}, {LARGE}
import json, os, resource
import torch
from zoo.allocator import keep_freed_memory_during

def faults(numbers):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(numbers)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

with keep_freed_memory_during() as told:
    with keep_freed_memory_during():
        faults(SMALL)
    kept, held = faults(SMALL), resident()
back, usual = held - resident(), faults(LARGE)
print(json.dumps(dict(told=told, kept=kept, back=back, usual=usual, page=os.sysconf("SC_PAGE_SIZE"))))
"""


def test_memory_is_kept_and_handed_back() -> None:
    if allocator._glibc() is None:
        pytest.skip("the C library is not glibc")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    small, large = 4 * SMALL // found["page"], 4 * LARGE // found["page"]  # in pages
    assert found["told"]
    assert found["kept"] <= 3 * small  # of ten; something may lie in the way of the first
    assert found["back"] > small / 2
    assert found["usual"] >= 10 * large  # each tensor is a mapping of its own again


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    with allocator.keep_freed_memory_during() as told:
        assert not told
