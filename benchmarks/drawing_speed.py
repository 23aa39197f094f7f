"""How long drawing takes: the drawn datasets in processor seconds, against DiceBear's own front door in the same run.

    python benchmarks/drawing_speed.py [--count 10000] [--pictures 1000] [--size 64] [--json]

For `faces` (avataaars and lorelei) and `drawings`:

- `listing`, `drawing`: processor seconds per 1,000 pictures, in one process, of the listing (which chooses the labels) and
  of decoding and packing, the loading of styles included.
- `ratio`: how many times as long both take with the checks that `dicebear.Avatar` makes of each style and of each set of
  options. The two take turns, in processes of their own.
- `build_seconds`: what building a pack of `--count` pictures takes from nothing, with as many workers as there are cores.
  This wants a machine with nothing else to do; `load_before` says how busy it was. `--count 0` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from typing import Any

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "avataaars": ("faces", {}),
    "lorelei": ("faces", {"style": "lorelei"}),
    "drawings": ("drawings", {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="pictures of the packs that are built; 0: none is")
    parser.add_argument("--pictures", type=int, default=1000, help="pictures of which processor time is measured")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        case, how = given.one
        print(json.dumps(measure(case, given.pictures, given.size, checked=how == "checked")))
        return
    result: dict[str, Any] = {"size": given.size, "pictures": given.pictures, "load_before": os.getloadavg()}
    for case in CASES:
        taken: dict[str, list[dict[str, float]]] = {"plain": [], "checked": []}
        for _ in range(given.rounds):
            for how, rounds in taken.items():
                rounds.append(_apart(case, how, given.pictures, given.size))
        best = {how: min(rounds, key=lambda taken: sum(taken.values())) for how, rounds in taken.items()}
        result[case] = {key: round(value, 3) for key, value in best["plain"].items()}
        result[case]["ratio"] = round(sum(best["checked"].values()) / sum(best["plain"].values()), 2)
        if given.count:
            result[case]["build_seconds"] = round(build(case, given.count, given.size), 1)
        if not given.json:
            print(case, result[case])
    print(json.dumps(result))


def _apart(case: str, how: str, pictures: int, size: int) -> dict[str, float]:
    """Measure in a process of its own."""
    words = [sys.executable, __file__, "--one", case, how, "--pictures", str(pictures), "--size", str(size)]
    found: dict[str, float] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return found


def measure(case: str, pictures: int, size: int, *, checked: bool) -> dict[str, float]:
    """Return processor seconds per 1,000 pictures of a case, loading its styles included."""
    from zoo.packs.decode import decode_one
    from zoo_core import registry
    from zoo_plugins.datasets import artwork

    if checked:
        artwork._unchecked = nullcontext  # type: ignore[assignment]
    name, options = CASES[case]
    dataset = registry.create("datasets", name, {**options, "count": pictures})
    start = time.process_time()
    records = list(dataset.listing().records)
    listed = time.process_time()
    for record in records:
        assert not isinstance(decode_one(dataset, record, size, 3), str)
    drawn = time.process_time()
    return {"listing": (listed - start) * 1000 / pictures, "drawing": (drawn - listed) * 1000 / pictures}


def build(case: str, count: int, size: int) -> float:
    """Return the seconds that building a pack takes."""
    import zoo
    from zoo.progress import SILENT

    name, options = CASES[case]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ZOO_CACHE"] = cache
        start = time.monotonic()
        zoo.build_pack(zoo.PackRequest(name, size=size, options={**options, "count": count}), report=SILENT)
        return time.monotonic() - start


if __name__ == "__main__":
    main()
