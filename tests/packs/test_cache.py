"""What the cache of packs holds, finding packs in it, emptying it, and whether packs are whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest
import torch

import zoo
from helpers.packs import Heard, pictures, request, samples
from zoo.files import TEMPORARY
from zoo.packs import Pack, build_pack, open_pack, write_view
from zoo.packs.curation.inspecting import verify_packs
from zoo_core import DataError, UsageError


@pytest.fixture(autouse=True)
def _datasets() -> Iterator[None]:
    with samples():
        yield


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return build_pack(request(pictures(tmp_path / "data", 20)))


def view(pack: Pack, name: str = "") -> Pack:
    return write_view(pack, pack.path.with_name(f"{pack.path.name}-{name or 'few'}"), torch.tensor([3, 5]), {"by": "a test"})


class TestListing:
    def test_kinds(self, pack: Pack) -> None:
        view(pack)
        packs = pack.path.parent
        (packs / f"{TEMPORARY}other-8-abc" / "1").mkdir(parents=True)
        (packs / "broken").mkdir()
        (packs / "broken" / "pack.json").write_text("[")
        found = {stored.name: stored for stored in zoo.list_packs()}
        assert {name: stored.kind for name, stored in found.items()} == {
            pack.path.name: "pack",
            f"{pack.path.name}-few": "view",
            "other-8-abc": "unfinished",
            "broken": "unreadable",
        }
        assert found[f"{pack.path.name}-few"].of == pack.path.name
        assert found[pack.path.name].bytes > 20 * 8 * 8 > found[f"{pack.path.name}-few"].bytes / 10
        told = found[pack.path.name].to_json()
        assert (told["dataset"], told["count"], told["split"]) == ("samples:counted", 20, "train")

    def test_nothing(self) -> None:
        assert zoo.list_packs() == []


class TestFinding:
    def test_by_name_beginning_or_folder(self, pack: Pack) -> None:
        for name in (pack.path.name, "counted-8", str(pack.path)):
            assert zoo.find_pack(name) == pack.path
        few = view(pack)
        assert zoo.find_pack("counted") == pack.path  # a view's name begins like its pack's
        assert zoo.find_pack(few.path.name) == few.path

    def test_what_is_not_there(self, pack: Pack, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="unknown pack 'conted'"):
            zoo.find_pack("conted")
        with pytest.raises(UsageError, match="is no pack"):
            zoo.find_pack(tmp_path)
        build_pack(request(tmp_path / "data", size=16))
        with pytest.raises(UsageError, match="begins the names of 2 packs"):
            zoo.find_pack("counted")


class TestClearing:
    def test_a_pack_takes_its_views_along(self, pack: Pack, tmp_path: Path) -> None:
        view(pack)
        other = build_pack(request(tmp_path / "data", size=16))
        assert [stored.kind for stored in zoo.clear_packs([pack.path.name])] == ["pack", "view"]
        assert [stored.path for stored in zoo.list_packs()] == [other.path]
        assert len(list((tmp_path / "data").rglob("*.png"))) == 20

    def test_a_view_alone(self, pack: Pack) -> None:
        zoo.clear_packs([view(pack).path.name])
        assert [stored.path for stored in zoo.list_packs()] == [pack.path]

    def test_only_what_is_unfinished(self, pack: Pack) -> None:
        (pack.path.parent / f"{TEMPORARY}other-8-abc").mkdir()
        assert [stored.name for stored in zoo.clear_packs(unfinished=True)] == ["other-8-abc"]
        assert zoo.clear_packs(everything=True)[0].path == pack.path
        assert [path.name for path in pack.path.parent.iterdir()] == []

    def test_what_is_being_built_stays(self, pack: Pack) -> None:
        heard = Heard()
        with filelock.FileLock(pack.path.with_name(f".{pack.path.name}.lock")):
            assert zoo.clear_packs(everything=True, report=heard) == []
        assert "is being built and stays" in heard.text
        assert pack.path.exists()

    def test_nothing_chosen_or_not_there(self, pack: Pack) -> None:
        with pytest.raises(UsageError, match="say what to clear"):
            zoo.clear_packs()
        with pytest.raises(UsageError, match="unknown pack"):
            zoo.clear_packs([pack.path.name, "counted"])
        assert pack.path.exists()


class TestVerifying:
    def test_a_changed_byte(self, pack: Pack) -> None:
        few = view(pack)
        assert verify_packs() == [(pack.path, ""), (few.path, "")]
        path = pack.path / "images-00000.safetensors"
        held = bytearray(path.read_bytes())
        held[-7] ^= 1
        path.write_bytes(held)
        problems = verify_packs([pack.path, few.path])
        assert all("checksum of images-00000.safetensors differs" in problem for _, problem in problems)

    def test_a_view_whose_pack_is_gone(self, pack: Pack) -> None:
        few = view(pack)
        zoo.clear_packs([pack.path.name])
        assert not few.path.exists()
        build_pack(request(Path(str(pack.info["dataset"]["data"]))))
        few = view(pack)
        (pack.path / "pack.json").unlink()
        ((_, problem),) = verify_packs([few.path])
        assert "which is not there" in problem


class TestViews:
    def test_it_shows_some_images_of_the_pack(self, pack: Pack, tmp_path: Path) -> None:
        few = view(pack)
        assert len(few) == 2
        assert (few.gather(torch.arange(2)) == pack.gather(torch.tensor([3, 5]))).all()
        assert few.labels is not None
        assert few.records.tolist() == [3, 5]
        assert few.key != pack.key
        assert not list(few.path.glob("images*"))
        with pytest.raises(IndexError):
            few.gather(torch.tensor([-1]))
        with pytest.raises(IndexError):
            few.gather(torch.tensor([2]))

    def test_a_view_of_a_view(self, pack: Pack, tmp_path: Path) -> None:
        few = view(pack)
        one = write_view(few, tmp_path / "elsewhere", torch.tensor([1]), {"by": "a test"})
        assert (one.gather(torch.tensor([0])) == pack.gather(torch.tensor([5]))).all()
        assert len(one.info["chosen"]) == 2
        assert open_pack(tmp_path / "elsewhere").key == one.key

    def test_they_move_together(self, pack: Pack, tmp_path: Path) -> None:
        few = view(pack)
        (tmp_path / "moved").mkdir()
        for path in (pack.path, few.path):
            path.rename(tmp_path / "moved" / path.name)
        assert len(open_pack(tmp_path / "moved" / few.path.name)) == 2
        (tmp_path / "moved" / pack.path.name).rename(pack.path)
        with pytest.raises(DataError, match=r"shows images of the pack .* which is not there"):
            open_pack(tmp_path / "moved" / few.path.name)

    def test_what_it_refuses(self, pack: Pack, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="at least one image"):
            write_view(pack, tmp_path / "none", torch.tensor([], dtype=torch.int64), {})
        with pytest.raises(UsageError, match="exists and is no view"):
            write_view(pack, tmp_path / "data", torch.tensor([1]), {})
        assert len(write_view(pack, view(pack).path, torch.tensor([1]), {})) == 1  # a view may be replaced

    def test_it_is_trained_on_like_any_pack(self, pack: Pack) -> None:
        few = view(pack)
        heard = Heard()
        again = build_pack(request(few.path), report=heard)
        assert again.path == few.path
        assert "2 images of counted at 8×8, the pack" in heard.text
        with pytest.raises(UsageError, match=r"whose size is 8, not 16\n.*size=8"):
            build_pack(request(few.path, size=16))
        with pytest.raises(UsageError, match="whose channels is 1, not 3"):
            build_pack(request(few.path, channels=3))
