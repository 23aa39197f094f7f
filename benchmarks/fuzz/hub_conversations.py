"""Talk to a Hub that fails and lies: what comes of it is the model that was pushed, or one clear error.

    python benchmarks/fuzz/hub_conversations.py [--tries N] [--seed S] [--only N] [--json]

The stand-in of the tests answers pulls, pushes and lists with errors, cut and changed bodies, endless ones, redirects to
another host, waits, wrong listings. No token may reach another host, nothing half-fetched may stay, and a pull that succeeds
gives the pixels that were pushed. The last line of standard output is one JSON object.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from harness import Difference, Target, Try, main, set_up

set_up()
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
os.environ["HF_HUB_DISABLE_XET"] = os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import torch  # noqa: E402
from huggingface_hub import constants  # noqa: E402
from huggingface_hub.utils import disable_progress_bars  # noqa: E402

import zoo  # noqa: E402
from helpers.hub_server import Fault, HubServer  # noqa: E402
from helpers.hub_server.fixtures import TOKEN, environment, make_model  # noqa: E402
from zoo_core import hub as policy  # noqa: E402

PATHS = (
    *(r"/revision/", r"/tree/", r"/resolve/.*config.json", r"/resolve/.*README", r"/resolve/.*safetensors", r"^/lfs/"),
    *(r"/api/models\?", r"/api/repos/create", r"/preupload/", r"/objects/batch", r"/commit/", r"^/upload/", r"/refs", "."),
)
NAP = time.sleep


def prepare(folder: Path) -> Any:
    """Make two models; waits between tries pass quickly."""
    (folder / "empty").mkdir()
    disable_progress_bars()
    policy.FIRST_WAIT, policy.SECONDS = 0.01, 2.0
    policy._ONCE, policy._CONNECT, policy._READ = 2.0, 1.0, 2.0
    time.sleep = lambda seconds: NAP(min(seconds, 0.02))
    made = [make_model(folder / f"model-{i}", seed=i) for i in range(2)]
    return made, [zoo.load(path).sample(1) for path in made]


def make_fault(draw: random.Random, elsewhere: str) -> Fault:
    path, times, skip = draw.choice(PATHS), draw.choice((1, 1, 2, 99)), draw.choice((0, 0, 0, 1, 3))
    kind = draw.choice(("status", "status", "reset", "truncate", "corrupt", "endless", "redirect", "delay", "busy"))
    common: dict[str, Any] = {"path": path, "times": times, "skip": skip}
    if kind == "status":
        return Fault(status=draw.choice((400, 401, 403, 404, 409, 412, 416, 418, 429, 500, 502, 503, 504)), **common)
    if kind == "reset":
        return Fault(reset=draw.choice(("early", "request", "body", "after")), **common)
    if kind == "endless":
        return Fault(endless=1 << 28, squeezed=draw.random() < 0.5, method="GET", **common)
    if kind == "redirect":
        headers = {"Location": f"{elsewhere}/api/models/ada/small"}
        return Fault(status=draw.choice((301, 302, 303, 307, 308)), headers=headers, **common)
    if kind == "delay":
        return Fault(delay=draw.choice((0.1, 3.0)), **{**common, "times": 1})
    if kind == "busy":
        return Fault(status=429, headers={"Retry-After": draw.choice(("0", "1", "-5", "1e9", "x", "99999999999"))}, **common)
    return Fault(**{kind: True}, **common)


def lie(hub: HubServer, draw: random.Random) -> str:
    """Let the listing of a repository say what is not so."""
    state = hub.store.repo("ada/small")
    files = state["commits"][state["branches"]["main"]]["files"]
    name = draw.choice(sorted(files))
    how = draw.choice(("size", "negative", "gone", "extra", "swapped", "pickle"))
    if how in ("size", "negative"):
        files[name]["size"] = draw.choice((0, 1, 1000, 10**15)) if how == "size" else -1
    elif how == "gone":
        del files[name]
    elif how == "swapped":
        other = draw.choice(sorted(files))
        files[name], files[other] = files[other], files[name]
    else:
        for extra in ("../evil.txt", "/etc/x", "x.pkl") if how == "extra" else ("pytorch_model.bin",):
            files[extra] = hub.store.put(b"evil", lfs=False)
    hub.store.update("ada/small", commits=state["commits"])
    return f"{how} {name}"


def attempt(folder: Path, draw: random.Random, known: Any) -> Try:
    models, pixels = known
    hub = HubServer(folder / "hub", {TOKEN: "ada"})
    elsewhere = HubServer(folder / "elsewhere", {TOKEN: "ada"})
    home = folder / "home"
    os.environ.update(environment(hub, home), HF_TOKEN=TOKEN, ZOO_CACHE=str(folder / "cache"))
    constants.ENDPOINT = hub.url
    constants.HUGGINGFACE_CO_URL_TEMPLATE = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    constants.HF_HUB_CACHE, constants.HF_TOKEN_PATH = str(home / "hub"), str(home / "token")
    constants.HF_HUB_DISABLE_XET = True
    policy.forget_silence()
    zoo.push(models[0], "ada/small", private=draw.random() < 0.5)
    what = draw.choice(("pull", "pull", "pull", "push", "list"))
    lied = lie(hub, draw) if what == "pull" and draw.random() < 0.3 else ""
    faults = [
        make_fault(draw, elsewhere.url) for _ in range(draw.choice((0, 1, 1, 2)) if lied else draw.choice((1, 1, 2, 3)))
    ]
    hub.faults.add(*faults)
    if draw.random() < 0.05:
        hub.close()

    def act() -> None:
        try:
            if what == "list":
                zoo.list_published()
            elif what == "push":
                zoo.push(models[1], "ada/small")
                hub.faults.clear()
                if not torch.equal(zoo.load("ada/small").sample(1), pixels[1]):
                    raise Difference("it was pushed, and another model is there")
            else:
                zoo.pull("ada/small", to=folder / "mine")
                if not lied and not torch.equal(zoo.load(folder / "mine").sample(1), pixels[0]):
                    raise Difference("other pixels than were pushed")
        except zoo.ZooError:
            if (folder / "mine").exists():
                raise Difference("an error, and half a model stays") from None
            raise
        finally:
            if any(token for _, _, token in elsewhere.log):
                raise Difference("a token reached another host")
            if [path for _, path, _ in hub.log if "evil" in path or ".pkl" in path or "etc" in path]:
                raise Difference("a file was asked for that no model has")
            hub.close()
            elsewhere.close()

    told = "; ".join(f"{fault.path} {fault.status or fault.reset or fault}"[:80] for fault in faults)
    return Try(f"{what}{f' (the listing lies: {lied})' if lied else ''}: {told}", act)


TARGET = Target("Hub conversations", prepare, attempt, fresh="empty")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=60))
