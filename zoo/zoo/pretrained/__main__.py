"""`python -m zoo.pretrained NAME --license L --summary S`: put the model folder NAME beside this file into the catalog.

The folder comes from `zoo export RUN zoo/zoo/pretrained/NAME --bf16`, its metrics from `zoo evaluate`, as metrics.json.
"""

from __future__ import annotations

import argparse
import json
import sys

from zoo_core import ZooError

from ..catalog import _record, add_entry


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m zoo.pretrained", description=__doc__)
    parser.add_argument("name", help="of the model folder beside the catalog")
    parser.add_argument("--license", required=True, help="of the model, for example apache-2.0")
    parser.add_argument("--summary", required=True, help="one line")
    given = parser.parse_args()
    try:
        entry = add_entry(given.name, license=given.license, summary=given.summary)
    except ZooError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(json.dumps(_record(entry), indent=2) + "\n")


if __name__ == "__main__":
    main()
