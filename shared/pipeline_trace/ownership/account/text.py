"""Renders an account as plain text: a sentence, then labels and lines beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...lookup.wording import with_shown_times
from ..verdict import NOTHING_FAILED
from .calls import CALL, CALL_OF_ALL, calm
from .record import Account
from .wording import Command, Line, Name, Part, Row, rows, sure

LABEL_WIDTH = 12


def text_of(account: Account, *, utc: bool = True) -> str:
    """Return the account as text. Lines are neither wrapped nor cut. ``utc``: show times in UTC, not in local time."""
    if account.verdict.kind == NOTHING_FAILED:
        return "\n".join([account.says, *(f"  - {line}" for line in account.seen)])
    return "\n".join([account.says, f"({sure(account)})", *lines_of(rows(account), utc=utc)])


def chat_text_of(account: Account) -> str:
    """Return the account as text that calls nobody where it is pasted into a chat, whatever names and logs say."""
    if account.verdict.kind == NOTHING_FAILED:
        return calm(text_of(account))
    shown = (replace(row, lines=[list(map(_calm_part, line)) for line in row.lines]) for row in rows(account))
    return "\n".join([calm(account.says), f"({calm(sure(account))})", *lines_of(shown)])


def chat_line(line: Line) -> str:
    """Return a line as text that calls nobody."""
    return line_text(list(map(_calm_part, line)))


def lines_of(shown: Iterable[Row], *, utc: bool = True) -> Iterator[str]:
    """Yield rows as lines of text, each label at the first of its lines."""
    for row in shown:
        for at, line in enumerate(row.lines):
            yield f"{'' if at else row.label:{LABEL_WIDTH}}{line_text(line, utc=utc)}"


def line_text(line: Line, *, utc: bool = True) -> str:
    """Return a line of an account as text. ``utc``: show times in UTC, not in local time."""
    return "".join(_part(part, utc) for part in line)


def _calm_part(part: Part) -> Part:
    """Return a part that calls nobody. Of a log's line only what calls everybody is changed: it may be looked for."""
    if isinstance(part, str):
        return calm(part)
    if isinstance(part, Command):
        return part
    return replace(part, text=calm(part.text, CALL if isinstance(part, Name) else CALL_OF_ALL))


def _part(part: Part, utc: bool) -> str:
    if isinstance(part, str):
        return with_shown_times(part, utc=utc)
    return f"{part.text} {part.url}" if isinstance(part, Name) and part.url and part.written else part.text
