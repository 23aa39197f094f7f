"""What is public: what the reference shows, and what a change of is a decision (tests/docs/test_public_api.py).

python .ci/public.py --write   # renews tests/docs/public_api.txt, which holds every name with its signature
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

API = Path(__file__).resolve().parent.parent / "tests" / "docs" / "public_api.txt"

PUBLIC: dict[str, dict[str, tuple[str, ...]]] = {
    "zoo": {
        "Training": ("train", "plan", "Plan", "train_seeds", "SeedRuns", "Evaluation", "read_config", "bench", "diagnose"),
        "Runs": ("Run", "list_runs", "RunSummary", "delete_run", "timelapse", "Timelapse"),
        "Models": (
            "load",
            "Model",
            "create",
            "save_grid",
            "to_pictures",
            "show",
            "export",
            "lineage",
            "Ancestor",
            "estimate_statistics",
            "estimate_batch_norm",
        ),
        "The Hub and the catalog": (
            "pull",
            "FetchedModel",
            "push",
            "PushResult",
            "list_published",
            "PublishedModel",
            "read_catalog",
            "save_catalog",
        ),
        "Data": (
            "PackRequest",
            "build_pack",
            "open_pack",
            "Pack",
            "find_pack",
            "list_packs",
            "clear_packs",
            "Stored",
            "inspect_pack",
            "deduplicate",
            "Deduplicated",
            "detect_faces",
            "download",
            "list_cache",
            "clear_cache",
            "CacheEntry",
        ),
        "Measuring": ("evaluate", "Results", "neighbors", "probe", "one_nn", "extractor", "extract"),
        "Comparing": (
            "compare",
            "Comparison",
            "compare_runs",
            "RunComparison",
            "build_leaderboard",
            "show_leaderboard",
            "Leaderboard",
            "check_leaderboard",
            "Check",
        ),
        "Reproducing a paper": ("reproduce", "Reproduction"),
        "Looking inside": (
            "walk",
            "arithmetic",
            "turn",
            "find_directions",
            "Directions",
            "features",
            "forget",
            "project",
            "report",
        ),
        "Around": ("registry", "ImageSpec", "Reporter", "ZooError"),
    },
    "zoo.demo": {"The demo": ("build", "serve")},
    "zoo_core": {
        "The record": ("Plugin", "Component", "Recipe", "PretrainedModel", "Score", "CONTRACT"),
        "Networks, losses, algorithms": (
            "ImageSpec",
            "Generator",
            "Discriminator",
            "Network",
            "Loss",
            "Algorithm",
            "Phase",
            "Step",
            "Augmentation",
        ),
        "Data": ("ImageDataset", "FileDataset", "Listing", "Record", "Picture", "open_picture"),
        "Measuring and tracking": ("FeatureExtractor", "Metric", "Measurement", "Tracker", "Sampler", "Sampling"),
        "Papers": (
            "Paper",
            "Bench",
            "Claim",
            "Course",
            "Estimates",
            "Facts",
            "Figure",
            "Lines",
            "Point",
            "Table",
            "Training",
            "Verdict",
            "Work",
        ),
        "The registry": ("registry", "Registry"),
        "Errors": (
            "ZooError",
            "UsageError",
            "UnknownNameError",
            "OptionError",
            "PluginError",
            "DataError",
            "PictureError",
            "ModelError",
            "CheckpointError",
            "TrainingError",
        ),
    },
    "zoo_core.options": {"Options": ("Range", "Option", "schema")},
    "zoo_core.settings": {"Settings": ("TrainingSettings", "OptimizerSettings")},
    "zoo_core.testing": {"Conformance": ("assert_conforms", "assert_recipe")},
}
"""Module → topic → names, in the order of the reference."""

_SAID = ("__init__", "__call__")


def names_of(module: str) -> list[str]:
    """All public names of a module, topic by topic."""
    return [name for names in PUBLIC[module].values() for name in names]


def describe() -> Iterator[str]:
    """Yield a line for each public name and for each public member of a public class."""
    for module in PUBLIC:
        loaded = importlib.import_module(module)
        for name in sorted(names_of(module)):
            yield from _describe(f"{module}.{name}", getattr(loaded, name))


def _describe(name: str, found: Any) -> Iterator[str]:
    if not inspect.isclass(found):
        yield f"{name}{_signature(found)}" if callable(found) else f"{name}: {type(found).__name__}"
        return
    bases = [base.__name__ for base in found.__bases__ if base is not object]
    yield f"class {name}({', '.join(bases)})"
    if issubclass(found, enum.Enum):
        yield from (f"{name}.{member.name}" for member in found)
    for member, value in sorted(vars(found).items()):
        if (member.startswith("_") and member not in _SAID) or member in getattr(found, "__dataclass_fields__", {}):
            continue
        if isinstance(value, property) or type(value).__name__ == "cached_property":
            yield f"{name}.{member}: property"
        elif callable(getattr(value, "__func__", value)):
            yield f"{name}.{member}{_signature(getattr(value, '__func__', value))}"
        else:
            yield f"{name}.{member}"


def _signature(function: Any) -> str:
    """Names, kinds and defaults of the parameters. Annotations are left out: versions of Python write them differently."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(…)"
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return re.sub(r"<(?!factory>)[^<>]*(<\w+>)?[^<>]*>", "…", text)  # an object whose address differs from run to run


def write() -> None:
    """Renew the file."""
    API.write_text("\n".join(describe()) + "\n", "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("type: python .ci/public.py --write")
    write()
