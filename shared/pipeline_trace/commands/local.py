"""Access to this machine's store, for the commands that read traces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from ..delivery import home
from ..delivery.destinations import traces_endpoint
from ..lookup.lookup import Lookup, NotFoundError, local_lookup
from ..trace.redact import masked
from . import fail
from .upgrading import upgrade_bar


@contextmanager
def open_lookup() -> Iterator[Lookup]:
    """Yield a Lookup on this machine's store, and close it. If a trace is not found, the command fails with one line.

    Before that, it prints a line to stderr if the home folder is another one, or if journals are too large to be read whole.
    """
    place = home.find_home(os.environ)
    with upgrade_bar() as told, closing(local_lookup(place, told)) as found:
        before = found.notice
        for said in filter(None, (place.warning, before)):
            click.echo(f"pipeline-trace: {said}", err=True)
        try:
            yield found
        except NotFoundError as error:
            receiver = masked(traces_endpoint(os.environ))
            raise fail(_elsewhere(receiver) if receiver and found.is_empty() else str(error)) from None
        finally:
            if found.notice != before:
                click.echo(f"pipeline-trace: {found.notice}", err=True)


def _elsewhere(receiver: str) -> str:
    """Return what to do if all spans go to a receiver. The variable PIPELINE_TRACE_URL says where people see them."""
    page = os.environ.get("PIPELINE_TRACE_URL", "")
    where = f"look there: {page}" if page else "look there, or set PIPELINE_TRACE_URL to the address of its page of a trace"
    return f"nothing is kept on this machine, because spans go to {receiver}; {where}"
