"""`zoo plugins new`: a complete plugin package to start from.

The files below `template/` and below `kinds/KIND/` are the package; `$name` and its like are filled in.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import keyword
import re
import sys
from contextlib import suppress
from pathlib import Path
from string import Template

from zoo_core import UsageError, registry
from zoo_core.discovery import normalize
from zoo_core.errors import unknown
from zoo_core.records import KINDS, SINGULAR

from ..files import atomic_folder
from ..version import __version__

LICENSES = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "none": ""}
"""What `--license` takes → SPDX identifier."""

_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")  # as PyPI has it
_AUTHOR = re.compile(r"\s*([^<>]*?)\s*(?:<\s*([^<>@\s]+@[^<>@\s]+)\s*>)?\s*")
_HERE = Path(__file__).parent


def new_plugin(name: str, *, kind: str = "pair", into: str | Path = ".", license: str = "none", author: str = "") -> Path:
    """Write a plugin package with a record, one component, tests and a README; returns its folder, `into`/`name`.

    Args:
        name: of the distribution ("zoo-acme"). The import package is it with underscores, the component it without "zoo-".
        kind: of the component, one of `zoo_core.records.KINDS`; "pair" for a generator, a discriminator and a recipe.
        license: one of `LICENSES`.
        author: "Name" or "Name <address>".

    Raises:
        UsageError: the name, kind, license or author is not possible, or the folder `into`/`name` exists.
    """
    if kind not in ("pair", *KINDS):
        raise unknown("kind", kind, KINDS)
    if license.lower() not in LICENSES:
        raise unknown("license", license, LICENSES)
    spdx = LICENSES[license.lower()]
    words = f"{spdx} (text: https://spdx.org/licenses/{spdx}.html; add it as `LICENSE`)."
    package = package_name(name)
    folder = Path(into) / name
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="choose another name, or remove it first")
    whole = normalize(name)
    short = whole.removeprefix("zoo-")
    if not short or any(short in registry.names(kind) for kind in ("recipes", *KINDS)):
        short = whole
    camel = "".join(part.capitalize() for part in re.split(r"[-_.]", short))
    values = {
        "name": name,
        "distribution": whole,
        "package": package,
        "short": short,
        "cls": camel if camel.isidentifier() else f"The{camel}",
        "zoo_version": __version__,
        "license_line": f'license = "{spdx}"\n' if spdx else "",
        "authors_line": _authors(author),
        "license_words": words if spdx else "Not stated.",
        "what": "networks and a recipe" if kind == "pair" else f"the {SINGULAR[kind]} {short}",
    }
    with atomic_folder(folder) as new:
        if kind == "models":
            _write_model(new / package / short)
        for root in (_HERE / "template", _HERE / "kinds" / kind):
            for source in sorted(root.rglob("*.txt")):
                target = new / source.relative_to(root).with_suffix("").as_posix().replace("PACKAGE", package)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(Template(source.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        if kind == "models":
            from ..catalog.records import write_records  # of networks, which no other kind needs

            write_records(new / package)
    return folder


def _write_model(folder: Path) -> None:
    """Write a small untrained model."""
    from ..loading import create
    from ..models.folder import write_model

    folder.parent.mkdir()
    model = create("dcgan", size=16, options={"generator.width": 8, "discriminator.width": 8})
    model.config["provenance"] = {"dataset": {"name": "none"}, "license": "CC0-1.0"}
    write_model(model, folder)


def package_name(name: str) -> str:
    """The import package of a distribution; raises `UsageError` where `name` is none, or would hide another module."""
    if not _DISTRIBUTION.fullmatch(name):
        what = f"{name!r} is no name for a distribution: letters, digits, '-', '_' and '.', first and last a letter or digit"
        raise UsageError(what, hint="for example: zoo plugins new zoo-acme")
    with suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution(name)
        raise UsageError(f"a distribution {name!r} is installed already", hint="choose another name")
    package = normalize(name).replace("-", "_")
    if not package.isidentifier() or keyword.iskeyword(package):
        raise UsageError(f"{name!r} would be the module {package!r}, which Python cannot import", hint=f"try: zoo-{name}")
    if package in sys.stdlib_module_names or _exists(package):
        raise UsageError(f"{name!r} would be the module {package!r}, which there is already", hint=f"try: zoo-{name}")
    return package


def _exists(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return True


def _authors(author: str) -> str:
    if not author.strip():
        return ""
    found = _AUTHOR.fullmatch(author)
    if not found or not found[1] or not author.isprintable():
        raise UsageError(f"--author {author!r} is neither 'Name' nor 'Name <address>'")
    fields = {"name": found[1], "email": found[2]}
    pairs = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items() if value]
    return f"authors = [{{ {', '.join(pairs)} }}]\n"
