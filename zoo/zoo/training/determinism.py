"""Whether two trainings of one seed must be equal bit for bit on a GPU. CPUs compute the same each time anyway."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from zoo_core import TrainingError


@contextmanager
def reproducible(deterministic: bool, device: torch.device) -> Iterator[None]:
    """Choose kernels that give the same result each time, or, on a GPU, those that prove fastest.

    Must be entered before the first matrix product on a GPU: cuBLAS reads its setting once.

    Raises:
        TrainingError: the networks need an operation that has no such kernel.
    """
    cudnn = torch.backends.cudnn
    fast, same = cudnn.benchmark, cudnn.deterministic
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
            raise TrainingError(
                f"--deterministic: {str(error).splitlines()[0]}",
                hint="leave --deterministic out; results then differ in the last digits from run to run",
            ) from error
        raise
    finally:
        if deterministic:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.benchmark, cudnn.deterministic = fast, same
