"""What the DCGAN paper says of training, copying and walking: the rules, and that cheating is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo
from zoo.progress import SILENT
from zoo_core import Claim, Course, ImageSpec, Point, Training, registry
from zoo_core.papers import PROFILES
from zoo_core.testing import assert_conforms
from zoo_core.testing.papers import PlanBench
from zoo_plugins.papers.dcgan import guidelines, memorization, stable
from zoo_plugins.papers.dcgan.copying import KINDS, MemorizingGenerator, find_copies
from zoo_plugins.papers.dcgan.epochs import OneEpochAgainstFive
from zoo_plugins.papers.dcgan.guidelines import BESIDE, BROKEN, Guidelines
from zoo_plugins.papers.dcgan.memorization import NoMemorization, measure_power
from zoo_plugins.papers.dcgan.stable import DCGAN, PLAIN, StableTraining, draw_settings
from zoo_plugins.papers.dcgan.trainings import is_healthy
from zoo_plugins.papers.dcgan.walks import SmoothWalks

RANDOM = 28.0  # distance of random weights
HEALTHY = Point(4000, 1.0, 9.0, 0.3, 0.8, 0.9, collapsed=False)
UNTRAINED = Point(4000, 1.0, RANDOM, 0.3, 0.02, 0.03, collapsed=True)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> zoo.Pack:
    """A few drawn faces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        return zoo.build_pack(zoo.PackRequest("faces", size=16, channels=3, options={"count": 220}), workers=1)


class Pretending(PlanBench):
    """A bench whose trainings end as a test says, and whose models are of its making."""

    def __init__(self, folder: Path, *, point: Callable[[Training], Point] = lambda _: HEALTHY, images: Any = None) -> None:
        super().__init__("seconds", at_hand=False)
        self.folder, self.report, self.device = folder, SILENT, "cpu"
        self.point, self.images = point, images

    def train(self, training: Training) -> Path:
        folder = self.folder / "run"
        if not folder.exists():
            zoo.create("dcgan", size=16, options={"generator.width": 8, "discriminator.width": 8}).save_pretrained(folder)
        return folder

    def follow(self, training: Training, points: int = 1) -> Course:
        return Course(Path(training.name), tuple(self.point(training) for _ in range(points)))

    def measure(self, model: Any, training: Training) -> Point:
        return UNTRAINED

    def pack(self, training: Training) -> zoo.Pack:
        assert isinstance(self.images, zoo.Pack)
        return self.images

    def remember(self, key: str, measure: Callable[[], Any]) -> Any:
        return json.loads(json.dumps(measure()))

    def picture(self, name: str, image: Any, *, columns: int | None = None) -> Path:
        (self.folder / f"{name}.png").touch()
        return self.folder / f"{name}.png"


def test_the_paper_conforms() -> None:
    assert_conforms("papers", "dcgan")
    known = {type(claim) for claim in registry.claims("dcgan").values()}
    assert {StableTraining, Guidelines, OneEpochAgainstFive, NoMemorization, SmoothWalks} <= known


def test_a_profile_never_asks_for_less_than_the_one_before(tmp_path: Path) -> None:
    for claim in (StableTraining(), Guidelines(), OneEpochAgainstFive(), NoMemorization(), SmoothWalks()):
        found = []
        for profile in PROFILES:
            planned = claim.plan(PlanBench(profile, at_hand=False))
            found.append(sum(step.images * (step.size or 64) ** 2 for step in planned if isinstance(step, Training)))
        assert found[0] < found[1] < found[2] <= found[4], claim.title


# Stable training.


def test_dcgans_that_end_well_beside_plain_gans_that_do_not_make_the_claim_hold(tmp_path: Path) -> None:
    bench = Pretending(tmp_path, point=lambda training: HEALTHY if training.recipe == DCGAN else UNTRAINED)
    bench.profile = "minutes"
    facts = StableTraining().measure(bench)
    assert len(facts["settings"]) == 20
    assert StableTraining().judge(facts).kind == "holds"
    assert len(StableTraining().figures(facts, bench)) == 2


