"""Features on disk: computed once, gone on with after an interruption, refused where they are no numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zoo.metrics.store as store
from helpers.metrics import Counting, Heard, pack, pictures, replaying
from zoo.metrics.extractors import extract, extractor, open_extractor
from zoo.metrics.images import choose_images, generate_images, read_images
from zoo.metrics.store import cache_features
from zoo_core import ZooError


def test_they_are_computed_once() -> None:
    first = cache_features(open_extractor("counting"), read_images(pack()))
    assert Counting.seen == 200
    again = cache_features(open_extractor("counting"), read_images(pack()))
    assert Counting.seen == 200
    assert torch.equal(first, again)
    assert torch.allclose(first, extract(extractor("counting"), pictures()))


def kept(cache: Path) -> set[str]:
    return {path.name for path in (cache / "features").iterdir() if not path.name.startswith(".")}


def test_other_images_weights_or_precisions_are_others(cache: Path) -> None:
    for made in (open_extractor("counting"), open_extractor("counting", options={"bad": 0.5})):
        for images in (read_images(pack()), choose_images(pack(), 50), generate_images(replaying(pictures()), 40)):
            cache_features(made, images, precision="float16")
            cache_features(made, images, precision="float32")
    assert len(kept(cache)) == 12


@pytest.mark.parametrize("what", ["real", "generated"])
def test_an_interrupted_computation_goes_on(what: str, cache: Path) -> None:
    images = read_images(pack()) if what == "real" else generate_images(replaying(pictures("fresh")), 200)
    whole = cache_features(open_extractor("counting", options={"bad": 0.25}), images).clone()
    Counting.seen, Counting.breaks_at = 0, 150
    with pytest.raises(KeyboardInterrupt):
        cache_features(open_extractor("counting"), images)
    Counting.seen, Counting.breaks_at = 0, -1
    heard = Heard()
    found = cache_features(open_extractor("counting"), images, report=heard)
    assert "going on with" in heard.text
    assert 0 < Counting.seen < 200
    assert torch.allclose(found, whole - 0.25, atol=1e-6)
    assert not list(cache.rglob(".unfinished*"))


@pytest.mark.parametrize(
    ("bad", "words"), [(float("inf"), "features of image 0 are not finite"), (1e6, "too large for half")]
)
def test_what_is_no_number_is_refused(bad: float, words: str) -> None:
    network = open_extractor("counting")
    network.network.bad = bad
    with pytest.raises(ZooError, match=words):
        cache_features(network, read_images(pack()), precision="float16")


def test_the_cache_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    cache_features(open_extractor("counting"), read_images(pack()))
    one = kept(cache)
    monkeypatch.setattr(store, "LIMIT", 3 * 200 * 12 * 4 // 2)
    cache_features(open_extractor("counting", options={"bad": 0.5}), read_images(pack()))
    assert len(kept(cache)) == 1
    assert kept(cache) != one


def test_a_disk_without_room_says_how_much_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    images = read_images(pack())
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(ZooError, match=r"need 0\.0 GB, and 0\.0 GB are free"):
        cache_features(open_extractor("counting"), images)
