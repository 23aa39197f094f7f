"""Trackers of a training: several at once, their options, and that none is worth the training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import zoo
from helpers.packs import pictures
from helpers.trackers import Remembering, trackio_rows, wandb_rows, wandb_runs
from helpers.training import Heard, differing, newest, resume, samples, train
from helpers.wandb_server import wandb_server
from zoo.training.tracking import is_installed, resolve_trackers
from zoo_core import Plugin, UsageError, registry

DATA = ("--dataset", "folder", "--data")


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    names = {"remembering": "Remembering", "second": "Remembering", "failing": "Failing", "missing": "Missing"}
    plugin = Plugin(trackers={name: f"helpers.trackers:{cls}" for name, cls in names.items()})
    Remembering.told.clear()
    with samples(), registry.add(plugin, distribution="acme"):
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 30)


def told(what: str) -> list[tuple[Any, ...]]:
    return [entry for entry in Remembering.told if entry[0] == what]


def test_several_hear_everything(data: Path, tmp_path: Path) -> None:
    heard, options = Heard(), {"tracker.project": "try", "tracker.second.project": "other", "tracker.second.loud": "yes"}
    run = train("linear", data, tmp_path / "run", images=48, track=["remembering", "second"], options=options, report=heard)
    assert told("open") == [("open", 0, "linear", "try", False), ("open", 0, "linear", "other", True)]
    readings = [values for _, _, values in told("scalars") if "images_per_s" in values]
    assert len(readings) == 2 * len([1 for line in (run.path / "metrics.jsonl").open() if "images_per_s" in line])
    assert all(values["peak_memory_mb"] > 20 and values["seconds"] > 0 and "d_loss" in values for values in readings)
    assert [entry[1] for entry in told("picture")] == [48, 48]
    assert len(told("close")) == 2
    assert "remembering: to see it: look" in heard.lines
    assert heard.lines.count("warning: second: half of it") == 1
    record = json.loads((run.path / "run.json").read_text())
    assert "--track remembering --track second" in record["command"]
    assert "--set tracker.project=try" in record["command"]
    assert "tracker" not in json.dumps(record["config"])  # no part of what the run is
    assert "track" not in (run.path / "model" / "README.md").read_text()  # nor of what a model's card says
    assert "track" not in (run.path / "model" / "config.json").read_text()


def test_a_resumed_run_says_where_it_goes_on(data: Path, tmp_path: Path) -> None:
    train("linear", data, tmp_path / "run", images=16)
    resume(tmp_path / "run", images=32, track="remembering", options={"tracker.project": "try"})
    assert told("open") == [("open", 16, "linear", "try", False)]


def test_a_run_is_the_same_with_and_without_trackers(data: Path, tmp_path: Path) -> None:
    alone = train("dropout", data, tmp_path / "alone", images=64)
    watched = train("dropout", data, tmp_path / "watched", images=64, track=("failing", "second"))
    assert told("scalars")
    assert differing(alone.path, watched.path) == []
    states = [json.loads((newest(run.path) / "state.json").read_text())["python_random"] for run in (alone, watched)]
    assert states[0] == states[1]


@pytest.mark.parametrize("at", ["open", "scalars", "picture", "close"])
def test_one_that_fails_is_left_out_with_one_warning(at: str, data: Path, tmp_path: Path) -> None:
    heard, options = Heard(), {"tracker.failing.at": at}
    run = train("linear", data, tmp_path / "run", images=64, track=("failing", "second"), options=options, report=heard)
    assert run.finished
    warnings = [line for line in heard.lines if line.startswith("warning: tracker")]
    assert warnings == [f"warning: tracker failing is left out from here on: no room at {at}"]
    assert len(told("scalars")) > 2
    assert len(told("close")) == 1


def test_one_that_is_not_installed_is_left_out_with_one_warning(data: Path, tmp_path: Path) -> None:
    heard = Heard()
    run = train("linear", data, tmp_path / "run", images=32, track=("second", "missing"), report=heard)
    assert run.finished
    warnings = [line for line in heard.lines if line.startswith("warning: tracker")]
    what = 'it needs no_such_module, which is not installed; install it with: pip install "acme-trackers[much]"'
    assert warnings == [f"warning: tracker missing is left out from here on: {what}"]
    assert len(told("close")) == 1


@pytest.mark.parametrize(
    ("track", "options", "message"),
    [
        ("xyz", {}, "unknown tracker 'xyz'"),
        (None, {"tracker.project": "a"}, "tracker.project is set, and no tracker is named\nname the tracker too"),
        (
            "second",
            {"tracker.remembering.project": "a"},
            "unknown tracker of this training 'remembering'.*\nadd it: track=",
        ),
        ("second", {"tracker.projct": "a"}, "unknown option 'tracker.projct'; did you mean tracker.second.project"),
        ("second", {"tracker.second.projct": "a"}, "unknown option of tracker.second 'projct'; did you mean project"),
        ("second", {"tracker.second.loud": "loud"}, "tracker.second.loud must be bool"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    track: Any, options: dict[str, Any], message: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train("linear", data, tmp_path / "run", images=16, track=track, options=options)
    assert not (tmp_path / "run").exists()


def test_one_named_twice_is_one() -> None:
    assert resolve_trackers(["second", "second"], {"seed": 1}) == ({"second": {"project": "", "loud": False}}, {"seed": 1})


def test_a_folder_that_a_tracker_left_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zoo_no_module").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not is_installed("zoo_no_module")
    assert not is_installed("zoo_no_module_2.part")
    assert is_installed("json")
    (tmp_path / "zoo_no_module" / "__init__.py").write_text("")
    sys.path_importer_cache.clear()
    assert is_installed("zoo_no_module")


class Recorder:
    """A proxy that lets nothing through, and keeps what was asked for."""

    def __init__(self) -> None:
        import socket

        self.socket, self.asked = socket.create_server(("127.0.0.1", 0)), list[bytes]()
        Thread(target=self._listen, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(200).split(b"\r\n")[0])


def type_train(data: Path, home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Train as a person does who has set nothing up but `settings`, in a process of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HF_"))}
    env |= {"HOME": str(home), "TRACKIO_DIR": str(home / "trackio"), **settings}
    small = "--size 16 --batch 8 --set generator.width=4 --set discriminator.width=4 --set training.log_every=2 --json"
    command = [sys.executable, "-m", "zoo_cli", "train", *words, *small.split()]
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"]
    return done


def warnings_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("warning: ") for line in done.stderr.splitlines() if line.startswith("warning: ")]


@pytest.mark.slow
@pytest.mark.parametrize("key", [False, True])
def test_as_a_person_types_it_without_a_login_or_a_network(key: bool, data: Path, tmp_path: Path) -> None:
    """All three trackers, nobody logged in to wandb: nothing is asked of the network, nobody is asked for a key. With a key
    the server is asked; it does not answer.
    """
    for module in ("wandb", "trackio", "tensorboard"):
        pytest.importorskip(module)
    recorder = Recorder()
    settings = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), recorder.address) | {"NO_PROXY": "", "no_proxy": ""}
    settings |= {"WANDB_API_KEY": "a" * 40, "WANDB_INIT_TIMEOUT": "3"} if key else {}
    words = [word for name in ("tensorboard", "wandb", "trackio") for word in ("--track", name)]
    done = type_train(data, tmp_path, "dcgan", *DATA, str(data), "--images", "48", "--out", "run", *words, **settings)
    (warning,) = warnings_of(done)
    assert warning.startswith("wandb: ")
    assert warning.endswith("so it records offline")
    assert bool(recorder.asked) == key
    assert zoo.load(tmp_path / "run").sample(1).shape == (1, 1, 16, 16)
    (records,) = wandb_runs(tmp_path / "run")
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    here = [{**json.loads(row["metrics"]), "images": row["step"]} for row in trackio_rows(tmp_path / "trackio", "zoo")]
    for rows in (wandb_rows(records), here):  # 3 readings, and the last one's pictures
        assert [row["images"] for row in rows if "d_loss" in row] == [16, 32, 48]
        assert all({"images_per_s", "seconds", "peak_memory_mb", "g_loss"} <= row.keys() for row in rows if "d_loss" in row)
        assert [row["images"] for row in rows if {"samples", "samples/path"} & row.keys()] == [48]
        assert [row["images"] for row in rows if "diversity" in row] == [48]
    assert b"peak_memory_mb" in events.read_bytes()


@pytest.mark.slow
def test_wandb_online_is_one_run_and_no_hang_where_its_server_goes_away(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    track, key = ("--track", "wandb", "--set", "tracker.wandb.project=try"), {"WANDB_API_KEY": "a" * 40, "NO_PROXY": "*"}
    with wandb_server() as server:
        key["WANDB_BASE_URL"] = server.address
        done = type_train(data, tmp_path, "dcgan", *DATA, str(data), "--images", "48", "--out", "run", *track, **key)
        assert warnings_of(done) == []
        number = json.loads((tmp_path / "run" / "wandb" / "run.json").read_text())["id"]
        assert f"wandb: to see it: {server.address}/ada/try/runs/{number}\n" in done.stderr
        assert "Currently logged in" not in done.stderr
        sent = "".join(body for operation, body in server.asked if operation == "file_stream")
        assert all(name in sent for name in ("d_loss", "peak_memory_mb", "diversity", "samples"))
    with wandb_server(last="UpsertBucket") as server:
        key |= {"WANDB_BASE_URL": server.address, "WANDB_FINISH_TIMEOUT": "2"}
        done = type_train(data, tmp_path, "--resume", "run", "--images", "64", *track, **key)
        assert all(number in body for operation, body in server.asked if operation == "RunResumeStatus")
        (warning,) = warnings_of(done)
        assert warning.startswith("tracker wandb is left out from here on: its server did not take what was left")
        assert "to send it: wandb sync run/wandb/run-" in warning


def test_a_rescue_is_told_once(data: Path, tmp_path: Path) -> None:
    options = {"optimizer.lr": 100.0, "optimizer.kind": "sgd", "training.log_every": 1}
    evaluation, heard = zoo.Evaluation("distance", lambda generator: 1.0, 10_000), Heard()
    run = train(
        "plain", data, tmp_path / "run", images=64, track="remembering", options=options, evaluation=evaluation, report=heard
    )
    assert run.finished
    rescues = [line.removeprefix("warning: ") for line in heard.lines if line.startswith("warning: rescue")]
    assert rescues
    assert told("text") == [("text", 0, "intervention", words) for words in rescues]
    assert len(told("open")) == len(told("close")) == len(rescues) + 1
