"""How two-process trainings end: every launch must exit 0, with nothing on standard error that says that a process died.

    python benchmarks/launches.py --runs 100 [--json]

Each launch is `torchrun --nproc-per-node 2 -m zoo_cli train …` on the CPU, of a few steps on a handful of drawn pictures, as
a person types it. The last line of standard output is one JSON object: launches, those that exited 0, and the last line of
standard error of each that did not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SMALL = ("--size", "16", "--set", "generator.width=4", "--set", "discriminator.width=4", "--set", "dataset.count=32")
LAUNCH = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "--master-port", "0", "-m", "zoo_cli")


def launch(folder: Path, number: int) -> str:
    """Train once with two processes; returns "" or what went wrong."""
    command = [sys.executable, *LAUNCH, "train", "dcgan", "--dataset", "faces", "--batch", "8", "--images", "48", *SMALL]
    done = subprocess.run(
        [*command, "--device", "cpu", "--precision", "fp32", "--out", str(folder / f"run-{number}")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.strip().splitlines() or [""]
    if done.returncode:
        return f"exit code {done.returncode}: {lines[-1]}"
    bad = [line for line in lines if "terminate called" in line or "SIGABRT" in line]
    return bad[0] if bad else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="launches")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    options = parser.parse_args()
    start, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(options.runs):
            problem = launch(Path(temporary), number)
            failed += [problem] if problem else []
            if not options.json:
                print(f"{number + 1}: {problem or 'exit code 0'}", flush=True)
    result = {"launches": options.runs, "clean": options.runs - len(failed), "failed": failed}
    print(json.dumps({**result, "seconds": round(time.monotonic() - start, 1)}))


if __name__ == "__main__":
    main()
