"""The check of `doctor` on the source of many machines: whether it answers, and which of its tables are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

from ..delivery.destinations import SetupError
from ..lookup.remote import remote_source
from ..lookup.wording import utc_time
from .doctor_checks import BROKEN, HINT, OK, Check
from .reading import SOURCE

_DOCS = "docs/many-machines.md"


def source(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the source that PIPELINE_TRACE_SOURCE names; nothing without it. Sends three questions."""
    address = environ.get(SOURCE, "")
    if not address:
        return
    try:
        with closing(remote_source(address, environ)) as found:
            schema, newest = found.schema(), found.newest()
    except SetupError as error:
        # The line says itself what to do.
        yield Check("source", BROKEN, str(error))
        return
    if newest is None:
        said = f"{address} answers, but has no span of the last 400 days"
        yield Check("source", HINT, said, "look whether the Collector delivers into this table")
        return
    yield Check("source", OK, f"{address}: the newest span ended at {utc_time(newest.end_ns)}")
    if not schema.runs:
        said = "there is none beside the spans: questions about many weeks read much"
        yield Check("table of runs", HINT, said, f"an administrator can make it: {_DOCS}")
