"""Renders an account as plain text: a sentence, then labels and lines beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...lookup.wording import with_shown_times
from ..verdict import NOTHING_FAILED
from .record import Account
from .wording import Line, Name, Part, Row, rows, sure

LABEL_WIDTH = 12


def text_of(account: Account, *, utc: bool = True) -> str:
    """Return the account as text. Lines are neither wrapped nor cut. ``utc``: show times in UTC, not in local time."""
    if account.verdict.kind == NOTHING_FAILED:
        return "\n".join([account.says, *(f"  - {line}" for line in account.seen)])
    return "\n".join([account.says, f"({sure(account)})", *lines_of(rows(account), utc=utc)])


def lines_of(shown: Iterable[Row], *, utc: bool = True) -> Iterator[str]:
    """Yield rows as lines of text, each label at the first of its lines."""
    for row in shown:
        for at, line in enumerate(row.lines):
            yield f"{'' if at else row.label:{LABEL_WIDTH}}{line_text(line, utc=utc)}"


def line_text(line: Line, *, utc: bool = True) -> str:
    """Return a line of an account as text. ``utc``: show times in UTC, not in local time."""
    return "".join(_part(part, utc) for part in line)


def _part(part: Part, utc: bool) -> str:
    if isinstance(part, str):
        return with_shown_times(part, utc=utc)
    return f"{part.text} {part.url}" if isinstance(part, Name) and part.url and part.written else part.text
