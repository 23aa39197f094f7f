"""Each model of the catalog was made by the command that its card tells: it starts, here on few images."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from helpers.workplace import run
from zoo.catalog import installed_folder, read_catalog
from zoo.models.config import read_config
from zoo.packs.selection import dataset_options
from zoo.runs.command import replace_budget, replace_option

pytestmark = pytest.mark.slow
OURS = [entry for entry in read_catalog() if entry.plugin.distribution.startswith("dcgan-zoo")]
FEW = 128  # images to draw, where a dataset can be told how many


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_the_command_of_a_card_starts(entry: object, tmp_path: Path) -> None:
    folder = installed_folder(entry)  # type: ignore[arg-type]
    assert folder is not None
    provenance = read_config(folder)["provenance"]
    command = provenance["command"]
    assert f"--images {provenance['images']}" in command
    command = replace_option(replace_budget(command, ["--images", "32"]), "--out", str(tmp_path / "run"))
    words = shlex.split(command)[1:]
    if "count" in dataset_options(provenance["dataset"]["name"]):
        words += ["--set", f"dataset.count={FEW}"]
    result = run(*words, "--no-watch")
    assert result.exit_code == 0, f"{command}\n{result.output}"
    assert (tmp_path / "run" / "model" / "config.json").is_file()
