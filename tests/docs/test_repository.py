"""What stands around the code agrees with it: one version, one list of checks, files that workflows and images name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import zoo

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "zoo/zoo/version.py"
    elsewhere = [
        "pyproject.toml",
        "mkdocs.yml",
        "CITATION.cff",
        "Dockerfile",
        "README.md",
        "CONTRIBUTING.md",
        "noxfile.py",
        "hubconf.py",
    ]
    elsewhere += [
        str(path.relative_to(ROOT)) for root in ("core", "plugins", "zoo", "cli") for path in (ROOT / root).rglob("*.py")
    ]
    number = re.compile(rf"(?<![\d.]){re.escape(zoo.__version__)}(?![\d.])")
    assert [name for name in elsewhere if number.search(read(name))] == ["zoo/zoo/version.py"]
    assert re.search(r"^## (.+)$", read("CHANGELOG.md"), re.M)[1].startswith(zoo.__version__)  # type: ignore[index]


def test_the_changelog_knows_the_formats() -> None:
    from zoo.models.config import FORMAT as model
    from zoo.packs.pack import FORMAT as pack
    from zoo.runs.run import FORMAT as run

    newest = read("CHANGELOG.md").split("\n## ")[1]
    for what, number in (("model folder", model), ("run folder", run), ("pack", pack)):
        assert re.search(rf"^\| {what} [^|]*\| {number} \|", newest, re.M), what


def test_ci_checks_by_the_hooks_and_by_nothing_else() -> None:
    script = read(".ci/run")
    assert "pre-commit run --all-files" in script
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]  # works without a network
    entries = [hook["entry"] for repo in hooks for hook in repo["hooks"]]
    assert {"ruff check .", "ruff format --check .", "mypy", "lint-imports"} <= set(entries)
    programs = {entry.split()[0] for entry in entries}
    assert not [
        line for line in script.splitlines() if line.split()[:1] and line.split()[0] in programs
    ]  # not beside the hooks
    assert 'session.run("pre-commit", "run", "--all-files"' in read("noxfile.py")
    extras = PROJECT["project"]["optional-dependencies"]["dev"]
    for package in ("ruff", "mypy", "import-linter", "check-jsonschema", "pre-commit", "nox"):
        assert any(re.match(rf"{package}\b", one) for one in extras), package


def test_every_yaml_file_of_the_forge_has_a_schema_hook() -> None:
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    patterns = [re.compile(hook["files"]) for hook in hooks if "files" in hook]
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / ".github").rglob("*.yml")] + ["CITATION.cff"]
    for file in files:
        assert sum(bool(pattern.search(file)) for pattern in patterns) == 1, file


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_name_what_exists(workflow: Path) -> None:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    for line in lines:
        for path in re.findall(r"(?<!\S)((?:\.ci|tests|zoo)/[\w./-]+)", line):
            assert (ROOT / path).exists(), f"{workflow.name}: {path}"
        for extra in re.findall(r"\.\[(\w+)\]", line):
            assert extra in PROJECT["project"]["optional-dependencies"], extra
    assert all(job.get("timeout-minutes") for job in jobs.values())
    assert "not run yet" in workflow.read_text("utf-8").lower()


def test_workflows_cover_what_is_supported() -> None:
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    assert any(step.get("run") == "bash .ci/run" for step in jobs["everything"]["steps"])
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["project"]["requires-python"] == ">=3.10"
    oldest = jobs["torches"]["strategy"]["matrix"]["include"][0]["torch"]
    for package in ("torch", "torchvision", "numpy"):  # the least that pyproject allows
        least = next(one.partition(">=")[2] for one in PROJECT["project"]["dependencies"] if one.startswith(f"{package}>="))
        assert f"{package}=={least}.*" in oldest
    assert {"macos-latest", "windows-latest"} == set(jobs["systems"]["strategy"]["matrix"]["system"])


def copied() -> list[str]:
    return [source for line in re.findall(r"^COPY ([^-].*) \S+$", read("Dockerfile"), re.M) for source in line.split()]


def test_the_image_copies_what_a_build_needs_and_the_context_lets_through() -> None:
    sources = copied()
    assert all((ROOT / source).exists() for source in sources)
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
        *wheel["packages"],
        "pretrained/pyproject.toml",
    ]
    assert all(name.split("/")[0] in sources for name in needed), needed
    kept = set(re.findall(r"^!(\S+)$", read(".dockerignore"), re.M))
    assert kept == set(sources)
    assert "from exactly the files that are copied here" in read("Dockerfile")


def test_wheels_are_built_from_what_the_image_copies() -> None:
    line = next(line for line in read(".ci/wheels").splitlines() if "Dockerfile" in line and "sed" in line)
    shown = subprocess.run(
        ["bash", "-c", line.partition("|")[0]], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.split() == copied()


def test_the_image_starts_a_command_that_exists() -> None:
    text = read("Dockerfile")
    assert 'ENTRYPOINT ["zoo"]' in text
    assert "zoo" in PROJECT["project"]["scripts"]
    assert re.findall(r"^FROM (\S+)", text, re.M) == ["python:${PYTHON}-slim"] * 2
    for extra in re.findall(r"dcgan-zoo\[(\w+)\]", text):
        assert extra in PROJECT["project"]["optional-dependencies"]


def test_what_contributing_says_of_nox_is_so() -> None:
    sessions = set(re.findall(r"^@nox\.session\ndef (\w+)", read("noxfile.py"), re.M))
    assert set(re.findall(r"`nox -s (\w+)", read("CONTRIBUTING.md"))) == sessions == {"test", "check", "docs", "renew", "ci"}
    for path in re.findall(r"\btests/[\w/.*]*[\w*]", read("CONTRIBUTING.md")):
        assert list(ROOT.glob(path)), path


def test_entry_points_lead_somewhere() -> None:
    import importlib

    for target in PROJECT["project"]["entry-points"]["zoo.plugins"].values():
        module, _, name = target.partition(":")
        assert hasattr(importlib.import_module(module), name), target
