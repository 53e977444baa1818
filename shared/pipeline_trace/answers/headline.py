"""Collects what the top of a report shows: the verdict on a trace and the path of its change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..change.document import path_document
from ..lookup.lookup import Lookup, NotFoundError
from ..ownership import account, judge
from ..ownership.log.rules import RulesError, load_rules
from ..ownership.verdict import NOTHING_FAILED
from ..report.headline import Headline
from ..trace import conventions as c
from ..trace.queries import attribute_text, is_run, revision_of
from ..trace.span import ERROR, Span


def prepare() -> None:
    """Read the rules of failures, so that the first headline does not wait for them: a fifth of a second."""
    with suppress(RulesError):
        load_rules()


def headline(lookup: Lookup, spans: Sequence[Span], reference: str, page: str = "") -> Headline:
    """Return the verdict on a trace and its change's path; None for each part that is not known.

    ``reference``: the trace id or the build that the reader asked for. ``page``: the address of a trace's page, with
    ``{trace_id}`` for its id.
    """
    path = None
    if any(attribute_text(span, c.VCS_HEAD_REVISION) or (is_run(span) and revision_of(span)) for span in spans):
        with suppress(NotFoundError):
            path = path_document(lookup, reference)
    failed = [span for span in spans if span.status_code == ERROR]
    if not failed:
        return Headline(None, path)
    try:
        rules = load_rules()
    except RulesError:
        # `why` reports the error in the rules; the page shows the rest.
        return Headline(None, path)
    judged = judge.judged_trace(lookup, spans, reference, rules)
    if judged.verdict.kind == NOTHING_FAILED:
        return Headline(None, path, judge.deciding_lines(failed, rules))
    return Headline(judged.verdict.masked(), path, judge.deciding_lines(failed, rules), account.account_of(judged, page))
