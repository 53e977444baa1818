"""What the first screen says of a trace of this machine's store: its verdict, and its change's way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from .change.document import path_document
from .lookup.lookup import Lookup, NotFoundError
from .ownership import judge
from .ownership.log.rules import RulesError, load_rules
from .ownership.verdict import Verdict
from .report.headline import Headline
from .trace import conventions as c
from .trace.span import ERROR, Span


def headline(lookup: Lookup, spans: Sequence[Span], reference: str) -> Headline:
    """Return what is known. ``reference``: the trace or build that is reference about."""
    path = None
    if any(c.VCS_HEAD_REVISION in span.attributes for span in spans):
        with suppress(NotFoundError):
            path = path_document(lookup, reference)
    return Headline(_verdict(lookup, spans, reference), path)


def _verdict(lookup: Lookup, spans: Sequence[Span], reference: str) -> Verdict | None:
    if not any(span.status_code == ERROR for span in spans):
        return None
    try:
        verdict = judge.verdict_of_trace(lookup, spans, reference, load_rules())
    except RulesError:
        # `why` says what is wrong with the rules; the page shows the rest.
        return None
    return None if verdict.kind == judge.NOTHING_FAILED else verdict
