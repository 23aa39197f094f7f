"""Near-duplicates: hashes, groups, the view without them, and the gallery."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import zoo
from helpers.packs import samples
from zoo.packs import Pack, PackRequest, build_pack
from zoo.packs.curation import dedup
from zoo.packs.curation.autoencoder import augment, fit_hash
from zoo.packs.curation.dedup import Pair
from zoo.packs.curation.grouping import MOST, equal_hashes, group, multi_hash
from zoo.packs.curation.hashing import BITS, crops, perceptual_hash
from zoo_core import OptionError, ZooError

COUNT = 90


@pytest.fixture(autouse=True)
def _datasets() -> Iterator[None]:
    with samples():
        yield


def smooth(number: int, side: int = 48) -> Image.Image:
    """A soft random picture: near-duplicates of white noise are not near."""
    rough = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    """90 pictures, the first ten again, five of these larger, and ten near-duplicates."""
    folder = tmp_path_factory.mktemp("dedup")
    for name in "abc":
        (folder / "data" / name).mkdir(parents=True)
    for i in range(COUNT):
        smooth(i).save(folder / "data" / "a" / f"{i:03d}.png")
    for i in range(10):
        whole = smooth(i)
        whole = whole.resize((96, 96), Image.Resampling.NEAREST) if i < 5 else whole
        whole.save(folder / "data" / "b" / f"{i:03d}.png")
        smooth(20 + i).save(folder / "data" / "c" / f"{i:03d}.jpg", quality=70)
    with samples(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield build_pack(PackRequest("counted", data=folder / "data", size=32))
        torch.set_num_threads(threads)


class Shown:
    """Images [N, S, S, C] where a pack is expected."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def gather(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.images[numbers]


def random_hashes(count: int, twice: int, seed: int = 0) -> NDArray[np.uint8]:
    chance = np.random.default_rng(seed)
    hashes = chance.integers(0, 256, (count, 16), np.uint8)
    hashes[-twice:] = hashes[:twice]
    chance.shuffle(hashes)
    return hashes


def bits_between(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.unpackbits(a ^ b).sum())


