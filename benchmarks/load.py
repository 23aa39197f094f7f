"""Loading a model folder: time and peak memory of `zoo.load`, as ratios to the least that could be done.

The least is building the same two networks and, for each, `safetensors.torch.load_file` and `load_state_dict`: nothing is
checked. `zoo.load` reads the configuration strictly, compares it with the files before it allocates, verifies checksums and
looks for numbers that are not finite. Each reading is a process of its own, both kinds in turn; the medians are compared.

    python benchmarks/load.py [--rounds 7] [--width 160] [--json]

The last line of standard output is one JSON object: `ratio` (time), `cpu_ratio` (time of the
processor, for a busy machine), `peak_ratio` (memory above what the process had before),
`copies` (that memory, in sizes of the weights), and the medians themselves.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="readings of each kind")
    parser.add_argument("--width", type=int, default=160, help="of both networks; 160 makes about 150 MB")
    parser.add_argument("--threads", type=int, default=1, help="of torch; one disturbs least and is disturbed least")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(reading(given.one[0], Path(given.one[1]), given.threads)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        make(folder, given.width)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        found: dict[str, list[dict[str, float]]] = {"zoo": [], "least": []}
        for number in range(given.rounds + 1):  # the first round fills the system's cache of the files
            for kind in ("zoo", "least") if number % 2 else ("least", "zoo"):
                command = [sys.executable, __file__, "--threads", str(given.threads), "--one", kind, str(folder)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                if number:
                    found[kind].append(json.loads(done.stdout.splitlines()[-1]))
                    if not given.json:
                        print(f"{kind:>5}: {found[kind][-1]['seconds']:.3f} s, {found[kind][-1]['peak'] / 1e6:.0f} MB")
    median = {
        kind: {key: statistics.median(one[key] for one in readings) for key in ("seconds", "cpu_seconds", "peak")}
        for kind, readings in found.items()
    }
    result = {
        "ratio": round(median["zoo"]["seconds"] / median["least"]["seconds"], 3),
        "cpu_ratio": round(median["zoo"]["cpu_seconds"] / median["least"]["cpu_seconds"], 3),
        "peak_ratio": round(median["zoo"]["peak"] / median["least"]["peak"], 3),
        "copies": round(median["zoo"]["peak"] / size, 3),
        "weights_mb": round(size / 1e6, 1),
        "zoo": median["zoo"],
        "least": median["least"],
        "rounds": given.rounds,
        "threads": given.threads,
    }
    print(json.dumps(result))


def make(folder: Path, width: int) -> None:
    """Write a model folder of that width, untrained."""
    import zoo
    from zoo.models.folder import write_model

    options = {f"{part}.{key}": value for part in ("generator", "discriminator") for key, value in sizes(width).items()}
    write_model(zoo.create("dcgan", size=64, options=options), folder)


def sizes(width: int) -> dict[str, int]:
    """Options of both networks."""
    return {"width": width, "max_width": 8 * width}


def reading(kind: str, folder: Path, threads: int) -> dict[str, float]:
    """Seconds and bytes above what was there before, of one loading in this process."""
    import torch
    from safetensors.torch import load_file

    import zoo
    from zoo_core import ImageSpec, registry

    def least(place: Path) -> Any:
        config = json.loads((place / "config.json").read_text())
        networks = []
        for part in ("generator", "discriminator"):
            named = config["parts"][part]
            network = registry.create(named["kind"], named["name"], named["options"], image=ImageSpec(**config["image"]))
            network.load_state_dict(load_file(place / f"{part}.safetensors"))
            networks.append(network.eval())
        return networks

    load = {"zoo": zoo.load, "least": least}[kind]
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as temporary:  # imports and first calls are not what is measured
        make(Path(temporary) / "small", 2)
        for warm in (zoo.load, least):
            warm(Path(temporary) / "small")
    before = reset_peak()
    start, cpu = time.perf_counter(), time.process_time()
    kept = load(folder)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    used = peak() - before
    del kept
    return {"seconds": seconds, "cpu_seconds": cpu, "peak": used}


def reset_peak() -> int:
    """Forget the process's peak of resident memory where the system can (Linux); bytes that it has now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return _status("VmRSS")


def peak() -> int:
    """The process's peak of resident memory, in bytes."""
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {key} in /proc/self/status")


if __name__ == "__main__":
    main()
