"""What pictures are labeled with: the images of a model, the words for what can be seen in them, and expressions of words.

A fact is one word ("glasses", "mouth=smile"): values of one attribute, present or not ("no-hat"). A concept says of several
facts whether they hold ("blond+smile"). An expression adds and subtracts concepts: "glasses+smile - smile + neutral".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from zoo_core import UsageError, ZooError
from zoo_core.errors import near
from zoo_core.words import plural

from ..files import Place, path_of
from ..loading import find_folder
from ..models.model import Model, ModelLike
from ..packs import Pack, PackRequest, build_pack
from ..packs.build import open_existing_pack
from ..packs.request import parse_options, resolve
from ..progress import SILENT, Reporter
from ..runs.run import is_run, read_run

ImageSource = Pack | PackRequest | None
"""Images beside a model: a pack, a request for one, or None for those that the model was trained on."""

Vocabulary = Mapping[str, tuple[str, ...]]  # attribute → names of its values
CLASS = "class"  # the name under which a dataset's classes count as an attribute
_HINT = "say which images: --dataset NAME [--data PATH]; zoo list datasets shows all"

ABSENT = ("none", "no", "absent", "false")  # values that say that an attribute is not there, best first
HIDDEN = "hidden"
NEUTRAL = "neutral"  # a concept without facts of its own: whatever the rest of an expression names is absent from it
NEGATIONS = ("no-", "not-", "without-")

_CONCEPT = re.compile(r"[\w=-]+(?:\+[\w=-]+)*")


@dataclass(frozen=True)
class ModelImages:
    """Real images that belong to a model, a pack or a request for one; `trained_on` describes those of its training."""

    source: Pack | PackRequest
    trained_on: Mapping[str, Any] | None = None

    def vocabulary(self) -> Vocabulary:
        """Return what the images are labeled with, without decoding any. Raises as `vocabulary_of` and `build_pack`."""
        if isinstance(self.source, Pack):
            return vocabulary_of(self.source)
        with self._advise():
            if (given := open_existing_pack(self.source, SILENT)) is not None:
                return vocabulary_of(given)
            found = resolve(self.source, SILENT)
        return _vocabulary(found.listing.attributes, found.listing.classes, found.entry.name)

    def pack(self, report: Reporter) -> Pack:
        """Return the pack of the images, built where it is not there.

        Raises:
            UsageError: they are not as many as the model was trained on.
            DataError: the images are not there.
        """
        if isinstance(self.source, Pack):
            return self.source
        with self._advise():
            pack = build_pack(self.source, report=report)
        count = (self.trained_on or {}).get("count", len(pack))
        if count != len(pack):  # a model folder does not say where its photographs lay
            what = f"the model was trained on {plural(count, 'image')} of {self.source.dataset}"
            raise UsageError(f"{what}, and without --data there are {len(pack):,}", hint=_HINT)
        return pack

    @contextmanager
    def _advise(self) -> Iterator[None]:
        """Add to errors about images that nobody named how to name some."""
        try:
            yield
        except ZooError as error:
            if self.trained_on is not None:
                error.hint = f"{error.hint}\n  {_HINT}" if error.hint else _HINT
            raise


def request_images(
    images: ImageSource, dataset: str | None, data: Place | None, options: Mapping[str, Any] | None
) -> ImageSource:
    """Return images as they are given, or a request for a dataset that is named by its `--dataset`, `--data` and `--set`.

    Raises:
        UsageError: both are given, or what belongs to a dataset without one; an option that the dataset does not have.
    """
    if dataset is None:
        if data is not None or options:
            raise UsageError("--data and --set belong to a dataset", hint="add: --dataset faces (or folder, …)")
        return images
    if images is not None:
        raise UsageError("images and --dataset both say which images", hint="leave one of them out")
    return PackRequest(dataset, data=path_of(data), options=parse_options(dataset, options or {}))


def find_images(model: Model, where: ModelLike, images: ImageSource = None) -> ModelImages:
    """Return the images that belong to a model: `images` at its size and channels, or those that it was trained on.

    Args:
        where: what it was loaded from; a run folder knows where its pictures lie.
        images: a pack, or a request whose size and channels are replaced by the model's.

    Raises:
        UsageError: the model does not say what it was trained on, or the pack's images are of another size.
    """
    size, channels = model.image.size, model.image.channels
    if isinstance(images, Pack):
        if images.spec.shape != model.image.shape:
            raise UsageError(
                f"the pack has images of {images.spec.shape}, the model draws {model.image.shape}",
                hint="build the pack with the model's size and channels",
            )
        return ModelImages(images)
    if images is not None:
        return ModelImages(replace(images, size=size, channels=channels))
    place = find_folder(where) if not isinstance(where, Model) else None
    run = next((p for p in (place, place.parent) if is_run(p)), None) if place else None
    used = (read_run(run).config.dataset if run else None) or model.config.get("provenance", {}).get("dataset") or {}
    if not used.get("name"):
        raise UsageError("the model does not say what it was trained on", hint=_HINT)
    split, options = used.get("split", "train"), used.get("options", {})
    return ModelImages(PackRequest(used["name"], used.get("data"), split, size, channels, options), used)


def vocabulary_of(pack: Pack) -> Vocabulary:
    """Return what a pack's images are labeled with: attribute → names of its values. Classes are the attribute "class".

    Raises:
        UsageError: they have no labels.
    """
    name = pack.info["dataset"]["name"].partition(":")[2]
    return _vocabulary(pack.info["attributes"], pack.info["classes"], name)


def _vocabulary(attributes: Mapping[str, Any], classes: Any, dataset: str) -> Vocabulary:
    named = {**attributes, **({CLASS: classes} if len(classes) > 1 else {})}
    if not named:
        raise UsageError(
            f"the images of dataset {dataset!r} have no labels, so nothing can learn to classify them",
            hint="choose a labeled dataset (--dataset faces), or give --data a folder with one sub-folder for each label",
        )
    return {name: tuple(values) for name, values in named.items()}


def attribute_labels(pack: Pack) -> dict[str, Tensor]:
    """Return attribute → int64 [N], index of each image's value in the vocabulary, −1 where it is unknown; {} without."""
    labels = dict(pack.attributes)
    if pack.labels is not None and len(pack.info["classes"]) > 1:
        labels.setdefault(CLASS, pack.labels)
    return labels


