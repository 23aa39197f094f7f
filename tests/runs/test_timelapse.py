"""`zoo.timelapse`: films of the grids of a run, of all formats, the same each time; what cannot be one is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from helpers.packs import pictures
from helpers.reporters import Heard
from helpers.training import samples as sample_components
from helpers.training import train
from helpers.workplace import run as type_zoo
from zoo.runs import films
from zoo.runs.timelapse import _choose_width, thin
from zoo_core import UsageError

IMAGES = [1000, 2000, 4000, 8000, 12000]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with sample_components():
        return train("linear", pictures(folder / "pictures", 30), folder / "run", images=16).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run with five grids, each of one gray that tells which it is."""
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    shutil.rmtree(folder / "samples")
    (folder / "samples").mkdir()
    for i, images in enumerate(IMAGES):
        Image.new("RGB", (80, 60), (50 * i, 50 * i, 50 * i)).save(folder / "samples" / f"{images:09d}.png")
    (folder / "samples" / ".unfinished-000016000.png-ab.png").write_bytes(b"half")
    (folder / "samples" / "notes.png").write_bytes(b"mine")
    return folder


def frames(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """Return the frames of a film, uint8 [H, W, C], and how many seconds each is shown."""
    if path.suffix == ".mp4":
        av = pytest.importorskip("av")
        with av.open(str(path)) as film:
            found = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
            return found, [1 / float(film.streams.video[0].average_rate)] * len(found)
    found, times = [], []
    with Image.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            found.append(np.array(film.convert("RGB")))
            times.append(film.info["duration"] / 1000)
    return found, times


@pytest.mark.parametrize("ending", films.ENDINGS)
def test_every_grid_in_turn(ending: str, run: Path, tmp_path: Path) -> None:
    if ending == ".mp4":
        pytest.importorskip("av")
    out = tmp_path / f"film{ending}"
    told = zoo.timelapse(run, out)
    assert (told.path, told.grids, told.images) == (out, 5, tuple(IMAGES))
    assert (told.width, told.height) == (560, 420 + 31)  # seven times as wide, and a line of words
    assert told.seconds == pytest.approx(5 * 0.25 + 1)
    found, times = frames(out)
    assert sum(times) == pytest.approx(told.seconds)
    assert found[0].shape[:2] == (452 if ending == ".mp4" else 451, 560)
    middles = [int(frame[200, 280, 0]) for frame in found]
    assert middles[:5] == pytest.approx([0, 50, 100, 150, 200], abs=6)
    assert set(middles[5:]) <= {middles[4]}  # an MP4 repeats the last
    assert [int(frame[425:, :150].min()) < 100 for frame in found] == [True] * len(found)  # something is written there
    assert any(not np.array_equal(found[0][425:], frame[425:]) for frame in found[1:])
    first = out.read_bytes()
    zoo.timelapse(run, out, force=True)
    assert out.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".unfinished")] == []


