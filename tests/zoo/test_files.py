"""Writing: whole or not at all, and in words when it fails."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from zoo.files import (
    TEMPORARY,
    atomic_file,
    atomic_folder,
    cache_folder,
    remove_folder,
    remove_unfinished,
    sha256,
    translate_errors,
    write_json,
)
from zoo_core import ZooError


def write_folder(target: Path, error: type[BaseException] | None = None) -> None:
    with atomic_folder(target) as folder:
        (folder / "x").write_text("1")
        if error is not None:
            raise error


def write_file(target: Path, error: type[BaseException] | None = None) -> None:
    with atomic_file(target) as temporary:
        temporary.write_text("2")
        if error is not None:
            raise error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a" / "new") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a" / "new").exists()
        assert folder.name.startswith(TEMPORARY)
    assert (tmp_path / "a" / "new" / "x").read_text() == "1"
    assert names(tmp_path / "a") == ["new"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error):
            write_folder(tmp_path / "new", error)
    assert names(tmp_path) == []


def test_a_folder_is_replaced_only_when_asked(tmp_path: Path) -> None:
    for text in ("1", "2"):
        with atomic_folder(tmp_path / "new", replace=True) as folder:
            (folder / "x").write_text(text)
    assert (tmp_path / "new" / "x").read_text() == "2"
    with pytest.raises(ZooError, match="cannot be written"):
        write_folder(tmp_path / "new")
    assert (tmp_path / "new" / "x").read_text() == "2"
    assert names(tmp_path) == ["new"]


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "ä b" / "x.png"
    with atomic_file(target) as temporary:
        assert temporary.suffix == ".png"
        temporary.write_text("1")
        assert not target.exists()
    with pytest.raises(RuntimeError):
        write_file(target, RuntimeError)
    assert target.read_text() == "1"
    assert names(target.parent) == ["x.png"]


@pytest.mark.skipif(os.name == "nt", reason="no such modes")
def test_the_umask_holds(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "x.json", {})
        with atomic_folder(tmp_path / "new") as folder:
            save_file({"a": torch.zeros(1)}, folder / "x.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "new" / "x.safetensors").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    for write in (write_file, write_folder):
        with pytest.raises(ZooError, match=r"no space left on disk for .*x\nfree some space"):
            write(tmp_path / "x")
    assert names(tmp_path) == []


def test_no_space_as_safetensors_tells_it() -> None:
    with pytest.raises(ZooError, match="no space left on disk for there"):
        with translate_errors(Path("there")):
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(ZooError, match="there cannot be written: something else"):
        with translate_errors(Path("there")):
            raise SafetensorError("something else")


def test_other_refusals(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match=r"cannot be written: (Not a directory|File exists)"):
        write_json(tmp_path / "file" / "x.json", {})
    with pytest.raises(ZooError, match=r"cannot be written.*\nperhaps so"):
        with translate_errors(tmp_path, hint="perhaps so"):
            raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(ZooError, match="File name too long"):
        write_json(tmp_path / ("x" * 250), {})


def test_json_is_plain(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": "ä", "b": [1.5]})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"a": "ä", "b": [1.5]}
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert names(tmp_path) == ["x.json"]


def test_sums_and_leftovers(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / f"{TEMPORARY}file").write_text("")
    (tmp_path / f"{TEMPORARY}folder" / "sub").mkdir(parents=True)
    remove_unfinished(tmp_path)
    assert names(tmp_path) == ["x"]
    remove_folder(tmp_path / "gone")
    (tmp_path / "old" / "sub").mkdir(parents=True)
    remove_folder(tmp_path / "old")
    assert names(tmp_path) == ["x"]


def test_where_the_cache_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "mine"))
    assert cache_folder("packs") == tmp_path / "mine" / "packs"
    monkeypatch.delenv("ZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "dcgan-zoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder("a", "b") == tmp_path / ".cache" / "dcgan-zoo" / "a" / "b"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(ZooError, match=r"cannot be written(.|\n)*export ZOO_CACHE=DIR"):
        cache_folder("packs")
