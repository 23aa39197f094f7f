"""Constructors are the schema: what is read from them, and how values are parsed and checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from zoo_core import OptionError, PluginError, UnknownNameError
from zoo_core.options import Option, Range, check, complete, parse, schema, write_value
from zoo_core.settings import OptimizerSettings, TrainingSettings


class Component:
    def __init__(
        self,
        *,
        image: Any = None,
        width: Annotated[int, "feature maps"] = 64,
        slope: float = 0.2,
        norm: Literal["batch", "none"] = "batch",
        steps: tuple[int, ...] = (1, 2),
        data: str | None = None,
    ) -> None: ...


def option(kind: Any, default: Any = None) -> Option:
    return Option("value", kind, default)


def test_a_signature_is_read_in_order() -> None:
    found = schema(Component)
    assert list(found) == ["width", "slope", "norm", "steps", "data"]
    assert (found["width"].type, found["width"].default, found["width"].help) == (int, 64, "feature maps")
    assert [o.type_name for o in found.values()] == ["int", "float", "batch | none", "list of int", "str | none"]


def test_a_class_without_a_constructor_has_no_options() -> None:
    assert schema(type("Plain", (), {})) == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(width: int = 3): ...", "'width' must be keyword-only"),
        ("def f(image, *, width: int = 3): ...", "'image' must be keyword-only"),
        ("def f(*widths: int): ...", "hide which options"),
        ("def f(*, image, **rest): ...", "hide which options"),
        ("def f(*, width: int): ...", "'width' needs a default"),
        ("def f(*, width=3): ...", "'width' needs a type annotation"),
        ("def f(*, width: int = {1, 2}): ...", "JSON"),
        ("def f(*, width: int = float('inf')): ...", "JSON"),
        ("def f(*, width: 'Missing' = 3): ...", "annotations cannot be read"),
    ],
)
def test_what_is_no_schema(source: str, words: str) -> None:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    with pytest.raises(PluginError, match=words):
        schema(namespace["f"])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "128", 128),
        (int, "-3", -3),
        (float, "2", 2.0),
        (float, "1e-4", 1e-4),
        (bool, "true", True),
        (bool, "Off", False),
        (bool, "1", True),
        (str, "anything = goes", "anything = goes"),
        (str, "", ""),
        (Literal["batch", "none"], "none", "none"),
        (Literal[3, 4, 5], "4", 4),
        (str | None, "none", None),
        (str | None, "null", None),
        (str | None, "nine", "nine"),
        (int | None, "none", None),
        (int | None, "7", 7),
        (Literal["none", "all"] | None, "none", "none"),
        (int | float, "1", 1),
        (int | float, "1.5", 1.5),
        (bool | int, "5", 5),
        (int | str, "5", 5),
        (int | str, "five", "five"),
        (str | float, "nan", "nan"),
        (tuple[int, ...], "[1, 2]", [1, 2]),
        (list[int], "[]", []),
        (tuple[str, ...], "a,b", ["a", "b"]),
        (list[str], '["a,b"]', ["a,b"]),
        (tuple[int, float], "[1, 2]", [1, 2.0]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
    ],
)
def test_text_is_read_as_the_options_type(kind: Any, text: str, value: Any) -> None:
    found = parse(option(kind), text, key="loss.value")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (int, "1.5", "int"),
        (int, "", "int"),
        (int, "x", "int"),
        (int, "true", "int"),
        (float, "x", "float"),
        (float, "nan", "float"),
        (float, "inf", "float"),
        (bool, "maybe", "bool"),
        (bool, "2", "bool"),
        (Literal["batch", "none"], "Batch", "batch | none"),
        (int | None, "nothing", "int | none"),
        (tuple[int, ...], "1,2", "list of int"),
        (tuple[int, ...], '["a"]', "list of int"),
        (tuple[int, ...], "[1", "list of int"),
        (tuple[int, ...], "5", "list of int"),
        (tuple[int, int], "[1]", "list of int, int"),
        (dict[str, int], "[1]", "dict"),
        (dict[str, int], "a=1", "dict"),
    ],
)
def test_text_of_another_type_is_refused_with_the_type_and_an_example(kind: Any, text: str, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(option(kind, 3), text, key="loss.value")
    assert caught.value.message.startswith(f"loss.value must be {says}, not ")
    assert "--set loss.value=3" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (bool, False, False),
        (Literal[True, "auto"], True, True),
        (str | None, None, None),
        (tuple[int, ...], (1, 2), [1, 2]),
        (dict[str, Any], {"a": None}, {"a": None}),
        (Any, [1, "x"], [1, "x"]),
    ],
)
def test_values_that_fit(kind: Any, value: Any, expected: Any) -> None:
    found = check(option(kind), value, key="k")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 3.0),
        (int, True),
        (int, "3"),
        (int, None),
        (float, True),
        (float, float("nan")),
        (float, "1"),
        (bool, 1),
        (str, 3),
        (Literal[1, 2], True),
        (Literal[1, 2], 1.0),
        (Literal["a"], ["a"]),
        (tuple[int, ...], "12"),
        (tuple[int, ...], [1, "2"]),
        (tuple[int, int], [1, 2, 3]),
        (dict[str, int], [("a", 1)]),
        (bytes, b"x"),
    ],
)
def test_values_that_do_not_fit(kind: Any, value: Any) -> None:
    with pytest.raises(OptionError, match=r"^k must be"):
        check(option(kind), value, key="k")


def test_what_is_left_out_takes_its_default() -> None:
    full = complete(Component, {"width": 8}, where="generator")
    assert full == {"width": 8, "slope": 0.2, "norm": "batch", "steps": [1, 2], "data": None}


def test_unknown_options_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown option of generator 'widht'; did you mean width") as caught:
        complete(Component, {"widht": 8}, where="generator", hint="to see them: zoo show x")
    assert caught.value.hint == "to see them: zoo show x"
    with pytest.raises(UnknownNameError, match="image"):
        complete(Component, {"image": 8}, where="generator")


def test_an_ill_typed_option_is_named_with_its_part() -> None:
    with pytest.raises(OptionError, match=r"^generator.width must be int, not '8'\n") as caught:
        complete(Component, {"width": "8"}, where="generator")
    assert caught.value.hint == "for example: --set generator.width=64"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"batch": 0}, "training.batch is 0; it must be at least 1"),
        ({"epochs": 0.0}, "training.epochs is 0.0; it must be more than 0"),
        ({"ema": 1.0}, "less than 1"),
        ({"ema": -0.1}, "at least 0"),
        ({"keep": 0}, "training.keep"),
    ],
)
def test_impossible_training_settings(values: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        TrainingSettings(**values)


@pytest.mark.parametrize("values", [{"lr": 0.0}, {"beta1": 1.0}, {"beta2": -0.5}, {"eps": 0.0}, {"weight_decay": -1.0}])
def test_impossible_optimizer_settings(values: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"optimizer.{next(iter(values))} is"):
        OptimizerSettings(**values)


def test_settings_are_a_schema_like_any_other() -> None:
    assert schema(OptimizerSettings)["kind"].type_name == "adam | adamw | rmsprop | sgd"
    assert all(o.help for o in schema(TrainingSettings).values())


@pytest.mark.parametrize(
    ("numbers", "inside", "outside", "words"),
    [
        (Range(1), [1, 2.5, 1e9], [0, -1, 0.99, float("nan")], "at least 1"),
        (Range(above=0), [1e-9, 3], [0, -1], "more than 0"),
        (Range(0, below=1), [0, 0.999], [1, -0.1], "at least 0 and less than 1"),
        (Range(16, 1024), [16, 1024], [15, 1025], "at least 16 and at most 1024"),
        (Range(above=0, most=1), [0.1, 1], [0, 1.1], "more than 0 and at most 1"),
    ],
)
def test_a_range_says_what_it_takes(numbers: Range, inside: list[float], outside: list[float], words: str) -> None:
    assert str(numbers) == words
    assert all(value in numbers for value in inside)
    assert not any(value in numbers for value in outside)


def test_numbers_outside_of_their_range_are_refused() -> None:
    class Part:
        def __init__(self, *, share: Annotated[float | None, "of all", Range(0, 1)] = None) -> None: ...

    options = schema(Part)
    assert options["share"].range == Range(0, 1)
    assert complete(Part, {"share": 1}, where="part") == {"share": 1.0}
    assert complete(Part, {"share": "none"}, where="part", texts=True) == {"share": None}
    for value, texts in ((2.0, False), ("2", True)):
        with pytest.raises(OptionError, match=r"part\.share is 2\.0; it must be at least 0 and at most 1") as caught:
            complete(Part, {"share": value}, where="part", texts=texts)
        assert caught.value.hint == "for example: --set part.share=none"


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (int | None, None, "none"),
        (bool, True, "true"),
        (float, 2e-4, "0.0002"),
        (str, "cat,dog", "cat,dog"),
        (list[str], ["cat", "dog"], "cat,dog"),
        (list[str], ["a,b", "c"], '["a,b", "c"]'),
        (list[str], [], "[]"),
        (list[int], [1, 2], "[1, 2]"),
        (dict, {"a": 1}, '{"a": 1}'),
        (Literal["a", 2], 2, "2"),
    ],
)
def test_a_value_is_written_as_it_is_read(kind: Any, value: Any, text: str) -> None:
    assert write_value(value) == text
    if kind is not dict:
        assert parse(Option("x", kind, None), text, key="x") == value


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 400, "[" * 100_000, '{"a":' * 5000, "9" * 5000])
def test_texts_that_no_number_can_be(text: str) -> None:
    with pytest.raises(OptionError, match=r"value must be (float|list of int), not") as caught:
        parse(option(float, 0.5), text, key="value")
    assert len(str(caught.value)) < 300
    with pytest.raises(OptionError):
        parse(option(list[int], [1]), text, key="value")
    with pytest.raises(OptionError):
        check(option(float, 0.5), 10**400, key="value")
