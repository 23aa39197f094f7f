"""The measures against their definitions: torch-fidelity on folders of pictures, numpy on saved features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ImageFilter
from torch import Tensor

import zoo
from helpers.metrics import Heard, pack, pictures, replaying
from zoo.metrics import measures
from zoo.metrics.extractors import extract, extractor, open_extractor
from zoo.metrics.images import generated_images, real_images
from zoo.metrics.moments import fid, fid_spread, moments_of
from zoo.metrics.store import Features, stored_features
from zoo.models.grids import to_pictures
from zoo_core import UsageError

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


def stored(images: Tensor, features: str = "scattering") -> Features:
    return stored_features(open_extractor(features), generated_images(replaying(images), len(images)))


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
    kid = measures.kid(extract(extractor("scattering"), drawn), extract(extractor("scattering"), real))
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
    assert kid.value == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert kid.spread == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-4)


def test_fid_and_neighborhoods_recomputed_from_saved_features() -> None:
    from scipy.linalg import sqrtm

    one, other = stored(pictures("fresh")[:90], "counting"), stored(pictures("train")[:100], "counting")
    a, b = one.tensor().double().numpy(), other.tensor().double().numpy()
    root = sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root)
    assert fid(moments_of(one), moments_of(other)) == pytest.approx(expected, rel=1e-4)

    def within(points: np.ndarray, balls: np.ndarray, k: int) -> float:
        radii = np.sort(np.linalg.norm(balls[:, None] - balls[None], axis=2), axis=1)[:, k]
        return float((np.linalg.norm(points[:, None] - balls[None], axis=2) <= radii).any(1).mean())

    found = measures.precision_recall(one.tensor(), other.tensor())
    assert found["precision"] == pytest.approx(within(a, b, 3), abs=1e-6)
    assert found["recall"] == pytest.approx(within(b, a, 3), abs=1e-6)
    density = measures.density_coverage(one.tensor(), other.tensor())
    radii = np.sort(np.linalg.norm(b[:, None] - b[None], axis=2), axis=1)[:, 5]
    between = np.linalg.norm(a[:, None] - b[None], axis=2)  # [generated, real]
    assert density["density"] == pytest.approx(float((between < radii).sum(1).mean() / 5), rel=1e-3)
    assert density["coverage"] == pytest.approx(float((between.min(0) < radii).mean()), abs=1e-6)


def test_identical_sets_are_at_no_distance() -> None:
    held = stored(pictures("train"))
    vectors = held.tensor()
    assert abs(fid(moments_of(held), moments_of(held))) < 1e-6
    assert abs(measures.kid(vectors, vectors).value) < 1e-3
    assert measures.precision_recall(vectors, vectors) == {"precision": 1.0, "recall": 1.0}
    assert measures.density_coverage(vectors, vectors)["coverage"] == 1.0
    assert measures.sliced_wasserstein(vectors, vectors) == pytest.approx(0, abs=1e-6)


def test_known_changes_rank_right() -> None:
    fresh = pictures("fresh")

    def blurred(radius: float) -> Tensor:
        found = [np.asarray(p.filter(ImageFilter.GaussianBlur(radius))) for p in to_pictures(fresh)]
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / 127.5 - 1

    noise = torch.rand(fresh.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    changed = [fresh, blurred(0.6), blurred(1.5), noise]
    held = stored_features(open_extractor("scattering"), real_images(pack()))
    found = [stored_features(open_extractor("scattering"), generated_images(replaying(x), 200)) for x in changed]
    fids = [fid(moments_of(features), moments_of(held)) for features in found]
    kids = [measures.kid(features.tensor(), held.tensor()).value for features in found]
    swds = [measures.sliced_wasserstein(features.tensor(), held.tensor()) for features in found]
    for values in (fids, kids, swds):
        assert values == sorted(values), values


def test_standard_errors_by_halves_are_those_of_a_mean() -> None:
    x = torch.randn(2000, 1, generator=torch.Generator().manual_seed(1))

    def mean(one: Tensor, _: Tensor) -> dict[str, float]:
        return {"mean": float(one.mean())}

    for most in (2500, 300):  # halves, and less than halves
        found = measures.halves(mean, x, x, 200, most=most)["mean"]
        assert found == pytest.approx(float(x.std()) / 2000**0.5, rel=0.2)
    assert measures.halves(mean, x, x, 1) == {}


def test_the_spread_of_the_fid_tells_how_far_another_sample_would_be() -> None:
    found = moments_of(stored(pictures("fresh"), "counting")), moments_of(stored(pictures("train"), "counting"))
    spread = fid_spread(*found, 30)
    assert 0 < spread < 5 * abs(fid(*found))
    assert spread == fid_spread(*found, 30)


def test_too_few_images_are_refused_or_warned_of() -> None:
    heard = Heard()
    with pytest.raises(UsageError, match="precision needs at least 6 samples, and there are 5") as raised:
        measures.check_counts(("fid", "precision"), 5, 100, 4, warn=heard.warn)
    assert "--samples" in raised.value.hint
    with pytest.raises(UsageError, match="kid needs at least 10 real images, and there are 9"):
        measures.check_counts(("kid",), 50, 9, 4, warn=heard.warn)
    heard.lines.clear()
    measures.check_counts(("fid",), 500, 300, 400, warn=heard.warn)
    assert "fid from 300 images (below 10,000) is biased upward" in heard.text
    assert "singular" in heard.text
    heard.lines.clear()
    measures.check_counts(("fid", "kid"), 10_000, 10_000, 400, warn=heard.warn)
    assert not heard.lines


def test_a_singular_covariance_gives_a_number() -> None:
    few = moments_of(stored(pictures("few"))), moments_of(stored(pictures("train")[:20]))
    assert np.isfinite(fid(*few))
    assert fid(*few) > 0


def test_ms_ssim_tells_diverse_from_alike() -> None:
    pytest.importorskip("pytorch_msssim")
    big = torch.rand(8, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    alike = big[:1] + 0.02 * big

    def images(x: Tensor) -> zoo.metrics.images.Images:  # type: ignore[name-defined]
        from zoo.metrics.images import Images

        return Images("key", len(x), "images", lambda first: iter([x[first:]]))

    diverse, window = measures.ms_ssim(images(big))
    assert window == 3
    assert measures.ms_ssim(images(alike))[0] > 0.9 > 0.5 > diverse
    with pytest.raises(UsageError, match="more than 32 pixels"):
        measures.ms_ssim(images(big[:, :, :32, :32]))


def test_unknown_measures_name_the_near_ones() -> None:
    with pytest.raises(UsageError, match="did you mean precision"):
        measures.check_measures(("precison",))
    with pytest.raises(UsageError, match="no metric"):
        measures.check_measures(())
