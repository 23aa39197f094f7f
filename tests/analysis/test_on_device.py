"""Analyses compute on the device that they are told, all of them; see `helpers.far` for the device."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import zoo
from helpers.far import FAR, far_device
from helpers.painting import painted_model
from zoo.analysis import attribute_classifier
from zoo.analysis.attribute_classifier import AttributeClassifier, load_classifier
from zoo.packs import to_images


def test_a_classifier_is_trained_and_used(pack: zoo.Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute_classifier, "LEAST_STEPS", 60)
    monkeypatch.setattr(attribute_classifier, "MOST_STEPS", 60)
    monkeypatch.setattr(attribute_classifier, "VERSION", -1)
    near, x = load_classifier(pack), to_images(pack.gather(torch.arange(70)))
    expected = near.probabilities(x)
    with far_device(monkeypatch) as seen:
        found = load_classifier(pack, device=FAR)
        assert seen.on_cpu == []
        assert next(found.network.parameters()).device == FAR
        probabilities = found.probabilities(x)
        assert seen.on_cpu == []
    for name, p in probabilities.items():  # rounding that differs makes another classifier, and as good a one
        assert (p.argmax(1) == expected[name].argmax(1)).float().mean() > 0.9
    assert found.accuracy == pytest.approx(near.accuracy, abs=0.02)


@pytest.mark.parametrize(
    ("name", "words", "choices", "same"),
    [
        ("walk", (), {"latents": 3, "steps": 4}, ["smoothness"]),
        ("features", (), {"count": 100, "shown": 2, "each": 3}, ["stage", "features", "selectivity"]),
        ("arithmetic", ("square - line + square",), {"searched": 256}, ["latent", "pixel", "base"]),
        ("turn", ("blue", "green"), {"searched": 128, "samples": 8}, ["probability", "kept"]),
        ("forget", ("square",), {"searched": 128, "tested": 32}, ["stage", "maps", "fit"]),
    ],
)
def test_analyses(
    name: str,
    words: tuple[str, ...],
    choices: dict[str, Any],
    same: list[str],
    classifier: AttributeClassifier,
    pack: zoo.Pack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = {} if name == "walk" else {"images": pack}
    expected = getattr(zoo, name)(painted_model(), *words, **choices, **images).to_json()
    with far_device(monkeypatch) as seen:

        def moved(model: object, images: object, *, device: torch.device, report: object) -> AttributeClassifier:
            classifier.network.to(device)
            return classifier

        for module in ("arithmetic", "walks", "forgetting"):
            monkeypatch.setattr(f"zoo.analysis.{module}.classifier_for", moved)
        found = getattr(zoo, name)(painted_model().to("meta"), *words, **choices, **images).to_json()
        assert seen.on_cpu == []
    for key in same:
        assert found[key] == _nearly(expected[key])


def _nearly(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nearly(each) for key, each in value.items()}
    return pytest.approx(value, rel=2e-3, abs=2e-3) if isinstance(value, float | list) else value


def test_projection(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.models.grids import to_pictures

    picture = to_pictures(painted_model().sample(1, seed=5))[0]
    expected = zoo.project(painted_model(), picture, starts=2, steps=5, searched=40)
    with far_device(monkeypatch) as seen:
        found = zoo.project(painted_model().to("meta"), picture, starts=2, steps=5, searched=40)
        assert seen.on_cpu == []
        assert found.image.device.type == "cpu"
    assert found.error == pytest.approx(expected.error, rel=1e-3)
