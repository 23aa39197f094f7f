"""The lessons of the tutorial: docs/tutorial/NN-name.py, notebooks kept as text (jupytext's percent format).

    python .ci/lessons.py                # runs all of them in full, for the figures of the site
    python .ci/lessons.py 03 08          # these
    python .ci/lessons.py --notebooks DIR --repository https://github.com/OWNER/NAME   # writes notebooks, and runs nothing

Each runs in a kernel of the environment that it is called in; what it printed and drew is kept in build/lessons, which is
not stored. The site shows it (`make_pages`) where it is there and the lesson's code is still the same, else the lesson
without figures. A notebook of each, without outputs and with a first cell that installs the zoo, lies beside its page
(`make_notebooks`).
"""

from __future__ import annotations

import argparse
import html
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "tutorial"
RUN = ROOT / "build" / "lessons"
LIMIT = 3600  # seconds of one cell, on a machine that is busy with other things
PUBLISHED = "notebooks"  # the branch that .github/workflows/notebooks.yml writes; Colab opens notebooks of a branch only


def list_lessons() -> list[Path]:
    return sorted(FOLDER.glob("[0-9]*.py"))


def read_title(lesson: Path) -> str:
    """The first heading of a lesson."""
    return next(line for line in lesson.read_text("utf-8").splitlines() if line.startswith("# # ")).removeprefix("# # ")


def make_pages(repository: str | None) -> dict[str, str]:
    """Return site path → Markdown; `repository` is its address, if it has one."""
    return {f"tutorial/{lesson.stem}.md": make_page(lesson, repository=repository or "") for lesson in list_lessons()}


def make_notebooks(repository: str | None) -> dict[str, str]:
    """Return site path → notebook."""
    return {f"tutorial/{lesson.stem}.ipynb": make_notebook(lesson, repository=repository or "") for lesson in list_lessons()}


def make_notebook(lesson: Path, *, repository: str) -> str:
    """Return a lesson as a notebook without outputs, whose first cell installs the zoo."""
    notebook = jupytext.read(lesson)
    source = f"dcgan-zoo[eval] @ git+{repository}" if repository else "dcgan-zoo[eval]"
    install = f'%pip install -q "{source}"'
    first = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first, new_code_cell(install))
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{lesson.stem[:2]}-{number}"
    return jupytext.writes(notebook, fmt="ipynb")


def make_page(lesson: Path, *, repository: str, run: Path = RUN) -> str:
    """Return the Markdown of a lesson, with what it printed and drew where it was run."""
    cells = _read_run(lesson, run)
    title, _, rest = cells[0]["source"].partition("\n")
    return (
        "\n\n".join([title, _buttons(lesson, repository), *filter(None, [rest.strip(), *map(_write_cell, cells[1:])])])
        + "\n"
    )


def _read_run(lesson: Path, run: Path) -> list[Any]:
    """The cells of a lesson, with the outputs of its last run where its code has not changed since."""
    cells = [cell for cell in jupytext.read(lesson).cells if cell.source.strip()]
    kept = run / f"{lesson.stem}.ipynb"
    now = [cell for cell in cells if cell.cell_type == "code"]
    done = [cell for cell in jupytext.read(kept).cells if cell.cell_type == "code"] if kept.exists() else []
    if [cell.source for cell in done] == [cell.source for cell in now]:
        for cell, before in zip(now, done, strict=True):
            cell.outputs = before.outputs
    return cells


def _buttons(lesson: Path, repository: str) -> str:
    links = []
    if "github.com/" in repository:
        place = repository.rstrip("/").partition("github.com/")[2].removesuffix(".git")
        address = f"https://colab.research.google.com/github/{place}/blob/{PUBLISHED}/{lesson.stem}.ipynb"
        links.append(f"[Open in Colab]({address}){{ .md-button }}")
    links.append(f"[Notebook]({lesson.stem}.ipynb){{ .md-button }}")
    return " ".join(links)


def _write_cell(cell: Any) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    parts = [f"```python\n{cell.source}\n```"]
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and output.name == "stdout":
            parts.append(f'<pre class="output">{html.escape(output.text.rstrip())}\n</pre>')
        elif picture := output.get("data", {}).get("image/png"):
            alt = "A figure that the lines above draw; what one sees on it is said below."
            parts.append(f'<img alt="{alt}" src="data:image/png;base64,{"".join(picture).strip()}">')
    return "\n\n".join(parts)


def execute(lesson: Path, run: Path = RUN) -> float:
    """Run a lesson in a kernel, in an empty folder, and keep the notebook with its outputs; return the seconds it took."""
    from nbclient import NotebookClient

    notebook = jupytext.read(lesson)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": folder}})
        client.execute()
    run.mkdir(parents=True, exist_ok=True)
    jupytext.write(notebook, run / f"{lesson.stem}.ipynb")
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    numbers = [lesson.stem[:2] for lesson in list_lessons()]
    parser.add_argument(
        "lessons", nargs="*", metavar="NN", help=f"lessons to run, of {numbers[0]} to {numbers[-1]}; all by default"
    )
    parser.add_argument("--notebooks", metavar="DIR", type=Path, help="only write the notebooks, without outputs")
    parser.add_argument("--repository", metavar="ADDRESS", default=os.environ.get("ZOO_REPOSITORY_URL", ""))
    asked = parser.parse_args()
    if unknown := {*asked.lessons} - {*numbers}:
        parser.error(f"no such lesson: {', '.join(sorted(unknown))}; valid: {', '.join(numbers)}")
    chosen = [lesson for lesson in list_lessons() if not asked.lessons or lesson.stem[:2] in asked.lessons]
    if asked.notebooks is not None:
        asked.notebooks.mkdir(parents=True, exist_ok=True)
        for lesson in chosen:
            notebook = make_notebook(lesson, repository=asked.repository)
            (asked.notebooks / f"{lesson.stem}.ipynb").write_text(notebook, "utf-8")
        return
    seconds = {}
    for lesson in chosen:
        seconds[lesson.stem] = round(execute(lesson), 1)
        print(f"{seconds[lesson.stem]:7.1f} s  {lesson.stem}", flush=True)
    print(json.dumps({"lessons": seconds}))


if __name__ == "__main__":
    main()
