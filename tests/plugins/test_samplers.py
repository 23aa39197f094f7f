"""Samplers choose what their papers say, the same for each number whatever is drawn beside it, and say what that costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import zoo
from helpers.packs import pictures
from zoo.randomness import latents_for
from zoo_cli.main import zoo as command
from zoo_core import OptionError, Sampling, UsageError, registry

NARROW = {"generator.width": 4, "discriminator.width": 4}


def made(recipe: str = "dcgan", classes: int = 0) -> zoo.Model:
    return zoo.create(recipe, size=16, num_classes=classes, options={**NARROW, "generator.latent_dim": 6})


def asking(logits: Callable[[Tensor], Tensor], dim: int = 2, latent: str = "normal") -> Any:
    """Latents of `dim` numbers, and logits that are a known function of them."""

    def draw(numbers: Sequence[int], turn: int) -> Tensor:
        seeds = [100_000 * turn + number + 10**9 for number in numbers]
        return torch.cat([torch.randn(1, dim, generator=torch.Generator().manual_seed(seed)) for seed in seeds])

    generator: Any = SimpleNamespace(latent=latent)
    return Sampling(generator, draw, lambda z, numbers: logits(z), lambda n: torch.Generator().manual_seed(n))


def test_langevin_dynamics_draw_from_the_prior_times_the_odds() -> None:
    """With logits a · z that is a normal distribution around a."""
    a = torch.tensor([1.5, -1.0])
    sampler = registry.create("samplers", "ddls", {"steps": 150, "step": 0.05})
    z = sampler(asking(lambda z: z @ a), range(1500))
    assert torch.allclose(z.mean(0), a, atol=0.1)
    assert torch.allclose(z.var(0), torch.ones(2), atol=0.15)
    cube = sampler(asking(lambda z: 50 * z @ a, latent="uniform"), range(20))
    assert cube.abs().max() <= 1


def test_a_step_of_langevin_dynamics_by_hand() -> None:
    asked, numbers = asking(lambda z: z.square().sum(1)), [3, 8]
    z = registry.create("samplers", "ddls", {"steps": 1, "step": 0.04})(asked, numbers)
    begin = asked.latents(numbers, 0)
    noise = torch.stack([torch.randn(2, generator=asked.random(number)) for number in numbers])
    assert torch.allclose(z, begin + 0.02 * (2 * begin - begin) + 0.2 * noise)


def test_rejection_is_that_of_the_paper() -> None:
    """Sample by sample, with numpy: F = D − M − log(1 − exp(D − M − ε)) − γ."""
    asked, options = asking(lambda z: 2 * z[:, 0] - z[:, 1]), {"estimated": 50, "percentile": 70.0, "most": 40}
    found = registry.create("samplers", "drs", options)(asked, range(30))
    fixed = asked.logits(asked.latents(range(-50, 0), 0), ()).double().numpy()
    top = fixed.max()

    def weigh(logit: Any) -> Any:
        below = np.minimum(logit - top, 0)
        return below - np.log(1 - np.exp(below - 1e-6))

    gamma = np.percentile(weigh(fixed), 70)
    for number in range(30):
        random, best = asked.random(number), -np.inf
        for turn in range(40):
            z = asked.latents([number], turn)[0]
            logit = float(asked.logits(z[None], ())[0])
            if float(torch.rand([], generator=random)) < 1 / (1 + exp(gamma - float(weigh(logit)))):
                break
            best = max(best, logit)
        else:
            assert asked.logits(found[number : number + 1], ())[0].item() == pytest.approx(best)
            continue
        assert torch.equal(found[number], z)


def test_rejection_keeps_what_is_likely_among_real_images() -> None:
    """Of two kinds of image, one three times as likely: as often, if γ keeps those at the top for certain."""
    asked = asking(lambda z: torch.where(z[:, 0] > 0, log(3.0), 0.0))
    z = registry.create("samplers", "drs", {"percentile": 0.0, "estimated": 100})(asked, range(1200))
    weights = [1 / (1 + exp(-0.0)), 1.0]  # γ is F of the less likely kind, which is kept half the time
    assert float((z[:, 0] > 0).float().mean()) == pytest.approx(weights[1] / sum(weights), abs=0.04)


@pytest.mark.parametrize("k", [1, 3])
def test_one_of_the_highest_logits(k: int) -> None:
    asked = asking(lambda z: z[:, 0])
    z = registry.create("samplers", "top-k", {"k": k, "of": 8})(asked, range(40))
    tried = torch.stack([asked.latents(range(40), turn)[:, 0] for turn in range(8)], 1)  # [40, 8]
    ranks = (tried > z[:, :1]).sum(1)
    assert set(ranks.tolist()) == set(range(k))


def test_more_than_there_are() -> None:
    with pytest.raises(OptionError, match="k must be at most 2, the number of latents, not 3"):
        registry.create("samplers", "top-k", {"k": 3, "of": 2})


def test_truncation_of_latents_and_of_styles() -> None:
    plain, styled = made(), made("stylegan2-small")
    z = latents_for(plain.generator, 5, range(4))
    with torch.no_grad():
        shorter = plain.generator(0.5 * z)
    assert torch.allclose(plain.with_sampler("truncation", {"psi": "0.5"}).sample(4, seed=5), shorter, atol=1e-5)
    for _ in range(2):  # and nothing is left behind
        alike = styled.with_sampler("truncation", {"psi": 0.0}).sample(4)
        assert alike.var(0).max() < 1e-8
        assert styled.generator.truncation == 1
        assert styled.sample(4).var(0).max() > 1e-6
    assert not hasattr(plain.generator, "truncation")


@pytest.mark.parametrize(
    ("name", "options"), [("drs", {"estimated": 16, "most": 6}), ("ddls", {"steps": 2}), ("top-k", {"k": 2, "of": 3})]
)
@pytest.mark.parametrize("classes", [0, 3])
def test_a_sample_is_the_same_whatever_is_drawn_beside_it(name: str, options: dict[str, Any], classes: int) -> None:
    model = made("cdcgan" if classes else "dcgan", classes)
    chosen = model.with_sampler(name, options)
    many = chosen.sample(40, seed=3)
    assert torch.equal(many[:5], model.with_sampler(name, options).sample(5, seed=3))
    assert torch.equal(many[35:], torch.cat(list(model.with_sampler(name, options).batches(40, seed=3, first=35))))
    assert not torch.equal(many[:5], chosen.sample(5, seed=4))
    assert not torch.equal(many[:5], model.sample(5, seed=3))
    assert model.sampler is None
    if classes and name != "drs":  # whose estimates would be of that class alone
        assert torch.allclose(model.with_sampler(name, options).sample(4, seed=3, label="1")[1], many[1], atol=1e-5)


def test_what_it_costs_is_counted() -> None:
    chosen = made().with_sampler("top-k", {"k": 1, "of": 3})
    chosen.sample(40)  # two chunks of 32
    assert chosen.sampler.tell_cost(40) == "top-k: 192 images judged, for 40 samples"
    chosen = made().with_sampler("ddls", {"steps": 2})
    chosen.sample(1)
    assert chosen.sampler.tell_cost(1) == "ddls: 64 images judged, 64 of them with their gradient, for 1 sample"


def test_what_cannot_be() -> None:
    alone = made()
    alone.discriminator = None
    with pytest.raises(UsageError, match="sampler drs asks a discriminator, and this model has none"):
        alone.with_sampler("drs")
    assert alone.with_sampler("truncation").sample(2).shape == (2, 3, 16, 16)
    assert alone.with_sampler(None) is alone
    with pytest.raises(UsageError, match="options of a sampler, and no sampler"):
        alone.with_sampler(None, {"psi": "1"})
    with pytest.raises(UsageError, match="unknown sampler 'dsr'; did you mean drs"):
        made().with_sampler("dsr")
    with pytest.raises(UsageError, match=r"sampler.steps is 0; it must be at least 1"):
        made().with_sampler("ddls", {"steps": "0"})


def test_it_is_measured_too(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 24, colored=set(range(24)))
    how: dict[str, Any] = {"metrics": "frechet", "features": "pixels", "samples": 24, "real": 24, "resamples": 0}
    how["feature_options"] = {"size": 4}
    model = made()
    plain = zoo.evaluate(model, dataset="folder", data=data, **how)
    options = {"sampler_options": {"k": 1, "of": 2}}
    chosen = zoo.evaluate(model, dataset="folder", data=data, sampler="top-k", **options, **how)
    assert chosen.protocol["sampler"] == "top-k k=1 of=2"
    assert "sampler" not in plain.protocol
    assert chosen.metrics["frechet"] != plain.metrics["frechet"]
    assert zoo.evaluate(model, dataset="folder", data=data, **how).metrics == plain.metrics


def test_by_the_command(tmp_path: Path) -> None:
    where, out = str(made().save_pretrained(tmp_path / "model")), str(tmp_path / "a.png")
    given = ["sample", where, "-n", "2", "--out", out, "--sampler", "top-k", "--set", "sampler.of=4", "--set", "sampler.k=2"]
    told = json.loads(CliRunner().invoke(command, [*given, "--json"]).stdout)["sampler"]
    assert told == {"name": "top-k", "options": {"k": 2, "of": 4}, "judged": 128, "differentiated": 0}
    assert "top-k: 128 images judged, for 2 samples" in CliRunner().invoke(command, given).stdout
    refused = CliRunner().invoke(command, ["sample", where, "--out", out, "--set", "generator.width=4"])
    assert refused.exit_code == 2
    assert "--set generator.width is no option of the sampler" in refused.stderr
