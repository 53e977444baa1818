"""Access to this machine's store, for the commands that read traces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from ..delivery import home
from ..lookup.lookup import Lookup, NotFoundError
from . import fail


@contextmanager
def open_lookup() -> Iterator[Lookup]:
    """Yield a Lookup on this machine's store, and close it. If a trace is not found, the command fails with one line.

    Before that, it prints one line to stderr if journals are too large to be read whole.
    """
    with closing(Lookup(home.find_home(os.environ))) as found:
        if found.notice:
            click.echo(f"pipeline-trace: {found.notice}", err=True)
        try:
            yield found
        except NotFoundError as error:
            raise fail(str(error)) from None
