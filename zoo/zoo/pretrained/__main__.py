"""`python -m zoo.pretrained NAME --licence L --summary S`: put the model folder NAME beside this file into the catalogue.

The folder comes from `zoo export RUN zoo/zoo/pretrained/NAME --bf16`, its metrics from `zoo evaluate`, as metrics.json.
"""

from __future__ import annotations

import argparse
import json
import sys

from zoo_core import ZooError

from .catalogue import _record, add_entry


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m zoo.pretrained", description=__doc__)
    parser.add_argument("name", help="of the model folder beside the catalogue")
    parser.add_argument("--licence", required=True, help="of the model, for example apache-2.0")
    parser.add_argument("--summary", required=True, help="one line")
    given = parser.parse_args()
    try:
        entry = add_entry(given.name, licence=given.licence, summary=given.summary)
    except ZooError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(json.dumps(_record(entry), indent=2) + "\n")


if __name__ == "__main__":
    main()
