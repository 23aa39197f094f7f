"""What Windows, macOS and musl lack is taken away, and the zoo does without. docs/platforms.md says what was really run."""

from __future__ import annotations

import builtins
import ctypes
import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zoo import allocator, locks, names
from zoo.leaderboard.configuration import Cell
from zoo.packs import workers
from zoo.runs.folders import name_run
from zoo.training import memory, processor, tracking
from zoo_core import PluginError, registry
from zoo_core.records import DEVICES, KINDS, check_role

ROOT = Path(__file__).parents[2]
PRODUCT = [path for root in ("core", "plugins", "zoo", "cli") for path in sorted((ROOT / root).rglob("*.py"))]
UNIX = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "readline", "syslog")  # modules that Windows has not


def is_windows_name(name: str) -> bool:
    """Whether Windows can have a file of that name: no sign that it forbids, no device, no dot or blank at its end."""
    forbidden = re.search(r'[<>:"/\\|?*\x00-\x1f]', name) or name.endswith((".", " "))
    return not forbidden and name.partition(".")[0].rstrip(" ").lower() not in DEVICES


@pytest.fixture
def without_unix(monkeypatch: pytest.MonkeyPatch) -> None:
    """No module of `UNIX` can be imported, and the system says that it is Windows."""
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name in UNIX:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for module in UNIX:
        monkeypatch.delitem(sys.modules, module, raising=False)


def test_the_names_that_windows_refuses_are_known() -> None:
    assert [
        n for n in ("faces", "con", "aux.safetensors", "a:b", "x.", "Nul", "com1.txt", "console") if is_windows_name(n)
    ] == [
        "faces",
        "console",
    ]


@pytest.mark.parametrize("module", UNIX)
def test_no_module_needs_unix_to_be_imported(module: str) -> None:
    found = [path for path in PRODUCT if re.search(rf"^(import|from) {module}\b", path.read_text("utf-8"), re.M)]
    assert not found  # inside of functions, behind a question


