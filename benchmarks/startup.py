"""How long `zoo` takes to start, beside Python with click alone, with and without installed plugins.

    python benchmarks/startup.py
    python benchmarks/startup.py --plugins 50

Commands run in turn, round after round, so that a busy moment falls on all of them; times are medians of wall-clock seconds.
The generated plugins are distributions in a temporary folder on PYTHONPATH: for each a dist-info folder and a record.
The last line of standard output is one JSON object; `within` says whether every limit below holds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TIMES, PLUS = 3.0, 0.150
"""`zoo list` and `zoo --help` may take TIMES as long as `import click`, and PLUS seconds."""

PLUGINS_TIMES = 2.0
"""With the generated plugins they may take this many times as long as without."""

CLICK = [sys.executable, "-c", "import click"]
ZOO = [sys.executable, "-m", "zoo_cli"]
COMPLETE = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": "zoo train ", "COMP_CWORD": "2"}
CASES: dict[str, tuple[list[str], dict[str, str]]] = {
    "list": ([*ZOO, "list"], {}),
    "help": ([*ZOO, "--help"], {}),
    "complete": ([sys.executable, "-c", "from zoo_cli import main; main()"], COMPLETE),
}

RECORD = """from zoo_core import Component, Plugin, Recipe

plugin = Plugin(
    summary="Generated plugin {i}",
    generators={{"generated-{i}": Component("generated_{i}_networks:Generator", "a generator")}},
    losses={{"generated-{i}": Component("generated_{i}_networks:Loss", "a loss")}},
    recipes=[Recipe("generated-{i}", base="dcgan", generator="generated-{i}", options={{"training.batch": 64}})],
)
"""
SLEEPY = "import time\n\ntime.sleep(1)\n"


def install(folder: Path, name: str, source: str) -> None:
    """Make a distribution with one plugin."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[zoo.plugins]\n{name} = {module}:plugin\n", encoding="utf-8")


def run(command: list[str], extra: dict[str, str], path: Path | None) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Wall-clock seconds of one process, and what it printed."""
    env = {k: v for k, v in os.environ.items() if k not in ("ZOO_PLUGINS", "_ZOO_COMPLETE")} | extra
    if path is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), env.get("PYTHONPATH", "")]))
    start = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", check=True)
    return time.perf_counter() - start, done


def load() -> list[float] | None:
    """Processes that waited in the last 1, 5 and 15 minutes, where the system tells."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


def measure(rounds: int, plugins: int) -> dict[str, object]:
    """All times; see the module's docstring."""
    before = load()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        many, sleepy = Path(temporary, "many"), Path(temporary, "sleepy")
        many.mkdir()
        sleepy.mkdir()
        for i in range(plugins):
            install(many, f"generated-{i}", RECORD.format(i=i))
        install(sleepy, "sleepy-plugin", SLEEPY + RECORD.format(i=0))
        jobs: dict[str, tuple[list[str], dict[str, str], Path | None]] = {"click": (CLICK, {}, None)}
        for name, (command, extra) in CASES.items():
            jobs[name] = (command, extra, None)
            if plugins:
                jobs[f"{name}_with_plugins"] = (command, extra, many)
        for job in jobs.values():
            run(*job)  # compiles what is new, warms the file cache
        for _ in range(rounds):
            for name, job in jobs.items():
                seconds.setdefault(name, []).append(run(*job)[0])
        listed = run(*CASES["list"], many if plugins else None)[1].stdout
        shown = sum(f"generated-{i} " in listed for i in range(plugins))
        slow, done = run(*CASES["list"], sleepy)
    times = {name: median(values) for name, values in seconds.items()}
    limit = TIMES * times["click"] + PLUS
    named = "sleepy-plugin" in done.stderr
    within = {name: times[name] <= limit for name in ("list", "help")}
    result: dict[str, object] = {
        "seconds": {name: round(value, 4) for name, value in times.items()},
        "limit_seconds": round(limit, 4),
        "sleepy_plugin": {"extra_seconds": round(slow - times["list"], 2), "named": named},
    }
    if plugins:
        ratios = {name: times[f"{name}_with_plugins"] / times[name] for name in CASES}
        within |= {f"{name}_with_plugins": ratio <= PLUGINS_TIMES for name, ratio in ratios.items()}
        result |= {"plugins": plugins, "plugins_listed": shown, "ratio": {n: round(r, 3) for n, r in ratios.items()}}
    return result | {
        "within": all(within.values()) and named and shown == plugins,
        "exceeded": [name for name, fine in within.items() if not fine],
        "rounds": rounds,
        "load_average": {"before": before, "after": load()},
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Time the start of zoo.")
    parser.add_argument("--plugins", type=int, default=0, metavar="N", help="also with N generated plugins installed")
    parser.add_argument("--rounds", type=int, default=9, help="medians are over this many (9)")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    given = parser.parse_args()
    result = measure(given.rounds, given.plugins)
    if not given.json:
        seconds = result["seconds"]
        assert isinstance(seconds, dict)
        for name, value in seconds.items():
            print(f"{name.replace('_', ' '):<24} {value * 1000:6.0f} ms")
        print(f"{'limit of list and help':<24} {float(str(result['limit_seconds'])) * 1000:6.0f} ms")
        if "ratio" in result:
            print(f"with {given.plugins} plugins to without: {result['ratio']}, limit {PLUGINS_TIMES}")
        print(f"a plugin that sleeps a second on import: {result['sleepy_plugin']}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
