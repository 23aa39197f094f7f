"""Networks and trained models by `torch.hub`, for people who have installed nothing of the zoo: a checkout is enough.

    model = torch.hub.load("path/to/checkout", "dcgan", pretrained=True, source="local")
    images = model.sample(64, seed=1)  # float tensor [64, 3, 64, 64] in [-1, 1]
    model.generator, model.discriminator  # plain torch modules

An entry point for each recipe (`dcgan`, `wgan_gp`, …) and for each trained model that comes along (`dcgan_faces`, …); each
returns a `zoo.Model`. What is installed goes before what lies here, and is used with all its plugins.
"""

from __future__ import annotations

import collections.abc
import importlib.metadata
import pathlib
import sys
import typing

if typing.TYPE_CHECKING:
    import zoo

dependencies = ["torch", "numpy", "PIL", "entrypoints", "filelock", "lazy_loader", "safetensors"]

# What is imported here are modules: torch.hub takes everything else that can be called for an entry point.
_ROOT = pathlib.Path(__file__).resolve().parent
_DISTRIBUTIONS = {"dcgan-zoo": ("core", "plugins", "zoo", "cli"), "dcgan-zoo-models": ("pretrained",)}  # with their folders


def _open_checkout() -> None:
    """Make what lies here known as its installation would: packages on the path, plugins in the registry."""
    missing = [name for name in _DISTRIBUTIONS if not _is_installed(name)]
    for name in missing:
        folders = [str(_ROOT / folder) for folder in _DISTRIBUTIONS[name]]
        sys.path += [folder for folder in folders if folder not in sys.path]

    from zoo_core import registry

    known = {plugin.distribution for plugin in registry.plugins()}  # this file runs anew at each call of torch.hub
    for name in missing:
        for module, record in _entry_points(name) if name not in known else ():
            registry.add(getattr(importlib.import_module(module), record), distribution=name)


def _is_installed(distribution: str) -> bool:
    try:
        return bool(importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return False


def _entry_points(distribution: str) -> collections.abc.Iterator[tuple[str, str]]:
    """Yield module and attribute of each plugin that the pyproject.toml of a distribution names."""
    folder = _ROOT if distribution == "dcgan-zoo" else _ROOT / _DISTRIBUTIONS[distribution][0]
    file = folder / "pyproject.toml"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    for line in text.partition('[project.entry-points."zoo.plugins"]\n')[2].partition("\n[")[0].splitlines():
        module, _, record = line.partition("=")[2].strip().strip('"').partition(":")  # tomllib came with Python 3.11
        if record:
            yield module, record


def _recipe_entry(recipe: str, name: str, trained: dict[str, str]) -> collections.abc.Callable[..., zoo.Model]:
    def create_or_load(pretrained: bool | str = False, *, device: str = "cpu", **choices: typing.Any) -> zoo.Model:
        import zoo
        from zoo.devices import check_device
        from zoo_core import UsageError

        if pretrained is False:
            chosen = check_device(device)
            return zoo.create(recipe, **choices).to(chosen)
        if choices:
            raise UsageError(
                f"a trained {name} is what it is, and takes no {', '.join(choices)}", hint="leave pretrained out"
            )
        if (pretrained is not True and pretrained not in trained) or not trained:
            known = " or ".join(f"pretrained={one!r}" for one in trained) or "pretrained=False, a new network"
            raise UsageError(f"no trained {name} comes along that is meant by pretrained={pretrained!r}; there is {known}")
        return zoo.load(trained[next(iter(trained)) if pretrained is True else pretrained], device=device)

    return create_or_load


def _model_entry(name: str) -> collections.abc.Callable[..., zoo.Model]:
    def load(*, device: str = "cpu") -> zoo.Model:
        import zoo

        return zoo.load(name, device=device)

    return load


def _make_entries() -> collections.abc.Iterator[tuple[str, collections.abc.Callable[..., zoo.Model]]]:
    """Yield the entry points, by name, each with what `torch.hub.help` says of it."""
    from zoo.catalog import model_of, read_catalog
    from zoo_core import registry

    models = [entry for entry in read_catalog() if entry.plugin.distribution in _DISTRIBUTIONS]
    for recipe in registry.entries("recipes"):
        if recipe.plugin.distribution not in _DISTRIBUTIONS:
            continue
        own = [entry for entry in models if model_of(entry).recipe == recipe.name]
        own.sort(key=lambda entry: entry.name != f"{recipe.name}-faces")  # the one that pretrained=True means comes first
        trained = {entry.name: entry.qualified for entry in own}
        make = _recipe_entry(recipe.qualified, recipe.name, trained)
        there = " or ".join(trained) or "none comes along"
        make.__doc__ = (
            f"{recipe.summary}\n\n{recipe.value.paper}\n\nArgs:\n"
            f"    pretrained: a name, or True for the first, of the trained ones: {there}; by default a new network.\n"
            "    size, channels, num_classes, seed, options: of a new network, as `zoo.create` takes them:\n"
            '        size=64, options={"generator.width": 128}.\n'
            '    device: "cpu", "cuda", … or "auto".\n'
        )
        yield recipe.name, make
    for entry in models:
        find = _model_entry(entry.qualified)
        found = model_of(entry)
        find.__doc__ = f"{entry.summary}\n\n{found.recipe} on {found.dataset}, {found.size}×{found.size}; {found.license}\n"
        yield entry.name, find


try:
    _open_checkout()
    for _name, _entry in _make_entries():
        _entry.__name__ = _entry.__qualname__ = _name.replace("-", "_")
        globals()[_entry.__name__] = _entry
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] not in dependencies:  # torch.hub names those that are missing
        raise
