"""Papers: their record, what a claim may say, and the conformance checks, which can pass and can fail."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import claims
from helpers.claims import Good, Hasty, Mute, Needy, Trained, Unfair
from zoo_core import Paper, Plugin, PluginError, Training, Verdict, registry
from zoo_core.papers import PROFILES
from zoo_core.testing import assert_conforms, check_component
from zoo_core.testing.papers import PlanBench


def problems(paper: Paper) -> dict[str, str]:
    return {outcome.name: outcome.problem for outcome in check_component("papers", paper) if outcome.problem}


def test_a_good_paper_conforms() -> None:
    paper = claims.paper(good=Good, trained=Trained, needy=Needy)
    assert_conforms("papers", paper)
    with registry.add(Plugin(papers={"ours": paper})):
        assert_conforms("papers", "ours")
        assert list(registry.claims("ours")) == ["good", "trained", "needy"]
        assert registry.find("papers", "ours").summary == "What nobody claims (Nobody 2025)"


@pytest.mark.parametrize(
    ("claim", "check", "words"),
    [
        (Unfair, "judges", "claim bad: judges its example of 'does not hold here' as Verdict"),
        (Hasty, "plans", "plan trains, expected it to compute nothing"),
        (Mute, "says what it claims", "claim bad: criterion is ' ', expected words"),
    ],
)
def test_what_is_wrong_with_a_claim_is_found(claim: Any, check: str, words: str) -> None:
    found = problems(claims.paper(good=Good, bad=claim))
    assert list(found) == [check]
    assert words in found[check]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere.at.all:Claim", "cannot be imported"),
        ("helpers.claims:plugin", "does not subclass zoo_core.Claim"),
        ("zoo_core.papers:Claim", "does not define"),
    ],
)
def test_what_is_no_claim_is_refused(target: str, words: str) -> None:
    with registry.add(Plugin(papers={"ours": Paper("A paper", {"bad": target})})):
        with pytest.raises(PluginError, match=words):
            registry.claims("ours")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"title": 3, "claims": {"a": "m:A"}}, "title must be a text"),
        ({"title": "t", "claims": {}}, "claims must be a mapping"),
        ({"title": "t", "claims": {"A claim": "m:A"}}, "no name for a claim"),
        ({"title": "t", "claims": {"a": "m"}}, "no import string"),
    ],
)
def test_a_record_that_cannot_be_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        Paper(**given)


@pytest.mark.parametrize("papers", [["p"], {"p": "m:A"}, {"A paper": Paper("t", {"a": "m:A"})}])
def test_a_plugin_takes_papers_by_name(papers: Any) -> None:
    with pytest.raises(PluginError, match=r"papers must be a mapping|no name for a paper"):
        Plugin(papers=papers)


def test_equal_trainings_have_one_name_and_others_another() -> None:
    one = Training("dcgan", options={"a": 1, "b": 2})
    assert one.name == Training("dcgan", options={"b": 2, "a": 1}).name
    others = [Training("dcgan", seed=1, options={"a": 1, "b": 2}), Training("dcgan", options={"a": 1}), Training("mlp-gan")]
    assert len({one.name, *(other.name for other in others)}) == 4
    assert "/" not in Training("mine:dcgan").name


def test_a_verdict_is_one_of_four() -> None:
    with pytest.raises(ValueError, match="no verdict"):
        Verdict("perhaps", "who knows")  # type: ignore[arg-type]


def test_a_profile_takes_what_the_one_before_it_takes() -> None:
    sizes = {"seconds": 1, "minutes": 2, "full": 9}
    found = {profile: PlanBench(profile, at_hand=False).choose(**sizes) for profile in PROFILES}
    assert found == {"seconds": 1, "minutes": 2, "hour": 2, "gpu": 2, "full": 9}
