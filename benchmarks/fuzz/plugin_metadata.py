"""Install broken and hostile plugins: each is a row, or one line, and every other plugin works on.

    python benchmarks/fuzz/plugin_metadata.py [--tries N] [--seed S] [--only N] [--json]

A plugin raises, exits, never ends, prints, claims names of others, hands over what is no record, or comes with metadata that
are malformed, huge, a named pipe, a link that leads nowhere. What is called: discovery, lists, a look-up that finds nothing.
The last line of standard output is one JSON object.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from harness import LETTERS, Difference, Target, Try, main, set_up
from mutating import BAD, change_bytes, change_file, word

set_up()

from zoo_core import ZooError, discovery  # noqa: E402
from zoo_core.registries import Registry  # noqa: E402

GOOD = """from zoo_core import Plugin, Recipe
plugin = Plugin(summary="fine", recipes=[Recipe("{name}-recipe", base="dcgan")])
"""
RECORDS = (
    *("raise ValueError('x' * 100_000)", "raise SystemExit(3)", "import os; os._exit", "while True: pass", "plugin = 3", ""),
    *(
        "raise KeyError",
        "raise BaseException(chr(27) + '[31m')",
        "print('noise' * 9)\nplugin = None",
        "import nothing_there",
    ),
    *("plugin = Plugin(recipes=[Recipe(f'r{i}') for i in range(100_000)])", "plugin = Plugin(contract=1)"),
    *("plugin = Plugin(contract=10**40)", "plugin = Plugin(summary='x' * 100_000)", "plugin = Plugin(summary=5)"),
    *("plugin = Plugin(generators={'dcgan': 'os:system'})", "plugin = Plugin(generators={'x': 'os.system'})"),
    *(
        "plugin = Plugin(generators={BAD: 'a:b'})",
        "plugin = Plugin(generators={'n' * 5000: 'a:b'})",
        "plugin = Plugin(generators=[1])",
    ),
    *(
        "plugin = Plugin(recipes=[Recipe('a', base='b'), Recipe('b', base='a')])",
        "plugin = Plugin(recipes=[Recipe('a')] * 2)",
    ),
    *(
        "plugin = Plugin(recipes=[Recipe('a', options={'generator.width': BAD})])",
        "plugin = Plugin(commands={'train': 'a:b'})",
    ),
    *("plugin = Plugin(recipes=[Recipe('a', options={BAD: 1})])", "plugin = Plugin(commands={'sample2': 'os:getcwd'})"),
    *(
        "import sys; sys.setrecursionlimit(50)\nplugin = Plugin()",
        "def f(): f()\nf()",
        "x = [0] * (1 << 27)\nplugin = Plugin()",
    ),
    *(
        "plugin = Plugin(models={'m': 3})",
        "class P(Plugin): pass\nplugin = P()",
        "\x00",
        "plugin = Plugin(",
        "plugin = Plugin",
    ),
    "import signal; signal.alarm(0)\nplugin = Plugin()",
)


def prepare(folder: Path) -> list[str]:
    """Return the registry's names without any of these plugins, and let imports be given up soon."""
    discovery.PATIENCE = 2.0
    (folder / "site").mkdir()
    return Registry().names("recipes")


def attempt(folder: Path, draw: random.Random, known: list[str]) -> Try:
    hows, names = [], []
    for i in range(draw.choice((1, 1, 2, 3))):
        name, text = f"hostile_{draw.randrange(10**9)}_{i}", draw.choice((*RECORDS, GOOD))
        text = text.replace("BAD", repr(BAD)).replace("{name}", name.replace("_", "-"))
        head = "" if "import Plugin" in text else "from zoo_core import Plugin, Recipe\n"
        (folder / f"{name}.py").write_text(head + text)
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        points = draw.choice(
            (f"{name}:plugin", f"{name}:plugin", f"{name}:plugin", f"{name}:other", f"{name}", "os:getcwd", word(draw))
        )
        label = draw.choice((name, name, name, "builtin-dcgan", word(draw)))
        metadata = f"[zoo.plugins]\n{label} = {points}\n".encode("utf-8", "surrogatepass")
        hows.append(text[:60])
        if draw.random() < 0.3:
            metadata, how = change_bytes(metadata, draw)
            hows.append(how)
        (info / "entry_points.txt").write_bytes(metadata)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {word(draw)!a}\n")
        if draw.random() < 0.15:
            hows.append(change_file(info / "entry_points.txt", draw))
        names.append(name)

    def act() -> None:
        sys.path.insert(0, str(folder))
        sys.path_importer_cache.clear()
        try:
            registry = Registry()
            lines = registry.problems()
            if long := [line for line in lines if len(line) > LETTERS]:
                raise Difference(f"a line of {len(long[0]):,} characters")
            if lost := set(known) - set(registry.names("recipes")):
                raise Difference(f"{len(lost)} recipes of others are gone, such as {min(lost)}")
            for kind in ("recipes", "generators", "commands", "models"):
                for entry in registry.entries(kind):
                    str(entry.value)
            for recipe in ("dcgan", "a", "nothing-there"):
                try:
                    registry.recipe(recipe)
                except ZooError as error:
                    if len(str(error)) > LETTERS:
                        raise
        finally:
            sys.path.remove(str(folder))
            for name in names:
                sys.modules.pop(name, None)
            sys.setrecursionlimit(1000)

    return Try("; ".join(hows), act)


TARGET = Target("plugin metadata", prepare, attempt, fresh="site")

if __name__ == "__main__":
    sys.exit(main(TARGET, tries=200))
