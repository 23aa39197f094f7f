"""wandb and trackio get what they are told, offline, and one run stays one run."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path

import pytest
import torch

from helpers.trackers import trackio_rows, wandb_rows, wandb_runs
from zoo_core import Tracker, registry

CONFIG = {"recipe": {"name": "dcgan"}, "optimizer": {"generator": {"lr": 0.0002}}}
PICTURE = torch.arange(48, dtype=torch.uint8).view(3, 4, 4)


def make(name: str, folder: Path, images: int = 0, **options: str) -> Tracker:
    made: Tracker = registry.create("trackers", name, options, folder=folder, images=images, config=CONFIG)
    return made


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("WANDB_", "TRACKIO_SPACE", "TRACKIO_SERVER"))]:
        if name != "WANDB_MODE":
            monkeypatch.delenv(name)
    (tmp_path / "faces").mkdir()
    return tmp_path / "faces"


def test_wandb_offline(faces: Path) -> None:
    pytest.importorskip("wandb")
    first = make("wandb", faces, mode="offline", project="try")
    assert "wandb sync" in first.look
    assert first.trouble == ""
    first.scalars({"d_loss": 0.5, "images_per_s": 41.0}, 64)
    first.picture("samples", PICTURE, 64)
    first.picture("gray", PICTURE[:1], 64)
    first.text("intervention", "lr halved", 128)
    first.close()
    time.sleep(1.1)  # a sitting's folder is named by the second
    second = make("wandb", faces, images=64, mode="offline", project="try")  # it went back to an earlier checkpoint
    second.scalars({"d_loss": 0.75}, 96)
    second.scalars({"d_loss": 0.25}, 192)
    second.close()

    deadline = time.monotonic() + 60  # a process of wandb's own writes, which a busy machine may let wait
    while not all(any(r.WhichOneof("record_type") == "run" for r in records) for records in wandb_runs(faces)):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    sittings = wandb_runs(faces)
    begun = [next(r.run for r in records if r.WhichOneof("record_type") == "run") for records in sittings]
    assert [(run.run_id, run.project, run.display_name) for run in begun] == [(begun[0].run_id, "try", "faces")] * 2
    told = {item.key: json.loads(item.value_json) for item in begun[0].config.update}
    assert told["optimizer"] == CONFIG["optimizer"]
    rows = wandb_rows(sittings[0])
    assert [(row["_step"], row["images"]) for row in rows] == [(64, 64), (128, 128)]
    assert (rows[0]["d_loss"], rows[0]["images_per_s"], rows[1]["intervention"]) == (0.5, 41.0, "lr halved")
    assert (rows[0]["samples/width"], rows[0]["samples/caption"]) == (4, "64 images")
    later = wandb_rows(sittings[1])
    assert [(row["_step"], row["images"], row["d_loss"]) for row in later] == [(130, 96, 0.75), (192, 192, 0.25)]


def test_wandb_names_come_from_its_environment(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_NAME", "first")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    made = make("wandb", faces, mode="offline")
    made.close()
    assert (tmp_path / "elsewhere" / "wandb").is_dir()
    assert [path.name for path in (faces / "wandb").iterdir()] == ["run.json"]
    (records,) = wandb_runs(tmp_path / "elsewhere")
    run = next(r.run for r in records if r.WhichOneof("record_type") == "run")
    assert (run.project, run.display_name) == ("mine", "first")


def test_trackio_on_this_machine(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("trackio")
    from trackio.utils import TRACKIO_DIR  # read when it was first imported

    project = f"try-{uuid.uuid4().hex[:8]}"
    first = make("trackio", faces, project=project)
    assert first.look == f"to see it: trackio show --project {project}"
    assert first.trouble == ""
    first.scalars({"d_loss": 0.5}, 64)
    first.picture("samples", PICTURE, 64)
    first.picture("gray", PICTURE[:1], 64)
    first.text("intervention", "lr halved", 128)
    first.close()
    second = make("trackio", faces, images=128, project=project)
    second.scalars({"d_loss": 0.25}, 192)
    second.close()
    other = make("trackio", faces.parent, project=project)
    other.close()
    assert capsys.readouterr().out == ""  # where results belong

    rows = trackio_rows(TRACKIO_DIR, project)
    assert len({row["run_id"] for row in rows}) == 1
    assert rows[0]["run_name"].startswith("faces-")
    told = [(row["step"], json.loads(row["metrics"])) for row in rows]
    assert [values for values in told if "d_loss" in values[1]] == [(64, {"d_loss": 0.5}), (192, {"d_loss": 0.25})]
    pictures = [values[key] for _, values in told for key in ("samples", "gray") if key in values]
    assert [picture["caption"] for picture in pictures] == ["64 images"] * 2
    assert all((TRACKIO_DIR / "media" / picture["file_path"]).is_file() for picture in pictures)
    (alert,) = trackio_rows(TRACKIO_DIR, project, "alerts")
    assert (alert["title"], alert["text"], alert["step"]) == ("intervention", "lr halved", 128)
    (config,) = [row for row in trackio_rows(TRACKIO_DIR, project, "configs") if row["run_id"] == rows[0]["run_id"]]
    assert json.loads(config["config"])["optimizer"] == CONFIG["optimizer"]


def test_a_space_without_a_login_stays_on_this_machine(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio")
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    monkeypatch.setenv("TRACKIO_SPACE_ID", "ada/dashboard")
    made = make("trackio", faces, project=f"try-{uuid.uuid4().hex[:8]}")
    made.close()
    assert made.trouble == "not logged in to Hugging Face (hf auth login), so it records on this machine"
    assert "trackio show" in made.look
    assert os.environ["TRACKIO_SPACE_ID"] == "ada/dashboard"


@pytest.mark.parametrize("text", ["{", "[]", '{"id": 3}', '{"id": "' + "\x00" + '"}'])
def test_a_damaged_note_of_the_first_sitting_begins_another_run(text: str, faces: Path) -> None:
    from zoo_plugins.trackers.sittings import keep, recall

    file = faces / "wandb" / "run.json"
    file.parent.mkdir()
    file.write_text(text)
    assert recall(file) == {}
    keep(file, {"id": "abc"})
    assert recall(file) == {"id": "abc"}
