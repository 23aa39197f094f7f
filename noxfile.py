"""What is done every day, each in the environment that nox runs in: `nox -s test`, `check`, `docs`, `renew`, `ci`."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["test", "check"]
nox.options.error_on_external_run = False


@nox.session
def test(session: nox.Session) -> None:
    """The tests that take seconds; what stands behind `--` goes to pytest."""
    session.run("pytest", "-n", "auto", "-m", "not slow", *session.posargs)


@nox.session
def check(session: nox.Session) -> None:
    """Style, types, import rules, schemas: what CI checks."""
    session.run("pre-commit", "run", "--all-files", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, strictly, into the folder `site`; `-- serve` shows it while one writes."""
    session.run("mkdocs", *(session.posargs or ["build"]), env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def renew(session: nox.Session) -> None:
    """Write anew what is stored and made."""
    session.run("python", ".ci/reference.py", "--write")
    session.run("python", ".ci/public.py", "--write")


@nox.session
def ci(session: nox.Session) -> None:
    """Everything that a change must pass."""
    session.run("bash", ".ci/run")
