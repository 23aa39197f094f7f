"""Freed memory is kept for the next tensor, and handed back when training is over."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from zoo import allocator

SCRIPT = """
import json, os, resource
import torch
from zoo.allocator import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(4 << 20)  # 16 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

with freed_memory_kept() as told:
    with freed_memory_kept():
        faults()
    kept, held = faults(), resident()
back, page = held - resident(), os.sysconf("SC_PAGE_SIZE")
print(json.dumps({"told": told, "kept": kept, "back": back, "usual": faults(), "page": page}))
"""


def test_memory_is_kept_and_handed_back() -> None:
    if allocator._glibc() is None:
        pytest.skip("the C library is not glibc")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    pages = (16 << 20) // found["page"]
    assert found["told"]
    assert found["kept"] < pages / 10
    assert found["back"] > pages / 2
    assert found["usual"] > pages  # each tensor is a mapping of its own again


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    with allocator.freed_memory_kept() as told:
        assert not told
