"""The lessons of the tutorial do what they say: each runs from top to bottom, its assertions with it, at a small budget."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from zoo_core import registry

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "docs" / "tutorial").glob("[0-9]*.py"))
SPEC = importlib.util.spec_from_file_location("lessons", ROOT / ".ci" / "lessons.py")
assert SPEC is not None
assert SPEC.loader is not None
lessons = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lessons)


@pytest.fixture
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a lesson changes is as before afterwards: gradients, threads, figures, plugins, modules that it wrote."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    threads, modules = torch.get_num_threads(), {*sys.modules}
    plt.switch_backend("Agg")
    before = [*registry._added]
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_grad_enabled(True)
    plt.close("all")
    for plugin in registry._added:
        if plugin not in before:
            registry._remove(plugin)
    for name in {*sys.modules} - modules:
        if name.startswith("lesson_"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all lessons: they learn from the same faces."""
    return tmp_path_factory.mktemp("lessons")


@pytest.mark.slow
@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_lesson_holds(lesson: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_LESSON", "small")
    monkeypatch.setenv("ZOO_CACHE", str(drawn))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # which is chosen once
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(lesson), run_name="__main__")
    assert plt.get_fignums(), "a lesson shows something"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_lesson_is_a_question_an_experiment_and_exercises(lesson: Path) -> None:
    text = lesson.read_text("utf-8")
    number = int(lesson.stem[:2])
    assert text.startswith(f"# %% [markdown]\n# # {number}. ")
    for part in (
        "\n# **Question.** ",
        "**What one sees.**",
        "\n# ## Exercises\n",
        "*Hint:",
        "\nassert ",
        'os.environ.get("ZOO_LESSON")',
    ):
        assert part in text, part


def test_there_are_twelve_and_the_index_names_each() -> None:
    assert [int(lesson.stem[:2]) for lesson in LESSONS] == [*range(1, 13)]
    index = (ROOT / "docs" / "tutorial" / "index.md").read_text("utf-8")
    for lesson in LESSONS:
        title = lessons.read_title(lesson)
        assert f"[{title}]({lesson.stem}.md)" in index


def test_a_page_has_words_code_and_buttons(tmp_path: Path) -> None:
    page = lessons.make_page(LESSONS[0], repository="https://github.com/ada/zoo", run=tmp_path)
    assert page.startswith("# 1. What a GAN is\n")
    assert "https://colab.research.google.com/github/ada/zoo/blob/notebooks/01-what-a-gan-is.ipynb" in page
    assert "```python\nimport os\n" in page
    assert "# %%" not in page
    elsewhere = lessons.make_page(LESSONS[0], repository="", run=tmp_path)
    assert "colab" not in elsewhere
    assert "(01-what-a-gan-is.ipynb)" in elsewhere


def test_a_page_shows_what_the_lesson_printed_and_drew(tmp_path: Path) -> None:
    notebook = json.loads(lessons.make_notebook(LESSONS[0], repository=""))
    notebook["cells"] = [cell for cell in notebook["cells"] if not "".join(cell["source"]).startswith("%pip")]
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    picture = {"output_type": "display_data", "data": {"image/png": "aWNvbg==\n", "text/plain": "<Figure>"}, "metadata": {}}
    shown = {"output_type": "display_data", "data": {"text/html": "<progress>", "text/plain": "a bar"}, "metadata": {}}
    cells[-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1 < 2\n"}, shown, picture]
    (tmp_path / "01-what-a-gan-is.ipynb").write_text(json.dumps(notebook), "utf-8")
    page = lessons.make_page(LESSONS[0], repository="", run=tmp_path)
    assert "1 &lt; 2\n" in page
    assert 'src="data:image/png;base64,aWNvbg=="' in page
    assert "progress" not in page


def test_a_notebook_installs_the_zoo_first() -> None:
    for repository, wanted in (("", "dcgan-zoo[eval]"), ("https://github.com/ada/zoo", "git+https://github.com/ada/zoo")):
        cells = json.loads(lessons.make_notebook(LESSONS[0], repository=repository))["cells"]
        first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        assert first.startswith("%pip install")
        assert wanted in first
