"""The metrics against their definitions: torch-fidelity on folders of pictures, numpy on saved features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ImageFilter
from torch import Tensor

import zoo
from helpers.metrics import pictures, replaying
from helpers.metrics import registered as registered
from zoo.metrics.extractors import extract, extractor
from zoo.models.grids import to_pictures
from zoo.packs import to_images, to_uint8
from zoo_core import Metric, UsageError, registry
from zoo_plugins.metrics.frechet import Gaussian, Moments, frechet_distance

torch_fidelity = pytest.importorskip("torch_fidelity")
pytest.importorskip("prdc")


@pytest.fixture(scope="module")
def theirs() -> str:
    """Our scattering features under a name of torch-fidelity's registry."""
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import register_feature_extractor

    class Ours(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: object) -> None:
            super().__init__(name, features_list)
            self.network = extractor("scattering")

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("all",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "all"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (self.network(x.float() / 127.5 - 1),)

    register_feature_extractor("zoo-scattering", Ours)
    return "zoo-scattering"


def folder_of(images: Tensor, folder: Path) -> str:
    folder.mkdir()
    for i, picture in enumerate(to_pictures(images)):
        picture.save(folder / f"{i:04d}.png")
    return str(folder)


def features_of(images: Tensor, features: str = "scattering") -> Tensor:
    return extract(extractor(features), to_images(to_uint8(replaying(images).sample(len(images)))))


def metric(name: str) -> Metric:
    return registry.create("metrics", name)  # type: ignore[no-any-return]


def measured(name: str, fake: Tensor, real: Tensor) -> float:
    return metric(name).measure(real, fake)[name]


def test_as_torch_fidelity_on_the_same_folders(theirs: str, tmp_path: Path) -> None:
    model, real = replaying(pictures("fresh")), pictures("train")
    drawn = model.sample(150, seed=3)
    names = ["fid", "precision", "recall"]
    found = zoo.evaluate(model, dataset="ellipses", metrics=names, features="scattering", samples=150, seed=3, resamples=0)
    expected = torch_fidelity.calculate_metrics(
        input1=folder_of(drawn, tmp_path / "drawn"),
        input2=folder_of(real, tmp_path / "real"),
        feature_extractor=theirs,
        fid=True,
        prc=True,
        cuda=False,
        save_cpu_ram=True,
        verbose=False,
    )
    assert found.metrics["fid"] == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found.metrics["precision"] == pytest.approx(expected["precision"], rel=1e-4)
    assert found.metrics["recall"] == pytest.approx(expected["recall"], rel=1e-4)
    assert found.metrics["fid"] > 1e-3


def test_kid_as_torch_fidelity_on_the_same_folders(theirs: str, tmp_path: Path) -> None:
    drawn, real = pictures("fresh")[:120], pictures("train")
    kid = metric("kid").evaluate(extract(extractor("scattering"), real), extract(extractor("scattering"), drawn))
    assert kid.protocol["kid_subset_size"] == 120
    expected = torch_fidelity.calculate_metrics(
        input1=folder_of(drawn, tmp_path / "drawn"),
        input2=folder_of(real, tmp_path / "real"),
        feature_extractor=theirs,
        kid=True,
        kid_subset_size=120,
        cuda=False,
        save_cpu_ram=True,
        verbose=False,
    )
    assert kid.values["kid"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert kid.spread["kid"] == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-4)


def test_kid_of_all_images_is_that_of_many_equal_subsets() -> None:
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    real, drawn = torch.randn(40, 8), torch.randn(40, 8) + 0.5
    found = metric("kid").evaluate(real, drawn)
    expected = kid_features_to_metric(drawn, real, kid_subsets=7, kid_subset_size=40, rng_seed=3, verbose=False)
    assert found.values["kid"] == pytest.approx(expected[KEY_METRIC_KID_MEAN], rel=1e-4)
    assert (found.protocol["kid_subsets"], found.spread) == (1, {})
    more = metric("kid").evaluate(torch.randn(41, 8), drawn)
    assert more.protocol["kid_subsets"] > 1
    assert more.spread["kid"] > 0


def test_fid_and_neighborhoods_recomputed_from_features() -> None:
    from scipy.linalg import sqrtm

    one, other = features_of(pictures("fresh")[:90], "counting"), features_of(pictures("train")[:100], "counting")
    a, b = one.double().numpy(), other.double().numpy()
    root = sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root)
    assert measured("fid", one, other) == pytest.approx(expected, rel=1e-4)
    assert measured("frechet", one, other) == pytest.approx(expected, rel=1e-4)

    def within(points: np.ndarray, balls: np.ndarray, k: int) -> float:
        radii = np.sort(np.linalg.norm(balls[:, None] - balls[None], axis=2), axis=1)[:, k]
        return float((np.linalg.norm(points[:, None] - balls[None], axis=2) <= radii).any(1).mean())

    assert measured("precision", one, other) == pytest.approx(within(a, b, 3), abs=1e-6)
    assert measured("recall", one, other) == pytest.approx(within(b, a, 3), abs=1e-6)
    radii = np.sort(np.linalg.norm(b[:, None] - b[None], axis=2), axis=1)[:, 5]
    between = np.linalg.norm(a[:, None] - b[None], axis=2)  # [generated, real]
    assert measured("density", one, other) == pytest.approx(float((between < radii).sum(1).mean() / 5), rel=1e-3)
    assert measured("coverage", one, other) == pytest.approx(float((between.min(0) < radii).mean()), abs=1e-6)


