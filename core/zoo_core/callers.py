"""Who reads a message: somebody who typed a command, to whom flags are named, or Python code, to which arguments are.

Messages are written once, in the words of the command line (`--size 64`), and turned into Python's (`size=64`) when they are
shown, unless the command line is what runs. So whoever raises an error, a plugin too, need not know who will read it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

FUNCTION = re.compile(
    "arithmetic|bench|compare|diagnose|evaluate|export|features|forget|neighbors|probe|project|pull|push|report|reproduce|"
    "timelapse|train|turn|walk"
)
"""Commands that have a function of their name in `zoo`; it takes what they take, by the same names."""

RENAMED = {"search": "searched", "from": "start"}
"""Flag → the argument, where it is called otherwise."""

_SWITCH = re.compile(
    "bf16|caption|compile|debug|deterministic|download|dry-run|force|graphs|hub|json|keep-runs|mirror|numbered|one-nn|"
    "per-layer|private|raw|renew|space|untrained"
)
_NAMING = re.compile(  # flags whose value may be a plain word
    "attribute|dataset|device|features|license|method|metrics?|pixels|precision|resume|solver|split|to|track"
)
_PROSE = re.compile(  # no value, but what a sentence about a flag goes on with
    "a|all|and|are|as|away|be|becomes|belongs|changes|fetches|for|goes|in|is|it|made|makes|must|names|needs|of|on|or|out|says|"
    "say|shows|takes|that|the|there|this|to|where|which|with|without|works|would"
)
_COMMAND = re.compile(r"(?<![\w/.-])(?<!the )(?<!this )(zoo|pip|hf|tar|git|torchrun|accelerate) +(?=[a-z-])")
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)")
_FLAGS = re.compile(r"(?<![\w-])(?:--[a-z]|-n \d)")  # where a row of them begins
_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
_END = ";,.:)"  # what may end a command or a value and does not belong to it

_flags = False


@contextmanager
def naming_flags() -> Iterator[None]:
    """Let messages name flags, for the command line."""
    global _flags
    before, _flags = _flags, True
    try:
        yield
    finally:
        _flags = before


def for_caller(text: str) -> str:
    """Return a message that names flags in the words of whoever reads it."""
    return text if _flags or ("--" not in text and "zoo " not in text and "-n " not in text) else name_arguments(text)


def name_arguments(text: str) -> str:
    """Return a message that names flags with Python's arguments in their place.

    A command that is a function of `zoo` becomes a call of it; another one stays what it is, to be typed in a terminal.
    """
    return "\n".join(map(_name_arguments, text.split("\n")))


def _name_arguments(line: str) -> str:
    found, at = [], 0
    while at < len(line):
        starts = [m for m in (_COMMAND.search(line, at), _FLAGS.search(line, at)) if m]
        if not starts:
            break
        first = min(starts, key=lambda match: match.start())
        found.append(line[at : first.start()])
        if first.re is _COMMAND:
            text, at = _read_command(line, first)
        else:
            text, at = _read_flags(line, first.start(), alone=True)
        found.append(text)
    return "".join([*found, line[at:]])


def _read_command(line: str, match: re.Match[str]) -> tuple[str, int]:
    """Return a command as a call, or as it is, and where it ends."""
    verb = _word(line, match.end())
    name, end = verb.rstrip(_END), match.end() + len(verb)
    known = match[1] == "zoo" and FUNCTION.fullmatch(name) is not None
    told = line[: match.start()].endswith(": ")  # it is there to be typed
    places: list[str] = []
    keywords: list[str] = []
    if name == verb:
        while end < len(line) and line[end] == " ":
            at = end + 1
            word = _word(line, at)
            if not word or word.startswith("(") or (known and _PROSE.fullmatch(word)):
                break
            if word.startswith("--"):
                text, end = _read_flags(line, at)
                keywords.append(text)
            elif known and not told and not keywords and word != "…" and not re.match(r"[A-Z/.]|\S*/", word):
                break  # prose about the command
            else:
                bare = word.rstrip(_END) or word
                if known and keywords and word != "…":
                    break  # prose after the flags
                (keywords if bare == "…" else places).append("…" if bare == "…" else _quote(bare))
                end = at + len(bare)
                if bare != word:
                    break
            if line[end : end + 1] in (*_END, ""):
                break
    if not known or not (places or keywords):
        return line[match.start() : end], end
    if name == "compare" and places:
        places = [f"[{', '.join(places)}]"]
    return f"zoo.{name}({', '.join([*places, *keywords])})", end


def _read_flags(line: str, at: int, *, alone: bool = False) -> tuple[str, int]:
    """Return the flags in a row that begin at `at` as arguments, and where they end; `alone`: outside of a command."""
    found: list[str] = []
    options: dict[str, dict[str, str]] = {}
    end = at
    while True:
        if line.startswith("-n ", at):
            word = _word(line, at + 3).rstrip(_END)
            found.append(f"n={word}")
            end = at + 3 + len(word)
        elif (match := _FLAG.match(line, at)) is None:
            break
        else:
            end, name = match.end(), match[1]
            raw = _word(line, end + 1) if line[end : end + 1] in (" ", "=") else ""
            word = raw.rstrip(_END) or raw
            if name == "set" and ("=" in word or word.isupper()):
                end += 1 + len(word)
                key, sign, value = _unquote(word).partition("=")
                part, _, option = key.partition(".")
                group, key = ("feature_options", option) if part == "features" else ("options", key)
                if group not in options:
                    options[group] = {}
                    found.append(group)
                options[group][key] = _literal(value) if sign else "VALUE"
            elif _SWITCH.fullmatch(name.removeprefix("no-")):
                value = str(not name.startswith("no-"))
                before = line[:at]
                to_type = not alone or found or before.endswith((": ", "; ", "give ")) or not before.strip()
                following = line[end : end + 1] in (*_END, "") or line.startswith(" (", end)
                word = name.removeprefix("no-").replace("-", "_")
                found.append(f"{word}={value}" if to_type and (following or not alone) else repr(word))
            elif word and (
                _is_value(name, word) or (not _PROSE.fullmatch(word) and (not alone or line.endswith(": ", 0, at)))
            ):
                end += 1 + len(word)
                found.append(f"{_argument(name)}={_literal(word, text=_NAMING.fullmatch(name) is not None)}")
            else:
                is_key = name == "set" and word == "key"
                found.append("option" if is_key else repr("options" if name == "set" else _argument(name)))
                end += len(" key") if is_key else 0
        if line[end : end + 3] != " --" and not line.startswith(" -n ", end):
            break
        at = end + 1
    texts = []
    for text in found:
        if text in options:
            pairs = ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {value}" for key, value in options[text].items())
            text = f"{text}={{{pairs}}}"
        texts.append(text)
    return ", ".join(texts), end


def _is_value(flag: str, word: str) -> bool:
    if _PROSE.fullmatch(word):
        return False
    return _NAMING.fullmatch(flag) is not None or re.fullmatch(r"[a-z]+(-[a-z]+)*[?!]?", word) is None or word == "auto"


def _argument(flag: str) -> str:
    return RENAMED.get(flag, flag).replace("-", "_")


def _literal(word: str, *, text: bool = False) -> str:
    """Return a value as Python writes it; `text` for one that is a name whatever it looks like."""
    word = _unquote(word)
    if text:
        return _quote(word)
    if word.lower() in ("true", "false", "none"):
        return word.capitalize()
    if re.fullmatch(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?|N|S|\[.*\]", word):
        return word
    if re.fullmatch(r"\d+(,\d+)+", word):
        return f"[{word.replace(',', ', ')}]"
    return _quote(word)


def _quote(word: str) -> str:
    return json.dumps(_unquote(word), ensure_ascii=False)


def _unquote(word: str) -> str:
    try:
        return shlex.split(word)[0] if "'" in word or '"' in word else word
    except (ValueError, IndexError):
        return word


def _word(line: str, at: int) -> str:
    match = _WORD.match(line, at)
    return match[0] if match else ""
