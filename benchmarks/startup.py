"""How long `zoo` takes to start and to complete a word, beside Python with click alone, with and without installed plugins.

    python benchmarks/startup.py
    python benchmarks/startup.py --plugins 50

Commands run in turn, round after round, so that a busy moment falls on all of them; times are medians of wall-clock seconds.
The generated plugins are distributions in a temporary folder on PYTHONPATH: for each a dist-info folder and a record.
Modules are compiled beforehand, into a temporary folder. The last line of standard output is one JSON object; `within` says
whether every limit below holds, `exceeded` which do not. Wants a machine that does nothing else.
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

COMPLETION_SECONDS = 0.200
"""A word is completed within that time."""

CLICK = [sys.executable, "-c", "import click"]
ZOO = [sys.executable, "-m", "zoo_cli"]
LINES = {
    "command": ("zoo ", "train"),
    "option": ("zoo train --", "--dataset"),
    "recipe": ("zoo train ", "dcgan"),
    "dataset": ("zoo train dcgan --dataset ", "faces"),
    "tracker": ("zoo train dcgan --track ", "tensorboard"),
    "metric": ("zoo evaluate dcgan-faces --metrics fid,", "fid,kid"),
    "run": ("zoo train --resume ", "runs/dcgan-faces"),
    "model": ("zoo sample ", "mlp-faces"),
    "pack": ("zoo data inspect ", "faces-64-0123456789abcdef"),
    "anything": ("zoo show ", "wasserstein"),
    "kind": ("zoo plugins new zoo-acme --kind ", "losses"),
    "group": ("zoo train dcgan --set ", "generator."),
    "key": ("zoo train dcgan --set generator.", "generator.norm="),
    "value": ("zoo train dcgan --set generator.norm=", "generator.norm=batch"),
    "run_key": ("zoo train --resume runs/dcgan-faces --set discriminator.", "discriminator.norm="),
    "dataset_key": ("zoo data build faces --set dataset.", "dataset.resolution="),
    "compare_key": ("zoo compare dcgan wgan-gp bigan --set encoder.", "encoder.width="),
}
"""What is completed → a line, and one of the words that must be offered behind it."""

ASK = [sys.executable, "-c", "from zoo_cli import main; main()"]
CASES: dict[str, tuple[list[str], dict[str, str]]] = {
    "list": ([*ZOO, "list"], {}),
    "help": ([*ZOO, "--help"], {}),
    **{f"complete_{what}": (ASK, {"_ZOO_COMPLETE": "fish_complete", "ZOO_LINE": line}) for what, (line, _) in LINES.items()},
}
WITH_PLUGINS = ("list", "help", "complete_recipe", "complete_key")

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


def furnish(home: Path) -> None:
    """Make a folder of a run, and a cache with a pack."""
    run = home / "runs" / "dcgan-faces"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"config": {"recipe": {"name": "dcgan"}}}', encoding="utf-8")
    (home / "cache" / "packs" / "faces-64-0123456789abcdef").mkdir(parents=True)


def run(
    command: list[str], extra: dict[str, str], path: Path | None, home: Path
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Wall-clock seconds of one process that works in `home`, and what it printed."""
    unwanted = ("ZOO_PLUGINS", "_ZOO_COMPLETE", "PYTHONDONTWRITEBYTECODE")
    env = {key: value for key, value in os.environ.items() if key not in unwanted} | extra
    env |= {"ZOO_CACHE": str(home / "cache"), "PYTHONPYCACHEPREFIX": str(home / "compiled")}
    if path is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), env.get("PYTHONPATH", "")]))
    start = time.perf_counter()
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, encoding="utf-8", check=True)
    return time.perf_counter() - start, done


def load() -> list[float] | None:
    """Processes that waited in the last 1, 5 and 15 minutes, where the system tells."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


def measure(rounds: int, plugins: int) -> dict[str, object]:
    """All times; see the module's docstring."""
    before = load()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        home, many, sleepy = (Path(temporary, name) for name in ("home", "many", "sleepy"))
        for folder in (many, sleepy):
            folder.mkdir()
        furnish(home)
        for i in range(plugins):
            install(many, f"generated-{i}", RECORD.format(i=i))
        install(sleepy, "sleepy-plugin", SLEEPY + RECORD.format(i=0))
        jobs: dict[str, tuple[list[str], dict[str, str], Path | None, Path]] = {"click": (CLICK, {}, None, home)}
        for name, (command, extra) in CASES.items():
            jobs[name] = (command, extra, None, home)
            if plugins and name in WITH_PLUGINS:
                jobs[f"{name}_with_plugins"] = (command, extra, many, home)
        for name, job in jobs.items():
            first = run(*job)[1].stdout  # compiles what is new, warms the file cache
            what = name.removeprefix("complete_")
            if what in LINES and f"plain,{LINES[what][1]}" not in first.replace("\t", "\n").splitlines():
                raise SystemExit(f"{LINES[what][0]!r} was not completed with {LINES[what][1]!r}: {first}")
        for _ in range(rounds):
            for name, job in jobs.items():
                seconds.setdefault(name, []).append(run(*job)[0])
        listed = run(*CASES["list"], many if plugins else None, home)[1].stdout
        shown = sum(f"generated-{i} " in listed for i in range(plugins))
        slow, done = run(*CASES["list"], sleepy, home)
    times = {name: median(values) for name, values in seconds.items()}
    limit = TIMES * times["click"] + PLUS
    named = "sleepy-plugin" in done.stderr
    within = {name: times[name] <= limit for name in ("list", "help")}
    within |= {name: times[name] <= COMPLETION_SECONDS for name in CASES if name.startswith("complete_")}
    result: dict[str, object] = {
        "seconds": {name: round(value, 4) for name, value in times.items()},
        "limit_seconds": round(limit, 4),
        "completion_limit_seconds": COMPLETION_SECONDS,
        "times_click": {name: round(value / times["click"], 2) for name, value in times.items()},
        "sleepy_plugin": {"extra_seconds": round(slow - times["list"], 2), "named": named},
    }
    if plugins:
        ratios = {name: times[f"{name}_with_plugins"] / times[name] for name in WITH_PLUGINS}
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
            print(f"{name.replace('_', ' '):<30} {value * 1000:6.0f} ms")
        print(f"{'limit of list and help':<30} {float(str(result['limit_seconds'])) * 1000:6.0f} ms")
        print(f"{'limit of completion':<30} {COMPLETION_SECONDS * 1000:6.0f} ms")
        if "ratio" in result:
            print(f"with {given.plugins} plugins to without: {result['ratio']}, limit {PLUGINS_TIMES}")
        print(f"a plugin that sleeps a second on import: {result['sleepy_plugin']}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