def test_a_whole_training_runs_without_fcntl_resource_and_counters(tmp_path: Path) -> None:
    code = """
import os, sys
import filelock  # which has ways of their own on other systems
for name in {unix!r}:
    sys.modules[name] = None
for name in ("sysconf", "sched_getaffinity", "getuid", "geteuid", "fork", "killpg", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
import zoo
if __name__ == "__main__":
    small = {{"generator.width": 8, "discriminator.width": 8, "dataset.count": 48}}
    run = zoo.train("dcgan", dataset="faces", size=16, batch=16, images=48, options=small, workers=2, out="run")
    zoo.save_grid(zoo.load(run).sample(4), "samples.png")
    print(zoo.diagnose(run))
    print(zoo.train(resume=run, images=64).path)
"""
    (tmp_path / "script.py").write_text(code.format(unix=UNIX), "utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "samples.png").stat().st_size > 0


def test_a_folder_is_never_held_on_windows(tmp_path: Path, without_unix: None) -> None:
    holder = SimpleNamespace()
    locks.hold(tmp_path, holder)
    assert not locks.is_held(tmp_path)


def test_processors_are_counted_without_the_kernels_counters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("sysconf", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(processor, "STAT", tmp_path / "none")
    monkeypatch.setattr(processor, "QUOTA", tmp_path / "none")
    usage = processor.read_usage()
    assert usage.total is None
    assert processor.count_granted() == processor.count_processors() == (os.cpu_count() or 1)
    assert workers.default_workers() == min(32, os.cpu_count() or 1)


def test_memory_is_not_told_where_nobody_tells_it(monkeypatch: pytest.MonkeyPatch, without_unix: None) -> None:
    assert tracking.measure_memory(torch.device("cpu")) == {}


@pytest.mark.parametrize("system", ["win32", "darwin", "freebsd14"])
def test_another_system_keeps_its_allocator(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(allocator.sys, "platform", system)
    assert not allocator.keep_freed_memory()


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    for variable in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())  # musl
    assert not allocator.keep_freed_memory()


def test_worker_processes_begin_as_they_do_on_windows() -> None:
    source = Path(workers.__file__).read_text("utf-8")
    assert set(re.findall(r"get_context\((.*?)\)", source)) == {'"spawn"'}
    others = [
        path for path in PRODUCT if re.search(r"multiprocessing\.(Process|Pool|Queue)\(|os\.fork\(", path.read_text("utf-8"))
    ]
    assert not others
    assert "spawn" in multiprocessing.get_all_start_methods()


@pytest.mark.parametrize("typed", [r"runs\dcgan-faces", r"C:\Users\ada\runs\dcgan-faces", r"..\models\mine", r".\mine"])
def test_a_path_of_windows_is_no_name_on_the_hub(typed: str) -> None:
    assert names.looks_local(typed)
    assert len(PureWindowsPath(typed).parts) == typed.replace("\\", "/").removeprefix("./").count("/") + 1


def test_a_drive_is_no_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "what_is", lambda name: names.FOLDER)
    monkeypatch.setattr(names, "infer_dataset", lambda name: "folder")
    error = names.dataset_not_found("C:/Pictures")
    assert error is not None
    assert "--data" in error.hint
    assert names.dataset_not_found("acme:faces") is None


def test_names_in_files_have_slashes() -> None:
    for path in PRODUCT:
        for line in path.read_text("utf-8").splitlines():
            if "relative_to(" in line and "parts" not in line:
                assert "as_posix()" in line, f"{path.name}: {line.strip()}"


ODD = ("con", "NUL", "My Cats: 2024?", "a<b>|c", "trailing.", "aux.zip", "überall", "名前", "x" * 300)


@pytest.mark.parametrize("data", ODD)
def test_runs_are_called_as_windows_allows(data: str) -> None:
    for recipe in registry.names("recipes"):
        assert is_windows_name(name_run(recipe, "folder", f"/pictures/{data}", 64, {"a": 1}))


@pytest.mark.parametrize(
    "dataset", ["faces", "faces:style=notionists", "folder:data=/pictures/con", "faces:style=Notionists"]
)
def test_cells_of_a_board_are_called_as_windows_allows(dataset: str) -> None:
    assert is_windows_name(Cell("dcgan", dataset, 0).name)


def test_cells_whose_names_differ_in_case_have_different_files() -> None:
    cells = [Cell("dcgan", f"faces:style={style}", 0).name.lower() for style in ("notionists", "Notionists", "NOTIONISTS")]
    assert len(set(cells)) == 3


@pytest.mark.parametrize("role", ["con", "aux", "nul", "com1", "lpt9"])
def test_no_role_is_a_device_of_windows(role: str) -> None:
    with pytest.raises(PluginError, match=f"{role}_net"):
        check_role(role)
    assert check_role(f"{role}_net")


def test_names_of_the_registry_are_names_of_files_too() -> None:
    found = [name for kind in ("recipes", *KINDS) for name in registry.names(kind)]
    assert found
    assert all(is_windows_name(name) for name in found)
    assert all(name == name.lower() for name in found)


def test_files_in_the_repository_differ_in_more_than_case_and_are_named_as_windows_allows() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    paths = listed.stdout.splitlines() or [path.relative_to(ROOT).as_posix() for path in PRODUCT]
    assert len({path.lower() for path in paths}) == len(paths)
    assert all(is_windows_name(part) for path in paths for part in path.split("/"))


def test_free_memory_is_unknown_where_the_kernel_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*given: Any, **more: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert memory.free_memory(torch.device("cpu")) is None


BARE = re.compile(r"""\.(read_text|write_text)\((?!.*(encoding=|"utf-8"|"ascii"))|[^.\w]open\([^()]*"[rwa]"\)""")


def test_text_is_read_and_written_with_an_encoding() -> None:
    """Windows would take a code page of its own otherwise."""
    lines = [(path.name, line) for path in PRODUCT for line in path.read_text("utf-8").splitlines()]
    assert not [(name, line.strip()) for name, line in lines if BARE.search(line)]
    assert BARE.search("    text = path.read_text()")
    assert BARE.search('with open(path, "w") as file:')


def test_windows_leaves_out_the_tests_of_what_only_unix_has(monkeypatch: pytest.MonkeyPatch) -> None:
    import conftest

    monkeypatch.setattr(conftest.sys, "platform", "win32")
    left = [path for path in (ROOT / "tests").rglob("test_*.py") if not conftest.pytest_ignore_collect(path)]
    assert len(left) > 100
    assert not [
        path.name for path in left if re.search(r"^import (fcntl|resource|pty|termios)$", path.read_text("utf-8"), re.M)
    ]
    assert conftest.pytest_ignore_collect(ROOT / "tests" / "models" / "test_hostile.py")


def test_the_table_of_platforms_claims_no_more_than_linux() -> None:
    rows = re.findall(
        r"^\| [^|]+ \|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", (ROOT / "docs" / "platforms.md").read_text("utf-8"), re.M
    )
    assert len(rows) > 5
    assert {cell.strip() for row in rows[2:] for cell in row[1:]} == {"not run", "–"}
