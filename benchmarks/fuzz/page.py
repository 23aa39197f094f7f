"""Write the tables of docs/results/robustness.md from robustness.json beside it, so that no number is typed.

    python benchmarks/fuzz/page.py [--add kills 'with rescues' kills.log] [--check]

`every.py` and `faults.py` write into that file by themselves (`--out`). --add PART NAME FILE puts in what another script
printed last: PART is `kills` (kill_resume.py), `launches` (launches.py) or `soak` (soak.py), NAME what the row is called.
With --check nothing is written, and the exit code is 1 where the page is not that of the file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from every import TRIES

RESULTS = Path(__file__).parents[2] / "docs" / "results"
Row = Sequence[object]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--add", nargs=3, action="append", default=[], metavar=("PART", "NAME", "FILE"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder with robustness.json and .md")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    file, page = given.results / "robustness.json", given.results / "robustness.md"
    found = json.loads(file.read_text(encoding="utf-8"))
    for part, name, log in given.add:
        last = Path(log).read_text(encoding="utf-8").strip().splitlines()[-1]
        found.setdefault(part, {})[name] = json.loads(last)
    before = page.read_text(encoding="utf-8")
    after = before
    for part, write in PARTS.items():
        after = fill(after, part, write(found))
    if given.check:
        return int(before != after)
    if given.add:
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page.write_text(after, encoding="utf-8")
    return 0


def fill(text: str, part: str, content: str) -> str:
    """Put a part's table between its marks."""
    start, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    before, rest = text.split(start)
    return f"{before}{start}\n{content}\n{end}{rest.split(end)[1]}"


def table(head: Row, rows: Sequence[Row]) -> str:
    def show(cell: object) -> str:
        return f"{cell:,}" if isinstance(cell, int) else str(cell)

    return "".join(f"| {' | '.join(map(show, row))} |\n" for row in (head, ["---"] * len(head), *rows))


def write_fuzzers(found: Mapping[str, Any]) -> str:
    rows = [
        (
            *(each["target"], each["tries"], TRIES[name], each["as_promised"], each["outcomes"].get("returned", 0)),
            *(each["outcomes"].get("refused", 0), each["longest_seconds"], each["longest_message"]),
        )
        for name in TRIES
        if (each := found.get(name))
    ]
    head = ("target", "tries", "of a whole run", "as promised", "returned", "refused", "most seconds", "longest message")
    missed = [
        f"- {each['target']}, {kind}: {'; '.join(_brief(example) for example in each['examples'][kind])}\n"
        for name in TRIES
        if (each := found.get(name))
        for kind in each["violations"]
    ]
    return table(head, rows) + ("\nNot as promised, before it was mended:\n\n" + "".join(missed) if missed else "")


def _brief(example: str) -> str:
    """Return the beginning of what a try did to which file."""
    return f"`{example.splitlines()[0][:160].replace('`', '')}`"


def write_faults(found: Mapping[str, Any]) -> str:
    ends: Mapping[str, str] = found["faults"]
    faults = sorted({pair.partition("/")[0] for pair in ends})
    rows = []
    for fault in faults:
        mine = {pair.partition("/")[2]: end for pair, end in sorted(ends.items()) if pair.partition("/")[0] == fault}
        kept = Counter(mine.values())["as promised"]
        others = "; ".join(f"{command}: {end}" for command, end in mine.items() if end != "as promised")
        rows.append((fault, ", ".join(mine), f"{kept} of {len(mine)}", others))
    whole = Counter(ends.values())["as promised"]
    return f"{whole} of {len(ends)} pairs as promised.\n\n" + table(("fault", "commands", "as promised", "others"), rows)


def write_kills(found: Mapping[str, Any]) -> str:
    kills: Mapping[str, Any] = found.get("kills", {})
    rows = [
        (name, each["runs"], each["identical"], each["stray"], ", ".join(f"{k} {v}" for k, v in each["killed_in"].items()))
        for name, each in kills.items()
    ]
    runs, same = (sum(each[key] for each in kills.values()) for key in ("runs", "identical"))
    head = ("trainings", "kills", "bit for bit the same", "temporary files left", "killed in")
    return f"{same:,} of {runs:,} ended bit for bit as undisturbed ones.\n\n" + table(head, rows)


def write_launches(found: Mapping[str, Any]) -> str:
    rows = [
        (name, each["launches"], each["clean"], "; ".join(each["failed"][:3]) or "–")
        for name, each in found.get("launches", {}).items()
    ]
    return table(("launches", "how many", "exit code 0", "others"), rows)


def write_soak(found: Mapping[str, Any]) -> str:
    units = {"megabytes": "MB resident", "files": "open files", "threads": "threads", "temporary": "temporary files"}
    units["cache_megabytes"] = "MB of cache"
    rows = [
        (name, SOAKS[part].format(each["times"], each["seconds"] / 60), *(each["difference"][key] for key in units))
        for name, soak in found.get("soak", {}).items()
        for part, each in soak.items()
        if part in SOAKS and each
    ]
    return table(("soak", "what", *units.values()), rows)


SOAKS = {
    "trainings": "{:,} short trainings, {:.0f} min",
    "samples": "{:,} grids of 16 by the demo's function, {:.0f} min",
    "minutes": "one training of {:,} images, {:.0f} min",
}

PARTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "fuzzers": write_fuzzers,
    "faults": write_faults,
    "kills": write_kills,
    "launches": write_launches,
    "soak": write_soak,
}


if __name__ == "__main__":
    sys.exit(main())
