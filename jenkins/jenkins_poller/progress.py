"""The progress bar of `pipeline-trace poll` in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from .poll.swept import Swept


@contextmanager
def bar() -> Iterator[Callable[[Swept, int], None]]:
    """Show a bar, and yield the function that moves it on: what is read, and how many builds there are."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Reading builds", total=None)

        def show(swept: Swept, total: int) -> None:
            shown.update(task, completed=swept.done, total=total)

        yield show