class TestGrouping:
    @pytest.mark.parametrize("part", [10, 1 << 20])
    def test_equal_hashes(self, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.packs.curation.grouping.PART", part)
        hashes = random_hashes(2000, 300)
        order = np.random.default_rng(1).permutation(2000)
        first: dict[bytes, int] = {}
        for number in order:
            first.setdefault(hashes[number].tobytes(), int(number))
        assert equal_hashes(hashes, order).tolist() == [first[row.tobytes()] for row in hashes]

    def test_no_radius_is_equal_hashes(self) -> None:
        hashes, order = random_hashes(500, 60), np.arange(500)
        found = group(hashes, order)
        assert (found.keeper == equal_hashes(hashes, order)).all()
        assert len(found.removed) == 60
        assert len(found.kept) == 440
        assert not found.distance.any()

    @pytest.mark.parametrize("radius", [1, 5, 20])
    def test_a_radius_against_all_pairs(self, radius: int) -> None:
        pytest.importorskip("faiss")
        chance = np.random.default_rng(radius)
        hashes = random_hashes(300, 40)
        for i in range(100, 200):  # some near each other
            hashes[i] = hashes[i - 100]
            for bit in chance.choice(128, chance.integers(0, 2 * radius), replace=False):
                hashes[i, bit // 8] ^= 1 << bit % 8
        order = chance.permutation(300)
        found = group(hashes, order, radius)
        place = np.argsort(order)
        stays = set(found.kept.tolist())
        for number in range(300):
            keeper = int(found.keeper[number])
            assert keeper in stays
            assert found.distance[number] == bits_between(hashes[number], hashes[keeper]) <= radius
            earlier = [k for k in stays if place[k] < place[number]]
            near = [k for k in earlier if bits_between(hashes[number], hashes[k]) <= radius]
            assert bool(near) == (number not in stays)

    def test_nothing_is_chained(self) -> None:
        pytest.importorskip("faiss")
        hashes = np.zeros((3, 16), np.uint8)
        hashes[1, 0], hashes[2, 0] = 0b11, 0b1111
        assert group(hashes, np.arange(3), 2).keeper.tolist() == [0, 0, 2]

    def test_the_index_finds_all(self) -> None:
        faiss = pytest.importorskip("faiss")
        hashes = random_hashes(3000, 300)
        index = multi_hash(hashes, 12)
        exact = faiss.IndexBinaryFlat(128)
        exact.add(hashes)
        assert len(index.range_search(hashes, 13)[2]) == len(exact.range_search(hashes, 13)[2]) >= 3600

    def test_movements_are_asked_for(self) -> None:
        pytest.importorskip("faiss")
        hashes = np.array([[0] * 16, [255] * 16], np.uint8)
        asked = []

        def moved(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
            asked.extend(numbers.tolist())
            return np.stack([hashes[numbers], hashes[::-1][numbers]], axis=1)

        assert group(hashes, np.array([1, 0]), 1, moved=moved).keeper.tolist() == [1, 1]
        assert asked == [1, 0]

    def test_impossible_radii(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for radius in (-1, MOST + 1):
            with pytest.raises(OptionError, match=f"valid: 0 to {MOST}"):
                group(random_hashes(4, 1), np.arange(4), radius)
        monkeypatch.setitem(sys.modules, "faiss", None)
        with pytest.raises(ZooError, match="needs faiss") as caught:
            group(random_hashes(4, 1), np.arange(4), 1)
        assert "dcgan-zoo[eval]" in caught.value.hint


class TestHashing:
    def test_crops_are_32_pixels_and_colored(self) -> None:
        images = torch.randint(0, 256, (2, 64, 64, 1), dtype=torch.uint8)
        found = crops(images)
        assert found.shape == (2, 3072)
        assert (found[:, :1024] == found[:, 1024:2048]).all()
        assert 0 <= float(found.min()) <= float(found.max()) <= 1

    def test_altered_pictures_are_near(self, pack: Pack) -> None:
        images = pack.gather(torch.arange(20))
        found = augment(images, torch.Generator().manual_seed(0))
        assert found.shape == images.shape
        assert found.dtype == torch.uint8
        difference = (found.float() - images.float()).abs().mean((1, 2, 3))
        assert (difference > 0).all()
        assert (difference < 30).all()

    def test_hashes_do_not_depend_on_what_stands_beside(self, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.packs.curation.autoencoder.STEPS", 30)
        monkeypatch.setattr("zoo.packs.curation.autoencoder.LEAST", 300)
        learned = fit_hash(pack)
        hashes = learned.hashes(pack)
        assert (fit_hash(pack).hashes(pack) == hashes).all()
        assert (fit_hash(pack, seed=1).hashes(pack) != hashes).any()
        monkeypatch.setattr("zoo.packs.curation.hashing.BLOCK", 7)
        assert (learned.hashes(pack) == hashes).all()
        numbers = np.array([0, 5])
        moved = learned.hash_moved(pack, numbers)
        assert moved.shape == (2, 25, BITS // 8)
        assert max(bits_between(moved[i, 0], hashes[number]) for i, number in enumerate(numbers)) <= 2  # not moved at all

    def test_the_perceptual_hash_by_hand(self, pack: Pack) -> None:
        """The lowest frequencies of brightness against their median, how bright it is, and colors in quarters."""
        scipy = pytest.importorskip("scipy.fft")
        hashes = np.unpackbits(perceptual_hash().hashes(pack), axis=1)[:8]
        pixels = crops(pack.gather(torch.arange(8))).view(8, 3, 32, 32).double().numpy()
        gray = np.tensordot(pixels, [0.299, 0.587, 0.114], axes=(1, 0))
        waves = scipy.dctn(gray, axes=(1, 2)) / 4
        lowest = sorted((i + j, i, j) for i in range(32) for j in range(32))[1:93]
        values = np.stack([waves[:, i, j] for _, i, j in lowest], axis=1).round(5)
        bits = [values > np.sort(values, axis=1)[:, 45:46]]
        bits += [gray.mean((1, 2))[:, None] > np.array([0.2, 0.4, 0.6, 0.8])]
        red, green, blue = pixels.reshape(8, 3, 2, 16, 2, 16).mean((3, 5)).reshape(8, 3, 4).transpose(1, 0, 2)
        levels = (-0.12, -0.03, 0.03, 0.12)
        bits += [difference > level for difference in (red - green, (red + green) / 2 - blue) for level in levels]
        expected = np.concatenate(bits, axis=1).reshape(8, 16, 8).transpose(0, 2, 1).reshape(8, 128)
        assert (hashes == expected).all()

    def test_the_perceptual_hash_does_not_depend_on_what_stands_beside(
        self, pack: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashing = perceptual_hash()
        hashes = hashing.hashes(pack)
        moved = hashing.hash_moved(pack, np.arange(20))
        assert moved.shape == (20, 25, BITS // 8)
        assert max(bits_between(moved[i, 0], hashes[i]) for i in range(20)) <= 2
        assert np.median([bits_between(moved[i, k], hashes[i]) for i in range(20) for k in range(1, 25)]) > 2
        monkeypatch.setattr("zoo.packs.curation.hashing.BLOCK", 7)
        assert (hashing.hashes(pack) == hashes).all()

    def test_what_is_zero_in_a_picture_is_no_bit_of_rounding(self) -> None:
        flat = torch.full((64, 64), 77, dtype=torch.uint8)  # 0.30 of white
        ramp = torch.linspace(200, 0, 64).round().to(torch.uint8).expand(64, 64)
        for count in (1, 3, 50):
            given = Shown(torch.stack([flat, ramp]).repeat(count, 1, 1)[..., None])
            hashes = np.unpackbits(perceptual_hash().hashes(given), axis=1)  # type: ignore[arg-type]
            assert (hashes[::2] == hashes[0]).all()
            assert (hashes[1::2] == hashes[1]).all()
            colors = 16  # bits of levels below 0, all set
            assert hashes[0].sum() == colors + 1
            assert 1 + colors < hashes[1].sum() <= 1 + colors + 12  # frequencies across alone
            moved = perceptual_hash().hash_moved(given, np.arange(2 * count))  # type: ignore[arg-type]
            assert (np.unpackbits(moved[::2], axis=2) == hashes[0]).all()

    def test_gray_pictures_have_more_frequencies(self) -> None:
        images = torch.randint(0, 256, (5, 32, 32, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        gray, colored = (np.unpackbits(perceptual_hash(n).hashes(Shown(images)), axis=1) for n in (1, 3))  # type: ignore[arg-type]
        assert gray.sum(1).tolist() == [62 + 2] * 5  # half of 124, and two levels of brightness below the middle
        assert colored.sum(1).tolist() == [46 + 2 + 16] * 5

    def test_other_colors_are_other_pictures(self) -> None:
        red, blue = (torch.tensor(color, dtype=torch.uint8).expand(16, 16, 3) for color in ((220, 30, 30), (30, 30, 220)))
        half = torch.cat([red[:8], blue[8:]])
        hashes = perceptual_hash().hashes(Shown(torch.stack([red, blue, half, red])))  # type: ignore[arg-type]
        assert bits_between(hashes[0], hashes[3]) == 0
        assert bits_between(hashes[0], hashes[1]) >= 24
        assert bits_between(hashes[0], hashes[2]) >= 12

    def test_brighter_is_near(self, pack: Pack) -> None:
        images = pack.gather(torch.arange(40))
        altered = Shown((images.float() * 0.9 + 10).round().to(torch.uint8))
        one, two = (perceptual_hash().hashes(given) for given in (pack, altered))  # type: ignore[arg-type]
        assert max(bits_between(one[i], two[i]) for i in range(40)) <= 10
        assert min(bits_between(one[i], two[i + 1]) for i in range(39)) >= 25


class TestDeduplicating:
    @pytest.mark.parametrize("method", ["hash", "autoencoder"])
    def test_exact_duplicates_and_the_best_resolved(
        self, method: Any, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("zoo.packs.curation.autoencoder.STEPS", 60)
        found = zoo.deduplicate(pack, method=method, out=tmp_path / "view", gallery_folder=tmp_path / "gallery")
        twice = {(pair.removed, pair.kept) for pair in found.pairs if pair.kept < COUNT + 10 and pair.removed < COUNT + 10}
        assert {(COUNT + i, i) for i in range(5, 10)} <= twice
        assert all((COUNT + i, i) not in twice for i in range(5))  # of these the second is the larger picture
        assert len(found.view) == len(pack) - len(found.pairs)
        assert found.mixed >= 5  # they lie in other folders
        why = found.view.info["chosen"][0]
        assert (why["method"], why["radius"], why["removed"]) == (method, 0, len(found.pairs))
        png, page = found.gallery or (Path(), Path())
        assert Image.open(png).size[0] > 1000
        assert page.read_text().count("<li><div>") == len(found.pairs)

    @pytest.mark.parametrize(("method", "radius"), [("hash", 12), ("autoencoder", 12)])
    def test_a_radius_finds_what_was_saved_again(self, method: Any, radius: int, pack: Pack, tmp_path: Path) -> None:
        pytest.importorskip("faiss")
        found = zoo.deduplicate(pack, radius=radius, method=method, out=tmp_path / "view")
        again = {pair.removed: pair.kept for pair in found.pairs}
        assert sum(again.get(COUNT + 10 + i) == 20 + i for i in range(10)) >= 9
        assert found.gallery is None
        originals = [removed for removed in again if removed < COUNT and again[removed] < COUNT]
        assert len(originals) <= 2

    @pytest.mark.parametrize("method", ["hash", "autoencoder"])
    def test_it_is_repeatable(self, method: Any, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.packs.curation.autoencoder.STEPS", 30)
        monkeypatch.setattr("zoo.packs.curation.autoencoder.LEAST", 300)
        one = zoo.deduplicate(pack, method=method, out=tmp_path / "one")
        two = zoo.deduplicate(pack, method=method, out=tmp_path / "two")
        assert one.pairs == two.pairs
        assert one.view.key == two.view.key

    def test_each_method_has_a_view_of_its_own(self, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
        monkeypatch.setattr("zoo.packs.curation.autoencoder.STEPS", 5)
        monkeypatch.setattr("zoo.packs.curation.autoencoder.LEAST", 50)
        names = [zoo.deduplicate(pack, method=method).view.path.name for method in ("hash", "autoencoder")]  # type: ignore[arg-type]
        assert names == [f"{pack.path.name}-unique0", f"{pack.path.name}-unique0-autoencoder"]

    def test_another_method_is_refused(self, pack: Pack) -> None:
        with pytest.raises(OptionError, match="method must be hash or autoencoder, not 'md5'"):
            zoo.deduplicate(pack, method="md5")  # type: ignore[arg-type]

    def test_one_image(self, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("zoo.packs.curation.autoencoder.STEPS", 5)
        monkeypatch.setattr("zoo.packs.curation.autoencoder.LEAST", 50)
        one = zoo.packs.write_view(pack, tmp_path / "one", torch.tensor([4]), {})
        found = zoo.deduplicate(one, out=tmp_path / "view", gallery_folder=tmp_path / "gallery")
        assert (len(found.view), found.pairs, found.gallery) == (1, [], None)


class TestGallery:
    def test_pairs_are_spread_over_all_distances(self) -> None:
        pairs = [Pair(i, 0, i // 100) for i in range(1000)]
        chosen = dedup.choose_pairs(pairs, 10)
        assert [pair.distance for pair in chosen] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
        assert dedup.choose_pairs(pairs[:3], 10) == [pairs[0], pairs[1], pairs[2]]

    def test_the_page_needs_no_other_file(self, pack: Pack, tmp_path: Path) -> None:
        page = dedup.save_page(pack, [Pair(3, 1, 2)], tmp_path / "x.html", title="<b>", summary="a & b")
        text = page.read_text()
        assert "&lt;b&gt;" in text
        assert "a &amp; b" in text
        assert "2 bits apart" in text
        assert not re.search(r'(src|href)="(?!data:)', text)
        assert "default-src 'none'" in text

    def test_large_images_are_small_in_the_picture(self, tmp_path: Path) -> None:
        class Large:
            def gather(self, numbers: torch.Tensor) -> torch.Tensor:
                return torch.full((len(numbers), 256, 256, 1), 40, dtype=torch.uint8)

        path = dedup.save_png(Large(), [Pair(3, 1, 2)] * 11, tmp_path / "x.png")  # type: ignore[arg-type]
        with Image.open(path) as picture:
            assert picture.size[0] < 11 * 300
            assert (np.asarray(picture) == 40).all(2).sum() == 11 * 2 * 128**2


def test_time_is_linear() -> None:
    """At equal hashes twice as many take about twice as long; best of some turns, as this machine may be busy."""
    import time

    seconds: dict[int, float] = defaultdict(lambda: float("inf"))
    sets = {count: random_hashes(count, count // 10) for count in (200_000, 400_000)}
    for _ in range(5):
        for count, hashes in sets.items():
            start = time.process_time()
            equal_hashes(hashes, np.arange(count))
            seconds[count] = min(seconds[count], time.process_time() - start)
    assert seconds[400_000] < 3 * seconds[200_000]
