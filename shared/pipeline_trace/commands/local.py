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
    """Yield a Lookup on this machine's store, and close it. If a trace is not found, the command fails with one line."""
    place = home.find_home(os.environ)
    if place.warning:
        click.echo(f"pipeline-trace: {place.warning}", err=True)
    with closing(Lookup(place)) as found:
        try:
            yield found
        except NotFoundError as error:
            raise fail(str(error)) from None