def test_identical_sets_are_at_no_distance() -> None:
    held = features_of(pictures("train"))
    assert abs(measured("fid", held, held)) < 1e-6
    assert abs(measured("kid", held, held)) < 1e-3
    assert measured("swd", held, held) == pytest.approx(0, abs=1e-6)
    assert [measured(name, held, held) for name in ("precision", "recall", "coverage")] == [1.0, 1.0, 1.0]


def test_known_changes_rank_right() -> None:
    fresh = pictures("fresh")

    def blurred(radius: float) -> Tensor:
        found = [np.asarray(p.filter(ImageFilter.GaussianBlur(radius))) for p in to_pictures(fresh)]
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / 127.5 - 1

    noise = torch.rand(fresh.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    changed = [features_of(x) for x in (fresh, blurred(0.6), blurred(1.5), noise)]
    held = extract(extractor("scattering"), pictures())
    for name in ("fid", "frechet", "kid", "swd"):
        values = [measured(name, features, held) for features in changed]
        assert values == sorted(values), (name, values)


def test_the_spread_of_the_fid_tells_how_far_another_sample_would_be() -> None:
    fake, real = (features_of(pictures(split), "counting") for split in ("fresh", "train"))
    found = metric("fid").evaluate(real, fake, resamples=30)
    assert found.values["fid"] == pytest.approx(measured("fid", fake, real))
    assert 0 < found.spread["fid"] < 5 * abs(found.values["fid"])
    assert found == metric("fid").evaluate(real, fake, resamples=30)
    assert metric("fid").evaluate(real, fake[:39], resamples=30).spread == {}  # parts of three images say nothing


def test_a_singular_covariance_gives_a_number() -> None:
    few = features_of(pictures("few")), features_of(pictures("train")[:20])
    assert np.isfinite(measured("fid", *few))
    assert measured("fid", *few) > 0


def test_the_inception_score_is_that_of_sure_and_different_answers() -> None:
    logits = 30 * torch.eye(4).repeat(50, 1)
    found = metric("is").evaluate(logits[:0], logits)
    assert found.values["is"] == pytest.approx(4, rel=0.1)
    assert found.spread["is"] < 0.5
    assert measured("is", torch.ones(100, 4), logits[:0]) == pytest.approx(1)


def test_ms_ssim_tells_diverse_from_alike() -> None:
    pytest.importorskip("pytorch_msssim")
    big = torch.rand(8, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    alike = big[:1] + 0.02 * big
    found = metric("ms-ssim").evaluate(alike, big)
    assert found.protocol["ms_ssim_window"] == 3
    assert found.protocol["ms_ssim_of_real_pairs"] == measured("ms-ssim", alike, big)
    assert measured("ms-ssim", alike, big) > 0.9 > 0.5 > found.values["ms-ssim"]
    with pytest.raises(UsageError, match="more than 32 pixels"):
        measured("ms-ssim", big[:, :, :32, :32], big)


def gaussian(vectors: Tensor) -> Gaussian:
    moments = Moments(vectors.shape[1])
    for start in range(0, len(vectors), 7):
        moments.add(vectors[start : start + 7])
    return moments.gaussian()


def test_moments_are_those_of_numpy() -> None:
    vectors = torch.randn(700, 5, generator=torch.Generator().manual_seed(0)) * 3 + 100
    for mean, covariance in (gaussian(vectors), Moments.of(vectors, 10).gaussian()):
        np.testing.assert_allclose(mean, vectors.double().mean(0), rtol=1e-12)
        np.testing.assert_allclose(covariance, np.cov(vectors.double().numpy().T), rtol=1e-6)
    parts = Moments.of(vectors, 10)
    assert parts.counts.tolist() == [70.0] * 10
    one, other = parts.gaussian(range(5)), parts.gaussian(range(5, 10))
    np.testing.assert_allclose((one.mean + other.mean) / 2, vectors.double().mean(0), rtol=1e-12)


def test_frechet_distance_by_its_definition() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(400, 6, generator=rng), torch.randn(300, 6, generator=rng) @ torch.randn(6, 6, generator=rng) + 1
    one, other = gaussian(a), gaussian(b)
    product = one.covariance.numpy() @ other.covariance.numpy()
    root = np.sqrt(np.linalg.eigvals(product).astype(complex)).sum().real  # trace of the matrix root
    traces = float(one.covariance.trace() + other.covariance.trace())
    expected = float((one.mean - other.mean).square().sum()) + traces - 2 * root
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_two_numbers() -> None:
    def line(mean: float, deviation: float) -> Gaussian:
        return Gaussian(torch.tensor([mean]).double(), torch.tensor([[deviation**2]]).double())

    assert frechet_distance(line(1, 2), line(4, 7)) == pytest.approx(3**2 + 5**2)


def test_covariances_without_full_rank() -> None:
    few = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(gaussian(few), gaussian(few)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(gaussian(few), gaussian(few + 2)) == pytest.approx(200, rel=1e-6)
