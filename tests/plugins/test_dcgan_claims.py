"""What the DCGAN paper says of features, filters, objects, sums and turns: the rules, and that cheating is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo
from zoo.packs import to_images
from zoo.progress import SILENT
from zoo_core import Claim, ImageSpec, Training, registry
from zoo_core.testing.papers import PlanBench
from zoo_plugins.papers.dcgan import filters
from zoo_plugins.papers.dcgan.arithmetic import Arithmetic
from zoo_plugins.papers.dcgan.features import Features, Subject, probe, probe_kmeans
from zoo_plugins.papers.dcgan.filters import Filters
from zoo_plugins.papers.dcgan.forgetting import Forgetting
from zoo_plugins.papers.dcgan.kmeans import KMeansFeatures, learn
from zoo_plugins.papers.dcgan.mnist import ConditionalDigits, lay_out
from zoo_plugins.papers.dcgan.supervised import supervise
from zoo_plugins.papers.dcgan.svhn import FewLabels
from zoo_plugins.papers.dcgan.turning import Turning

CLAIMS: tuple[type[Claim], ...] = (Features, FewLabels, Filters, Forgetting, Arithmetic, Turning, ConditionalDigits)
FACES = {"dataset.count": 200}
WIDTH = {"generator.width": 8, "discriminator.width": 8}


class Passing(PlanBench):
    """A bench that passes untrained networks off as trained."""

    def __init__(self, folder: Path) -> None:
        super().__init__("seconds", at_hand=False)
        self.folder, self.report, self.kept = folder, SILENT, {}  # type: ignore[var-annotated]

    def train(self, training: Training) -> Path:
        folder = self.folder / f"run-{training.seed}"
        if not folder.exists():
            model = zoo.create("dcgan", size=16, options=WIDTH, seed=training.seed + 50)
            told = {"dataset": {"name": "faces", "options": {"count": FACES["dataset.count"]}}}
            model.config["provenance"] = {**model.config.get("provenance", {}), **told}
            model.save_pretrained(folder)
        return folder

    def pack(self, training: Training) -> zoo.Pack:
        return zoo.build_pack(zoo.PackRequest("faces", size=16, channels=3, options={"count": FACES["dataset.count"]}))

    def remember(self, key: str, measure: Callable[[], Any]) -> Any:
        if key not in self.kept:
            self.kept[key] = json.loads(json.dumps(measure()))
        return self.kept[key]

    def picture(self, name: str, image: Any) -> Path:
        file = self.folder / f"{name}.png"
        image.save(file)
        return file


@pytest.fixture
def bench(tmp_path: Path) -> Passing:
    return Passing(tmp_path)


def small_subject() -> Subject:
    training = Training("dcgan", size=16, options={**WIDTH, **FACES})
    return Subject(training, "faces", "glasses", None, 12, 4, None, 8, 300, 4)


def test_every_claim_is_one_of_the_paper() -> None:
    known = {type(claim) for claim in registry.claims("dcgan").values()}
    assert set(CLAIMS) <= known


def test_random_weights_passed_off_as_trained_are_found_out(bench: Passing, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the claims' own measures: filters of untrained networks are no more selective, their features no better."""
    claim = Filters()
    facts = claim.measure(bench)
    assert len(facts["trained"]) == 2
    assert claim.judge(facts).kind != "holds"
    assert all((bench.folder / f"{name}.png").is_file() for name in ("trained", "random"))
    monkeypatch.setattr("zoo_plugins.papers.dcgan.features.choose_subject", lambda bench: small_subject())
    claim = Features()
    facts = claim.measure(bench)
    assert set(facts["many"]) == {"trained", "random", "k-means"}
    assert facts["stand_in"]
    verdict = claim.judge(facts)
    assert verdict.kind != "holds"
    assert "drawn faces stand in for CIFAR-10" in verdict.why
    assert "stand-in" in claim.ours(facts)
    assert any("A stand-in" in shown.title for shown in claim.figures(facts, bench) if hasattr(shown, "title"))
    assert claim.commands(facts)


def test_trained_features_beat_random_ones_by_their_own_measure(bench: Passing) -> None:
    """A discriminator that sees what the labels say, which training would have to bring about."""
    subject, model = replace(small_subject(), many=12, test=20), zoo.load(bench.train(Training("dcgan")))
    random = probe(bench, subject, model, 0, untrained=True)
    assert set(random) == {"many", "few", "chance"}
    assert 0 <= random["few"] <= 1
    assert random["chance"] > 0.3  # most faces have no glasses
    assert 0 <= probe_kmeans(bench, subject, bench.train(Training("dcgan")))["many"] <= 1


@pytest.mark.parametrize(
    ("trained", "kind"),
    [
        ([0.64, 0.643, 0.641], "cannot tell"),  # as random weights
        ([0.68, 0.70, 0.71], "cannot tell"),  # above them, and K-means within the interval
        ([0.72, 0.73, 0.725], "holds"),
        ([0.672, 0.673, 0.671], "does not hold here"),
    ],
)
def test_on_cifar_features_must_lie_above_kmeans(trained: list[float], kind: str) -> None:
    random = [0.64, 0.643, 0.641]
    both = {"trained": trained, "random": random, "k-means": [0.6 if trained == random else 0.7]}
    facts = {"dataset": "cifar10", "stand_in": False, "labels": {"many": "all", "few": "400 a class"}, "chance": 0.1}
    assert Features().judge({**facts, "many": both, "few": both}).kind == kind
    stand_in = {**facts, "stand_in": True, "many": both, "few": both}
    assert Features().judge(stand_in).kind == ("cannot tell" if trained == random else "holds")


