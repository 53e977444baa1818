"""Collects the account of a failure from its spans and from the builds that the judge compared it with."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from dataclasses import replace

from ...trace import conventions as c
from ...trace.queries import attribute_text, build_name_of, is_run
from ...trace.span import Span
from ..failure import Failure
from ..judge import Judged, failed_task
from ..verdict import NOTHING_FAILED, Verdict
from .causes import cause_of
from .past import Around
from .record import Account, Place, Start
from .sentence import decides_itself, sentence
from .shown import build_of, clean

# The builds that pass have a row of their own.
_TOLD_BY_ROWS = "green at the same time: "


def account_of_verdict(verdict: Verdict) -> Account:
    """Return the account of a verdict of which nothing more is known: on a log, or on a build that runs now."""
    verdict = verdict.masked()
    then = "" if decides_itself(verdict) else clean(verdict.next)
    return Account(verdict, clean(sentence(verdict)), seen=[clean(line) for line in verdict.evidence], then=then)


def account_of_log(verdict: Verdict) -> Account:
    """Return the account of a verdict on a log: its first evidence is the line that decides."""
    known = account_of_verdict(verdict)
    return replace(known, line="".join(known.seen[:1]), seen=known.seen[1:])


def account_of(judged: Judged, page: str = "", shared: Collection[str] = ()) -> Account:
    """Return the account of a judged trace. ``page``: the address of a trace's page, with ``{trace_id}`` for its id.

    ``shared``: names of builds that do not name one trace alone.
    """
    trace_id = judged.start.trace_id
    known = replace(account_of_verdict(judged.verdict), trace_id=trace_id)
    if judged.verdict.kind == NOTHING_FAILED:
        return known
    failure = judged.failure
    run = failure.run if failure else judged.start if is_run(judged.start) else None
    build = build_of(run) if run else None
    # A name with letters that nobody sees, or with a mask in it, finds nothing.
    named = build.name if run and build and build.name == build_name_of(run) and build.name not in shared else trace_id
    known = replace(
        known,
        build=build,
        start=_start(failure, judged.start),
        commands=[f"pipeline-trace show {shlex.quote(named)}"],
        page=clean(page.replace("{trace_id}", trace_id)) if "{trace_id}" in page else "",
    )
    return _with_failure(known, judged, failure) if failure else known


def _with_failure(known: Account, judged: Judged, failure: Failure) -> Account:
    alone = judged.alone
    task = failed_task(failure)
    hosts = sorted(filter(None, task.hosts)) if task else [host.name for host in failure.hosts]
    seen = [clean(line) for line in alone.evidence] if alone else []
    known = replace(
        known,
        because=[clean(line) for line in judged.because if not line.startswith(_TOLD_BY_ROWS)],
        line="".join(seen[:1]),
        seen=seen[1:],
        place=Place(clean(failure.agent), [clean(host) for host in hosts], clean(failure.environment), _steps(failure.path)),
    )
    unreachable = hosts if task and task.unreachable else ()
    if judged.failing is None:
        return replace(known, says=clean(sentence(known.verdict, unreachable)))
    around = Around(judged.past, judged.failing)
    return replace(
        known,
        says=clean(sentence(known.verdict, unreachable, around.projects)),
        streak=around.streak(),
        alike=around.alike(),
        fine=around.fine(),
    )


def _start(failure: Failure | None, asked: Span) -> Start | None:
    runs = [span for span in (failure.path if failure else [asked]) if is_run(span)]
    if not runs:
        return None
    cause = cause_of(runs[0])
    way = [build_of(run) for run in runs]
    return Start(cause.kind, cause.words, way) if cause.words or way[1:] else None


def _steps(path: Iterable[Span]) -> list[str]:
    return [clean(attribute_text(span, c.PIPELINE_NAME) or span.name if is_run(span) else span.name) for span in path]
