"""Whole reproductions of a paper that nobody wrote: rows, going on, failures, missing data, what is written and refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zoo
from helpers import claims
from helpers.claims import MEASURED, TRAINING, Changed, Failing, Good, Needy, Trained, Walked
from helpers.reporters import Heard
from helpers.workplace import run as type_command
from zoo.training import callbacks
from zoo_core import CheckpointError, UnknownNameError, UsageError, registry


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    MEASURED.clear()
    yield
    Failing.broken = True


def reproduce(out: Path, given: dict[str, Any], **choices: Any) -> zoo.Reproduction:
    choices = {"profile": "seconds", "device": "cpu", "precision": "fp32", "report": Heard(), **choices}
    with registry.add(claims.plugin(**given)):
        return zoo.reproduce("claims", out=out, **choices)


def kinds(done: zoo.Reproduction) -> dict[str, str]:
    return {row.name: row.kind for row in done.rows}


def test_every_claim_is_a_row_with_its_verdict_and_a_failing_one_stops_nobody(tmp_path: Path) -> None:
    done = reproduce(tmp_path / "out", {"failing": Failing, "good": Good, "needy": Needy})
    assert kinds(done) == {"failing": "failed", "good": "holds", "needy": "not tried"}
    assert done.failed == ("failing",)
    assert done.rows[0].error == "RuntimeError: the <b>dice</b> fell off the table"
    assert done.rows[2].why == "cifar10 not at hand: --data cifar10=PATH"
    assert done.counts == {"failed": 1, "holds": 1, "not tried": 1}
    assert "1 failed, 1 holds, 1 not tried" in repr(done)
    results = json.loads(done.results.read_text())
    assert [claim["verdict"] for claim in results["claims"]] == ["failed", "holds", "not tried"]
    assert results["claims"][1]["facts"] == {"value": 2}


def test_the_page_shows_what_the_claims_show_and_escapes_what_they_say(tmp_path: Path) -> None:
    done = reproduce(tmp_path / "out", {"failing": Failing, "good": Good}, markdown=tmp_path / "results.md")
    page, text = done.page.read_text(), (tmp_path / "results.md").read_text()
    assert "<b>dice</b>" not in page
    assert page.count("<img") == 1
    assert page.count("<svg") == 2
    for words in ("It is large.", "3 (table 1)", "Holds above 1", "it is 2", "An orange".lower(), "zoo list"):
        assert words in page
    assert "| A good claim | holds | 2 | 3 (table 1) |" in text
    assert "| ours | 2.000 | 1.500 to 2.500 |" in text
    assert "| two | 2.500 |" in text
    assert "Measuring" not in text.partition("## A good claim")[2]


def test_what_is_done_is_not_done_again_and_what_failed_is(tmp_path: Path) -> None:
    given = {"good": Good, "failing": Failing}
    first = reproduce(tmp_path / "out", given)
    assert kinds(first) == {"good": "holds", "failing": "failed"}
    Failing.broken = False
    again = reproduce(tmp_path / "out", given)
    assert kinds(again) == {"good": "holds", "failing": "cannot tell"}
    assert MEASURED == ["count"]


def test_one_claim_alone_and_then_the_others(tmp_path: Path) -> None:
    given = {"good": Good, "needy": Needy}
    first = reproduce(tmp_path / "out", given, only=["needy"])
    assert [row.why for row in first.rows] == ["not asked for (--only)", "cifar10 not at hand: --data cifar10=PATH"]
    (tmp_path / "cifar").mkdir()
    text = tmp_path / "results.md"
    again = reproduce(tmp_path / "out", given, data={"cifar10": tmp_path / "cifar"}, markdown=text)
    assert kinds(again) == {"good": "holds", "needy": "holds"}
    assert "`zoo reproduce claims --profile seconds --data cifar10=DIR --out out --markdown results.md`" in text.read_text()
    assert str(tmp_path) not in text.read_text()


@pytest.mark.slow
def test_claims_share_a_training_which_goes_on_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "TICK", 0.0)  # progress at every step
    given, out = {"trained": Trained, "walked": Walked}, tmp_path / "out"
    stopped = reproduce(out, given, report=Heard(40, signal.SIGTERM, label=TRAINING.name))
    assert stopped.signal == "SIGTERM"
    assert kinds(stopped) == {"trained": "not yet", "walked": "not yet"}
    heard = Heard()
    done = reproduce(out, given, report=heard)
    assert kinds(done) == {"trained": "holds", "walked": "does not hold here"}
    assert [path.name for path in (out / "runs").iterdir()] == [TRAINING.name]
    assert done.rows[0].facts["images"] == 64
    assert done.rows[1].facts["images"] == 24
    assert done.rows[1].shared == (TRAINING.name,)
    assert done.rows[1].seconds < done.rows[1].trainings[TRAINING.name] + done.rows[1].measuring + 1e-9
    assert f"--out runs/{TRAINING.name}" in done.page.read_text()
    assert "trained is judged so: Holds above 1" in heard.text  # before anything is measured
    assert heard.text.index("is judged so") < heard.text.index(TRAINING.name)


def test_another_reproduction_in_the_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    reproduce(out, {"good": Good})
    with pytest.raises(UsageError, match="profile: seconds there, minutes now"):
        reproduce(out, {"good": Good}, profile="minutes")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no reproduction"):
        reproduce(tmp_path / "full", {"good": Good})
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"
    (out / "reproduction.json").write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        reproduce(out, {"good": Good})


@pytest.mark.parametrize("text", ["{", "[]", '{"facts": 5}', '{"error": NaN}', "[" * 5000, '{"trainings": {"a": -1}}'])
def test_what_a_claim_has_kept_is_checked(text: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    reproduce(out, {"good": Good})
    (out / "claims" / "good.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"claims/good\.json is damaged") as caught:
        reproduce(out, {"good": Good})
    assert len(str(caught.value)) <= 300
    assert "delete it" in caught.value.hint
    (out / "claims" / "good.json").unlink()
    (out / "measurements" / "good-count.json").write_text(text)
    assert "measurements/good-count.json is damaged" in reproduce(out, {"good": Good}).rows[0].error


def test_a_claim_that_has_changed_since_it_was_measured_says_what_to_delete(tmp_path: Path) -> None:
    out = tmp_path / "out"
    reproduce(out, {"good": Good})
    (out / "claims" / "good.json").unlink()
    error = reproduce(out, {"good": Changed}).rows[0].error
    kept = out / "measurements" / "good-count.json"
    assert error.startswith("TypeError: ")
    assert error.endswith(f"delete what it kept and try again: {kept}")
    kept.unlink()
    assert kinds(reproduce(out, {"good": Changed})) == {"good": "holds"}


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"profile": "minuets"}, "minutes"),
        ({"only": ["god"]}, "good"),
        ({"data": {"cifar": "x"}}, "cifar10"),
        ({"device": "abacus"}, "no device"),
        ({"precision": "fp3"}, "fp32"),
        ({"markdown": "nowhere/results.md"}, "there is no folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path, choices: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        reproduce(tmp_path / "out", {"good": Good}, **choices)
    assert not (tmp_path / "out").exists()


def test_an_unknown_paper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="dcgan"):
        zoo.reproduce("dcgann", out=tmp_path / "out")


def run(*words: object) -> Any:
    with registry.add(claims.plugin(good=Good, failing=Failing, needy=Needy)):
        return type_command("reproduce", *words)


def test_the_command_prints_rows_and_exits_with_1_where_a_claim_failed(tmp_path: Path) -> None:
    found = run("claims", "--profile", "seconds", "--out", tmp_path / "out", "--only", "good,failing", "--device", "cpu")
    assert found.exit_code == 1, found.output
    assert "good: holds: it is 2" in found.stdout
    assert "failing: failed: RuntimeError" in found.stdout
    assert f"report: {tmp_path / 'out' / 'report.html'}" in found.stdout
    found = run("claims", "--profile", "seconds", "--out", tmp_path / "one", "--only", "good", "--json", "--device", "cpu")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["claims"][0]["verdict"] == "holds"


def test_a_dry_run_says_the_plan_and_the_rules_and_writes_nothing(tmp_path: Path) -> None:
    found = run("claims", "--profile", "seconds", "--out", tmp_path / "out", "--dry-run", "--device", "cpu")
    assert found.exit_code == 0, found.output
    assert "the rule: Holds above 1" in found.stdout
    assert "cifar10 not at hand: --data cifar10=PATH" in found.stdout
    assert not (tmp_path / "out").exists()
    found = run("claims", "--profile", "seconds", "--out", tmp_path / "out", "--dry-run", "--json", "--device", "cpu")
    assert [claim["name"] for claim in json.loads(found.stdout)["claims"]] == ["good", "failing", "needy"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["claims", "--data", "cifar10"], "--data cifar10=~/cifar10"),
        (["claims", "--data", "cifar10=a", "--data", "cifar10=b"], "twice"),
        (["claims", "--only", "nothing"], "good"),
        (["papers"], "claims"),
    ],
)
def test_what_is_mistyped_is_explained(tmp_path: Path, words: list[str], said: str) -> None:
    found = run(*words, "--out", tmp_path / "out")
    assert found.exit_code == 2
    assert said in found.stderr
    assert not (tmp_path / "out").exists()
