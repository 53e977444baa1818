"""Prints rows of words in a terminal, each beside its label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.style import Style
from rich.text import Text

from ..lookup.wording import with_shown_times
from ..ownership.account.text import LABEL_WIDTH
from ..ownership.account.wording import Command, Line, Name, Part, Quote, Row

# Of what does not fit in the first line, and the least room beside a label, in columns.
_INDENT = 2
_NARROWEST = 20


def print_rows(rows: Iterable[Row], console: Console, *, utc: bool) -> None:
    """Print rows: lines wrap beside their label. ``utc``: show times in UTC, not in local time."""
    width = max(console.width - LABEL_WIDTH - _INDENT, _NARROWEST)
    for row in rows:
        beside = [text for line in row.lines for text in _beside(line, console, width, utc)]
        for at, text in enumerate(beside):
            label = Text(f"{'' if at else row.label:{LABEL_WIDTH}}", style="dim")
            # An address that does not fit begins at the left edge: a terminal that wraps it keeps it whole.
            wide = at and LABEL_WIDTH + text.cell_len > console.width
            console.print(text[_INDENT:] if wide else label + text, soft_wrap=True)


def _beside(line: Line, console: Console, width: int, utc: bool) -> Iterator[Text]:
    """Yield the pieces of a line that fit beside a label. An address gets its own line, so that it can be copied whole."""
    words = Text.assemble(*(_shown(part, utc) for part in line))
    for at, piece in enumerate(words.wrap(console, width)):
        piece.rstrip()
        yield Text(" " * _INDENT if at else "") + piece
    for part in line:
        if isinstance(part, Name) and part.written:
            yield Text(" " * _INDENT) + Text(part.url, style=_style(part))


def _shown(part: Part, utc: bool) -> tuple[str, Style]:
    # A quoted log line may look like one of our times, so only our own words change.
    text = with_shown_times(part, utc=utc) if isinstance(part, str) else part.text
    return text, _style(part)


def _style(part: Part) -> Style:
    if isinstance(part, Quote):
        return Style(color="red")
    if isinstance(part, Command):
        return Style(bold=True)
    # Where a terminal knows links, a click on the name opens the page.
    return Style(color="cyan", link=part.url or None) if isinstance(part, Name) else Style()
