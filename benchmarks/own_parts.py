"""What each part of our own that stands beside a library is worth: whole commands with it and without it.

    python benchmarks/own_parts.py [--part allocator] [--rounds 3] [--data DIR] [--json] [--markdown FILE]

A command is `zoo train dcgan` from a finished pack, or `zoo data build` of small JPEGs, in a process of its own. Without a
part, the process finds a stand-in of the same name, in a file that this script writes: what the library does by itself.
Both take turns, and each ratio is the median of the ratios of pairs: without the part divided by with it, so 1.05 means that
the command takes 5 % longer (or more memory) without. Commands wait half a minute at most for others to be quiet; pairs
during which other processes did more than `QUIET` of the processors' work are repeated, up to as often as there are rounds;
those least disturbed count.
On a busy machine use `--threads 1`: then both sides of a pair run at the same time, so that what disturbs one disturbs the
other, and seconds of the processor decide.

The last line of standard output is one JSON object. For each part and command:

- `wall`, `cpu`, `peak`: the ratios of seconds, of seconds of the processor, and of peak resident memory;
- `wall_beyond`, `cpu_beyond`: the same less `startup_s`, which is what the command takes for a single minibatch;
- `pays`: whether seconds or memory are at least 5 % more without the part;
- `with`, `without`: medians of the readings; `pairs`: the ratios one by one; `others`: the work of others meanwhile.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PAYS = 1.05
"""A part stays if the command takes so many times as long, or as much memory, without it."""

QUIET = 0.08
"""Share of the processors' work by others above which a pair is repeated."""

PICTURES = 12_000
"""Small JPEGs of the build."""

STAND_INS = {
    "allocator": (
        "zoo.allocator",
        "from contextlib import nullcontext\n\n\ndef keep_freed_memory():\n    return False\n\n\n"
        "def keep_freed_memory_during():\n    return nullcontext(False)\n",
    ),
    "convolutions": (
        "zoo.training.convolutions",
        "from contextlib import nullcontext\n\n\nclass FastConvolutions(nullcontext):\n    pass\n",
    ),
    "jpeg": ("zoo.packs.jpeg", "def header(data):\n    return None\n"),
    "adam": ("zoo.optimizers", "from torch.optim import Adam\n"),
}
"""The module of each part, and what stands in for it."""

FINDER = """
import importlib.util
import sys


class StandIn:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, {file!r}) if name == {module!r} else None


sys.meta_path.insert(0, StandIn)
"""


@dataclass(frozen=True)
class Case:
    """A command: the arguments of zoo, and those of the same command for a single minibatch where it has one."""

    name: str
    arguments: list[str]
    startup: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""With these a processor with AVX-512 computes as one without."""


def training(batch: int, precision: str, images: int, environment: dict[str, str] | None) -> Case:
    """A training of DCGAN, and the same for a single minibatch."""
    suffix = ", AVX2 only" if environment else ""
    common = ["train", "dcgan", "--device", "cpu", "--batch", str(batch), "--precision", precision, "--size", "64"]
    return Case(
        f"train, {precision}, batch {batch}, {images:,} images{suffix}",
        [*common, "--images", str(images)],
        [*common, "--images", str(batch)],
        environment or {},
    )


def cases(part: str, scale: float = 1.0) -> list[Case]:
    """The commands that a part could speed up; trainings see `scale` times the usual number of images."""

    def train(batch: int, precision: str, images: int, environment: dict[str, str] | None = None) -> Case:
        return training(batch, precision, round(images * scale / batch) * batch, environment)

    build = Case(f"data build, {PICTURES:,} JPEGs", ["data", "build", "folder", "--size", "64"])
    single = [train(32, "fp32", 960), train(128, "fp32", 1024)]
    half = [train(32, "bf16", 1920), train(128, "bf16", 2048)] if has_bf16() else []
    return {
        "allocator": [*single, *half, build],
        "convolutions": [train(32, "fp32", 960, AVX2), train(128, "fp32", 1024, AVX2)],
        "jpeg": [build],
        "adam": [train(32, "fp32", 640), *half[:1]],
    }[part]


def has_bf16() -> bool:
    """Whether the processor multiplies matrices of bfloat16."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(STAND_INS), help="one of them; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="pairs that count; 0 only writes what there is")
    parser.add_argument("--data", type=Path, help="a folder of faces to train on; pictures of noise by default")
    parser.add_argument(
        "--threads", type=int, help="of torch, instead of all there are: seconds of the processor are comparable"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of images that a training sees")
    parser.add_argument("--only", default="", help="only commands whose name contains this")
    parser.add_argument(
        "--merge", type=Path, metavar="FILE", help="a JSON file of results: keep those that are not repeated"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table into this page, between its two marks")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(given.merge.read_text())["rows"] if given.merge and given.merge.exists() else []
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), given)
        for part in [given.part] if given.part else STAND_INS:
            if importlib.util.find_spec(STAND_INS[part][0]) is None:
                print(f"{part}: no longer here; what it was worth is in docs/results/own-parts.md", file=sys.stderr)
                continue
            for case in cases(part, given.scale):
                if given.threads:
                    name = f"{case.name}, {given.threads} thread" + "s" * (given.threads > 1)
                    case = replace(case, name=name, environment=case.environment | {"OMP_NUM_THREADS": str(given.threads)})
                if given.rounds and given.only in case.name:
                    row = {"part": part, "command": case.name, **bench.compare(part, case)}
                    rows = [old for old in rows if (old["part"], old["command"]) != (part, case.name)] + [row]
                    rows.sort(key=lambda row: list(STAND_INS).index(row["part"]))
                    if given.merge:  # after each command: a benchmark that is interrupted has lost little
                        text = json.dumps({"rows": rows, "machine": machine()}, indent=1)
                        given.merge.write_text(text + "\n", encoding="utf-8")
    result = {"rows": rows, "machine": machine()}
    if given.markdown:
        begin, end = "<!-- table -->\n", "<!-- end of table -->"
        before, rest = given.markdown.read_text(encoding="utf-8").split(begin)
        given.markdown.write_text(before + begin + table(rows) + end + rest.split(end)[1], encoding="utf-8")
    print(json.dumps(result))


