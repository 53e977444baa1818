"""Collects what the top of a report shows: the verdict on a trace and the path of its change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from .change.document import path_document
from .lookup.lookup import Lookup, NotFoundError
from .ownership import judge
from .ownership.failure import Failure
from .ownership.log.judge import verdict_of_log
from .ownership.log.rules import Rules, RulesError, load_rules
from .ownership.verdict import NOTHING_FAILED, Verdict
from .report.headline import Headline
from .trace import conventions as c
from .trace.queries import attribute_text, is_run, revision_of
from .trace.span import ERROR, Span

_MOST_JUDGED = 50


def prepare() -> None:
    """Read the rules of failures, so that the first headline does not wait for them: a fifth of a second."""
    with suppress(RulesError):
        load_rules()


def headline(lookup: Lookup, spans: Sequence[Span], reference: str) -> Headline:
    """Return the verdict on a trace and its change's path; None for each part that is not known.

    ``reference``: the trace id or the build that the reader asked for.
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
    return Headline(_verdict(lookup, spans, reference, rules), path, _deciding(failed, rules))


def _verdict(lookup: Lookup, spans: Sequence[Span], reference: str, rules: Rules) -> Verdict | None:
    verdict = judge.verdict_of_trace(lookup, spans, reference, rules)
    return None if verdict.kind == NOTHING_FAILED else verdict.masked()


def _deciding(failed: Sequence[Span], rules: Rules) -> dict[str, str]:
    """Return the line of the log that decides, by span id; of the first failures only, because a page lists no more."""
    found: dict[str, str] = {}
    for span in sorted(failed, key=lambda span: span.start_ns):
        failure = Failure([span], [span])
        if len(found) == _MOST_JUDGED:
            break
        if failure.log:
            verdict = verdict_of_log(failure.command, failure.exit_status, failure.log, None, rules).masked()
            if verdict.evidence:
                found[span.span_id] = verdict.evidence[0]
    return found
