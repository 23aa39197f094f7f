"""`zoo.evaluate` as a whole: what it says, where it writes it, what the card makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

import zoo
from helpers.metrics import Counting, Heard, pictures, plain, replaying, saved
from zoo.evaluating.results import Results, describe, write_results
from zoo.metrics.extractors import Extractor, extractor
from zoo.models.card import read_metrics
from zoo.packs import PackRequest
from zoo_core import UsageError, ZooError

pytest.importorskip("torch_fidelity")
CHOICES = {"dataset": "ellipses", "features": "counting", "samples": 64, "metrics": ["fid", "kid", "precision"]}


def evaluate(model: object, **choices: object) -> Results:
    return zoo.evaluate(model, **{**CHOICES, **choices})  # type: ignore[arg-type]


def test_numbers_with_their_protocol() -> None:
    heard = Heard()
    found = evaluate(replaying(pictures("fresh")), real=80, report=heard)
    assert list(found.metrics) == ["fid", "kid", "precision"]
    assert found.spread["fid"] > 0
    assert found.spread["kid"] > 0
    protocol = found.protocol
    assert (protocol["samples"], protocol["real_images"]) == (64, 80)
    assert (protocol["dataset"], protocol["split"]) == ("ellipses", "train")
    assert protocol["features"] == "samples:counting"
    assert protocol["feature_count"] == 12
    assert protocol["weights"] == "untrained"
    assert "antialiased" in protocol["real_resizing"]
    assert protocol["feature_resizing"] == "not stated"
    assert protocol["kid_subset_size"] == 64
    assert protocol["seed"] == 0
    assert "fid from 64 images (below 10,000) is biased upward" in heard.text
    assert "kid, precision from 64 images: expect a wide spread" in heard.text
    plain(found.to_json())
    assert evaluate(replaying(pictures("fresh")), real=80).metrics == found.metrics


def test_features_are_kept_for_the_next_evaluation() -> None:
    model = replaying(pictures("fresh"))
    evaluate(model)
    assert Counting.seen == 264
    evaluate(model, metrics=["recall"])
    assert Counting.seen == 264
    evaluate(model, seed=1)
    assert Counting.seen == 328


def test_an_interrupted_evaluation_goes_on() -> None:
    model = replaying(pictures("fresh"))
    Counting.breaks_at = 150
    with pytest.raises(KeyboardInterrupt):
        evaluate(model)
    Counting.seen, Counting.breaks_at = 0, -1
    heard = Heard()
    evaluate(model, report=heard)
    assert "going on with real images number 64" in heard.text
    assert Counting.seen == 136


def test_the_file_and_the_card(tmp_path: Path) -> None:
    folder = saved(replaying(pictures("fresh")), tmp_path / "model")
    found = evaluate(folder)
    assert found.written == folder / "metrics.json"
    kept = read_metrics(folder)
    assert kept == plain(found.block())
    evaluate(folder, metrics=["recall"])
    assert list((read_metrics(folder) or {})["metrics"]) == ["fid", "kid", "precision", "recall"]
    zoo.probe(folder, dataset="ellipses", labels=8, repeats=2)
    neighbors = zoo.neighbors(folder, dataset="ellipses", features="counting", samples=100)
    kept = read_metrics(folder)
    assert kept is not None
    assert kept["protocol"]["measure"] == "evaluate"
    assert [other["protocol"]["measure"] for other in kept["others"]] == ["probe", "neighbors"]
    card = (folder / "README.md").read_text()
    assert f"{neighbors.metrics['memorized_share_pixels']:.6g}" in card
    assert "was not measured here" not in card
    header = yaml.safe_load(card.split("---")[1])
    (index,) = header["model-index"]
    told = {m["type"]: m for result in index["results"] for m in result["metrics"]}
    assert {"recall_counting", "probe_accuracy", "memorized_share_features"} <= set(told)
    assert told["recall_counting"]["args"]["samples"] == 64
    assert told["probe_accuracy"]["args"]["measure"] == "probe"


def test_results_of_one_protocol_stand_together_and_others_apart(tmp_path: Path) -> None:
    folder = saved(replaying(pictures("few")), tmp_path / "model")

    def write(value: float, **protocol: object) -> dict[str, object]:
        write_results(folder, Results({str(protocol.pop("name", "fid")): value}, {}, {"measure": "evaluate", **protocol}))
        return json.loads((folder / "metrics.json").read_text())  # type: ignore[no-any-return]

    write(1.0, samples=10, features="a")
    assert write(2.0, samples=10, features="a", name="kid")["metrics"] == {"fid": 1.0, "kid": 2.0}
    assert write(3.0, samples=20, features="a")["metrics"] == {"fid": 3.0}
    both = write(4.0, samples=20, features="b")
    assert both["metrics"] == {"fid": 4.0} or both["metrics"] == {"fid": 3.0}
    assert len(both["others"]) == 1  # type: ignore[arg-type]
    with pytest.raises(ZooError, match="no result"):
        write(float("nan"), samples=1)
    assert read_metrics(folder) == both


def test_raw_weights_and_models_in_memory_write_into_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    found = evaluate(replaying(pictures("fresh")), out=out)
    assert found.written is None
    assert json.loads(out.read_text())["metrics"] == found.metrics


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"samples": 5, "metrics": ["precision"]}, "precision needs at least 6 samples"),
        ({"real": 0}, "real images must be at least 1"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"metrics": ["fids"]}, "unknown metric 'fids'"),
        ({"features": "nothing-such"}, "unknown feature extractor"),
        ({"metrics": ["is"]}, "needs the logits of a classifier"),
        ({"features": "pixels", "feature_options": {"size": "64"}}, "covariance has as many rows"),
        ({"dataset": "nothing-such"}, "unknown dataset"),
        ({"dataset": None}, "which images"),
    ],
)
def test_what_cannot_be_evaluated(choices: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate(replaying(pictures("fresh")), **choices)


def test_a_pack_of_another_size_is_refused(tmp_path: Path) -> None:
    other = zoo.build_pack(zoo.PackRequest("ellipses", size=32, channels=1), workers=1)
    with pytest.raises(UsageError, match="holds images of 32×32, gray, and the model's are 16×16, color") as raised:
        evaluate(replaying(pictures("fresh")), data=other.path)
    assert "zoo data build ellipses --size 16 --channels 3" in raised.value.hint


def test_features_that_are_no_numbers() -> None:
    with pytest.raises(ZooError, match="not finite"):
        evaluate(replaying(pictures("fresh")), feature_options={"bad": 1e39})


def test_results_of_a_gpu_say_how_it_multiplied() -> None:
    network, request = extractor("pixels"), PackRequest("ellipses")
    found = {}
    for device in ("cpu", "cuda"):
        opened = Extractor("builtin:pixels", "1", {}, network, device=torch.device(device))
        found[device] = describe("evaluate", request, 10, {}, extractor=opened)
    assert found["cuda"] == {**found["cpu"], "feature_device": "cuda", "tf32": "not allowed"}
