"""What the commands that analyze a model share: options, the call of `zoo`'s function, and how its result is printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .completion import completing_settings
from .options import (
    OWN,
    F,
    data_option,
    dataset_option,
    device_option,
    label_option,
    out_option,
    searched_option,
    seed_option,
    set_option,
)
from .output import echo, json_option, print_json, warn_about_plugins

if TYPE_CHECKING:
    from zoo.analysis.judging import Accuracy

WHAT_IT_MEANS = "(good: at least half of the way from chance to perfect; weak: less, and more than chance)"


def samples_seed_option(command: F) -> F:
    """Add --seed of samples to a command."""
    return seed_option("the samples, as in zoo sample")(command)


_SHARED: dict[str, list[Any]] = {
    "search": [searched_option()],
    "images": [
        dataset_option(OWN),
        data_option,
        set_option("those that zoo show DATASET lists", completing_settings("dataset")),
    ],
    "samples": [samples_seed_option, label_option],
}


def analysis_options(*groups: str, out: str | None = None) -> Callable[[F], F]:
    """Return a decorator that adds shared options to a command.

    Args:
        groups: "search" (--searched), "images" (--dataset, --data, --set), "samples" (--seed, --label), in order; --device
            and --json follow.
        out: default of --out, a picture; None adds no such option.
    """
    options = [option for group in groups for option in _SHARED[group]]
    if out is not None:
        options.append(out_option("the picture", out))
    options.append(device_option)

    def add(command: F) -> F:
        for option in (json_option, *reversed(options)):
            command = option(command)
        return command

    return add


def analyze(name: str, *, as_json: bool, **choices: Any) -> Any:
    """Call the function `name` of `zoo` with a command's choices, progress on standard error.

    Return its record for the command to print, after the name of its picture; with `as_json` print it and return None.
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = getattr(zoo, name)(report=reporter_for_terminal(), **choices)
    picture = {"out": choices["out"]} if hasattr(found, "picture") else {}
    if as_json:
        print_json({**picture, **found.to_json()})
        return None
    for path in picture.values():
        echo(path)
    return found


def print_accuracy(accuracy: Accuracy) -> None:
    """Print how often the classifier is right, in one line."""
    echo(f"classifier's accuracy on held-out images: {accuracy}")
