"""What draws in a browser: onnxruntime-web, fetched once from npm's registry, in one version with known checksums.

Two of its files are kept in the zoo's cache: a script, and a WebAssembly program that computes with WebGPU where the browser
has it and with SIMD on one thread otherwise. It is Microsoft's, under the MIT License, whose text goes into every page.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import tarfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import urlopen

from filelock import FileLock

from zoo_core import DataError, UsageError, ZooError

from ..caching import RUNTIMES
from ..files import atomic_folder, cache_folder, note_use, remove_folder
from ..progress import Reporter

NAME, VERSION = "onnxruntime-web", "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the archive, as npm writes it."""

SCRIPT = "ort.webgpu.bundle.min.mjs"
PROGRAM = "ort-wasm-simd-threaded.asyncify.wasm"
SHA256 = {
    SCRIPT: "0730816731ce2cdfb06f273da065d4a1c7091eb9d1756a83b2916c8a89d015e2",
    PROGRAM: "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}
"""File in the archive's folder package/dist → its checksum."""

LICENSE = Path(__file__).with_name("explorer") / "onnxruntime.license.txt"
REGISTRY = "https://registry.npmjs.org"
LARGEST = 128 << 20  # bytes of an archive
TRIES, SECONDS = 3, 60.0


@dataclass(frozen=True)
class Runtime:
    """The two files, checked."""

    script: str  # a module of JavaScript
    program: bytes  # WebAssembly, compressed by gzip


def find_runtime(archive: Path | None = None, *, report: Reporter | None = None) -> Runtime:
    """Return the runtime of pages: from the cache, else from `archive`, which `npm pack` wrote, else from npm's registry.

    Raises `UsageError` where there is no such archive, `DataError` where it is another one, `ZooError` where the registry
    cannot be reached or the cache cannot be written.
    """
    folder = cache_folder(RUNTIMES) / f"{NAME}-{VERSION}"
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        found = _read(folder) if archive is None else None
        if found is None:
            with TemporaryDirectory() as place:
                fetched = archive if archive is not None else _fetch(Path(place), report or Reporter())
                members = _unpack(fetched, "what the registry sent" if archive is None else str(archive))
            remove_folder(folder)
            with atomic_folder(folder) as new:
                for name, content in members.items():
                    (new / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
            found = _read(folder)
        if found is None:
            raise ZooError(f"{folder} cannot be read", hint="choose another cache folder: export ZOO_CACHE=DIR")
        note_use(folder)
    return found


def _read(folder: Path) -> Runtime | None:
    """Return what the cache has, None where it is missing or damaged."""
    packed = {}
    try:
        for name, known in SHA256.items():
            packed[name] = (folder / f"{name}.gz").read_bytes()
            if hashlib.sha256(gzip.decompress(packed[name])).hexdigest() != known:
                return None
        return Runtime(gzip.decompress(packed[SCRIPT]).decode("utf-8"), packed[PROGRAM])
    except (OSError, EOFError, ValueError):
        return None


def _unpack(archive: Path, what: str) -> dict[str, bytes]:
    """Return the two files of an archive, which messages call `what`; raises unless it is the one that is meant."""
    hint = f"npm pack {NAME}@{VERSION} writes it"
    if not archive.is_file():
        raise UsageError(f"there is no file {archive}", hint=hint)
    try:
        if archive.stat().st_size > LARGEST:
            raise ValueError
        content = archive.read_bytes()
        if base64.b64encode(hashlib.sha512(content).digest()).decode() != SHA512:
            raise ValueError
        with tarfile.open(archive) as opened:
            members = {name: opened.extractfile(f"package/dist/{name}") for name in SHA256}
            return {name: stream.read() for name, stream in members.items() if stream is not None}
    except OSError as error:
        raise DataError(f"{what} cannot be read: {error.strerror or error}", hint=hint) from error
    except (ValueError, KeyError, tarfile.TarError) as error:
        raise DataError(f"{what} is not {NAME} {VERSION} as npm has it: its checksum is another", hint=hint) from error


def _fetch(place: Path, report: Reporter) -> Path:
    """Fetch the archive from the registry, `$npm_config_registry` where that is set, as npm does."""
    chosen = [value for name, value in os.environ.items() if name.lower() == "npm_config_registry" and value]
    registry = (chosen or [REGISTRY])[0].rstrip("/")
    address, target = f"{registry}/{NAME}/-/{NAME}-{VERSION}.tgz", place / f"{NAME}-{VERSION}.tgz"
    reason = ""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "true", "yes"):
        reason = "HF_HUB_OFFLINE forbids the network"
    elif not registry.startswith(("https://", "http://")):
        reason = "npm_config_registry is no address"
    for _ in range(0 if reason else TRIES):
        try:
            _download(address, target, report)
            return target
        except HTTPError as error:
            reason = f"{error.code} {error.reason}"
            if error.code < 500:
                break
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
    raise ZooError(
        f"what draws in the page, {NAME} {VERSION}, cannot be fetched from {address}: {reason}",
        hint=f"where there is a network: npm pack {NAME}@{VERSION}; then here: --runtime {target.name}",
    )


def _download(address: str, target: Path, report: Reporter) -> None:
    with urlopen(address, timeout=SECONDS) as answer, open(target, "wb") as file:
        total, done = int(answer.headers.get("Content-Length") or 0), 0
        with report.task(f"fetching {NAME}", total / 1e6 or None, "MB") as task:
            while block := answer.read(1 << 20):
                done += file.write(block)
                task.update(done / 1e6)
                if done > LARGEST:
                    raise OSError(f"it is larger than {LARGEST >> 20} MB")
        if total and done != total:
            raise OSError("the connection ended early")