def test_choices(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "film.webp"
    told = zoo.timelapse(str(run), str(out), fps=2, width=120, caption=False)
    assert (told.width, told.height, told.seconds) == (120, 90, 3.5)
    found, times = frames(out)
    assert found[0].shape == (90, 120, 3)
    assert times == [0.5, 0.5, 0.5, 0.5, 1.5]
    assert zoo.timelapse(run, tmp_path / "b.gif", seconds=2, width=64).seconds == pytest.approx(3)


@pytest.mark.parametrize(
    ("grid", "side", "width"), [(1060, 16, 530), (1060, 64, 530), (1060, 128, 1060), (2084, 256, 1042), (146, 16, 584)]
)
def test_grids_are_scaled_by_a_whole_factor(grid: int, side: int, width: int) -> None:
    assert _choose_width(grid, side) == width


def test_many_grids_are_thinned(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = zoo.timelapse(run, tmp_path / "short.webp", seconds=0.1)
    assert (told.images, told.seconds) == ((1000, 4000, 12000), pytest.approx(1.1, abs=0.01))
    monkeypatch.setattr(films, "HELD", 2 * 560 * 451 * 3)
    assert zoo.timelapse(run, tmp_path / "small.webp").images == (1000, 12000)
    grids = [Path(str(i)) for i in range(1000)]
    assert [int(grid.name) for grid in thin(grids, 4)] == [0, 333, 666, 999]
    assert thin(grids, 1000) == grids
    assert len(set(thin(grids, 999))) == 999


def test_a_damaged_grid_is_left_out(run: Path, tmp_path: Path) -> None:
    grid = run / "samples" / "000004000.png"
    grid.write_bytes(grid.read_bytes()[:60])
    (run / "samples" / "000001000.png").write_bytes(b"")
    Image.new("L", (8, 8)).save(run / "samples" / "000008000.png")
    heard = Heard()
    assert zoo.timelapse(run, tmp_path / "film.gif", report=heard).images == (2000, 12000)
    (warning,) = [line for line in heard.lines if line.startswith("warning")]
    assert warning.startswith("warning: left out 3 grids: ")
    assert "000008000.png (of another size)" in warning
    (run / "samples" / "000002000.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"a film needs two grids, and .* has one that can be read"):
        zoo.timelapse(run, tmp_path / "other.gif")
    assert not (tmp_path / "other.gif").exists()


def test_a_run_without_grids(run: Path, tmp_path: Path) -> None:
    for grid in sorted(run.glob("samples/0*.png"))[1:]:
        grid.unlink()
    with pytest.raises(UsageError, match=r"has one that can be read\na training saves one every .*zoo.train\(resume="):
        zoo.timelapse(run, tmp_path / "film.gif")
    shutil.rmtree(run / "samples")
    with pytest.raises(UsageError, match="has none that can be read"):
        zoo.timelapse(run, tmp_path / "film.gif")
    with pytest.raises(UsageError, match="is no run folder"):
        zoo.timelapse(tmp_path, tmp_path / "film.gif")


@pytest.mark.parametrize(
    ("out", "choices", "message"),
    [
        ("film.avi", {}, "'film.avi' does not end like a film; valid: .webp, .gif, .mp4\nfor example: out=\"film.webp\""),
        ("film", {}, "does not end like a film"),
        ("there.gif", {}, "there.gif exists\nchoose another file name, or replace it: force=True"),
        ("folder.gif", {"force": True}, "folder.gif is a folder"),
        ("film.gif", {"seconds": 1, "fps": 1}, "say the same twice"),
        ("film.gif", {"seconds": 0}, "'seconds' must be from 0.1 to 3600, not 0"),
        ("film.gif", {"seconds": float("nan")}, "'seconds' must be"),
        ("film.gif", {"fps": 51}, "'fps' must be from 0.1 to 50, not 51"),
        ("film.gif", {"width": 63}, "'width' must be from 64 to 4096 pixels, not 63"),
    ],
)
def test_what_cannot_be_a_film(out: str, choices: dict[str, float], message: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "there.gif").write_bytes(b"mine")
    (tmp_path / "folder.gif").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=message):
        zoo.timelapse(run, tmp_path / out, **choices)  # type: ignore[arg-type]
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.gif").read_bytes() == b"mine"


def test_an_mp4_without_pyav(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"PyAV, which is not installed\n.*dcgan-zoo\[mp4\].*out=\"film.webp\""):
        zoo.timelapse(run, tmp_path / "film.mp4")


def test_what_the_command_says(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "film.webp"
    said = type_zoo("timelapse", run, "--out", out)
    assert (said.exit_code, said.stdout) == (
        0,
        f"{out}: 5 grids, from 1,000 to 12,000 images; it lasts 2.2 s, 560×451 pixels\n",
    )
    again = type_zoo("timelapse", run, "--out", out)
    assert (again.exit_code, again.stdout) == (2, "")
    told = json.loads(type_zoo("timelapse", run, "--out", out, "--force", "--seconds", 0.1, "--json").stdout)
    assert (told["path"], told["grids"], told["images"]) == (str(out), 5, [1000, 4000, 12000])