@pytest.mark.parametrize("claim", [Forgetting(), Arithmetic()])
def test_nothing_can_be_told_of_what_is_not_drawn(claim: Claim) -> None:
    verdict = claim.judge({"why_not": "no samples show glasses", "run": "x"})
    assert (verdict.kind, verdict.why) == ("cannot tell", "no samples show glasses")
    assert claim.ours({"why_not": "no samples show glasses"}) == "no samples show glasses"
    assert list(claim.figures({"why_not": "no"}, PlanBench("minutes", at_hand=False))) == []


def test_an_object_that_few_samples_show_is_not_forgotten() -> None:
    facts = {**Forgetting.examples["holds"], "before": {"count": 19, "of": 256}, "after": {"count": 0, "of": 256}}
    verdict = Forgetting().judge(facts)
    assert verdict.kind == "cannot tell"
    assert "only 19 of 256 samples show glasses beforehand" in verdict.why


def test_a_direction_without_samples_of_both_sides_cannot_be_told() -> None:
    facts = {"turn=right": {"why_not": "no sample looks right"}, "glasses": Turning.examples["holds"]["turn=right"]}
    assert Turning().judge(facts).kind == "cannot tell"
    assert "to glasses" in Turning().ours(facts)
    assert len(Turning().figures(facts, PlanBench("minutes", at_hand=False))) == 4


def test_sums_that_reach_no_further_than_any_sample_do_not_hold() -> None:
    facts = {**Arithmetic.examples["cannot tell"], "three": {"count": 2, "of": 100}, "any": {"count": 400, "of": 2048}}
    verdict = Arithmetic().judge(facts)
    assert verdict.kind == "does not hold here"
    assert "below any sample" in verdict.why


@pytest.mark.parametrize("claim", [claim() for claim in CLAIMS])
@pytest.mark.parametrize("kind", ["holds", "does not hold here", "cannot tell"])
def test_what_is_shown_can_be_drawn(claim: Claim, kind: Any) -> None:
    facts = claim.examples[kind]
    shown = claim.figures({**facts, "run": "x", "runs": ["x"]}, PlanBench("minutes", at_hand=False))
    assert shown
    for command in claim.commands({**facts, "run": "x", "runs": ["x"]}):
        assert command.startswith("zoo ")
        assert "runs/x" in command


def test_kmeans_features_tell_what_patches_look_like() -> None:
    class Stripes:
        """Pictures of horizontal and of vertical stripes, by turns."""

        spec = ImageSpec(16)

        def __len__(self) -> int:
            return 40

        def gather(self, rows: Tensor) -> Tensor:
            lines = (torch.arange(16) // 2 % 2 * 200).to(torch.uint8)
            both = torch.stack([lines[:, None].expand(16, 16), lines[None, :].expand(16, 16)])
            return both[rows % 2][..., None].expand(-1, 16, 16, 3).contiguous()

    features = learn(Stripes(), 6, patches=200, stride=2)
    assert isinstance(features, KMeansFeatures)
    assert learn(Stripes(), 6, patches=200, stride=2).centers.equal(features.centers)
    x = to_images(Stripes().gather(torch.arange(4)))
    (codes,) = features.features(x)
    assert codes.shape == (4, 6, 2, 2)
    assert torch.allclose(codes[0], codes[2])
    assert bool((codes >= 0).all())
    # what all patches have alike is amplified by no more than the 0.1 allows that Coates and Ng (2012) add to variances
    assert torch.linalg.eigvalsh(features.whitening).max().item() == pytest.approx(0.1**-0.5, rel=1e-3)
    assert not torch.allclose(codes[0], codes[1], atol=0.1)
    assert features(x).shape == (4,)


def test_a_supervised_network_of_the_same_shape_learns() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    images = torch.randn(60, 3, 16, 16, generator=rng) * 0.3 + (labels.float() * 0.8 - 0.4)[:, None, None, None]
    discriminator = zoo.create("dcgan", size=16, options=WIDTH).discriminator
    assert discriminator is not None
    before = {name: value.clone() for name, value in discriminator.state_dict().items()}
    sets = [(images[i::3], labels[i::3]) for i in range(3)]
    assert supervise(discriminator, *sets, 2, epochs=6, rates=(1e-3,)) > 0.9
    assert all(torch.equal(value, before[name]) for name, value in discriminator.state_dict().items())


def test_pictures_side_by_side() -> None:
    pictures = zoo.to_pictures(torch.zeros(5, 3, 8, 8))
    assert lay_out(pictures, 3).size == (48, 32)


def test_seeds_share_the_main_training() -> None:
    for profile in ("seconds", "minutes", "gpu"):
        bench = PlanBench(profile, at_hand=False)
        first = {step.name for step in Features().plan(bench) if isinstance(step, Training)}
        assert first >= {training.name for training in filters.list_trainings(bench)}
