"""`zoo.reproduce`: one claim after another, each kept when it is done, and what is written about all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from zoo_core import Claim, Facts, Paper, UsageError, Verdict, ZooError, registry
from zoo_core.words import duration, name_error, plural

from ..devices import check_device, resolve_precision
from ..files import Place, remove_unfinished, translate_errors
from ..locks import lock_folder
from ..notebook import reporter_for_caller
from ..progress import Reporter
from ..reports.displaying import Displayed
from ..version import __version__
from .bench import Interrupted, Shop, WorkBench, read_json, write_kept
from .planning import PlannedClaim, ReproductionPlan, plan_reproduction

FILE, RESULTS, PAGE, CLAIMS = "reproduction.json", "results.json", "report.html", "claims"
FORMAT = 1


@dataclass(frozen=True)
class Row:
    """What came of one claim.

    Args:
        verdict: None where measuring failed, or nothing was measured yet.
        error: what went wrong, "" where nothing did.
        measuring, trainings: seconds that it took, of each training too; `shared` names those of earlier claims.
    """

    name: str
    claim: Claim
    verdict: Verdict | None = None
    error: str = ""
    facts: Facts = field(default_factory=dict)
    measuring: float = 0.0
    trainings: Mapping[str, float] = field(default_factory=dict)
    shared: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The verdict in a word or two."""
        return self.verdict.kind if self.verdict else "failed" if self.error else "not yet"

    @property
    def why(self) -> str:
        """The reason for it, in a sentence."""
        return self.verdict.why if self.verdict else self.error or "the reproduction was interrupted before"

    @property
    def ours(self) -> str:
        """Our figure, to stand beside the paper's; a dash where there is none."""
        return self.claim.ours(self.facts) if self.facts and not self.error else "–"

    @property
    def seconds(self) -> float:
        """Of measuring and of trainings that no claim before has paid."""
        return self.measuring + sum(s for name, s in self.trainings.items() if name not in self.shared)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        words = {key: getattr(self.claim, key) for key in ("title", "statement", "paper", "criterion")}
        told: dict[str, Any] = {"name": self.name, **words, "verdict": self.kind, "why": self.why, "ours": self.ours}
        told |= {"facts": self.facts, "error": self.error or None, "seconds": round(self.seconds, 2)}
        return told | {"trainings": dict(self.trainings), "shared": list(self.shared), "commands": list(self.commands)}

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type to measure it by hand, in the folder of the reproduction, besides the trainings."""
        return tuple(self.claim.commands(self.facts)) if self.facts and not self.error else ()


@dataclass(frozen=True, repr=False)
class Reproduction(Displayed):
    """A reproduction, as `zoo.reproduce` returns it.

    Args:
        path: its folder. page, results: the page and the JSON file in it.
        signal: what interrupted it ("SIGINT"), "" if nothing did.
    """

    path: Path
    page: Path
    results: Path
    paper: str
    profile: str
    device: str
    rows: tuple[Row, ...]
    signal: str = ""

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of claims whose measuring failed."""
        return tuple(row.name for row in self.rows if row.error)

    @property
    def counts(self) -> dict[str, int]:
        """Verdict → how many claims have it, the verdicts in the order of the rows."""
        kinds = [row.kind for row in self.rows]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

    @property
    def seconds(self) -> float:
        """What all claims took together."""
        return sum(row.seconds for row in self.rows)

    def _describe(self) -> str:
        return f"{self.path}: {', '.join(f'{count} {kind}' for kind, count in self.counts.items())}"

    def to_json(self) -> dict[str, Any]:
        """Plain data: what `results.json` holds."""
        told = {"format": FORMAT, **{key: getattr(self, key) for key in ("paper", "profile", "device", "counts")}}
        told |= {"zoo": __version__, "seconds": round(self.seconds, 2), "signal": self.signal or None}
        return told | {"claims": [row.to_json() for row in self.rows]}


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
        for place in (folder, *(folder / name for name in ("claims", "courses", "measurements", "pictures", "runs"))):
            remove_unfinished(place)
        kept = refuse_other(folder, described)
        described["data"] = given = {**kept, **given}
        write_kept(folder / FILE, described)
        planned = plan_reproduction(paper, profile=profile, data=given, only=only, device=device, out=folder, report=report)
        say_plan(planned, report)
        shop = Shop(folder, profile, given, str(where), precision, workers, report)
        entry = cast(Paper, registry.find("papers", paper).value)
        signal = ""

        def write() -> Reproduction:
            from .page import write_markdown, write_report

            rows = read_rows(folder, planned)
            done = Reproduction(folder, folder / PAGE, folder / RESULTS, paper, profile, str(where), rows, signal)
            write_kept(done.results, done.to_json())
            write_report(done, entry, shop)
            if markdown is not None:
                write_markdown(Path(markdown), done, entry, shop)
            return done

        for one in planned.claims:
            if one.why_not or (read_json(_file(folder, one.name)) or {"error": "none"})["error"] == "":
                continue
            report.note(f"{one.name}: {one.claim.statement}")
            try:
                measure_claim(one, shop)
            except Interrupted as interrupted:
                signal = interrupted.signal
                break
            write()
        return write()


