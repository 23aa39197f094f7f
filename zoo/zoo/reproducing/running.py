"""`zoo.reproduce`: one claim after another, each kept when it is done, and what is written about all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from zoo_core import Paper, UsageError, registry
from zoo_core.words import duration, plural

from ..devices import check_device, resolve_precision
from ..files import Place, remove_unfinished, translate_errors
from ..locks import lock_folder
from ..notebook import reporter_for_caller
from ..progress import Reporter
from ..schemas import MapOf, brief
from ..training.processor import compute_with
from .bench import FOLDERS, Interrupted, Shop, read_kept, write_kept
from .helpers import Helpers
from .measuring import measure_claims
from .page import write_markdown, write_report
from .planning import ReproductionPlan, choose_threads, plan_reproduction
from .rows import FORMAT, PAGE, RESULTS, Reproduction, claim_file, read_rows

FILE = "reproduction.json"
WORTH_PROCESSES = 60.0  # seconds of work below which no other processes are started


def reproduce(
    paper: str,
    *,
    out: Place,
    profile: str = "minutes",
    data: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    device: str = "auto",
    precision: str | None = None,
    markdown: Place | None = None,
    workers: int | None = None,
    processes: int | None = None,
    report: Reporter | None = None,
) -> Reproduction:
    """Reproduce a paper: measure its claims, judge each by the rule that it states, and write one page about all.

    Called again with the same arguments after an interruption, even a kill, it goes on where it was: what is done is not
    repeated. Data that were not at hand may be named then, and claims that failed are tried again.

    Args:
        paper: a name of the registry ("dcgan").
        out: the folder of the reproduction: page, results, runs, pictures.
        profile: how much is spent, one of `zoo_core.papers.PROFILES`.
        data: dataset → where it lies, for claims that need other than drawn images.
        only: names of claims, to leave out the others.
        device, precision: of trainings, as `zoo.train` takes them.
        markdown: a file to write the results into as Markdown, too.
        workers: processes that decode pictures.
        processes: how many measure claims at the same time and share the cores; by default one for each core, one where a
            GPU computes.
        report: hears the plan and the progress; by default the notebook or standard error does.

    Returns:
        A row for each claim of the paper. A claim whose measuring raises an error is a row that says so.

    Raises:
        UsageError: an argument is wrong, or the folder holds something else.
        PluginError: a claim is broken.
    """
    report, folder = report or reporter_for_caller(), Path(out)
    where = check_device(device)
    resolve_precision(precision or "auto", where)  # refused now, if at all
    if markdown is not None and not Path(markdown).absolute().parent.is_dir():  # hours before it is written
        raise UsageError(f"there is no folder for --markdown {markdown}", hint=f"make it first: {Path(markdown).parent}")
    given = {name: str(Path(place).expanduser().absolute()) for name, place in (data or {}).items()}
    described = {"format": FORMAT, "paper": paper, "profile": profile, "device": str(where), "data": given}
    planned = plan_reproduction(
        paper, profile=profile, data=given, only=only, device=device, out=folder, forecast=False
    )  # all names are known
    refuse_other(folder, described)
    with ExitStack() as stack:
        with translate_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        stack.callback(lock_folder(folder, "reproducing").release)
        for place in (folder, *(folder / name for name in FOLDERS)):
            remove_unfinished(place)
        kept = refuse_other(folder, described)
        described["data"] = given = {**kept, **given}
        write_kept(folder / FILE, described)
        chosen: dict[str, Any] = {"profile": profile, "data": given, "only": only, "device": device, "processes": processes}
        planned = plan_reproduction(paper, **chosen, out=folder, report=report)
        say_plan(planned, report)
        threads = choose_threads(planned.processes, str(where))
        shop = Shop(folder, profile, given, str(where), precision, workers, threads, report)
        entry = cast(Paper, registry.find("papers", paper).value)
        signal = ""

        def write() -> Reproduction:
            rows = read_rows(folder, planned)
            found = Reproduction(folder, folder / PAGE, folder / RESULTS, paper, profile, str(where), rows, signal)
            write_kept(found.results, found.to_json())
            return found

        done = {row.name: row for row in read_rows(folder, planned)}
        wanted = [one for one in planned.claims if not one.why_not and done[one.name].verdict is None]
        if planned.processes > 1:
            wanted.sort(key=lambda one: -(one.seconds or 0.0))  # so that none waits for a long one in the end
        claims = {one.name: one.claim for one in wanted}
        for name in claims:
            claim_file(folder, name).unlink(missing_ok=True)  # of what failed
        worth = (planned.seconds or 0.0) > WORTH_PROCESSES
        others = min(planned.processes, len(claims)) - 1 if worth else 0
        with compute_with(threads):
            try:
                with Helpers(paper, list(claims), shop, others) as helpers:
                    measure_claims(claims, shop, then=write)
                    helpers.wait()
                    measure_claims(claims, shop, then=write)  # those of a helper that came to no end
            except Interrupted as interrupted:
                signal = interrupted.signal
        found = write()
        write_report(found, entry, shop)
        if markdown is not None:
            write_markdown(Path(markdown), found, entry, shop)
        return found


def say_plan(planned: ReproductionPlan, report: Reporter) -> None:
    """Tell the plan before anything is done: what is trained and measured, how long it takes, and each rule."""
    tried = [one for one in planned.claims if not one.why_not]
    count, whole = len(planned.claims), planned.seconds
    about = "" if whole is None else f", about {duration(whole)} here"
    report.note(f"{planned.paper}: {len(tried)} of {plural(count, 'claim')}{about}, profile {planned.profile}")
    rows = planned.rows()
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for row in rows:
        report.note(f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}  {row[3]}")
    for one in tried:
        report.note(f"{one.name} is judged so: {one.claim.criterion}")


def refuse_other(folder: Path, wanted: Mapping[str, Any]) -> dict[str, str]:
    """Raise `UsageError` unless a reproduction can be begun in a folder, or the one there may go on as `wanted`.

    Returns the data that it knows of.
    """
    if not (folder / FILE).exists():
        if folder.exists() and (not folder.is_dir() or any(path.name != ".lock" for path in folder.iterdir())):
            raise UsageError(f"{folder} exists and holds no reproduction", hint="choose another folder: --out DIR")
        return {}
    hint = "choose another folder: --out DIR"
    found = read_kept(folder / FILE, {"data": MapOf(str), "*": Any}, UsageError, hint) or {}
    lines = [
        f"{key}: {brief(str(found.get(key)), 80)} there, {wanted[key]} now"
        for key in ("format", "paper", "profile", "device")
        if found.get(key) != wanted[key]
    ]
    known: dict[str, str] = found["data"]
    for name, place in wanted["data"].items():
        if known.get(name, place) != place:
            lines.append(f"data of {name}: {brief(known[name], 80)} there, {place} now")
    if lines:
        hint = f"to go on with it, say the same; or {hint}"
        raise UsageError(f"{folder} holds another reproduction:\n  " + "\n  ".join(lines), hint=hint)
    return known
