"""Runs that are killed at random moments and resumed: each must end as if nothing had happened.

    python benchmarks/kill_resume.py [--runs 100] [--failing] [--finetuned] [--processes 2] [--json]

A tiny model is trained once undisturbed. Then each run is a process that gets SIGKILL at a random moment: a third anywhere,
a third while a checkpoint is written (there is one for every step), a third while a sample grid is written. It is resumed
and must end with the same bits: networks, average, moments, random states, counters, readings, grids and model folder.
Nothing temporary may stay. With --failing its learning rate rises until it diverges, so that it is rescued, by going back to
the best of the checkpoints that it measured; killed before, during or after that, it must take the same rungs. With
--finetuned each begins with another tiny model's weights, one stage of them frozen, and is watched; with both, that one
diverges and is rescued. With --processes 2 each training is that of two processes, as torchrun starts them, killed at once.
Needs a system that can fork (Linux, macOS). Keys of the JSON object on the last line:

- `identical`: runs that ended bit for bit as the undisturbed one, of `runs`;
- `stray`: temporary files left behind;
- `killed_in`: what the runs were doing when they died.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import random
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from train_speed import cache, random_pictures

import zoo
from zoo.progress import Reporter
from zoo.runs.checkpoints import checkpoints
from zoo.runs.evaluation import Evaluation
from zoo.runs.run import is_run, read_run
from zoo.training import callbacks, framing
from zoo.training import train as training
from zoo_core import Generator, UsageError

PHASES = ("start", "step", "checkpoint", "grid", "end")
BATCH, STEPS = 8, 24
TINY = {
    "generator.width": 4,
    "generator.latent_dim": 4,
    "discriminator.width": 4,
    "training.log_every": 3,
    "training.samples_every": 3 * BATCH,
    "training.checkpoint_minutes": 1e-9,
}

FAILING = {"optimizer.kind": "sgd", "optimizer.lr": 100.0, "optimizer.warmup_images": 4000, "training.log_every": 1}
FROZEN = "discriminator.8x8"


@dataclass(frozen=True)
class Case:
    """What every run of this benchmark is: whether it diverges, and the model that it begins with."""

    pictures: Path
    failing: bool = False
    parent: Path | None = None

    @property
    def evaluation(self) -> Evaluation | None:
        return Evaluation("brightness", brightness, 2 * BATCH) if self.failing or self.parent else None

    def train(self, out: Path) -> None:
        zoo.train(
            "dcgan",
            dataset="folder",
            data=self.pictures,
            size=16,
            batch=BATCH,
            images=BATCH * STEPS,
            out=out,
            device="cpu",
            precision="fp32",
            options={**TINY, **(FAILING if self.failing else {})},
            base=self.parent,
            freeze=[FROZEN] if self.parent else [],
            evaluation=self.evaluation,
            report=Reporter(),
            workers=1,
        )

    def resume(self, run: Path) -> None:
        try:
            zoo.train(resume=run, device="cpu", report=Reporter(), workers=1, evaluation=self.evaluation)
        except UsageError as error:
            if "is finished" not in error.message:  # killed after its last file was written
                raise


class Shared:
    """What a child does, in memory that outlives it: its phase, and how often it came to it."""

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self.memory = mmap.mmap(-1, 2)

    def say(self, phase: str) -> None:
        if self.memory[0] != PHASES.index(phase):
            self.memory[1] = min(self.memory[1] + 1, 255)
        self.memory[0] = PHASES.index(phase)

    def reset(self) -> None:
        self.memory[0] = self.memory[1] = 0

    @property
    def phase(self) -> str:
        return PHASES[self.memory[0]]

    @property
    def changes(self) -> int:
        return self.memory[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--failing", action="store_true", help="let each be watched, diverge and be rescued")
    parser.add_argument("--finetuned", action="store_true", help="let each be watched, and begin with a model's weights")
    parser.add_argument("--processes", type=int, default=1, help="of each training")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    if not hasattr(os, "fork"):
        sys.exit("this system cannot fork")
    torch.set_num_threads(1)
    rng, shared, killed = random.Random(given.seed), Shared(given.processes), Counter[str]()
    wrong: list[dict[str, Any]] = []
    stray = again = 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, cache(Path(scratch)):
        pictures = random_pictures(Path(scratch) / "pictures", 5 * BATCH, 16)
        straight, parent = Path(scratch) / "straight", Path(scratch) / "parent"
        if given.finetuned:
            wait(child(partial(Case(pictures).train, parent), shared))
        case = Case(pictures, given.failing, parent / "model" if given.finetuned else None)
        start = time.monotonic()
        wait(child(partial(case.train, straight), shared))
        usual, expected = time.monotonic() - start, fingerprint(straight)
        taken = len(read_run(straight).interventions)
        if given.failing and not taken:
            sys.exit("it did not diverge")
        for number in range(given.runs):
            run = Path(scratch) / f"run{number}"
            target = ("anywhere", "checkpoint", "grid")[number % 3]
            while True:  # until the signal comes before the end
                phase, lasted = kill(partial(case.train, run), shared, target, usual, rng)
                if phase:
                    break
                usual = lasted  # the machine is less busy than it was
                remove(run)
                again += 1
            killed[phase] += 1
            wait(child(partial(case.resume if is_run(run) else case.train, run), shared))
            found = fingerprint(run)
            different = sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))
            left = [str(path.relative_to(run)) for path in run.rglob(".unfinished*")]
            stray += len(left)
            if different or left:
                wrong.append({"run": number, "phase": phase, "different": different, "stray": left})
            if not given.json:
                print(f"run {number + 1}: killed in {phase}: {', '.join(different) or 'the same'}")
            remove(run)
    result = {
        "identical": given.runs - sum(bool(entry["different"]) for entry in wrong),
        "runs": given.runs,
        "processes": given.processes,
        "stray": stray,
        "rescues": taken,
        "killed_in": dict(sorted(killed.items())),
        "too_late": again,
        "wrong": wrong[:5],
        "seconds": round(time.monotonic() - begun, 1),
        "torch": torch.__version__,
    }
    print(json.dumps(result))
    sys.exit(0 if not wrong else 1)


def brightness(generator: Generator) -> float:
    """A measure that costs nothing; it goes its own ways, and so there is a best."""
    with torch.no_grad():
        return float(generator(torch.linspace(-1, 1, 4 * generator.latent_dim).view(4, -1)).mean())


def child(work: Callable[[], None], shared: Shared) -> int:
    """Do the work in a process of its own, which says what it does, and in others of its group; its number."""
    shared.reset()
    port = _free_port() if shared.processes > 1 else 0
    number = os.fork()
    if number:
        return number
    status = 1
    try:
        os.setsid()
        torch.set_num_threads(1)
        others = []
        if port:
            where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(shared.processes)}
            os.environ.update(where, RANK="0", LOCAL_RANK="0")
            others = [_other(work, rank) for rank in range(1, shared.processes)]
        _observed(shared)
        with open(os.devnull, "w") as nobody, redirect_stderr(nobody):
            work()
        status = int(any(os.waitpid(other, 0)[1] for other in others))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _other(work: Callable[[], None], rank: int) -> int:
    """Do the work as another process of a training; its number."""
    number = os.fork()
    if number:
        return number
    status = 1
    try:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        with open(os.devnull, "w") as nobody, redirect_stderr(nobody):
            work()
        status = 0
    finally:
        os._exit(status)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _observed(shared: Shared) -> None:
    """Let checkpoints and grids say when they are written."""

    def watched(phase: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            shared.say(phase)
            try:
                return work(*arguments, **named)
            finally:
                shared.say("step")

        return call

    callbacks.save_checkpoint = watched("checkpoint", callbacks.save_checkpoint)
    callbacks.save_samples = watched("grid", callbacks.save_samples)
    framing.write_model = watched("end", framing.write_model)
    training._loop = watched("step", training._loop)


def kill(work: Callable[[], None], shared: Shared, target: str, usual: float, rng: random.Random) -> tuple[str, float]:
    """Begin the work and kill it at a random moment; what it did then, "" if it was too late, and how long it lasted."""
    begun = time.monotonic()
    number, moment, turn = child(work, shared), rng.uniform(0, usual), rng.randrange(1, STEPS)
    while os.waitpid(number, os.WNOHANG)[0] == 0:
        if target == "anywhere" and time.monotonic() - begun >= moment:
            break
        if shared.phase == target and shared.changes >= turn:
            time.sleep(rng.uniform(0, 0.01))
            break
        time.sleep(0.0005)
    else:
        return "", time.monotonic() - begun
    with suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    return shared.phase if os.WIFSIGNALED(status) else "", time.monotonic() - begun


def wait(number: int) -> None:
    _, status = os.waitpid(number, 0)
    if status:
        sys.exit("a training failed by itself")


def fingerprint(run: Path) -> dict[str, str]:
    """Checksums of everything that a run leaves, without what the clock says."""
    newest = checkpoints(run / "checkpoints")[-1]
    files = [*newest.glob("*.safetensors"), *(run / "samples").glob("*.png"), *(run / "model").glob("*.safetensors")]
    files.append(run / "model" / "samples.png")
    found = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    state = json.loads((newest / "state.json").read_text())
    found["counters"] = json.dumps([state[key] for key in ("step", "images", "updates", "meter", "python_random")])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = read_run(run).interventions
    found["interventions"] = json.dumps([{k: v for k, v in step.items() if k != "seconds"} for step in steps])
    found["metrics"] = json.dumps(
        [{k: v for k, v in line.items() if k not in ("seconds", "images_per_s")} for line in lines]
    )
    return found


def remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
