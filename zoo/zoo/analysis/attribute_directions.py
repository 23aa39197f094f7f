"""Directions of latent space along what labels name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import torch
from torch import Tensor

from zoo_core import UsageError

from .labels import ABSENT, HIDDEN, Fact, Vocabulary, parse_fact
from .samples import ClassifiedSamples

_LEAST = 10  # samples that must show a fact, and not show it, for its direction to be looked for


def check_words(words: Sequence[str], vocabulary: Vocabulary) -> list[Fact]:
    """Return what words mean; raises `UsageError` for one that is unknown, or says that something is absent."""
    facts = []
    for word in words:
        fact, holds = parse_fact(word, vocabulary)
        if not holds:
            raise UsageError(f"a direction has two ends, and {word!r} is one of them", hint=f"say: {fact.word}")
        facts.append(fact)
    return facts


def find_attribute_directions(pool: ClassifiedSamples, words: Sequence[str], count: int) -> tuple[tuple[Fact, ...], Tensor]:
    """Return facts and the directions [K, latent_dim] of length 1 that lead to them.

    A direction is the difference of the mean latents of samples that show the fact and that do not, each sample weighted by
    the classifier's probability.

    Args:
        words: as in `parse_fact`; without any, `count` facts that latents tell best: of every attribute the best one first.

    Raises:
        UsageError: a word is unknown, or hardly any sample shows it, or all do.
    """
    vocabulary = pool.classifier.attributes
    facts = check_words(words, vocabulary) or list(_facts_of(vocabulary))
    probabilities = torch.stack([fact.probability(pool.probabilities, vocabulary) for fact in facts], dim=1)  # [N, facts]
    shown, others = probabilities.sum(0), (1 - probabilities).sum(0)
    able = (torch.minimum(shown, others) >= _LEAST).tolist()
    for fact, there, fine in zip(facts, shown.tolist(), able, strict=True):
        if words and not fine:
            raise UsageError(
                f"{there:.0f} of {len(probabilities):,} samples show {fact.word}; a direction needs {_LEAST} that do, and "
                f"{_LEAST} that do not",
                hint="search more samples (--searched N), or choose another word",
            )
    if not any(able):
        raise UsageError("samples differ in nothing that the labels name", hint="search more samples: --searched N")
    weights = probabilities / shown.clamp(min=1e-12) - (1 - probabilities) / others.clamp(min=1e-12)
    vectors = weights.T @ pool.latents  # [facts, D]
    vectors = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)
    if words:
        return tuple(facts), vectors
    order = _best_of_each(facts, _correlations(probabilities, pool.latents @ vectors.T), able)[:count]
    return tuple(facts[i] for i in order), vectors[order]


def _facts_of(vocabulary: Vocabulary) -> Iterator[Fact]:
    """Yield what directions can lead to: that an attribute is there, or its values, one of two."""
    for name, values in vocabulary.items():
        visible = [value for value in values if value not in (*ABSENT, HIDDEN)]
        if set(values) & set(ABSENT):
            yield Fact(name, tuple(visible), name)
            visible = visible if len(visible) > 1 else []
        elif len(visible) == 2:
            visible = visible[1:]
        yield from (Fact(name, (value,), f"{name}={value}") for value in visible)


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlation of columns [N, K] with those of the same number: [K]."""
    a, b = a - a.mean(0), b - b.mean(0)
    found: Tensor = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp(min=1e-12)
    return found


def _best_of_each(facts: Sequence[Fact], scores: Tensor, able: Sequence[bool]) -> list[int]:
    """Return the numbers of facts by falling score: the best of every attribute, then the second of every attribute, …"""
    by_attribute: dict[str, list[int]] = {}
    for i in sorted(range(len(facts)), key=lambda i: -float(scores[i])):
        if able[i]:
            by_attribute.setdefault(facts[i].attribute, []).append(i)
    rounds = zip_longest(*by_attribute.values())
    return [i for i in chain.from_iterable(rounds) if i is not None]
