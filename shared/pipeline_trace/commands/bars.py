"""Shows in a terminal which part of a long job is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Shows a part, from 0 to 1.
Show = Callable[[float], None]


@contextmanager
def bar(said: str, otherwise: Callable[[], None] = lambda: None) -> Iterator[Show]:
    """Yield a function that shows which part is done, from 0 to 1, on stderr. Until it is more than 0, nothing is shown.

    ``said``: the name of the job. ``otherwise``: called once instead, where stderr is no terminal.
    """
    shown: list[Show] = []

    def show(done: float) -> None:
        if done and not shown:
            shown.append(_in_terminal(said) if sys.stderr.isatty() else _elsewhere(otherwise))
        if shown:
            shown[0](done)

    try:
        yield show
    finally:
        if shown:
            shown[0](1.0)


def _elsewhere(otherwise: Callable[[], None]) -> Show:
    otherwise()
    return lambda done: None


def _in_terminal(said: str) -> Show:
    # Imported here: it is rarely needed, and commands must start fast.
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(said, total=1.0)
    progress.start()

    def move(done: float) -> None:
        progress.update(task, completed=done)
        if done >= 1.0:
            progress.stop()

    return move
