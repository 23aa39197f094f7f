"""Extractors by name: stages of a discriminator, the FID's network, pixels."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch.nn.functional import adaptive_max_pool2d

import zoo
from helpers.metrics import pictures, replaying, saved
from zoo import allocator
from zoo.metrics.extractors import extract, extractor, open_extractor, stream_features
from zoo_core import ModelError, UsageError, ZooError
from zoo_core.testing import check_component


def images(channels: int = 3, size: int = 16, n: int = 5) -> torch.Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_all_stages_pooled_and_concatenated() -> None:
    model = zoo.create("dcgan", size=16, options={"discriminator.width": 8})
    x = images()
    found = extract(extractor("discriminator", model=model, options={"grid": 4, "pool": "max"}), x, batch=2)
    expected = torch.cat([adaptive_max_pool2d(f, 4).flatten(1) for f in model.discriminator.features(x)], 1)
    assert found.shape == (5, 16 * (8 + 16))
    assert torch.allclose(found, expected, atol=1e-5)
    averaged = extract(extractor("discriminator", model=model), x)
    expected = torch.cat([f.mean((2, 3)) for f in model.discriminator.features(x)], 1)
    assert torch.allclose(averaged, expected, atol=1e-5)


def test_other_sizes_and_channels_and_conditional_networks() -> None:
    network = extractor("discriminator", model=zoo.create("dcgan", size=16, channels=1, options={"discriminator.width": 8}))
    assert extract(network, images(3, 32)).shape == (5, 24)
    gray = images(1, 16)
    assert torch.allclose(extract(network, gray.expand(-1, 3, -1, -1)), extract(network, gray), atol=1e-4)
    options = {"discriminator.width": 8, "algorithm.conditional": True}
    conditional = extractor("discriminator", model=zoo.create("dcgan", size=16, num_classes=3, options=options))
    assert extract(conditional, images()).shape == (5, 24)


def test_a_network_without_feature_maps_gives_its_vectors() -> None:
    network = extractor("discriminator", model=zoo.create("mlp-gan", size=16))
    assert extract(network, images()).shape == (5, network.dim)


def test_of_another_model_by_name(tmp_path: Path) -> None:
    folder = saved(replaying(pictures("few")), tmp_path / "model")
    named = extractor("discriminator", options={"model": str(folder)})
    assert torch.equal(extract(named, images()), extract(extractor("discriminator", model=zoo.load(folder)), images()))
    with pytest.raises(UsageError, match="whose discriminator") as raised:
        extractor("discriminator")
    assert "--set features.model=" in raised.value.hint
    without = zoo.load(folder)
    without.discriminator = None
    with pytest.raises(UsageError, match="without its discriminator"):
        extractor("discriminator", model=without)


def test_texts_are_read_and_unknown_names_are_explained() -> None:
    found = open_extractor("pixels", options={"size": "8"})
    assert found.options == {"size": 8}
    assert found.network.dim == 192
    assert found.describe()["name"] == "dcgan-zoo:pixels"
    with pytest.raises(UsageError, match="unknown feature extractor 'efficientnet-lite9'") as raised:
        extractor("efficientnet-lite9")
    assert "pip install" in raised.value.hint
    with pytest.raises(UsageError, match=r"features\.size must be int"):
        extractor("pixels", options={"size": "big"})
    with pytest.raises(UsageError, match="unknown option of features 'sizes'"):
        extractor("pixels", options={"sizes": "8"})


def test_pixels_are_the_pixels() -> None:
    x = images(3, 32)
    assert torch.equal(extract(extractor("pixels"), x), x.flatten(1))
    assert extract(extractor("pixels"), images(1, 64)).shape == (5, 3072)


@pytest.mark.parametrize("name", ["inception", "discriminator"])
def test_what_needs_something_from_outside_is_not_checked(name: str) -> None:
    assert [o.note for o in check_component("features", name) if o.note] == ["not checked: needs data"]


@pytest.mark.parametrize("silent", [False, True])
def test_inception_without_weights_names_the_alternatives(
    silent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch_fidelity")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        if silent:
            time.sleep(60)  # of which nobody waits for the end
        raise OSError("no network")

    monkeypatch.setattr("zoo_plugins.features.inception.urlopen", offline)
    monkeypatch.setattr("zoo_plugins.features.inception.SECONDS", 0.5)
    with pytest.raises(ZooError, match="cannot be fetched from https://") as raised:
        extractor("inception")
    for alternative in ("--features scattering", "--features discriminator", "zoo list features", "features.weights=FILE"):
        assert alternative in raised.value.hint


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the Inception network: the true ones are 94 MB from elsewhere."""
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Empty(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object, **__: object) -> None:  # type: ignore[override]
            pass

    file = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save({}, file)
    torch.manual_seed(0)
    torch.save(Empty("any", ["2048"], feature_extractor_weights_path=str(file)).state_dict(), file)
    return file


def test_inception_gives_what_torch_fidelity_gives(weights: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    levels = torch.randint(0, 256, (2, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    theirs = FeatureExtractorInceptionV3("any", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights))
    expected, logits = theirs(levels)
    before = torch.random.get_rng_state()
    network = extractor("inception", options={"weights": str(weights)})
    assert torch.equal(before, torch.random.get_rng_state())
    assert network.dim == 2048
    assert torch.equal(network(levels / 127.5 - 1), expected)
    classifier = extractor("inception", options={"weights": str(weights), **(type(network).logits or {})})
    assert torch.equal(classifier(levels / 127.5 - 1), logits)
    assert classifier.dim == logits.shape[1]
    assert not network.train().network.training


def test_other_weights_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch_fidelity")
    file = tmp_path / "other.pth"
    for content, words in (({"a": torch.ones(1)}, "holds other weights"), ([1], "no dictionary of tensors")):
        torch.save(content, file)
        with pytest.raises(ModelError, match=words):
            extractor("inception", options={"weights": str(file)})
    file.write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="cannot be read as plain weights"):
        extractor("inception", options={"weights": str(file)})
    with pytest.raises(ZooError, match="does not exist"):
        extractor("inception", options={"weights": str(tmp_path / "none.pth")})


def test_freed_memory_is_kept_until_the_last_piece() -> None:
    pieces = stream_features(extractor("pixels"), images(), batch=2)
    assert (allocator._holders, len(next(pieces)), allocator._holders) == (0, 2, 1)
    assert [len(piece) for piece in pieces] == [2, 1]
    assert allocator._holders == 0
    next(abandoned := stream_features(extractor("pixels"), images(), batch=2))
    abandoned.close()
    assert allocator._holders == 0
