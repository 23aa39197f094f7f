"""The parts of `gpu.py`, each a function from what is asked for to plain data."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import plain_loop
import torch
from train_speed import random_pictures

import zoo
from zoo.devices import Runtime, resolve_precision, synchronize
from zoo.progress import Reporter
from zoo.runs.run import read_log
from zoo.training.control import reproducible
from zoo.training.graphs import NOT_CAPTURED
from zoo.training.speed import flop_per_image, matmul_peak
from zoo.training.ways import choose_ways, measure_way
from zoo_core import registry
from zoo_core.words import name_error

BATCHES = (32, 128, 512)
STEPS, RESUMED_AT = 120, 60
WAYS = ("eager", "captured", "compiled", "captured, compiled")
MAIN_JOB = 250_000  # images: what `zoo train dcgan --dataset faces` shows


@dataclass
class Bench:
    """What is asked for, where it is done, and what was found."""

    given: argparse.Namespace
    place: Path
    home: str | None = None  # the user's own cache, where somebody named one
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return torch.device(self.given.device)

    @property
    def precision(self) -> str:
        return resolve_precision("auto", self.device)

    @property
    def batches(self) -> tuple[int, ...]:
        return (self.given.batch,) if self.given.batch else BATCHES

    @property
    def dataset(self) -> str:
        """Of the whole trainings."""
        return "faces" if self.given.data is None else "folder"

    @property
    def options(self) -> dict[str, int]:
        """Of that dataset; a CPU need not draw all faces."""
        return {"count": 64} if self.given.data is None and self.device.type == "cpu" else {}

    def pack(self) -> Path:
        """The pictures of the whole trainings, drawn or decoded once, in the cache that a person has anyway."""
        request = zoo.PackRequest(self.dataset, self.given.data, size=self.given.size, options=self.options)
        ours = os.environ.pop("ZOO_CACHE")
        try:
            os.environ.update({} if self.home is None else {"ZOO_CACHE": self.home})
            return zoo.build_pack(request).path
        finally:
            os.environ["ZOO_CACHE"] = ours

    def pictures(self) -> Path:
        """A folder of noise for the largest minibatch, in two classes."""
        folder = self.place / "pictures"
        if not folder.exists():
            for name in ("a", "b"):
                random_pictures(folder / name, 2 * max(*self.batches, 64), self.given.size)
        return folder

    def find(self, batch: int, way: str) -> dict[str, Any]:
        """Return a row of the table; {} where there is none."""
        rows = self.result.get("table", [])
        return next((row for row in rows if (row["batch"], row["way"]) == (batch, way) and "images_per_s" in row), {})


class Notes(Reporter):
    """Keeps what a training says."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    @property
    def refusal(self) -> str:
        """Why steps were not captured; "" where they were, or nobody wanted it."""
        return next((text.partition(": ")[2] for text in self.texts if NOT_CAPTURED in text), "")


