"""Prints the board, and a list of deploys, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..lookup import wording
from ..lookup.wording import human_duration, shown_time
from ..trace import conventions as c
from .board import Behind, Board, Cell
from .entries import Entry, short
from .terminal import STATES

# A narrower terminal, and each column of the board, has no room for less.
_NARROW, _COLUMN = 100, 22
# Of what stands below a deploy in the list.
_INDENT = 13
# A longer text is cut, and a longer name of an environment moves its own line alone.
_MOST_SHOWN, _WIDEST = 200, 24
_NO_SERVICE, _NO_VERSION = "(no service named)", "version not known"


def print_board(board: Board, console: Console, now_ns: int) -> None:
    """Print the board: a table where there is room, else the environments below each service. ``now_ns``: the time."""
    if console.is_terminal and console.width >= max(_NARROW, _COLUMN * (len(board.environments) + 1)):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="bold")
        table.add_column("service", overflow="fold", max_width=_COLUMN)
        for name in board.environments:
            table.add_column(_visible(name), overflow="fold")
        for row in board.rows:
            cells = (row.cells.get(name) for name in board.environments)
            said = (Text("\n").join(_said(cell, now_ns)) if cell else Text("·", style="dim") for cell in cells)
            table.add_row(Text(_visible(row.service or _NO_SERVICE), style="bold"), *said)
        console.print(table)
        return
    for row in board.rows:
        _line(console, Text(_visible(row.service or _NO_SERVICE), style="bold"))
        width = min(max(len(_visible(name)) for name in row.cells), _WIDEST)
        for name, cell in row.cells.items():
            first, *more = _said(cell, now_ns)
            _line(console, Text.assemble(f"  {_visible(name).ljust(width)}  ", first))
            for text in more:
                _line(console, Text.assemble(" " * (width + 4), text))


def print_deploys(deploys: Sequence[Entry], console: Console, *, utc: bool = False, named: bool = False) -> None:
    """Print a list of deploys, each in a line or two. ``named``: with the name of its service."""
    for one in deploys:
        label, style = STATES.get(one.state, (one.state, ""))
        took = human_duration(one.end_ns - one.start_ns) if one.end_ns else ""
        what = " ".join(filter(None, [one.service if named else "", one.what or _NO_VERSION]))
        where = f"{_visible(what)} \N{RIGHTWARDS ARROW} {_visible(one.environments[0])}"
        _line(console, Text("  ").join([Text(label.ljust(_INDENT - 2), style), Text(where, "bold"), Text(took, "cyan")]))
        more = [shown_time(one.start_ns, utc=utc), _visible(one.run), one.who and f"by {_visible(one.who)}"]
        said = "; ".join(filter(None, [*more, _visible(one.where), wording.visible(one.message), _owner(one)]))
        if said:
            indented = Padding(Text(said), (0, 0, 0, _INDENT)) if console.is_terminal else Text(" " * _INDENT + said)
            console.print(indented, soft_wrap=not console.is_terminal)


def _line(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=not console.is_terminal)


def _said(cell: Cell, now_ns: int) -> list[Text]:
    """Return the lines of a cell: what is there, what happened since, how far it is behind."""
    newest, there, lines = cell.newest, cell.there, list[Text]()
    if there:
        said = ", ".join([_ago(there, now_ns), *_whence(there)])
        lines.append(Text.assemble((_visible(there.what or _NO_VERSION), "green"), f" {said}"))
    # What failed is not hidden by what runs after it.
    failed = cell.failing.newest if cell.failing else None
    for one in (newest if newest is not there else None, failed if failed is not newest else None):
        if one is None:
            continue
        label, style = STATES.get(one.state, (one.state, ""))
        said = " ".join(filter(None, [_visible(one.what), _ago(one, now_ns)]))
        lines.append(Text.assemble((label, style), " " + ", ".join([said, *_whence(one)])))
        if cell.failing and one is failed and cell.failing.times > 1:
            since = human_duration(max(now_ns - cell.failing.since_ns, 0))
            lines.append(Text(f"failed {cell.failing.times} times, for {since}"))
        if owner := _owner(one):
            lines.append(Text(owner))
    if cell.behind and cell.behind.changes:
        lines.append(Text(said_behind(cell.behind, cell.before, now_ns), style="yellow"))
    return lines


def _whence(one: Entry) -> list[str]:
    """Return the commit, where the version does not say it, and who or what started it."""
    commit = short(one.commit)
    shown = "" if commit == one.what else commit
    return list(map(_visible, filter(None, [shown, one.who and f"by {one.who}"])))


def said_behind(behind: Behind, before: str, now_ns: int) -> str:
    """Return in words how far an environment is behind the one before, ``before``."""
    changes = f"{behind.changes} change{'s' if behind.changes > 1 else ''}"
    return f"{changes} behind {_visible(before)}, for {human_duration(max(now_ns - behind.since_ns, 0))}"


def _ago(one: Entry, now_ns: int) -> str:
    return f"{human_duration(max(now_ns - one.start_ns, 0))} ago"


def _owner(one: Entry) -> str:
    if one.state not in c.FAILED_RESULTS or not one.owner:
        return ""
    return _visible(f"{one.owner}: {one.kind.replace('_', ' ')}" if one.kind else one.owner)


def _visible(text: str) -> str:
    """Return a text so that nothing in it is hidden; the beginning of a very long one."""
    shown = wording.visible(text)
    return shown if len(shown) <= _MOST_SHOWN else shown[: _MOST_SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"
