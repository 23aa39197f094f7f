"""Claims measured one after another, each by one process, and what came of each kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from filelock import FileLock, Timeout

from zoo_core import Claim, ZooError
from zoo_core.words import name_error

from .bench import CLAIMS, Interrupted, Shop, WorkBench, make_folder, write_kept
from .rows import claim_file


def measure_claims(claims: Mapping[str, Claim], shop: Shop, *, then: Callable[[], object] = lambda: None) -> None:
    """Measure those of the claims that nobody has measured and no other process is measuring; call `then` after each."""
    for name, claim in claims.items():
        lock = FileLock(make_folder(shop.folder / CLAIMS) / f".{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            if not claim_file(shop.folder, name).exists():
                shop.report.note(f"{name}: {claim.statement}")
                measure_claim(name, claim, shop)
        finally:
            lock.release()
        then()


def measure_claim(name: str, claim: Claim, shop: Shop) -> None:
    """Measure one claim and keep what came of it; an error is kept too, and is no error."""
    bench, begun, facts, error = WorkBench(shop, name), time.monotonic(), None, ""
    try:
        facts = json.loads(json.dumps(dict(claim.measure(bench)), allow_nan=False))
        verdict = claim.judge(facts)
        shop.report.note(f"{name}: {verdict.kind}: {verdict.why}")
    except (Interrupted, KeyboardInterrupt):
        raise
    except ZooError as failure:
        error = " ".join(filter(None, (failure.message, failure.hint)))
    except Exception as failure:  # a claim of anybody's: the others go on
        error = name_error(failure)
        if bench.remembered:
            names = ", ".join(str(file) for file in bench.remembered)
            error += f". Where an earlier version of the claim measured, delete what it kept and try again: {names}"
    if error:
        shop.report.warn(f"{name}: {error}")
    cost = bench.cost
    told = {"facts": facts or {}, "error": error, "measuring": round(cost.measuring, 2), "trainings": cost.trainings}
    write_kept(claim_file(shop.folder, name), {**told, "elapsed": round(time.monotonic() - begun, 2)})
