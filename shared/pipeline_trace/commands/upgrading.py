"""Shows how far the spans of an earlier version are read into the columns of this one."""

from __future__ import annotations

from contextlib import AbstractContextManager

import click

from .bars import Show, bar

_SAID = "reading the spans of an earlier version once, for quick answers"


def upgrade_bar() -> AbstractContextManager[Show]:
    """Yield a function that shows which part is done, from 0 to 1; until it is more than 0, nothing is shown.

    The first piece takes a tenth of a second, and is all of most stores. In a terminal it is a bar, else one line at the
    start. Both go to stderr.
    """
    return bar(_SAID[0].upper() + _SAID[1:], _say)


def _say() -> None:
    click.echo(f"pipeline-trace: {_SAID}; if it is interrupted, the next command goes on with it", err=True)
