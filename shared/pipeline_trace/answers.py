"""Collects what the top of a report shows: the verdict on a trace and the path of its change."""

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


def prepare() -> None:
    """Read the rules of failures, so that the first headline does not wait for them: a fifth of a second."""
    with suppress(RulesError):
        load_rules()


def headline(lookup: Lookup, spans: Sequence[Span], reference: str) -> Headline:
    """Return the verdict on a trace and its change's path; None for each part that is not known.

    ``reference``: the trace id or the build that the reader asked for.
    """
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
        # `why` reports the error in the rules; the page shows the rest.
        return None
    return None if verdict.kind == judge.NOTHING_FAILED else verdict.masked()
