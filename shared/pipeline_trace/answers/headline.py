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
from ..trace.queries import attribute_text, build_name_of, is_run, revision_of
from ..trace.span import ERROR, Span

# A failed build, and those that failed because of it: each costs a question.
_MOST_FAILED = 3


def prepare() -> None:
    """Read the rules of failures, so that the first headline does not wait for them: a fifth of a second."""
    with suppress(RulesError):
        load_rules()


def headline(lookup: Lookup, spans: Sequence[Span], reference: str, page: str = "") -> Headline:
    """Return the verdict on a trace and its change's path; None for each part that is not known.

    ``reference``: the trace id or the build that the reader asked for. ``page``: the address of a trace's page, with
    ``{trace_id}`` for its id.
    """
    shared = _shared(lookup, spans)
    path = None
    if any(attribute_text(span, c.VCS_HEAD_REVISION) or (is_run(span) and revision_of(span)) for span in spans):
        with suppress(NotFoundError):
            path = path_document(lookup, reference)
    failed = [span for span in spans if span.status_code == ERROR]
    if not failed:
        return Headline(None, path, shared=shared)
    try:
        rules = load_rules()
    except RulesError:
        # `why` reports the error in the rules; the page shows the rest.
        return Headline(None, path, shared=shared)
    judged = judge.judged_trace(lookup, spans, reference, rules)
    if judged.verdict.kind == NOTHING_FAILED:
        return Headline(None, path, judge.deciding_lines(failed, rules), shared=shared)
    told = account.account_of(judged, page, shared=shared)
    return Headline(judged.verdict.masked(), path, judge.deciding_lines(failed, rules), told, shared)


def _shared(lookup: Lookup, spans: Sequence[Span]) -> frozenset[str]:
    """Return the names of a trace's builds that do not name it alone: of what it began with, and of what failed last."""
    runs = sorted(filter(is_run, spans), key=lambda span: span.start_ns)
    failed = [run for run in runs if run.status_code == ERROR]
    names = {build_name_of(run) for run in (*runs[:1], *failed[-_MOST_FAILED:])} - {""}
    return frozenset(name for name in names if not lookup.names_one(name))
