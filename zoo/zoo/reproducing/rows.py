"""What came of a reproduction: a row for each claim, with its verdict, its facts and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo_core import Claim, Facts, Verdict
from zoo_core.words import name_error

from ..reports.displaying import Displayed
from ..version import __version__
from .bench import CLAIM, CLAIMS, read_kept
from .planning import ReproductionPlan

RESULTS, PAGE = "results.json", "report.html"
FORMAT = 1


@dataclass(frozen=True)
class Row:
    """What came of one claim.

    Args:
        verdict: None where measuring failed, or nothing was measured yet.
        error: what went wrong, "" where nothing did.
        ours: our figure, to stand beside the paper's; a dash where there is none.
        commands: what to type to measure it by hand, in the folder of the reproduction, besides the trainings.
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
    ours: str = "–"
    commands: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The verdict in a word or two."""
        return self.verdict.kind if self.verdict else "failed" if self.error else "not yet"

    @property
    def why(self) -> str:
        """The reason for it, in a sentence."""
        return self.verdict.why if self.verdict else self.error or "the reproduction was interrupted before"

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


def read_rows(folder: Path, planned: ReproductionPlan) -> tuple[Row, ...]:
    """Return what came of every claim so far, in the paper's order; verdicts are found anew, by the rules as they are."""
    paid: set[str] = set()
    rows = []
    for one in planned.claims:
        kept = read_kept(claim_file(folder, one.name), CLAIM)
        if kept is None or (kept["error"] and one.why_not):
            why = one.why_not
            rows.append(Row(one.name, one.claim, Verdict("not tried", why) if why else None))
            continue
        shared = tuple(name for name in kept["trainings"] if name in paid)
        paid |= set(kept["trainings"])
        row = Row(one.name, one.claim, None, kept["error"], kept["facts"], kept["measuring"], kept["trainings"], shared)
        rows.append(row if row.error else _judge(row))
    return tuple(rows)


def _judge(row: Row) -> Row:
    """Return a row with its verdict, or with what goes wrong when the claim looks at the facts that were kept of it."""
    try:
        verdict, ours = row.claim.judge(row.facts), row.claim.ours(row.facts)
        return replace(row, verdict=verdict, ours=ours, commands=tuple(row.claim.commands(row.facts)))
    except Exception as error:  # a claim of anybody's, or one that has changed since
        return replace(row, error=name_error(error))


def claim_file(folder: Path, claim: str) -> Path:
    """Return the file of what came of a claim, which need not exist."""
    return folder / CLAIMS / f"{claim}.json"
