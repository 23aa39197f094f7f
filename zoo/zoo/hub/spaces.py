"""The Space of a model: its demo as an app on the Hub, pinned to one revision of the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import SpaceCardData

from zoo_core import UsageError
from zoo_core.discovery import OURS, normalize

from ..files import Place, atomic_folder
from ..models.card import LIBRARY
from ..progress import Reporter
from ..version import __version__
from .client import HubError, HubName, api, is_license, parse_name
from .repository import Repository

GRADIO = "6.31.0"
"""Version of Gradio that a Space is given; the extra `demo` allows it."""

APP, CARD, REQUIREMENTS = FILES = ("app.py", "README.md", "requirements.txt")
_DISTRIBUTION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_VERSION = re.compile(r"[0-9][0-9a-zA-Z.+!-]*", re.ASCII)
_APP = '''"""The demo of {model}; written by `zoo push --space`."""

from zoo.demo import build

build(["{model}"]).launch()
'''
_TEXT = """# {title}

The generator of [{repo}](https://huggingface.co/{repo}), to be played with: samples, walks between them, arithmetic,
directions, a look inside. It is the model at revision `{revision}`, and stays that one until this Space is pushed again.

The app is `zoo demo` of [{library}](https://pypi.org/project/{library}/); on a machine of your own:

    pip install "{library}[demo]" && zoo demo {repo}@{revision}
"""


def check_parts(config: Mapping[str, Any]) -> list[str]:
    """Return the packages, "name==version", that a model needs beside the zoo; raises `UsageError` where no package has one
    of its parts, so that a Space could never load it.
    """
    needed = {}
    for role, part in config["parts"].items():
        name, version = normalize(str(part["distribution"])), str(part.get("version") or "")
        if name == OURS:
            continue
        if name == "local" or not _DISTRIBUTION.fullmatch(name):
            raise UsageError(
                f"the {role} {part['name']!r} comes from no package, so a Space could not load it; nothing was uploaded",
                hint="put it into a package of plugins (zoo plugins new), or leave --space out",
            )
        needed[name] = f"{name}=={version}" if _VERSION.fullmatch(version) else name
    return [needed[name] for name in sorted(needed)]


def stage_space(folder: Path, model: HubName, config: Mapping[str, Any]) -> None:
    """Write the files of a Space into an empty folder: the demo of `model`, at the revision that its name has."""
    license = config.get("provenance", {}).get("license")
    title = f"Demo of {model.repo.partition('/')[2]}"
    card = SpaceCardData(
        title=title,
        sdk="gradio",
        sdk_version=GRADIO,
        app_file=APP,
        models=[model.repo],
        license=license if license and is_license(license) else None,
        tags=[LIBRARY, "gan"],
        pinned=False,
    )
    text = _TEXT.format(title=title, repo=model.repo, revision=model.ref, library=LIBRARY)
    packages = [f"{LIBRARY}[demo]=={__version__}", *check_parts(config)]
    (folder / CARD).write_text(f"---\n{card.to_yaml()}\n---\n\n{text}", encoding="utf-8")
    (folder / REQUIREMENTS).write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")
    (folder / APP).write_text(_APP.format(model=f"{model.repo}@{model.ref}"), encoding="utf-8")


@dataclass(frozen=True)
class PublishedSpace:
    """A Space that a push has made."""

    name: str  # user/name
    url: str = ""
    commit: str = ""
    folder: Path | None = None  # where it was written, where the Hub did not get it


@dataclass(frozen=True)
class Space:
    """The Space that a push also makes.

    Args:
        name: on the Hub.
        folder: where it is written, in place of the Hub.
    """

    name: HubName
    folder: Path | None = None

    @classmethod
    def of(cls, model: HubName, name: str | None = None, folder: Place | None = None) -> Space:
        """Return the Space of a model: `name`, or user/name-demo. Raises `UsageError` for a name that is none, and for a
        folder that holds something else.
        """
        found = parse_name(name or f"{model.repo}-demo")
        if found.revision is not None:
            raise UsageError(f"a Space has no revisions, and {name!r} names one", hint=f"--space-name {found.repo}")
        if folder is not None:
            _check_folder(Path(folder))
        return cls(found, None if folder is None else Path(folder))

    def check_there(self, private: bool, report: Reporter) -> None:
        """Raise `HubError` where another app has its name, or everybody sees it although it is to be private."""
        there = self._repository(report)
        if self.folder is not None or not there.exists():
            return
        found = there.look()
        files = {sibling.rfilename for sibling in found.siblings or ()}
        if files - {CARD, ".gitattributes"} and LIBRARY not in (found.tags or ()):
            raise HubError(
                f"the Space {self.name.repo} is another app, which a push would replace; nothing was uploaded",
                hint="choose another name: --space-name USER/NAME",
            )
        if private:
            there.refuse_public(found)

    def write(self, folder: Path, model: HubName, config: Mapping[str, Any]) -> PublishedSpace:
        """Write it into a folder, whole or not at all; an earlier one is replaced. Raises `UsageError` as `of` does."""
        _check_folder(folder)
        with atomic_folder(folder, replace=True) as new:
            stage_space(new, model, config)
        return PublishedSpace(self.name.repo, folder=folder)

    def publish(self, model: HubName, config: Mapping[str, Any], private: bool, report: Reporter) -> PublishedSpace:
        """Make it where there is none, and give it one commit unless it has all of it already."""
        if self.folder is not None:
            return self.write(self.folder, model, config)
        there, client = self._repository(report), api()
        visible = private or None
        there.ask(
            lambda: client.create_repo(self.name.repo, repo_type="space", space_sdk="gradio", private=visible, exist_ok=True)
        )
        with TemporaryDirectory(prefix="zoo-space-") as temporary:
            stage_space(folder := Path(temporary), model, config)
            found = there.look()
            commit = str(found.sha)
            if not there.holds(folder, commit):
                commit = there.commit(folder, found, f"demo of {model}")
        if private:
            report.note(
                f"a private model is loaded by your token: give it to the Space as HF_TOKEN, at {there.url}/settings"
            )
        return PublishedSpace(self.name.repo, there.url, commit)

    def _repository(self, report: Reporter) -> Repository:
        return Repository(self.name, "space", FILES.__contains__, report)


def _check_folder(folder: Path) -> None:
    """Raise `UsageError` where a folder holds anything but a Space's files."""
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - set(FILES)):
        raise UsageError(f"{folder} exists and holds something else", hint="choose another folder for the Space: --out DIR")
