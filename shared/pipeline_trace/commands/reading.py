"""Access to spans for the commands that read them: this machine's store, or the source that --from names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import click

from ..delivery import home
from ..delivery.destinations import traces_endpoint
from ..lookup.lookup import Lookup, NotFoundError, local_lookup
from ..trace.redact import masked
from . import fail
from .upgrading import upgrade_bar

Command = TypeVar("Command", bound=Callable[..., object])

SOURCE = "PIPELINE_TRACE_SOURCE"
_HELP = (
    "Read from ClickHouse, not from this machine's store: clickhouse://user@host:8443/otel?table=otel_traces. "
    f"Default: {SOURCE}. The password comes from PIPELINE_TRACE_SOURCE_PASSWORD."
)


def source_option(command: Command) -> Command:
    """Add the option --from to a command, which gets it as ``source``: "" for this machine's store."""
    return click.option("--from", "source", default="", envvar=SOURCE, metavar="ADDRESS", help=_HELP)(command)


@contextmanager
def open_lookup(source: str = "") -> Iterator[Lookup]:
    """Yield a Lookup, and close it. ``source``: the address of a source; "" for this machine's store.

    If a trace is not found, the command fails with one line. What was not read is told on stderr.
    """
    with _remote(source) if source else _local() as found:
        yield found


@contextmanager
def _local() -> Iterator[Lookup]:
    """Yield a Lookup on this machine's store and journals."""
    place = home.find_home(os.environ)
    with upgrade_bar() as told, closing(local_lookup(place, told)) as found:
        before = found.notice
        _say(place.warning, before)
        try:
            yield found
        except NotFoundError as error:
            receiver = masked(traces_endpoint(os.environ))
            raise fail(_elsewhere(receiver) if receiver and found.is_empty() else str(error)) from None
        finally:
            _say(found.notice if found.notice != before else "")


@contextmanager
def _remote(source: str) -> Iterator[Lookup]:
    """Yield a Lookup on a source of many machines. Journals of this machine are not looked at."""
    # Imported here: other commands must start fast.
    from ..lookup.remote import remote_lookup

    with closing(remote_lookup(source, os.environ)) as found:
        try:
            yield found
        except NotFoundError as error:
            raise fail(f"{error} (looked in {source}, 400 days back)") from None
        finally:
            _say(found.notice)


def _say(*notices: str) -> None:
    for said in filter(None, notices):
        click.echo(f"pipeline-trace: {said}", err=True)


def _elsewhere(receiver: str) -> str:
    """Return what to do if all spans go to a receiver. The variable PIPELINE_TRACE_URL says where people see them."""
    page = os.environ.get("PIPELINE_TRACE_URL", "")
    where = f"look there: {page}" if page else "look there, or set PIPELINE_TRACE_URL to the address of its page of a trace"
    return (
        f"nothing is kept on this machine, because spans go to {receiver}; {where}; "
        "if they end in ClickHouse, name it with --from"
    )