@dataclass(frozen=True, order=True)
class Fact:
    """Something that a picture shows or does not show: `attribute` has one of `values`."""

    attribute: str
    values: tuple[str, ...]
    word: str

    def probability(self, probabilities: Mapping[str, Tensor], vocabulary: Vocabulary) -> Tensor:
        """Return the probability [N] that it holds, from those of all values [N, values] of each attribute."""
        return probabilities[self.attribute][:, [vocabulary[self.attribute].index(v) for v in self.values]].sum(1)


@dataclass(frozen=True)
class Concept:
    """Facts and whether each holds; () holds for every picture."""

    facts: tuple[tuple[Fact, bool], ...] = ()

    def probability(self, probabilities: Mapping[str, Tensor], vocabulary: Vocabulary) -> Tensor:
        """Return the least of the facts' probabilities [N]; 1 without facts."""
        every = [torch.ones(len(next(iter(probabilities.values()))))]
        for fact, holds in self.facts:
            p = fact.probability(probabilities, vocabulary)
            every.append(p if holds else 1 - p)
        return torch.stack(every).amin(0)

    def __str__(self) -> str:
        return " and ".join(fact.word if holds else f"no {fact.word}" for fact, holds in self.facts) or "anything"


@dataclass(frozen=True)
class Term:
    """One concept of an expression, added (`sign` 1) or subtracted (`sign` −1)."""

    sign: int
    concept: str

    def __str__(self) -> str:
        return f"{'+' if self.sign > 0 else '-'} {self.concept}"


def parse_fact(word: str, vocabulary: Vocabulary) -> tuple[Fact, bool]:
    """Return what a word means, and whether it says that the fact holds ("no-glasses" says that it does not).

    A word is a value that only one attribute has ("smile"), attribute=value ("hair_color=brown"), or an attribute that can
    be absent ("glasses": any value but "none").

    Raises:
        UsageError: the word is unknown, or means several things; near matches and the list are named.
    """
    for negation in ("", *NEGATIONS):
        fact = _find_fact(word.removeprefix(negation), vocabulary) if word.startswith(negation) else None
        if fact is not None:
            return fact, not negation
    raise _unknown_word(word, vocabulary)