class Bench:
    """Runs commands in a folder of its own, with a part or without."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder, self.given, self.numbers = folder, given, itertools.count()
        self.data = ["--dataset", "faces", "--data", str(given.data.absolute())] if given.data else []
        if not given.data:
            from train_speed import random_pictures

            self.data = ["--dataset", "folder", "--data", str(random_pictures(folder / "noise", 512, 64))]
        for part, (module, source) in STAND_INS.items():
            place = folder / part
            place.mkdir()
            (place / "stand_in.py").write_text(source, encoding="utf-8")
            text = FINDER.format(file=str(place / "stand_in.py"), module=module)
            (place / "sitecustomize.py").write_text(text, encoding="utf-8")

    def compare(self, part: str, case: Case) -> dict[str, Any]:
        """The ratios of one command; see the module's docstring."""
        self.run(case, case.startup or case.arguments)  # builds the pack, fills the system's cache of files
        pairs: list[tuple[dict[str, float], dict[str, float]]] = []
        rounds = self.given.rounds
        while len(pairs) < rounds * (1 if self.given.threads else 2):
            first = len(pairs) % 2 == 0  # who comes first takes turns as well
            sides = (part, None) if first else (None, part)
            with ThreadPoolExecutor(2 if self.given.threads else 1) as pool:
                one, other = pool.map(lambda off: self.run(case, case.arguments, off), sides)
            if self.given.threads:  # each is one of the others of the other
                one["others"] = other["others"] = max(0.0, one["others"] + other["others"] - 1)
            pairs.append((other, one) if first else (one, other))
            if not self.given.json:
                texts = [f"{one['wall']:.1f} s, {one['cpu']:.1f} s CPU, {one['peak']:.0f} MB" for one in pairs[-1]]
                busy = f"others {noise(pairs[-1]):.0%}"
                print(f"{part}, {case.name}: with {texts[0]}; without {texts[1]}; {busy}", flush=True)
            if sum(noise(pair) <= QUIET for pair in pairs) == rounds:
                break
        pairs = sorted(pairs, key=noise)[:rounds]
        starts = [self.run(case, case.startup) for _ in range(2)] if case.startup else []
        startup = {key: min((one[key] for one in starts), default=0.0) for key in ("wall", "cpu")}
        ratios = {key: [b[key] / a[key] for a, b in pairs] for key in ("wall", "cpu", "peak")}
        middle = {key: round(statistics.median(values), 3) for key, values in ratios.items()}
        beyond = {
            key: statistics.median((b[key] - startup[key]) / (a[key] - startup[key]) for a, b in pairs) for key in startup
        }
        return {
            **middle,
            **{f"{key}_beyond": round(value, 3) for key, value in beyond.items()},
            "pays": max(middle["cpu" if self.given.threads else "wall"], middle["peak"]) >= PAYS,
            "startup_s": {key: round(value, 2) for key, value in startup.items()},
            "with": medians([a for a, _ in pairs]),
            "without": medians([b for _, b in pairs]),
            "pairs": {key: [round(value, 3) for value in values] for key, values in ratios.items()},
            "others": [round(noise(pair), 3) for pair in pairs],
            "load": [round(value, 2) for value in os.getloadavg()],
        }

    def run(self, case: Case, arguments: list[str], part: str | None = None) -> dict[str, float]:
        """Wall-clock seconds, seconds of the processor and peak memory (MB) of one command and the processes it starts."""
        number = next(self.numbers)
        if not self.given.threads:
            wait_for_quiet()
        environment = {**os.environ, **case.environment, "ZOO_CACHE": str(self.folder / "cache")}
        if arguments[0] == "train":
            arguments = [*arguments, *self.data, "--out", str(self.folder / f"run-{number}")]
        else:  # nothing of an earlier build may be found
            arguments = [*arguments, "--data", str(self.jpegs())]
            environment["ZOO_CACHE"] = str(self.folder / f"cache-{number}")
        if part:
            environment["PYTHONPATH"] = os.pathsep.join(
                filter(None, [str(self.folder / part), os.environ.get("PYTHONPATH")])
            )
        begun, worked = time.perf_counter(), worked_ticks()
        with open(self.folder / f"said-{number}.txt", "w+", encoding="utf-8") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "zoo_cli", *arguments], env=environment, stdout=said, stderr=said
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                sys.exit(f"zoo {' '.join(arguments)} failed:\n{Path(said.name).read_text()}")
        wall, cpu = time.perf_counter() - begun, usage.ru_utime + usage.ru_stime
        total = (worked_ticks() - worked) / os.sysconf("SC_CLK_TCK")
        peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
        return {"wall": wall, "cpu": cpu, "peak": peak, "others": max(0.0, 1 - cpu / total) if total else 0.0}

    def jpegs(self) -> Path:
        """A folder of small colored JPEGs, as smooth as photographs are."""
        folder = self.folder / "jpegs"
        if not folder.exists():
            folder.mkdir()
            rng = np.random.default_rng(0)
            for number in range(PICTURES):
                rough = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
                rough.resize((96, 96), Image.Resampling.BICUBIC).save(folder / f"{number:05d}.jpg", quality=90)
        return folder