def test_random_weights_passed_off_as_trained_do_not_end_well(tmp_path: Path) -> None:
    bench = Pretending(tmp_path, point=lambda training: UNTRAINED)
    bench.profile = "minutes"
    facts = StableTraining().measure(bench)
    assert facts["healthy"][DCGAN] == [False] * 20
    assert StableTraining().judge(facts).kind == "does not hold here"


def test_settings_are_the_same_for_every_recipe_and_differ_from_each_other() -> None:
    bench = PlanBench("minutes", at_hand=False)
    ours, plain = draw_settings(bench, DCGAN), draw_settings(bench, PLAIN)
    shared = ("optimizer.lr", "generator.latent_dim", "training.latent")
    for one, other in zip(ours, plain, strict=True):
        assert (one.seed, one.batch) == (other.seed, other.batch)
        assert [one.options[key] for key in shared] == [other.options[key] for key in shared]
    assert len({stable.describe_setting(training) for training in ours}) > 10


@pytest.mark.parametrize(
    ("course", "good"),
    [
        ({"diverged": "", "points": [{"collapsed": False, "distance": 9.0}]}, True),
        ({"diverged": "", "points": [{"collapsed": True, "distance": 9.0}]}, False),
        ({"diverged": "", "points": [{"collapsed": False, "distance": 27.0}]}, False),
        ({"diverged": "NaN", "points": [{"collapsed": False, "distance": 9.0}]}, False),
        ({"diverged": "", "points": []}, False),
    ],
)
def test_when_a_training_ends_well(course: dict[str, Any], good: bool) -> None:
    assert is_healthy(course, RANDOM) is good


# Guidelines.


def test_broken_guidelines_that_train_worse_make_the_claim_hold(tmp_path: Path) -> None:
    def point(training: Training) -> Point:
        distance = (4.0 if training.recipe == guidelines.DCGAN else 9.0) + 0.1 * training.seed
        return Point(training.images, 1.0, distance, 0.3, 0.8, 0.9, collapsed=False)

    bench = Pretending(tmp_path, point=point)
    bench.profile = "minutes"
    facts = Guidelines().measure(bench)
    assert set(facts["courses"]) == {guidelines.DCGAN, *BROKEN, *BESIDE}
    verdict = Guidelines().judge(facts)
    assert (verdict.kind, Guidelines().ours(facts)) == ("holds", "9 of 9 guidelines help here")
    assert len(Guidelines().figures(facts, bench)) == 3


def test_a_guideline_whose_breaking_diverges_helps(tmp_path: Path) -> None:
    facts = json.loads(json.dumps(Guidelines.examples["cannot tell"]))
    for course in facts["courses"]["dcgan-nobn"]:
        course |= {"diverged": "it did", "points": []}
    assert "1 of 9 guidelines help here (batch normalization)" in Guidelines().judge(facts).why


# Epochs.


@pytest.mark.parametrize(("first", "last", "kind"), [(9.0, 3.0, "holds"), (3.0, 9.0, "does not hold here")])
def test_epochs_are_compared_seed_by_seed(first: float, last: float, kind: str) -> None:
    facts = json.loads(json.dumps(OneEpochAgainstFive.examples["holds"]))
    for seed, course in enumerate(facts["courses"]):
        for number, point in enumerate(course["points"]):
            point["distance"] = (first if number == 0 else last) + 0.1 * seed
    assert OneEpochAgainstFive().judge(facts).kind == kind


# Memorization.


def faces(pack: zoo.Pack) -> Tensor:
    pixels = pack.gather(torch.arange(len(pack)))
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_every_kind_are_nearer_than_other_real_images(pack: zoo.Pack, kind: str) -> None:
    images = faces(pack)
    real, _ = find_copies(images[:60], images, itself=torch.arange(60))
    copies, numbers = find_copies(KINDS[kind](images[:60]), images, itself=torch.full((60,), -1))
    assert (numbers == torch.arange(60)).float().mean() > 0.9
    assert copies.median() < real.min()


