"""What surrounds a training: who may end it before its budget is spent, and the choice of kernels."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from zoo_core import TrainingError

TF32 = True
"""Whether float32 on a GPU is multiplied with 10 bits of mantissa: `torch.backends.cuda.matmul.allow_tf32` and cuDNN's. The
environment variable NVIDIA_TF32_OVERRIDE=0 forbids it to all of a process."""


SLOW = 0.5  # seconds after which whoever asked a training to stop hears that it will


class Stop:
    """Remembers in `signal` what asked the training to stop, None so far; `note` is told where that takes a while."""

    def __init__(self, note: Callable[[str], None] | None = None) -> None:
        self.signal: signal.Signals | None = None
        self.note = note
        self.timer: threading.Timer | None = None

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take Ctrl-C, SIGTERM and SIGHUP (a terminal that is closed) as a wish to finish the step and save; a second Ctrl-C
        leaves at once, and is the last that is heard. What is ignored, as nohup has it, stays so. Outside of the main thread
        Python delivers no signals, and nothing is changed.
        """
        names = ("SIGINT", "SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
        wanted = [getattr(signal, name) for name in names if hasattr(signal, name)]
        old = {number: signal.getsignal(number) for number in wanted}
        old = {number: handler for number, handler in old.items() if handler is not signal.SIG_IGN}

        def ask(number: int, frame: FrameType | None) -> None:
            if self.signal is not None and number == signal.SIGINT:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a storm of them one is enough
                raise KeyboardInterrupt
            self.signal = self.signal or signal.Signals(number)
            if self.note is not None and self.timer is None:  # by a thread, as this one may be in the midst of a line
                words = "stopping once all is saved; Ctrl-C again stops at once"
                self.timer = threading.Timer(SLOW, self.note, (words,))
                self.timer.daemon = True
                self.timer.start()

        try:
            for number in old:
                signal.signal(number, ask)
            yield self
        finally:
            if self.timer is not None:
                self.timer.cancel()
            for number, handler in old.items():
                signal.signal(number, handler)


class Clock:
    """Counts the seconds that a device trains, without what happens in pauses.

    A host that hands its work to a GPU is done long before the GPU is: it waits for it before each pause and at the end, so
    that what the device still had to do counts as training.

    Args:
        now: the time, in seconds. wait: returns once the device has done all that it was told.
    """

    def __init__(self, wait: Callable[[], None], now: Callable[[], float] | None = None) -> None:
        self.wait, self.now = wait, now or time.monotonic
        self.begun, self.counted, self.read = self.now(), 0.0, 0.0

    def total(self) -> float:
        """Return the seconds since the clock was made."""
        return self.counted + self.now() - self.begun

    def lap(self) -> float:
        """Return the seconds since the last call."""
        before, self.read = self.read, self.total()
        return self.read - before

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens within does not count; a pause within a pause is part of it."""
        self.wait()
        total = self.total()
        try:
            yield
        finally:
            self.counted, self.begun = total, self.now()


@contextmanager
def reproducible(deterministic: bool, device: torch.device) -> Iterator[None]:
    """Choose kernels that give the same result each time, or, on a GPU, those that prove fastest. CPUs do the former anyway.

    float32 is multiplied in TF32 on GPUs that have it, by convolutions and matrix products alike: TF32 says so.

    Must be entered before the first matrix product on a GPU: cuBLAS reads its setting once. Raises `TrainingError` where the
    networks need an operation that has no such kernel.
    """
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    fast, same = cudnn.benchmark, cudnn.deterministic
    rounded = cudnn.allow_tf32, products.allow_tf32
    if device.type == "cuda":
        cudnn.allow_tf32 = products.allow_tf32 = TF32
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        cudnn.deterministic = True
    cudnn.benchmark = device.type == "cuda" and not deterministic  # minibatches have one size: searching once is enough
    try:
        yield
    except RuntimeError as error:
        if deterministic and "deterministic" in str(error):
            hint = "leave --deterministic out; results then differ in the last digits from run to run"
            raise TrainingError(f"--deterministic: {str(error).splitlines()[0]}", hint=hint) from error
        raise
    finally:
        if deterministic:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.benchmark, cudnn.deterministic = fast, same
        if device.type == "cuda":
            cudnn.allow_tf32, products.allow_tf32 = rounded
