"""A secret that the begin of the last part of a long text goes through, and whose begin is far before it."""

from __future__ import annotations

from collections.abc import Callable

from .pattern import Pattern
from .scan import end_of_quoted

# Characters before the cut that are looked at, and of those how many before a value say what it is.
_BEFORE = 1 << 16
_NAME = 200
_HEAD = 400
# Whatever is written behind "password=": no name, and no text, has it.
_PROBE = "Zq7xVr4mKp9T"
_BREAKS = " \t\r\n\"'<>,;"
_BREAK = Pattern(r"[ \t\r\n\"'<>,;]")


def end_of_secret(text: str, cut: int, begin: int, masked: Callable[[str], str]) -> int:
    """Return where the secret ends that goes from before ``cut`` to behind ``begin``; 0 if there is none."""
    return _of_word(text, cut, begin, masked) or _of_quoted(text, cut, begin, masked) or _of_block(text, cut, begin, masked)


def _of_word(text: str, cut: int, begin: int, masked: Callable[[str], str]) -> int:
    """Return where the long word ends that the cut goes through, if it is a secret."""
    stop = _BREAK.regex.search(text, cut)
    end = stop.start() if stop else len(text)
    if end <= begin:
        return 0
    start = max(text.rfind(sign, max(cut - _BEFORE, 0), cut) for sign in _BREAKS) + 1
    head = masked(text[max(start - _NAME, 0) : min(start + _HEAD, end)])
    return end if head.endswith("***") else 0


def _of_quoted(text: str, cut: int, begin: int, masked: Callable[[str], str]) -> int:
    """Return where the quoted text ends that the cut goes through, if it is the value of a secret name."""
    for quote in ('"', "'"):
        at = text.rfind(quote, max(cut - _BEFORE, 0), cut)
        if at < 0:
            continue
        escape = at - len(text[max(at - 40, 0) : at].rstrip("\\")) - max(at - 40, 0)
        if _PROBE not in masked(text[max(at - _NAME, 0) : at + 1] + _PROBE):
            end = end_of_quoted(text, at + 1, "\\" * escape + quote)
            if end > begin:
                return end
    return 0


def _of_block(text: str, cut: int, begin: int, masked: Callable[[str], str]) -> int:
    """Return where the indented lines end that the cut goes through, if they are the value of a secret name."""
    line = text.rfind("\n", max(cut - _BEFORE, 0), cut) + 1
    indent = _indent(text[line : line + _HEAD])
    at = line
    while indent and at > max(cut - _BEFORE, 0):
        end, at = at, text.rfind("\n", 0, at - 1) + 1
        above = text[at : min(end, at + _HEAD)]
        if above.strip() and _indent(above) < indent:
            if _PROBE in masked(f"{above.rstrip()}\n{' ' * indent}{_PROBE}"):
                return 0
            return _end_of_block(text, cut, begin, indent)
    return 0


def _end_of_block(text: str, cut: int, begin: int, indent: int) -> int:
    """Return where the lines end that are indented so far; 0 if that is before ``begin``."""
    at = text.find("\n", cut) + 1
    while at and at < len(text):
        following = text[at : at + _HEAD]
        if following.strip() and _indent(following) < indent:
            break
        at = text.find("\n", at) + 1
    end = at or len(text)
    return end if end > begin else 0


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
