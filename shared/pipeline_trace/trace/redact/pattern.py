"""Regular expressions that are compiled when they are first used: most texts need none, and compiling all takes long."""

from __future__ import annotations

import re
from functools import cached_property


class Pattern:
    """A regular expression. All of them take time in proportion to the text, which tests/trace/test_redact_cost.py shows."""

    def __init__(self, source: str, flags: int = 0) -> None:
        self._source = source
        self._flags = flags

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled expression."""
        return re.compile(self._source, self._flags)


class Row:
    """A row of a table: what it finds, an example with ``SECRET`` in it, and a pattern whose group ``secret`` is masked."""

    # No named tuple: to make one takes longer than the rest of this module.
    def __init__(self, name: str, example: str, pattern: Pattern) -> None:
        self.name = name
        self.example = example
        self.pattern = pattern


# The begin of a word. Before it there may also be a newline that JSON or a repr writes as two characters, a URL's "%20", or
# a terminal's colour.
BEGIN = r"(?:(?<=\\[nrt])|(?<=%[23][0-9A-Fa-f])|(?<=\x1b\[\dm)|(?<=\x1b\[\d\dm)|(?<![A-Za-z0-9_]))"
Spans = list[tuple[int, int]]


def find_rows(rows: tuple[Row, ...], text: str, spans: Spans) -> None:
    """Add where the rows find secrets in the text."""
    for row in rows:
        spans.extend(found.span("secret") for found in row.pattern.regex.finditer(text))
