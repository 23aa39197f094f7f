"""Words for people: numbers with their nouns, and texts of others' making that a terminal may be shown."""

from __future__ import annotations

import re

# what moves the cursor or changes colors (C0 and C1 of ISO 6429), turns the direction of text (Unicode's bidirectional
# formatting characters), or stands for a byte that is no text
_CONTROLS = [
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
    *range(0xD800, 0xE000),
]


def _escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is no UTF-8, as Python carries it
        code -= 0xDC00
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


_LINE = {code: _escape(code) for code in _CONTROLS}
_LINES = {code: text for code, text in _LINE.items() if code not in (9, 10)}
_FORGED = re.compile(r"\n(?!  )")


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text that may be shown on a terminal: control characters in it become "\\x1b", "\\n" and the like.

    Names of files, labels, summaries of plugins and whatever else was written by others comes through here. With `lines`,
    line breaks and tabs stay: for whole messages, whose parts have been through here.
    """
    return text if text.isprintable() else text.translate(_LINES if lines else _LINE)


def printable_message(text: str) -> str:
    """Return a message that may be shown: like `printable`, but line breaks stay where the next line is indented.

    So a message may have lines of its own, indented by two spaces or more, and no name in it can begin one that looks like
    ours ("error: …").
    """
    return printable(_FORGED.sub(r"\\n", text), lines=True)


def cell(text: str) -> str:
    """Return a text that may stand in a table of a spreadsheet (CSV), which would compute what begins like a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return "1 file", "2,000 files"; `nouns` where the plural is not `noun` with an s."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return how long that is, as exact as a person wants it: "0.4 s", "45 s", "3 min 20 s", "25 min", "1 h 40 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 600:
        minutes, rest = divmod(whole, 60)
        return " ".join(part for part in (f"{minutes} min" * (minutes > 0), f"{rest} s" * (rest > 0)) if part)
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return " ".join(part for part in (f"{hours} h" * (hours > 0), f"{minutes} min" * (minutes > 0)) if part)
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} days" + f" {hours} h" * (hours > 0)


def are(count: int) -> str:
    """Return "is" or "are"."""
    return "is" if count == 1 else "are"


def were(count: int) -> str:
    """Return "was" or "were"."""
    return "was" if count == 1 else "were"


def name_error(error: BaseException) -> str:
    """Return what kind of error it is and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
