"""Run all fuzzers, a few tries each, in one process after another: what the tests and CI do.

    python benchmarks/fuzz/every.py [--share X] [--seed S] [--targets A,B] [--out FILE] [--json]

The last line of standard output is one JSON object: target → its summary; `--out` puts it into a file, beside what other
targets had there, while it goes on: a target whose tries of this seed began there goes on where it was. With --share 1 each
target has the tries that are named in `TRIES`; the tests take less.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from harness import Summary, fuzz, set_up

TRIES = {
    **{"model_folders": 5000, "run_folders": 2000, "image_packs": 1000, "picture_archives": 500},
    **{"hub_conversations": 300, "plugin_metadata": 1000, "names": 5000, "other_files": 1000},
}
"""Module → how many tries a whole run has."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=0.01, help="of the tries of a whole run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default=",".join(TRIES))
    parser.add_argument("--out", type=Path, help="a JSON file whose targets of these names are replaced")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    set_up()
    tell: Callable[[str], None] = (lambda line: None) if given.json else partial(print, flush=True)
    found = {}
    for name in given.targets.split(","):
        keep = partial(write, given.out, name)
        tries = max(1, round(TRIES[name] * given.share))
        whole = fuzz(import_module(name).TARGET, tries, given.seed, before=read(given.out, name, given.seed), keep=keep)
        keep(whole)
        summary = found[name] = whole.to_json()
        tell(f"{name}: {summary['as_promised']} of {summary['tries']} as promised; {summary['examples'] or ''}")
    print(json.dumps(found))
    return 1 if any(summary["violations"] for summary in found.values()) else 0


def read(file: Path | None, name: str, seed: int) -> Summary | None:
    """Return what came of the tries of a seed so far."""
    before = json.loads(file.read_text(encoding="utf-8")) if file is not None and file.exists() else {}
    return Summary.from_json(before[name]) if name in before and before[name]["seed"] == seed else None


def write(file: Path | None, name: str, summary: Summary) -> None:
    if file is not None:
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(json.dumps({**before, name: summary.to_json()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