def worked_ticks() -> int:
    """Clock ticks that all processors worked since they began; 0 where the system does not say."""
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
    except OSError:
        return 0
    return sum(ticks) - ticks[3] - ticks[4]


def wait_for_quiet(longest: float = 30) -> None:
    """Wait until others leave the processors alone for a second, but not longer than `longest` seconds."""
    end, cores = time.perf_counter() + longest, os.cpu_count() or 1
    while time.perf_counter() < end:
        before = worked_ticks()
        time.sleep(1)
        if worked_ticks() - before <= QUIET * cores * os.sysconf("SC_CLK_TCK"):
            break


def noise(pair: tuple[dict[str, float], dict[str, float]]) -> float:
    """The share of the processors' work by others."""
    return max(one["others"] for one in pair)


def medians(readings: list[dict[str, float]]) -> dict[str, float]:
    return {f"{key}": round(statistics.median(one[key] for one in readings), 2) for key in ("wall", "cpu", "peak")}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    from importlib.metadata import version

    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "bf16": has_bf16(),
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}".strip(", "),
        "python": platform.python_version(),
        "torch": version("torch"),
        "pillow": version("pillow"),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| part | command | with | without | seconds | CPU seconds | less start-up | memory | others | pays |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        sides = " | ".join(f"{row[side]['cpu']:.1f} s, {row[side]['peak']:,.0f} MB" for side in ("with", "without"))
        ratios = " | ".join(f"{row[key]:.2f}" for key in ("wall", "cpu", "cpu_beyond", "peak"))
        busy = f"{max(row['others']):.0%}"
        pays = "yes" if row["pays"] else "no"
        lines.append(f"| {row['part']} | {row['command']} | {sides} | {ratios} | {busy} | {pays} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