def measure_claim(planned: PlannedClaim, shop: Shop) -> None:
    """Measure one claim and keep what came of it; an error is kept too, and is no error."""
    bench, begun, facts, error = WorkBench(shop, planned.name), time.monotonic(), None, ""
    try:
        facts = json.loads(json.dumps(dict(planned.claim.measure(bench)), allow_nan=False))
        verdict = planned.claim.judge(facts)
        shop.report.note(f"{planned.name}: {verdict.kind}: {verdict.why}")
    except (Interrupted, KeyboardInterrupt):
        raise
    except ZooError as failure:
        error = " ".join(filter(None, (failure.message, failure.hint)))
    except Exception as failure:  # a claim of anybody's: the others go on
        error = name_error(failure)
    if error:
        shop.report.warn(f"{planned.name}: {error}")
    cost = bench.cost
    told = {"facts": facts or {}, "error": error, "measuring": round(cost.measuring, 2), "trainings": cost.trainings}
    write_kept(_file(shop.folder, planned.name), {**told, "elapsed": round(time.monotonic() - begun, 2)})


def read_rows(folder: Path, planned: ReproductionPlan) -> tuple[Row, ...]:
    """Return what came of every claim so far, in the paper's order; verdicts are found anew, by the rules as they are."""
    paid: set[str] = set()
    rows = []
    for one in planned.claims:
        kept = read_json(_file(folder, one.name))
        if kept is None or (kept["error"] and one.why_not):
            why = one.why_not
            rows.append(Row(one.name, one.claim, Verdict("not tried", why) if why else None))
            continue
        verdict = None if kept["error"] else one.claim.judge(kept["facts"])
        shared = tuple(name for name in kept["trainings"] if name in paid)
        paid |= set(kept["trainings"])
        cost = kept["measuring"], kept["trainings"]
        rows.append(Row(one.name, one.claim, verdict, kept["error"], kept["facts"], *cost, shared))
    return tuple(rows)


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
    found = read_json(folder / FILE)
    if found is None or not isinstance(found.get("data"), dict):
        raise UsageError(f"{folder / FILE} is damaged", hint="choose another folder: --out DIR")
    lines = [
        f"{key}: {found.get(key)} there, {wanted[key]} now"
        for key in ("format", "paper", "profile", "device")
        if found.get(key) != wanted[key]
    ]
    known: dict[str, str] = found["data"]
    for name, place in wanted["data"].items():
        if known.get(name, place) != place:
            lines.append(f"data of {name}: {known[name]} there, {place} now")
    if lines:
        hint = "to go on with it, say the same; or choose another folder: --out DIR"
        raise UsageError(f"{folder} holds another reproduction:\n  " + "\n  ".join(lines), hint=hint)
    return known


def _file(folder: Path, claim: str) -> Path:
    return folder / CLAIMS / f"{claim}.json"
