"""What the first screen says of a trace of this machine's store: its verdict, and its change's way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from .. import conventions as c
from ..finding import Finder, NotFoundError
from ..ownership import inquiry
from ..ownership.rules import RulesError, load
from ..ownership.verdict import Verdict
from ..pathway.document import path_document
from ..span import ERROR, Span
from .headline import Headline


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
        verdict = inquiry.of_spans(finder, spans, wanted, load())
    except RulesError:
        # `why` says what is wrong with the rules; the page shows the rest.
        return None
    return None if verdict.kind == inquiry.NOTHING else verdict
