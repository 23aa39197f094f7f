"""What a name is, and whether it is a path here or a name on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import names
from zoo_core import UsageError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, file in (("runs/a", "run.json"), ("trials/b", "run.json"), ("ada/mine", "config.json")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / file).write_text("{}")
    (tmp_path / "table.parquet").write_bytes(b"")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "is_it"),
    [
        ("runs/a", names.RUN),
        ("ada/mine", names.MODEL),
        ("dcgan-faces", names.CATALOG),
        ("dcgan", "a recipe"),
        ("faces", "a dataset"),
        ("gan", "an algorithm"),
        ("ada", names.FOLDER),
        ("table.parquet", names.FILE),
        ("nothing", ""),
        ("x" * 5000, ""),
        ("a\0b", ""),
    ],
)
def test_what_bears_a_name(name: str, is_it: str) -> None:
    assert names.what_is(name) == is_it


@pytest.mark.parametrize("name", ["runs/x", "./x/y", "/x/y", "~/x", "trials/c", "x\\y"])
def test_a_path_is_no_name_on_the_hub(name: str) -> None:
    assert names.looks_local(name)


@pytest.mark.parametrize("name", ["bob/x", "ada/other", "runs/x@main"])
def test_a_name_on_the_hub_is_no_path(name: str) -> None:
    assert not names.looks_local(name)


@pytest.mark.parametrize(
    ("data", "reads"),
    [
        ("ada", "folder"),
        ("table.parquet", "hub"),
        ("bob/pets", "hub"),
        ("ada/typo", "folder"),
        ("./x/y", "folder"),
        ("x", "folder"),
    ],
)
def test_what_reads_data_of_which_nobody_says_it(data: str, reads: str) -> None:
    assert names.infer_dataset(data) == reads


def test_a_dataset_is_no_path() -> None:
    with pytest.raises(UsageError, match="faces is a dataset, and no path here") as caught:
        names.infer_dataset("faces")
    assert caught.value.hint == "type: --dataset faces"
