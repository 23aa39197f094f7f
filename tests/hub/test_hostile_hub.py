"""A Hub that means harm: it sends without end, lies about sizes, names files outside, and points elsewhere for the token."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import zoo
from helpers.hub_server import Fault, HubServer
from helpers.hub_server.fixtures import TOKEN, make_model

WEIGHTS, COMMIT, UPLOAD = r"^/lfs/", r"/commit/main$", r"^/upload/"


def unfinished(folder: Path) -> list[Path]:
    return list(folder.rglob("*.incomplete"))


class TestLies:
    """A server that means harm, or is broken in the same way."""

    @pytest.mark.parametrize("squeezed", [False, True], ids=["plain", "gzip"])
    @pytest.mark.parametrize(
        "path", [WEIGHTS, r"/resolve/.*/config.json", r"/resolve/.*/README.md", r"/revision/", r"/tree/", r"/api/models\?"]
    )
    def test_an_endless_body_ends(
        self, path: str, squeezed: bool, hub: HubServer, small_model: Path, tmp_path: Path
    ) -> None:
        zoo.push(small_model, "ada/small")
        fault = Fault(path, method="GET", endless=1 << 30, squeezed=squeezed, times=99)
        hub.faults.add(fault)
        began = time.monotonic()
        act = zoo.list_published if "models" in path else lambda: zoo.pull("ada/small", to=tmp_path / "mine")
        with pytest.raises(zoo.ZooError) as caught:
            act()
        assert "sends more than the" in str(caught.value)
        assert fault.times >= 94  # it is not tried again and again
        assert time.monotonic() - began < 120
        assert not (tmp_path / "mine").exists()
        assert unfinished(tmp_path) == []
        hub.faults.clear()
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))

    def test_a_size_that_is_a_lie_is_not_believed(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        """The listing says 1,000 bytes of what has more."""
        zoo.push(small_model, "ada/small")
        state = hub.store.repo("ada/small")
        files = state["commits"][state["branches"]["main"]]["files"]
        for name in ("generator.safetensors", "discriminator.safetensors"):
            files[name]["size"] = 1000
        hub.store.update("ada/small", commits=state["commits"])
        with pytest.raises(zoo.ZooError):
            zoo.pull("ada/small", to=tmp_path / "mine")
        assert not (tmp_path / "mine").exists()
        assert unfinished(tmp_path) == []

    def test_what_is_too_large_for_its_name_is_not_fetched(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        large = hub.store.put(b" " * (17 << 20), lfs=False)
        hub.store.commit("ada/small", "main", None, "large", {"README.md": large})
        with pytest.raises(zoo.ZooError, match=r"README\.md has 17,825,792 bytes; the most is 16,777,216"):
            zoo.pull("ada/small")
        assert hub.count("GET", "README.md") == 0

    def test_names_that_lead_out_of_the_folder_are_not_asked_for(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        evil = {name: hub.store.put(b"evil", lfs=False) for name in ("../evil.txt", "a/../../b.json", "/etc/x", "x.pkl")}
        hub.store.commit("ada/small", "main", None, "evil", evil)
        hub.log.clear()
        with suppress(zoo.ZooError):
            zoo.pull("ada/small")
        assert not [path for _, path, _ in hub.log if "evil" in path or "b.json" in path or "/etc" in path or "pkl" in path]


class TestRedirects:
    """Where an answer sends the client to another host, the token stays behind."""

    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> Iterator[HubServer]:
        with HubServer(tmp_path / "elsewhere", {TOKEN: "ada"}) as server:
            yield server

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            *((r"/revision/main", status) for status in (301, 302, 303, 307, 308)),
            *(
                (path, 302)
                for path in (r"/tree/", r"/resolve/.*config.json", r"/resolve/.*generator", WEIGHTS, r"/api/models\?")
            ),
            *((path, 307) for path in (r"/api/repos/create", r"/preupload/", r"/objects/batch", COMMIT, UPLOAD, r"/refs")),
            (r"/api/spaces/", 308),
        ],
    )
    def test_it_does_not_follow(
        self, path: str, status: int, hub: HubServer, elsewhere: HubServer, small_model: Path, naps: list[float]
    ) -> None:
        zoo.push(small_model, "ada/small", private=True)
        there = {"Location": f"{elsewhere.url}/api/models/ada/small"}
        hub.faults.add(Fault(path, status=status, headers=there, times=9))
        for act in (
            lambda: zoo.pull("ada/small"),
            zoo.list_published,
            lambda: zoo.push(make_model(small_model.parent / "b", seed=5), "ada/small", private=True, tag="v1", space=True),
        ):
            with suppress(zoo.ZooError):
                act()
        assert [entry for entry in elsewhere.log if entry[2]] == []
