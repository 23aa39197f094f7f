"""What choosing the number of threads is worth: whole trainings on a CPU, left alone and beside a busy process.

    python benchmarks/threads.py [--rounds 3] [--seconds 70] [--sides quiet busy] [--state FILE --readings N] [--json]

A reading is a `zoo train dcgan` (64×64, minibatches of 32, bf16 where the hardware has it) of so many seconds, in a process
of its own, with `--threads auto` or a fixed number: one, half of the processors, all but one, all. On the side `busy` this
script starts processes (`--busy`, one) that count for as long as the reading lasts. The ways take turns; the medians over
the rounds are compared.

The machine must have nothing else to do. `--state FILE` keeps the readings in a file, and `--readings N` takes the next N
and ends, so that they can be taken in portions; the result is then that of what there is. Keys of the JSON object on the
last line:

- `busy_ratio`: images/s with auto divided by those with the best fixed number, beside the busy process;
- `quiet_ratio`: images/s with auto divided by those with the best fixed number, all threads, with nothing beside;
- `images_per_s`: side → way → median;
- `readings`: all of them, with what auto said, and the share of the processors' work that was neither ours nor of the busy
  processes (`others`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plain_loop
import torch
from train_speed import random_pictures

from zoo.training.choosing import candidates

SIDES = ("busy", "quiet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=70, help="of a training; shorter than a minute auto measures nothing"
    )
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--busy", type=int, default=1, help="busy processes on the side of that name")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--state", type=Path, help="file that keeps the readings")
    parser.add_argument("--readings", type=int, help="take so many more and end")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "PICTURES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(train(given.one[0], Path(given.one[1]), given)))
        return
    say: Callable[[str], None] = (lambda text: None) if given.json else print
    most = torch.get_num_threads()
    fixed = [str(number) for number in candidates(most, most)]
    ways = {"busy": ["auto", *fixed], "quiet": ["auto", str(most)]}
    wanted = [(number, side, way) for number in range(given.rounds) for side in given.sides for way in ways[side]]
    done: list[dict[str, Any]] = []
    if given.state and given.state.exists():
        done = json.loads(given.state.read_text())
    taken = {(reading["round"], reading["side"], reading["way"]) for reading in done}
    left = [each for each in wanted if each not in taken]
    with tempfile.TemporaryDirectory() as scratch:
        pictures = random_pictures(Path(scratch) / "pictures", 16 * given.batch, given.size)
        for number, side, way in left[: given.readings]:
            found = reading(way, pictures, given.busy if side == "busy" else 0)
            done.append({"round": number, "side": side, "way": way, **found})
            say(
                f"round {number + 1}, {side}, {way}: {found['images_per_s']} images/s"
                + f" ({found['said']})" * bool(found["said"])
            )
            if given.state:
                given.state.write_text(json.dumps(done))
    print(json.dumps(compared(done, given, most)))


def reading(way: str, pictures: Path, busy: int) -> dict[str, Any]:
    """Train in a process of its own beside so many busy ones."""
    before = plain_loop.shares()
    loads = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    command = [sys.executable, __file__, *sys.argv[1:], "--one", way, str(pictures)]
    environment = {**os.environ, "ZOO_CACHE": str(pictures.parent / "cache")}
    try:
        text = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    finally:
        for process in loads:
            process.kill()
            process.wait()
    return {**json.loads(text.splitlines()[-1]), "others": plain_loop.others(before, plain_loop.shares())}


def train(way: str, pictures: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train, and say how fast and what was said about threads."""
    import zoo
    from zoo.progress import Reporter

    heard: list[str] = []

    class Listening(Reporter):
        def note(self, text: str) -> None:
            heard.extend(line for line in text.splitlines() if "from here" in line)

    with tempfile.TemporaryDirectory() as out:
        run = zoo.train(
            "dcgan",
            dataset="folder",
            data=pictures,
            size=given.size,
            batch=given.batch,
            minutes=given.seconds / 60,
            out=Path(out) / "run",
            device="cpu",
            precision=given.precision,
            threads=way,
            report=Listening(),
            workers=1,
        )
        precision = json.loads((run.path / "run.json").read_text())["precision"]
    return {"images_per_s": round(run.images / run.seconds, 2), "said": "; ".join(heard), "precision": precision}


def compared(done: list[dict[str, Any]], given: argparse.Namespace, most: int) -> dict[str, Any]:
    """Medians and ratios of the readings that there are."""
    speeds: dict[str, dict[str, list[float]]] = {}
    for reading in done:
        speeds.setdefault(reading["side"], {}).setdefault(reading["way"], []).append(reading["images_per_s"])
    median = {side: {way: statistics.median(each) for way, each in of_side.items()} for side, of_side in speeds.items()}
    result: dict[str, Any] = {}
    for side, of_side in median.items():
        fixed = [value for way, value in of_side.items() if way != "auto"]
        if "auto" in of_side and fixed:
            result[f"{side}_ratio"] = round(of_side["auto"] / max(fixed), 3)
    return {
        **result,
        "images_per_s": median,
        "threads": most,
        "seconds": given.seconds,
        "busy": given.busy,
        "batch": given.batch,
        "size": given.size,
        "torch": torch.__version__,
        "readings": done,
    }


if __name__ == "__main__":
    main()
