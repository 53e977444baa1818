"""What the first screen says of a trace of this machine's store: its verdict, and its change's way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from .change.document import path_document
from .lookup.lookup import Finder, NotFoundError
from .ownership import judge
from .ownership.log.rules import RulesError, load
from .ownership.verdict import Verdict
from .report.headline import Headline
from .trace import conventions as c
from .trace.span import ERROR, Span


def headline(finder: Finder, spans: Sequence[Span], wanted: str) -> Headline:
    """Return what is known. ``wanted``: the trace or build that is asked about."""
    path = None
    if any(c.VCS_HEAD_REVISION in span.attributes for span in spans):
        with suppress(NotFoundError):
            path = path_document(finder, wanted)
    return Headline(_verdict(finder, spans, wanted), path)


def _verdict(finder: Finder, spans: Sequence[Span], wanted: str) -> Verdict | None:
    if not any(span.status_code == ERROR for span in spans):
        return None
    try:
        verdict = judge.of_spans(finder, spans, wanted, load())
    except RulesError:
        # `why` says what is wrong with the rules; the page shows the rest.
        return None
    return None if verdict.kind == judge.NOTHING else verdict