def table(bench: Bench) -> list[dict[str, Any]]:
    """Rows of the table without compiled networks."""
    rows: list[dict[str, Any]] = []
    bench.result["table"] = rows  # what there is when something fails
    with reproducible(False, bench.device):
        peak = bench.result["peak_flops"] = matmul_peak(bench.device, bench.precision)
    for batch in bench.batches:
        config = plain_loop.configured(bench.given.recipe, batch, bench.given.size)
        steps = max(1, bench.given.steps * 128 // max(128, batch))
        rows.append({"batch": batch, "way": "tutorials", **measure_plain(bench, config, steps, peak)})
        rows += ours(bench, config, steps, peak, [way for way in WAYS if "compiled" not in way])
    return rows


def ours(bench: Bench, config: Any, steps: int, peak: float, ways: list[str]) -> list[dict[str, Any]]:
    """Rows of our own step."""
    runtime = Runtime(bench.device, bench.precision, static=bench.device.type == "cuda")
    rows, known = [], choose_ways(runtime, True, True)
    with reproducible(False, bench.device):
        for way in (way for way in ways if way in known):
            try:
                found = asdict(measure_way(way, config, runtime, bench.given.rounds, steps, flop_per_image(config) / peak))
            except TimeoutError:
                raise
            except Exception as error:
                found = {"name": way, "problem": name_error(error)}
            if found["problem"]:
                rows.append({"batch": config.training.batch, "way": way, "problem": found["problem"]})
                bench.result["failed"][f"{way}, batch {config.training.batch}"] = found["problem"]
                continue
            del found["problem"], found["name"]
            numbers = {key: shorten(value) for key, value in found.items() if value is not None}
            rows.append({"batch": config.training.batch, "way": way, **numbers})
    return rows


def measure_plain(bench: Bench, config: Any, steps: int, peak: float) -> dict[str, Any]:
    """The tutorials' loop as tutorials run it: torch's defaults, cuDNN's search for the fastest kernels, losses read."""
    cuda, before = bench.device.type == "cuda", torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        loop = plain_loop.PlainLoop(config, bench.device)

        def run(count: int) -> float:
            begun = time.perf_counter()
            for _ in range(count):
                loop.step()
            synchronize(bench.device)
            return (time.perf_counter() - begun) / count

        warm = run(min(steps, 10))
        seconds = statistics.median(run(steps) for _ in range(bench.given.rounds))
    finally:
        torch.backends.cudnn.benchmark = before
    rate = config.training.batch / seconds
    found = {"ms_per_step": 1000 * seconds, "images_per_s": rate, "peak_share": flop_per_image(config) * rate / peak}
    found |= {"warm_up_s": warm * min(steps, 10)}
    found |= {"peak_memory_mb": torch.cuda.max_memory_allocated() / 1e6} if cuda else {}
    return {key: shorten(value) for key, value in found.items()}


def compiled(bench: Bench) -> list[dict[str, Any]]:
    """Rows of the table with compiled networks, of its first batch; they become part of it too."""
    batch, peak = bench.batches[0], bench.result.get("peak_flops") or matmul_peak(bench.device, bench.precision)
    config = plain_loop.configured(bench.given.recipe, batch, bench.given.size)
    rows = ours(bench, config, bench.given.steps, peak, [way for way in WAYS if "compiled" in way])
    bench.result.setdefault("table", []).extend(rows)
    return rows


def job(bench: Bench) -> dict[str, Any]:
    """`zoo train dcgan --dataset faces` from start to finished model, in a process of its own."""
    begun = time.monotonic()
    bench.pack()
    drawn = time.monotonic() - begun
    return {"pictures_s": round(drawn, 1), **train_whole(bench, "job", bench.batches[0], MAIN_JOB)}


def whole(bench: Bench) -> dict[str, Any]:
    """`zoo train` at the second batch of the table, on the same pictures, for twice as many images."""
    return train_whole(bench, "whole", bench.batches[min(1, len(bench.batches) - 1)], 2 * MAIN_JOB)


def train_whole(bench: Bench, name: str, batch: int, images: int) -> dict[str, Any]:
    """A whole `zoo train` in a process of its own; on a CPU for two steps."""
    out = bench.place / name
    command = ["-m", "zoo_cli", "train", bench.given.recipe, "--dataset", bench.dataset, "--data", str(bench.pack())]
    command += ["--size", str(bench.given.size), "--batch", str(batch)]
    command += [word for key, value in bench.options.items() for word in ("--set", f"dataset.{key}={value}")]
    command += ["--images", str(images if bench.device.type == "cuda" else 2 * batch)]
    begun = time.monotonic()
    spawn([*command, "--device", bench.given.device, "--out", str(out)])
    seconds = time.monotonic() - begun
    return {"batch": batch, "seconds": round(seconds, 2), **read_speed(out, seconds)}


def spawn(words: list[str], environment: dict[str, str] | None = None) -> str:
    """Run Python with these words and return its output; raises `RuntimeError` with its last line where it fails."""
    settings = {**os.environ, **(environment or {})}
    done = subprocess.run([sys.executable, *words], env=settings, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        errors = [line for line in said if line.startswith("error:")]
        raise RuntimeError((errors or said or [f"exit status {done.returncode}"])[-1])
    return done.stdout


def read_speed(run: Path, wall: float) -> dict[str, Any]:
    """Images, and images per second: the median between two lines of the log, by run's own clock, and by the wall's."""
    lines = [line for line in read_log(run / "metrics.jsonl") if "images_per_s" in line]
    last = read_log(run / "metrics.jsonl")[-1]
    rates = [line["images_per_s"] for line in lines[1:] or lines]
    found = {
        "median_images_per_s": statistics.median(rates),
        "run_images_per_s": last["images"] / max(last["seconds"], 1e-9),
    }
    found["wall_images_per_s"] = last["images"] / wall
    captured = json.loads((run / "run.json").read_text(encoding="utf-8")).get("machine", {}).get("graphs", False)
    return {"images": last["images"], **{key: shorten(value) for key, value in found.items()}, "captured": captured}


def exactness(bench: Bench) -> dict[str, Any]:
    """Whether captured steps, steps as they are, and resumed ones give the same bits; see the module."""
    if not bench.given.serve:  # cuBLAS reads what makes it deterministic once in a process
        return ask(bench, "exactness")
    steps, at = (STEPS, RESUMED_AT) if bench.device.type == "cuda" else (4, 2)
    batch, pictures = bench.batches[0], bench.pictures()
    runs = {name: bench.place / name for name in ("captured", "eager", "resumed")}
    common: dict[str, Any] = {"device": bench.given.device, "precision": bench.precision, "deterministic": True}
    fresh = {"dataset": "folder", "data": pictures, "size": bench.given.size, "batch": batch, "recipe": bench.given.recipe}
    notes = common["report"] = Notes()
    for name, graphs, count in (("captured", True, steps), ("eager", False, steps), ("resumed", True, at)):
        zoo.train(**fresh, **common, images=count * batch, out=runs[name], graphs=graphs)
    zoo.train(resume=runs["resumed"], **common, images=steps * batch, graphs=True)
    first, *others = (read_tensors(run) for run in runs.values())
    captured = read_speed(runs["captured"], 1.0)["captured"] and not notes.refusal
    found: dict[str, Any] = {"steps": steps, "batch": batch, "captured": captured, "tensors": len(first)}
    for name, other in zip(("eager", "resumed"), others, strict=True):
        different = sorted(key for key in first.keys() | other.keys() if not equal(first.get(key), other.get(key)))
        found[name] = {"equal": not different, "different": len(different), "such_as": different[:3]}
    return found


def ask(bench: Bench, part: str) -> dict[str, Any]:
    """Do a part in a process of its own, which can be deterministic."""
    words = ["--serve", part, "--scratch", str(bench.place), "--device", bench.given.device, "--recipe", bench.given.recipe]
    words += ["--size", str(bench.given.size), *(["--batch", str(bench.given.batch)] if bench.given.batch else [])]
    output = spawn([str(Path(__file__).with_name("gpu.py")), *words], {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"})
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def read_tensors(run: Path) -> dict[str, torch.Tensor]:
    """Networks, averages and optimizers of a run's newest checkpoint."""
    from safetensors.torch import load_file

    from zoo.runs.checkpoints import checkpoints

    newest = checkpoints(run / "checkpoints")[-1]
    files = [newest / "networks.safetensors", newest / "optimizers.safetensors"]
    return {f"{file.stem}.{key}": tensor for file in files for key, tensor in load_file(file).items()}


def equal(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    """Whether two tensors are there and equal."""
    return one is not None and other is not None and torch.equal(one, other)


def recipes(bench: Bench) -> dict[str, dict[str, Any]]:
    """Images per second of a short training of each recipe, and whether its steps were captured."""
    cuda, found = bench.device.type == "cuda", {}
    batch, size = (64, 32) if cuda else (bench.given.batch or 8, bench.given.size)
    names = bench.given.recipes.split(",") if bench.given.recipes else registry.names("recipes")
    bench.result["recipes"] = found  # what there is when the time is over
    pictures = bench.pictures()
    for name in names:
        notes, out = Notes(), bench.place / f"recipe-{name}"
        budget = {"minutes": 2.2 / 60} if cuda else {"images": 2 * batch}
        settings: dict[str, Any] = {"dataset": "folder", "data": pictures, "size": size, "batch": batch, **budget}
        try:
            zoo.train(name, **settings, device=bench.given.device, precision=bench.precision, out=out, report=notes)
            speed = read_speed(out, 1.0)
            why = notes.refusal
            found[name] = {"images_per_s": speed["median_images_per_s"], "captured": speed["captured"] and not why}
            found[name] |= {"why": why} if why else {}
        except TimeoutError:
            raise
        except Exception as error:
            bench.result["failed"][f"recipe {name}"] = name_error(error)
    return found


def evaluate(bench: Bench) -> dict[str, Any]:
    """Seconds of `zoo evaluate` of the job's model, by features that need no download."""
    run = bench.place / "job"
    if not run.exists():
        raise RuntimeError("there is no model: the job was left out or failed")
    cuda = bench.device.type == "cuda"
    metrics = ["frechet", *(["kid", "precision", "recall"] if cuda and find_spec("torch_fidelity") else [])]
    choices: dict[str, Any] = {"features": "scattering", "device": bench.given.device, "write": False, "report": Reporter()}
    samples = 10_000 if cuda else 40
    begun = time.monotonic()
    found = zoo.evaluate(run, metrics=metrics, samples=samples, real=samples, **choices)
    seconds = time.monotonic() - begun
    return {"samples": samples, "seconds": round(seconds, 2), "metrics": {k: shorten(v) for k, v in found.metrics.items()}}


def processes(bench: Bench) -> dict[str, Any]:
    """Images per second of all GPUs together, each with a minibatch of its own size, and their efficiency."""
    gpus, speeds = torch.cuda.device_count(), {}
    for count in (1, gpus):
        out, batch = bench.place / f"processes{count}", bench.batches[min(1, len(bench.batches) - 1)] * count
        command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        command += ["-m", "zoo_cli", "train", bench.given.recipe, "--dataset", "folder", "--data", str(bench.pictures())]
        command += ["--size", str(bench.given.size), "--batch", str(batch), "--minutes", "0.1", "--out", str(out)]
        spawn(command)
        speeds[count] = read_speed(out, 1.0)["median_images_per_s"]
    efficiency = speeds[gpus] / (gpus * speeds[1])
    return {"images_per_s": {str(key): value for key, value in speeds.items()}, "efficiency": round(efficiency, 3)}


def shorten(value: Any) -> Any:
    """Return a number with the digits that are worth reading."""
    return float(f"{value:.5g}") if isinstance(value, float) else value
