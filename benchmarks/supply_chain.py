"""What a wheel ships and what it stands on: a bill of materials, hashes, and whether every dependency has two ends.

    python benchmarks/supply_chain.py --wheel dist/dcgan_zoo-*.whl [--out DIR] [--resolve] [--json]

Writes `sbom.json` (CycloneDX 1.5: the wheel, the hash of every file in it, what it requires, and what is installed here of
that) and `SHA256SUMS`. With `--resolve` pip is asked, without installing anything, whether all lower bounds can be had
together, for the wheel itself and each extra. The last line of standard output is one JSON object; the exit code is 1 where
a requirement names no version, or pip finds no solution.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_string
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where to write sbom.json and SHA256SUMS")
    parser.add_argument("--resolve", action="store_true", help="ask pip about the lower bounds")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    about, hashes, wrong = read_wheel(given.wheel)
    requirements = [Requirement(text) for text in about.get_all("Requires-Dist") or []]
    unbounded = sorted({str(each) for each in requirements if not each.specifier and each.name != about["Name"]})
    found: dict[str, Any] = {
        **{"wheel": given.wheel.name, "sha256": sha256(given.wheel.read_bytes()), "files": len(hashes)},
        **{"hashes_that_differ": wrong, "requirements": len(requirements), "unbounded": unbounded},
    }
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        bill = make_bill(about, found["sha256"], hashes, requirements)
        (given.out / "sbom.json").write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
        sums = [f"{found['sha256']}  {given.wheel.name}", *(f"{value}  {name}" for name, value in sorted(hashes.items()))]
        (given.out / "SHA256SUMS").write_text("\n".join(sums) + "\n", encoding="utf-8")
    if given.resolve:
        found["lower_bounds"] = resolve(given.wheel, requirements, about.get_all("Provides-Extra") or [])
    if not given.json:
        for key, value in found.items():
            print(f"{key}: {value}")
    print(json.dumps(found))
    return 1 if wrong or unbounded or any(found.get("lower_bounds", {}).values()) else 0


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_wheel(path: Path) -> tuple[Message, dict[str, str], list[str]]:
    """Return a wheel's metadata, the checksum of each file, and the files that its RECORD has another checksum for."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = message_from_string(archive.read(name).decode())
        record = archive.read(name.replace("METADATA", "RECORD")).decode().splitlines()
        hashes = {name: sha256(archive.read(name)) for name in archive.namelist() if not name.endswith("/")}
    wrong = []
    for line in record:
        file, said, _ = line.rsplit(",", 2)
        if said.startswith("sha256="):
            raw = base64.urlsafe_b64decode(said.removeprefix("sha256=") + "==")
            wrong += [file] if hashes.get(file) != raw.hex() else []
    return about, hashes, wrong


def make_bill(about: Message, checksum: str, hashes: dict[str, str], requirements: list[Requirement]) -> dict[str, Any]:
    """Return the bill of materials as CycloneDX writes it."""
    name, version = about["Name"], about["Version"]
    parts = []
    for each in requirements:
        try:
            installed = metadata.version(each.name)
        except metadata.PackageNotFoundError:
            installed = ""
        extra = re.search(r"extra == ['\"]([\w-]+)", str(each.marker or ""))
        properties = {"asked": str(each.specifier), "extra": extra[1] if extra else "", "installed": installed}
        parts.append(
            {
                "type": "library",
                "name": each.name,
                **({"version": installed, "purl": f"pkg:pypi/{each.name}@{installed}"} if installed else {}),
                "scope": "optional" if extra else "required",
                "properties": [{"name": f"zoo:{key}", "value": value} for key, value in properties.items() if value],
            }
        )
    files = [
        {"type": "file", "name": file, "hashes": [{"alg": "SHA-256", "content": value}]} for file, value in hashes.items()
    ]
    whole = {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
    whole |= {"licenses": [{"expression": about["License-Expression"]}]} if about["License-Expression"] else {}
    return {
        **{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1},
        "metadata": {"component": {**whole, "hashes": [{"alg": "SHA-256", "content": checksum}]}},
        "components": [*parts, *files],
    }


def resolve(wheel: Path, requirements: list[Requirement], extras: list[str]) -> dict[str, str]:
    """Return for the wheel and each extra what pip says against all lower bounds together, "" where they can be had."""
    found = {}
    for extra in ["", *extras]:
        mine = [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": extra})]
        bounds = {}
        for each in mine:
            lower = [one.version for one in each.specifier if one.operator in (">=", "==", "~=")]
            bounds.update({each.name: lower[0]} if lower else {})
        with tempfile.TemporaryDirectory() as folder:
            constraints = Path(folder, "lower.txt")
            # A bound such as 0.4 means the first release of that series that this Python and machine have.
            constraints.write_text("".join(f"{name}>={low},<={low}.9999\n" for name, low in bounds.items()))
            target = f"{wheel}[{extra}]" if extra else str(wheel)
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--dry-run",
                "--ignore-installed",
                "--only-binary",
                ":all:",
                "-c",
            ]
            done = subprocess.run([*command, str(constraints), target], capture_output=True, text=True)
        said = f"{done.stdout}\n{done.stderr}"
        reasons = said.partition("The conflict is caused by:")[2].partition("\n\n")[0].split("\n")
        reasons = reasons if any(reasons) else [line for line in said.splitlines() if "ERROR" in line] or ["pip failed"]
        found[extra or "itself"] = "" if done.returncode == 0 else "; ".join(filter(None, map(str.strip, reasons)))[:300]
    return found


if __name__ == "__main__":
    sys.exit(main())
