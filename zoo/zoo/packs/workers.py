"""Decoding many pictures, in worker processes where that pays.

Worker processes import this module, so it imports no torch.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from ctypes import c_byte
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import ImageDataset, Record
from zoo_core.errors import DataError
from zoo_core.pictures import guard

from ..allocator import keep_freed_memory
from .decode import WARNED, Decoded, decode_one

FEW = 256  # fewer records than this are decoded before worker processes would have started
CHUNK = 64  # records that a worker takes at once, fewer for large pictures
_CHUNK_BYTES = 8 << 20


class Chunk(NamedTuple):
    """Some consecutive records, decoded."""

    images: NDArray[np.uint8]  # [n, S, S, C] of those that could be read, in order; C is 1 if all are gray, or as asked
    boxes: NDArray[np.int16]  # [n, B, 4]
    sides: NDArray[np.int32]  # [n], see `Decoded.side`
    skipped: dict[int, str]  # position in the chunk → why it was skipped
    total: int  # how many records it had
    remarks: NDArray[np.uint8] | None = None  # [n], see `Decoded.remarks`; None: there are none
    grays: NDArray[np.float32] | None = None  # [n, 2], see `Decoded.grays`; None: there are none


class _Unusable(Exception):
    """The dataset cannot be rebuilt in a worker process."""


def default_workers() -> int:
    """Return the cores that this process may use, within reason."""
    return min(32, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def decode_all(
    dataset: ImageDataset, records: Sequence[Record], size: int, channels: int | None, workers: int, *, begin: int = 0
) -> Iterator[Chunk]:
    """Decode all records from number `begin` on and yield them chunk by chunk in their order.

    Records are asked for a chunk at a time, some chunks ahead, so that lazily made ones never exist all at once. With fewer
    than `FEW` records, one worker, or a dataset that cannot be sent to another process (a class typed into a notebook), this
    process does it all. The generator must be closed, or exhausted, to end the worker processes.

    Raises:
        DataError: a worker process died, or the dataset says that its source cannot be read any more.
    """
    length = max(1, min(CHUNK, _CHUNK_BYTES // (size * size * (channels or 3))))
    todo = len(records) - begin

    def chunks() -> Iterator[Sequence[Record]]:
        return (records[i : i + length] for i in range(begin, len(records), length))

    if workers > 1 and todo >= FEW and (packed := _pack(dataset, records[begin])) is not None:
        with suppress(_Unusable):  # goes on below, from where the workers stopped
            for chunk in _in_workers(packed, chunks(), size, channels, min(workers, -(-todo // length))):
                begin += chunk.total
                yield chunk
    for some in chunks():
        yield decode_chunk(dataset, some, size, channels)


def decode_chunk(
    dataset: ImageDataset, records: Sequence[Record], size: int, channels: int | None, canceled: c_byte | None = None
) -> Chunk:
    """Decode some records in this process; stops early once `canceled` is not 0."""
    kept: list[Decoded] = []
    skipped = {}
    with guard() as warned:
        for position, record in enumerate(records):
            if canceled is not None and canceled.value:
                break
            result = decode_one(dataset, record, size, channels)
            remark = WARNED if warned() else 0
            if isinstance(result, str):
                skipped[position] = result
            else:
                kept.append(result._replace(remarks=result.remarks | remark) if remark else result)
    depth = channels or max((found.pixels.shape[2] for found in kept), default=1)
    images = np.empty((len(kept), size, size, depth), np.uint8)
    for image, found in zip(images, kept, strict=True):
        image[...] = found.pixels  # a gray picture among colored ones is repeated
    boxes = np.asarray([found.boxes for found in kept], np.int16).reshape(len(kept), len(dataset.boxed), 4)
    sides = np.asarray([found.side for found in kept], np.int32)
    remarks = np.asarray([found.remarks for found in kept], np.uint8)
    grays = np.asarray([found.grays for found in kept], np.float32).reshape(len(kept), 2)
    return Chunk(images, boxes, sides, skipped, len(records), remarks, grays)


def _pack(dataset: ImageDataset, record: Record) -> bytes | None:
    """Return the dataset as a worker process will receive it, None where that is impossible."""
    if not multiprocessing.current_process().daemon:  # such a process may not have children
        with suppress(Exception), _bare_main():  # what the user's script defines cannot be sent: workers do not have that
            pickle.dumps(record)
            return pickle.dumps(dataset)
    return None


def _in_workers(
    packed: bytes, chunks: Iterator[Sequence[Record]], size: int, channels: int | None, workers: int
) -> Iterator[Chunk]:
    # "spawn" is the one way to start a process that is safe beside the threads of torch and CUDA, and exists everywhere
    context = multiprocessing.get_context("spawn")
    try:
        canceled = context.RawValue("b", 0)  # without a lock, which a worker that is killed might hold for ever
        executor = ProcessPoolExecutor(workers, context, _start, (packed, os.getcwd(), canceled))
    except (OSError, ImportError) as error:  # a system without shared memory or semaphores
        raise _Unusable from error
    pending: deque[tuple[Sequence[Record], Future[Chunk]]] = deque()
    try:
        while True:
            for records in itertools.islice(chunks, 2 * workers + 2 - len(pending)):
                with _bare_main(), _interrupts_held():  # the pool starts its processes while it is given work
                    try:
                        future = executor.submit(_work, records, size, channels)
                    except OSError as error:  # no more processes or memory to be had
                        raise _Unusable from error
                pending.append((records, future))
            if not pending:
                return
            records, future = pending.popleft()
            try:
                chunk = future.result()
            except BrokenProcessPool as error:
                died = f"a worker process died while it decoded pictures, about {records[0].key} to {records[-1].key}"
                hint = "perhaps memory ran out; to decode them in one process, which shows more: workers=1"
                raise DataError(died, hint=hint) from error
            yield chunk
    finally:
        canceled.value = 1
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _bare_main() -> Iterator[None]:
    """Hide the user's script while processes are started or something is pickled for them.

    A spawned process imports the parent's `__main__` again: a script that trains without `if __name__ == "__main__":` would
    train again in every worker, and a script read from standard input could not be found. Workers need nothing of either.
    """
    ours = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = ours


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes with SIGINT blocked, which they inherit: Ctrl-C is the parent's to handle, even while they start."""
    posix = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if posix else ()
    try:
        yield
    finally:
        if posix:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """What a worker process holds."""

    dataset: ImageDataset | None = None
    canceled: c_byte | None = None


def _start(packed: bytes, folder: str, canceled: c_byte) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.chdir(folder)  # where the parent is now, which need not be where it began
    _Worker.canceled = canceled
    with suppress(Exception):  # said by `_work`: an error here would only break the pool
        _Worker.dataset = pickle.loads(packed)


def _leave_with_parent() -> None:
    """End this process when the parent was killed and could not say goodbye; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(records: Sequence[Record], size: int, channels: int | None) -> Chunk:
    if _Worker.dataset is None:
        raise _Unusable
    return decode_chunk(_Worker.dataset, records, size, channels, _Worker.canceled)
