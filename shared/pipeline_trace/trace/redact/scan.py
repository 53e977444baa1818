"""A text that is searched from its begin to its end, where quoted parts of it end, and what stands around a name in it."""

from __future__ import annotations

from typing import NamedTuple

from .pattern import Pattern

# The end of a line, also one that JSON or a repr writes as two characters.
LINE_END = Pattern(r"[\r\n\x00]|\\{1,8}[nr](?=\W|\Z|[A-Za-z_][\w.-]*[=:]|[A-Z])|\x1b\[")
# What ends an unquoted word; a quote does where it closes what began before.
WORD_END = Pattern(
    r"[\s\x00]|\x1b\[|\\{1,8}[nr](?=[\s\"'\\]|\Z|[A-Za-z_][\w.-]*[=:])|</|\\{0,8}[\"'](?=[\s,;}\])>|]|\\[nr]|\Z)"
    r"|&(?:quot|#0?34|#0?39|#x27|apos);"
    r"|%22(?=[,}\])]|%2C|%7D|\Z)"
)
_QUOTED_PART = Pattern(r"\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|'[^'\n]*'")
CLOSING = Pattern(r"\\{0,8}[\"'](?=[,}\])]|[ \t]*(?:[\r\n]|\\[nr]|\Z))")
# Backslashes before a quote that are counted.
_DEEPEST = 64


class Scan:
    """A text that is read from its begin to its end, and remembers what comes next: no part of it is searched twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._next: dict[Pattern, tuple[int, int]] = {}
        # Up to where a quote of each kind is known not to be closed.
        self._unclosed: dict[str, int] = {}

    def next(self, pattern: Pattern, start: int) -> int:
        """Return where a pattern is found first, from ``start`` on; the end of the text if nowhere."""
        known = self._next.get(pattern)
        if known is not None and known[0] <= start <= known[1]:
            return known[1]
        found = pattern.regex.search(self.text, start)
        at = found.start() if found else len(self.text)
        self._next[pattern] = (start, at)
        return at

    def end_of_part(self, quote: int) -> int:
        """Return the end of the quoted part of a word that begins here; -1 if its line ends before it."""
        sign = self.text[quote]
        if quote < self._unclosed.get(sign, 0):
            return -1
        part = _QUOTED_PART.regex.match(self.text, quote)
        if part is None:
            line = self.text.find("\n", quote)
            self._unclosed[sign] = len(self.text) if line < 0 else line
            return -1
        return part.end()


class Where(NamedTuple):
    """What stands around a name. ``enclosing``: the quote that begins right before it. ``indent``: of its line, if it
    begins one."""

    kind: str
    enclosing: str
    indent: int | None
    in_query: bool
    in_fields: bool
    in_brackets: bool
    spaced: bool
    option: bool
    quoted: bool = False


def end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return where a quoted text ends; if it never does, the end of the text. ``start``: after its opening quote.

    The quote may be escaped: in JSON in JSON, each level puts a backslash before the quotes and the backslashes of the
    level before.
    """
    if quote[-1] not in "\"'`":
        end = text.find(quote, start)
        return len(text) if end < 0 else end
    depth = len(quote) - 1
    at = text.find(quote[-1], start)
    while at >= 0:
        before = text[max(start, at - _DEEPEST) : at]
        more = len(before) - len(before.rstrip("\\")) - depth
        if more < 0:
            return max(at - depth - more, start)
        if more % (depth + 1) == 0 and more // (depth + 1) % 2 == 0:
            return at - depth
        at = text.find(quote[-1], at + 1)
    return len(text)
