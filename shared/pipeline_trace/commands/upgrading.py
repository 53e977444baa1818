"""Shows how far the spans of an earlier version are read into the columns of this one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_SAID = "reading the spans of an earlier version once, for quick answers"


@contextmanager
def upgrade_bar() -> Iterator[Callable[[float], None]]:
    """Yield a function that shows which part is done, from 0 to 1; until it is called, nothing is shown.

    In a terminal it is a bar, else one line at the start. Both go to stderr.
    """
    shown: list[Callable[[float], None]] = []

    def show(done: float) -> None:
        if not done:
            # The first piece takes a tenth of a second, and is all of most stores.
            return
        if not shown:
            shown.append(_bar() if sys.stderr.isatty() else _line())
        shown[0](done)

    try:
        yield show
    finally:
        if shown:
            shown[0](1.0)


def _line() -> Callable[[float], None]:
    click.echo(f"pipeline-trace: {_SAID}; if it is interrupted, the next command goes on with it", err=True)
    return lambda done: None


def _bar() -> Callable[[float], None]:
    # Imported here: a store is upgraded once, and commands must start fast.
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(_SAID[0].upper() + _SAID[1:], total=1.0)
    bar.start()

    def move(done: float) -> None:
        bar.update(task, completed=done)
        if done >= 1.0:
            bar.stop()

    return move
