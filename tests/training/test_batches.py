"""The order of the data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from helpers.packs import pictures
from zoo.packs import Pack, PackRequest, build_pack
from zoo.training.batches import Batches, share_of
from zoo_core import Generator, ImageSpec, UsageError, registry


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return build_pack(PackRequest("folder", data=pictures(tmp_path / "pictures", 23), size=16), workers=1)


def batches(pack: Pack, batch: int = 8, seed: int = 0, rank: int = 0, world: int = 1) -> Batches:
    return Batches(pack, batch, seed, torch.device("cpu"), conditional=True, rank=rank, world=world)


@pytest.mark.parametrize("batch", [1, 7, 8, 23])
def test_each_image_comes_once_an_epoch(batch: int, pack: Pack) -> None:
    stream = batches(pack, batch)
    seen = torch.cat([stream.indices(position) for position in range(0, 23 * batch * 3, batch)])
    for epoch in range(3):
        assert sorted(seen[epoch * 23 : (epoch + 1) * 23].tolist()) == list(range(23))
    assert set(Counter(seen.tolist()).values()) == {3 * batch}


def test_epochs_have_different_orders_and_so_have_seeds(pack: Pack) -> None:
    stream = batches(pack, 23)
    assert not stream.indices(0).equal(stream.indices(23))
    assert not stream.indices(0).equal(batches(pack, 23, seed=1).indices(0))


def test_a_position_is_all_that_matters(pack: Pack) -> None:
    stream, other = batches(pack), batches(pack)
    forward = {position: stream.indices(position) for position in range(0, 80, 8)}
    torch.manual_seed(7)
    for position in reversed(range(0, 80, 8)):
        assert other.indices(position).equal(forward[position])


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_the_same_minibatches(world: int, pack: Pack) -> None:
    generator: Generator = registry.create("generators", "dcgan", {"width": 4, "latent_dim": 4}, image=ImageSpec(16, 1))
    alone = batches(pack)
    together = [batches(pack, rank=rank, world=world) for rank in range(world)]
    for position in (0, 8, 16, 24):
        images, labels = alone.real(position)
        parts = [other.real(position) for other in together]
        assert torch.cat([part[0] for part in parts]).equal(images)
        assert labels is not None
        assert torch.cat([part[1] for part in parts if part[1] is not None]).equal(labels)
        z = alone.latents(generator, position // 8)
        assert torch.cat([other.latents(generator, position // 8) for other in together]).equal(z)


def test_images_and_labels_belong_together(pack: Pack) -> None:
    images, labels = batches(pack).real(16)
    chosen = batches(pack).indices(16)
    assert pack.labels is not None
    assert labels is not None
    assert labels.equal(pack.labels[chosen])
    assert images.shape == (8, 1, 16, 16)
    assert images.dtype == torch.float32
    assert ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).equal(pack.gather(chosen))


def test_mirrored_ones_come_in_the_same_order_and_half_of_the_time(pack: Pack) -> None:
    plain, mirrored = batches(pack), Batches(pack, 8, 0, torch.device("cpu"), conditional=True, mirror=True)
    flipped = total = 0
    for position in range(0, 800, 8):
        (before, labels), (after, others) = plain.real(position), mirrored.real(position)
        assert labels is not None
        assert others is not None
        assert labels.equal(others)
        for one, other in zip(before, after, strict=True):
            assert other.equal(one) or other.equal(one.flip(2))
            flipped += not other.equal(one)
            total += 1
        assert mirrored.real(position)[0].equal(after)  # a position is all that matters
    assert total == 800
    assert 340 < flipped < 460  # 4 standard deviations


def test_processes_share_the_same_mirrored_minibatches(pack: Pack) -> None:
    def stream(rank: int, world: int) -> Batches:
        return Batches(pack, 8, 0, torch.device("cpu"), mirror=True, rank=rank, world=world)

    for position in (0, 8, 16):
        together = torch.cat([stream(rank, 2).real(position)[0] for rank in (0, 1)])
        assert together.equal(stream(0, 1).real(position)[0])


def test_too_few_images(pack: Pack) -> None:
    with pytest.raises(UsageError, match=r"a minibatch of 24 is more than the 23 images there are\ntry: batch=16"):
        batches(pack, 24)


def test_a_minibatch_that_cannot_be_shared(pack: Pack) -> None:
    with pytest.raises(UsageError, match=r"a minibatch of 8 cannot be shared by 3 processes\ntry: batch=6"):
        batches(pack, 8, world=3)
    with pytest.raises(UsageError, match="batch=4"):
        share_of(2, 4)
    assert share_of(8, 4) == 2
