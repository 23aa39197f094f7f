"""What a discriminator has learned: linear classifiers on its features, and nearest neighbors of labeled samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zoo
from helpers.metrics import Counting, Heard, pictures, plain, replaying, saved
from zoo.metrics.extractors import MirroredFeatures, StageFeatures
from zoo_core import DataError, UsageError

WIDTH = {"discriminator.width": 8}


def small(size: int = 16) -> zoo.Model:
    return zoo.create("dcgan", size=size, options=WIDTH)


def test_random_features_tell_red_from_blue() -> None:
    found = zoo.probe(small(), dataset="ellipses")
    assert found.metrics["probe_accuracy"] > 0.9
    assert found.spread == {}
    protocol = found.protocol
    assert (protocol["labels"], protocol["real_images"], protocol["test_images"]) == ("all", 200, 120)
    assert protocol["feature_count"] == 16 * (8 + 16)
    assert protocol["c_chosen_on"] == "20 held-out training images"
    assert protocol["precision"] == "float16"
    plain(found.to_json())


def test_few_labels_several_times() -> None:
    heard = Heard()
    found = zoo.probe(small(), dataset="ellipses", labels=8, repeats=3, test=40, report=heard)
    assert 0.5 < found.metrics["probe_accuracy"] <= 1
    assert found.spread["probe_accuracy"] >= 0
    assert (found.protocol["labels"], found.protocol["repeats"], found.protocol["test_images"]) == ("8 per class", 3, 40)
    assert found.protocol["real_images"] <= 48
    assert heard.text.count("of the test images are right") == 3
    again = zoo.probe(small(), dataset="ellipses", labels=8, repeats=3, test=40)
    assert again.metrics == found.metrics


def test_the_control_has_random_weights_of_its_own(tmp_path: Path) -> None:
    model = replaying(pictures("few"))
    with torch.no_grad():
        for parameter in model.discriminator.parameters():  # type: ignore[union-attr]
            parameter.zero_()
    folder = saved(model, tmp_path / "model")
    with pytest.raises(zoo.ZooError, match="all images have the same features"):
        zoo.probe(folder, dataset="ellipses")
    found = zoo.probe(folder, dataset="ellipses", untrained=True)
    assert found.metrics["probe_accuracy"] > 0.7
    assert found.protocol["weights"] == "random initial weights, seed 0"
    assert found.written is None
    named = zoo.probe("replaying", dataset="ellipses", untrained=True)
    assert named.metrics == found.metrics


def test_the_result_goes_into_the_model_folder(tmp_path: Path) -> None:
    folder = saved(replaying(pictures("few")), tmp_path / "model")
    found = zoo.probe(folder, dataset="ellipses", labels=10, repeats=2)
    assert found.written == folder / "metrics.json"
    assert "probe accuracy" in (folder / "README.md").read_text()


def test_batch_norm_statistics_are_those_of_the_training_images() -> None:
    model = small()
    before = {k: v.clone() for k, v in model.discriminator.state_dict().items()}  # type: ignore[union-attr]
    zoo.probe(model, dataset="ellipses", labels=4, repeats=1)
    after = model.discriminator.state_dict()  # type: ignore[union-attr]
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed
    assert all("running" in name or "tracked" in name for name in changed)
    assert not any(module.training for module in model.discriminator.modules())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("dataset", "choices", "words"),
    [
        ("one-class", {}, "class 'blue' has 0 training images"),
        ("unlabeled", {}, "needs labels, and the images of unlabeled have none"),
        ("ellipses", {"labels": 101}, "class 'red' has 100 training images, and 101 are needed"),
        ("ellipses", {"labels": 1}, "at least 2 per class"),
        ("ellipses", {"repeats": 0}, "repeats must be at least 1"),
    ],
)
def test_what_cannot_be_probed(dataset: str, choices: dict[str, int], words: str) -> None:
    with pytest.raises((DataError, UsageError), match=words):
        zoo.probe(small(), dataset=dataset, **choices)  # type: ignore[arg-type]
    assert Counting.seen == 0


def test_a_model_without_discriminator_is_refused() -> None:
    model = small()
    model.discriminator = None
    with pytest.raises(UsageError, match="without its discriminator"):
        zoo.probe(model, dataset="ellipses")


def test_neighbors_of_labeled_samples_tell_the_classes() -> None:
    pytest.importorskip("faiss")
    fresh = pictures("fresh")
    found = zoo.one_nn(replaying(fresh, classes=2), dataset="ellipses", samples=100)
    other = fresh.view(-1, 2, *fresh.shape[1:]).flip(1).flatten(0, 1)
    swapped = zoo.one_nn(replaying(other, classes=2), dataset="ellipses", samples=100)
    assert found.metrics["one_nn_error"] < 0.1 < 0.9 < swapped.metrics["one_nn_error"]
    assert found.metrics["one_nn_error_of_real"] < 0.1
    assert found.protocol["samples"] == 100


def test_neighbors_need_a_conditional_model_of_the_same_classes() -> None:
    with pytest.raises(UsageError, match="unconditional"):
        zoo.one_nn(small(), dataset="ellipses")
    other = replaying(pictures("fresh"), classes=2)
    other.config["classes"] = ["cat", "dog"]
    with pytest.raises(UsageError, match="the model's classes are cat, dog"):
        zoo.one_nn(other, dataset="ellipses")
    with pytest.raises(UsageError, match="fewer than the 2 classes"):
        zoo.one_nn(other, dataset="ellipses", samples=1)


def test_what_each_stage_is_worth() -> None:
    found = zoo.probe(small(), dataset="ellipses", labels=20, repeats=1, per_layer=True)
    layers = found.details["layers"]
    assert [row["features"] for row in layers] == [16 * 8, 16 * 16]
    assert sum(row["features"] for row in layers) == found.protocol["feature_count"]
    assert layers[0]["alone"] == layers[0]["up_to"]
    assert layers[-1]["up_to"] == found.metrics["probe_accuracy"]  # all stages, the same images
    assert all(0.5 < row["alone"] <= 1 for row in layers)
    plain(found.to_json())


def test_attributes_are_classes_too() -> None:
    options = {"dataset.count": 60}
    found = zoo.probe(small(), dataset="faces", options=options, attribute="glasses", labels=4, repeats=1)
    assert found.protocol["attribute"] == "glasses"
    assert found.protocol["real_images"] == 4 * 4
    assert found.protocol["test_images"] == 6
    with pytest.raises(UsageError, match="unknown attribute of faces 'glases'; did you mean glasses"):
        zoo.probe(small(), dataset="faces", options=options, attribute="glases")
    with pytest.raises(UsageError, match="no_such"):
        zoo.probe(small(), dataset="faces", options={"dataset.no_such": 1})


def test_features_may_be_means_with_those_of_mirror_images() -> None:
    plain_features = StageFeatures(small().discriminator)  # type: ignore[arg-type]
    mirrored = MirroredFeatures(plain_features)
    x = torch.rand(3, 3, 16, 16) * 2 - 1
    assert torch.allclose(mirrored(x), mirrored(x.flip(3)))
    assert not torch.allclose(mirrored(x), plain_features(x))
    found = zoo.probe(small(), dataset="ellipses", labels=20, repeats=1, mirror=True)
    assert "mirror True" in found.protocol["feature_options"]
    assert found.metrics["probe_accuracy"] > 0.5
