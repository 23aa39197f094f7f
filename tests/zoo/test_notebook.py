"""A notebook with a real kernel: one updated output, samples inline, records that show themselves."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zoo
from zoo import notebook
from zoo.notebook import AUTOMATIC, NotebookReporter, choose_show, find_kernel, reporter_for_caller
from zoo.progress import PlainReporter, Reporter
from zoo_core.words import duration

TINY = (
    "dataset='faces', limit=40, size=16, batch=8, images=64, seed=1, threads=1, device='cpu', "
    "options={'generator.width': 4, 'discriminator.width': 4, 'training.samples_every': 16, 'training.log_every': 1}"
)


class Shown:
    """Stands in for the output of a cell."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []

    def show(self, text: str, markup: str) -> None:
        self.all.append((text, markup))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    output = Shown()
    monkeypatch.setattr(notebook, "_Output", lambda: output)
    return output


def test_nothing_is_shown_without_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    assert find_kernel() is None
    assert isinstance(reporter_for_caller(), PlainReporter)
    AUTOMATIC.note("x")
    with AUTOMATIC.task("work", 3) as task:
        task.update(1)
    assert capsys.readouterr().err == ""
    assert choose_show(False, Reporter()) is None
    assert choose_show(True, PlainReporter()) is None
    assert "no notebook is here to show samples" in capsys.readouterr().err


def test_notes_and_bars_stand_in_one_output(shown: Shown) -> None:
    reporter = NotebookReporter()
    reporter.note("for example: --size 64")
    reporter.warn("a <b>warning</b>")
    with reporter.task("training", 200, "images") as task:
        task.update(0)
        reporter.drawn = 0
        task.update(50, d_loss="1.5")
        text, markup = shown.all[-1]
        assert text.startswith("for example: size=64\nwarning: a <b>warning</b>\ntraining: 50 of 200 images, left 0:0")
        assert text.endswith("d loss 1.5")
        assert 'value="0.2500"' in markup
        assert "a &lt;b&gt;warning" in markup
    assert "in 0:00:0" in shown.all[-1][0]


def test_updates_are_rare_and_what_is_done_makes_room(shown: Shown) -> None:
    reporter = NotebookReporter()
    for _ in range(30):
        with reporter.task("trial", 1000) as task:
            for done in range(1000):
                task.update(done)
    assert len(shown.all) < 200
    assert shown.all[-1][0].count("trial") == 1
    for number in range(100):
        reporter.note(f"line {number}")
    assert len(shown.all[-1][0].splitlines()) <= notebook.LINES + 8


def test_samples_are_heard_while_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[tuple[tuple[int, int], int]] = []
    choices: dict[str, Any] = eval(f"dict({TINY})")
    run = zoo.train("dcgan", **choices, show_samples=lambda picture, images: heard.append((picture.size, images)))
    assert [images for _, images in heard][-1] == 64
    assert len(heard) >= 4
    assert repr(run) == f"<Run {run.path}: dcgan on faces, 64 images in {duration(run.seconds)}, finished>"
    assert run._repr_html_().count("<img") == 2  # the curve, and the newest grid
    model = zoo.load(run)
    assert repr(model).startswith("<Model dcgan: 16×16 color, ")
    assert "\n" not in repr(model)
    assert "data:image/png" in model._repr_html_()
    assert zoo.load(model) is model
    walk = zoo.walk(run, latents=2, steps=3)
    assert repr(walk) == "<Walk of 1 paths of 3 pictures, spherical>"
    assert walk._repr_html_().count("<img") == 1
    assert zoo.diagnose(run).run == run.path
    assert zoo.evaluate(run, metrics="swd", features="pixels", samples=16, real=16, resamples=0).metrics.keys() == {"swd"}


def test_show_gives_a_picture() -> None:
    images = torch.zeros(6, 3, 32, 32)
    picture = zoo.show(images, columns=3)
    assert isinstance(picture, Image.Image)
    assert picture.size == (3 * (4 * 32 + 4) + 4, 2 * (4 * 32 + 4) + 4)
    assert zoo.show(images[0], scale=1).size == (40, 40)
    assert zoo.show(torch.zeros(2, 8, 8, 1, dtype=torch.uint8), scale=1).mode == "L"
    assert zoo.show([images[0], images[1]], scale=1).size == zoo.show(images[:2], scale=1).size
    assert zoo.show([picture, picture]).width == 2 * picture.width
    with pytest.raises(zoo.ZooError, match="no images to show"):
        zoo.show([])
    with pytest.raises(zoo.ZooError, match=r"shape \[2, 5, 8, 8\] and torch.float32 is no images"):
        zoo.show(torch.zeros(2, 5, 8, 8))


@pytest.mark.slow
def test_in_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the extra [test] has nbclient and ipykernel")
    pytest.importorskip("ipykernel", reason="the extra [test] has nbclient and ipykernel")
    import nbformat
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class Here(AsyncKernelManager):
        """A kernel of this very Python, whatever is registered."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])

    for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    cells = [
        f"import zoo\nrun = zoo.train('dcgan', {TINY}, show_samples=True)",
        "run",
        "zoo.load(run)",
        "zoo.show(run)",
        "zoo.train('dcgan', dataset='faces', size=100)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    client = nbclient.NotebookClient(
        book, kernel_manager_class=Here, timeout=500, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env={**os.environ, "OMP_NUM_THREADS": "1"})
    training, run, model, picture, wrong = [cell.outputs for cell in book.cells]
    assert [output.output_type for output in training] == ["display_data", "display_data"]
    progress, samples = (output.data for output in training)
    assert "training: 64 of 64 images" in progress["text/plain"]
    assert progress["text/html"].count("<progress") <= 3
    assert samples["text/plain"] == "samples after 64 images"
    assert "data:image/png" in samples["text/html"]
    assert run[0].data["text/plain"].startswith("<Run runs/")
    assert run[0].data["text/html"].count("<img") == 2
    assert model[0].data["text/html"].count("<img") == 1
    assert len(picture[0].data["image/png"]) > 1000
    assert "try: size=64" not in wrong[0].evalue
    assert wrong[0].evalue.endswith("try: size=96 or size=128")
