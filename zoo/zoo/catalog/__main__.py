"""`python -m zoo.catalog`: the records of a package of weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo_core import ZooError

from ..models.config import CONFIG, read_config
from ..models.folder import rewrite_card, write_config
from .records import RECORDS, describe_model_folder, model_folders, record_source, records_source, write_records

_ABOUT = """Write the records of the model folders in a package of weights into its records.py.

Of a single model folder, print the record as Python source. With --license, write that into the configuration and card of
each folder first."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m zoo.catalog", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a package that holds model folders, or what zoo export wrote")
    parser.add_argument("--license", help="of the weights; written into each folder's configuration and card")
    parser.add_argument("--check", action="store_true", help=f"write nothing; fail where {RECORDS} says something else")
    given = parser.parse_args()
    single = (given.folder / CONFIG).is_file()
    try:
        for folder in [given.folder] if single else model_folders(given.folder):
            if given.license and not given.check:
                state_license(folder, given.license)
        if single:
            sys.stdout.write(record_source(describe_model_folder(given.folder)) + "\n")
        elif given.check:
            file = given.folder / RECORDS
            if not file.is_file() or file.read_text(encoding="utf-8") != records_source(given.folder):
                wrong = f"{file} is not what its model folders say"
                raise ZooError(wrong, hint=f"to write it: python -m zoo.catalog {given.folder}")
        else:
            sys.stdout.write(f"{write_records(given.folder)}\n")
    except ZooError as error:
        sys.exit(f"error: {error}")


def state_license(folder: Path, license: str) -> None:
    """Write a license into a model folder's configuration and card, and the folder's name as what the card loads."""
    config = read_config(folder)
    write_config({**config, "provenance": {**config.get("provenance", {}), "license": license}}, folder)
    rewrite_card(folder, place=folder.resolve().name)


if __name__ == "__main__":
    main()