@pytest.mark.slow
def test_a_generator_that_memorized_is_found_out_by_the_claims_own_measure(
    tmp_path: Path, pack: zoo.Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Pretending(tmp_path, images=pack)
    monkeypatch.setattr(bench, "profile", "minutes")
    honest = NoMemorization().measure(bench)
    assert honest["seen"] == 0
    assert honest["copier"] == honest["samples"]
    real = zoo.load(bench.train(Training("dcgan")))
    copier = MemorizingGenerator(faces(pack)[:50], latent_dim=real.generator.latent_dim)
    monkeypatch.setattr(zoo, "load", lambda *given, **more: zoo.Model(copier, real.discriminator, real.config))
    facts = NoMemorization().measure(bench)
    verdict = NoMemorization().judge(facts)
    assert facts["seen"] == facts["samples"]
    assert verdict.kind == "does not hold here"
    assert NoMemorization().figures(facts, bench)


def test_a_search_that_would_not_see_copies_cannot_tell() -> None:
    facts = json.loads(json.dumps(NoMemorization.examples["holds"]))
    facts["copier"] = 0
    assert NoMemorization().judge(facts).kind == "cannot tell"
    facts = json.loads(json.dumps(NoMemorization.examples["holds"]))
    facts["planted"]["blurred"] |= {"each": 0.3, "power": 0.2}
    assert "blurred" in NoMemorization().judge(facts).why


def test_the_bound_of_the_copy_rate_takes_into_account_what_would_be_missed() -> None:
    facts = json.loads(json.dumps(NoMemorization.examples["holds"]))
    facts |= {"seen": 0, "samples": 1000}
    upper, lower = 1 - 0.025 ** (1 / 1000), 0.025 ** (1 / 200)  # of 0 among 1,000, of 200 among 200
    facts["planted"] = {"exact": {"each": 1.0, "count": 200, "of": 200, "power": 1.0}}
    assert memorization.bound_rate(facts) == pytest.approx(upper / lower, abs=1e-6)
    facts["planted"]["blurred"] = {"each": 0.5, "count": 100, "of": 200, "power": 1.0}
    assert memorization.bound_rate(facts) == pytest.approx(upper / 0.42865, abs=1e-5)  # Clopper and Pearson's of 100 of 200


def test_the_power_is_that_of_plantings() -> None:
    lot, nothing = torch.Generator().manual_seed(0), torch.zeros(1000, dtype=torch.bool)
    for seen in (50, 0):
        told = measure_power(torch.full((50,), seen > 0), nothing, lot)
        assert told == {"each": seen / 50, "count": seen, "of": 50, "power": seen / 50}
    half = measure_power(torch.arange(50) % 2 == 0, nothing, lot)
    assert half["power"] == pytest.approx(0.62, abs=0.12)  # 5 or more of 10


# Walks.


@pytest.mark.slow
def test_walks_of_a_memorizer_jump_and_untrained_ones_prove_nothing(tmp_path: Path, pack: zoo.Pack) -> None:
    bench = Pretending(tmp_path, images=pack)
    facts = SmoothWalks().measure(bench)
    assert min(facts["memorized"]) > 0.5 > max(facts["trained"])
    assert SmoothWalks().judge(facts).kind == "cannot tell"  # random weights are smooth, and have learned nothing
    learned = {**facts, "distances": [3.0, RANDOM]}
    assert SmoothWalks().judge(learned).kind == "holds"
    assert SmoothWalks().judge({**learned, "trained": facts["memorized"]}).kind == "does not hold here"


def test_a_memorizer_shows_its_pictures_and_nothing_else() -> None:
    pictures = torch.rand(7, 3, 16, 16) * 2 - 1
    generator = MemorizingGenerator(pictures, latent_dim=20, latent="uniform")
    z = generator.sample_latent(64)
    assert generator.image == ImageSpec(16, 3)
    assert z.abs().max() <= 1
    drawn = generator(z)
    same = (drawn[:, None] == pictures[None]).flatten(2).all(2)  # [64, 7]
    assert same.sum(1).eq(1).all()
    assert same.any(0).sum() > 3


CLAIMS: tuple[type[Claim], ...] = (StableTraining, Guidelines, OneEpochAgainstFive, NoMemorization, SmoothWalks)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("kind", ["holds", "does not hold here", "cannot tell"])
def test_each_rule_says_all_three(claim: type[Claim], kind: Any) -> None:
    verdict = claim().judge(claim.examples[kind])
    assert verdict.kind == kind
    assert any(character.isdigit() for character in verdict.why)