def parse_concepts(texts: Sequence[str], vocabulary: Vocabulary) -> list[Concept]:
    """Return concepts, each written as words joined by "+" (see `parse_fact`), with every fact that any of them names.

    What one does not name, it lacks: "glasses+smile - smile + neutral" subtracts smiles without glasses, and adds faces with
    neither. Raises `UsageError`.
    """
    concepts: list[dict[Fact, bool]] = []
    for text in texts:
        words = [word.strip() for word in text.split("+")]
        if not all(words):
            raise UsageError(f"{text!r} is no concept", hint="join words by +, without blanks: glasses+smile")
        concepts.append(dict(parse_fact(word, vocabulary) for word in words if word != NEUTRAL))
    facts = sorted({fact for concept in concepts for fact in concept})
    return [Concept(tuple((fact, concept.get(fact, False)) for fact in facts)) for concept in concepts]


def parse_expression(text: str) -> list[Term]:
    """Return the terms of an expression: concepts with "+" or "-" between them, each operator between blanks.

    Raises:
        UsageError: it does not parse; the message points at the place.
    """
    terms: list[Term] = []
    sign: int | None = 1  # None: an operator comes next
    for match in re.finditer(r"\S+", text):
        piece, place = match.group(), match.start()
        if piece in ("+", "-", "−"):
            if sign is not None and (terms or piece == "+"):
                raise _syntax_error(text, place, "a concept is expected here")
            sign = 1 if piece == "+" else -1
        elif sign is None:
            raise _syntax_error(text, place, "expected + or - between two concepts, with blanks around it")
        elif not _CONCEPT.fullmatch(piece):
            good = _CONCEPT.match(piece)
            why = "this is no concept: words of letters, digits, _ = and -, joined by +"
            raise _syntax_error(text, place + (good.end() if good else 0), why)
        else:
            terms.append(Term(sign, piece))
            sign = None
    if sign is not None:
        raise _syntax_error(text, len(text), "a concept is expected here" if terms else "the expression is empty")
    return terms


def should_hold(terms: Sequence[Term], truths: Sequence[bool]) -> bool:
    """Whether a fact should hold in the result of an expression, given its truth in each term: 1 − 1 + 0 gives False."""
    return sum(term.sign * truth for term, truth in zip(terms, truths, strict=True)) > 0


def _find_fact(word: str, vocabulary: Vocabulary) -> Fact | None:
    attribute, sign, value = word.partition("=")
    if sign:
        return Fact(attribute, (value,), word) if value in vocabulary.get(attribute, ()) else None
    holders = [name for name, values in vocabulary.items() if word in values]
    if len(holders) == 1:
        return Fact(holders[0], (word,), word)
    if len(holders) > 1:
        choices = " or ".join(f"{name}={word}" for name in holders)
        raise UsageError(f"{word!r} is a value of {len(holders)} attributes", hint=f"write {choices}")
    if word not in vocabulary:
        return None
    values = vocabulary[word]
    if not set(values) & set(ABSENT):
        choices = ", ".join(f"{word}={value}" for value in values)
        raise UsageError(
            f"{word!r} has no value that means its absence, so say which one is meant", hint=f"one of: {choices}"
        )
    return Fact(word, tuple(v for v in values if v not in (*ABSENT, HIDDEN)), word)


def _unknown_word(word: str, vocabulary: Vocabulary) -> UsageError:
    values = [v for vs in vocabulary.values() for v in vs]
    single = {v for v in values if values.count(v) == 1 and v not in ABSENT}
    pairs = {f"{name}={v}" for name, vs in vocabulary.items() for v in vs}
    close = near(word, {*single, *vocabulary}) or near(word, pairs)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    listed = "\n".join(f"  {name}: {', '.join(vs)}" for name, vs in vocabulary.items())
    return UsageError(f"nothing is called {word!r}{meant}", hint=f"what the dataset is labeled with:\n{listed}")


def _syntax_error(text: str, place: int, why: str) -> UsageError:
    return UsageError(
        f"the expression does not parse: {why}\n  {text}\n  {' ' * place}^",
        hint='for example: "glasses+smile - smile + neutral"',
    )
