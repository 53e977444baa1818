"""Finds a trace on this machine: in the local store, and in journals that are being written or wait."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..delivery.destinations.store import Store
from ..delivery.home import Home
from ..delivery.journal import find_journals
from ..delivery.reader import Reader
from ..place.ci.jenkins.identity import build_url_parts, normalised_url
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name, build_name_of, build_name_parts, is_playbook, is_run
from ..trace.span import Span, encode

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
# Journals that wait since long may be large; the newest are looked into.
_MOST_BYTES = 128 << 20
_OPEN = 1 << 63


class NotFoundError(Exception):
    """There is no such trace here. The message says what to do."""


class Lookup:
    """Looks into a store and the journals beside it. What runs right now is open: its ``end_ns`` is 0."""

    def __init__(self, home: Home) -> None:
        self._store = Store(home.store)
        self._waiting, self._running = _in_journals(home)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def spans(self, reference: str) -> list[Span]:
        """Return the spans of a trace: a trace id, a build's URL, ``JOB#N`` or ``latest``. Raises NotFoundError.

        Spans of other traces are among them where they hang under this one or the other way round: span ids do not
        depend on the trace, so where an agent could not learn its trace its spans still have the right parent.
        """
        found: dict[tuple[str, str], Span] = {}
        todo, seen = {self._trace_id(reference.strip())}, set()
        while todo:
            trace_id = todo.pop()
            seen.add(trace_id)
            spans = self._trace(trace_id)
            found.update(((span.trace_id, span.span_id), span) for span in spans)
            ids = {span.span_id for span in spans}
            above = {span.parent_id for span in spans if span.parent_id} - ids
            todo |= self._store.traces_with_spans(above) | self._store.traces_with_parents(ids)
            todo |= {span.trace_id for span in self._waiting if span.span_id in above or span.parent_id in ids}
            todo -= seen
        return list(found.values())

    def running_traces(self) -> list[str]:
        """Return the traces in which something runs right now, the newest first."""
        live = [span for span in self._waiting if not span.end_ns and span.span_id in self._running]
        return list(dict.fromkeys(span.trace_id for span in sorted(live, key=lambda span: span.start_ns, reverse=True)))

    def runs_between(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return the run spans of builds that ended between two times, nanoseconds since the epoch; the newest first."""
        return self._store.runs_between(from_ns, to_ns)

    def spans_of_build(self, pipeline: str, run: str) -> list[Span]:
        """Return the spans of a build: full job name and build number."""
        return self._of_run(pipeline, run)

    def change_spans(self, texts: Sequence[str], most: int) -> list[Span]:
        """Return the newest runs, playbooks, deploys and roots with a commit whose JSON form has one of these texts."""
        found = {
            (span.trace_id, span.span_id): span for span in self._waiting if _is_of_a_change(span) and _says(span, texts)
        }
        found.update(((span.trace_id, span.span_id), span) for span in self._store.change_spans(texts, most))
        # What is open is newer than what has ended.
        return sorted(found.values(), key=lambda span: span.end_ns or span.start_ns + _OPEN, reverse=True)[:most]

    def outlines(self, trace_ids: Iterable[str], most: int) -> list[Span]:
        """Return the outlines of traces, and of those that hang under them or were started by them, up to a number."""
        found: dict[tuple[str, str], Span] = {}
        todo, seen = list(dict.fromkeys(trace_ids)), set[str]()
        while todo and len(found) < most:
            trace_id = todo.pop(0)
            seen.add(trace_id)
            waiting = [span for span in self._waiting if span.trace_id == trace_id]
            spans = [*waiting, *self._store.outline(trace_id, most - len(found))]
            found.update(((span.trace_id, span.span_id), span) for span in spans)
            ids = {span.span_id for span in spans}
            beyond = {span.parent_id for span in spans if span.parent_id}
            links = (link for span in spans for link in span.links)
            beyond |= {link.span_id for link in links if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED}
            more = self._store.traces_with_parents(ids) | self._store.traces_with_spans(beyond - ids)
            more |= {span.trace_id for span in self._waiting if span.parent_id in ids or span.span_id in beyond}
            todo += sorted(more - seen - set(todo))
        return list(found.values())

    def trace_id(self, reference: str) -> str:
        """Return a trace's id: of a trace id, a build's URL, ``JOB#N`` or ``latest``. Raises NotFoundError."""
        return self._trace_id(reference.strip())

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int) -> list[Span]:
        """Return the newest runs, stages and branches of a job that ended between two times, ns since the epoch."""
        return self._store.stages_between(pipeline, from_ns, to_ns)

    def _trace(self, trace_id: str) -> list[Span]:
        found = {span.span_id: span for span in self._waiting if span.trace_id == trace_id}
        # What is in the store has ended, whatever a journal's earlier line says.
        found.update((span.span_id, span) for span in self._store.trace(trace_id))
        return list(found.values())

    def _trace_id(self, reference: str) -> str:
        if reference == "latest":
            return self._latest()
        if _TRACE_ID.fullmatch(reference.lower()):
            if self._trace(reference.lower()):
                return reference.lower()
            raise NotFoundError(f"there is no trace {reference} here; pipeline-trace show latest shows the newest")
        build = _build(reference) if "://" in reference else None
        if build:
            root, job, number = build
            runs = [
                span for span in self._of_run(job, number) if attribute_text(span, c.PIPELINE_RUN_URL).startswith(f"{root}/")
            ]
            return _only(runs, reference, f"pipeline-trace poll --once --jenkins-url {root}")
        named = build_name_parts(reference)
        if named:
            return _only(self._of_run(*named), reference, "pipeline-trace poll --once --jenkins-url URL")
        raise NotFoundError(f"{reference!r} is no trace id, build URL, JOB#N or latest")

    def _latest(self) -> str:
        running = self.running_traces()
        if running:
            return running[0]
        newest = max(self._waiting, key=lambda span: span.end_ns, default=None)
        stored = self._store.latest()
        if newest and (stored is None or newest.end_ns > stored[1]):
            return newest.trace_id
        if stored is None:
            raise NotFoundError(
                "there is no trace here yet; run a playbook with the callback, or pipeline-trace poll --once"
            )
        return stored[0]

    def _of_run(self, pipeline: str, run: str) -> list[Span]:
        name = build_name(pipeline, run)
        waiting = [span for span in self._waiting if build_name_of(span) == name]
        return [*self._store.spans_of_run(pipeline, run), *waiting]


def _build(url: str) -> tuple[str, str, str] | None:
    """Return the root URL, the full job name and the number of a build's URL."""
    parts = build_url_parts(url)
    try:
        return (normalised_url(parts[0]), parts[1], str(parts[2])) if parts else None
    except ValueError:
        return None


def _only(runs: Iterable[Span], reference: str, hint: str) -> str:
    """Return the trace of a build: its run span's, since its playbooks may be in a trace of their own."""
    runs = list(runs)
    own = [span for span in runs if is_run(span)] or runs
    traces = sorted({span.trace_id for span in own})
    if not traces:
        raise NotFoundError(f"there is no build {reference} here; fetch it with: {hint}")
    if len({attribute_text(span, c.PIPELINE_RUN_URL) for span in own}) > 1:
        raise NotFoundError(
            f"{reference} is in {len(traces)} traces ({', '.join(traces)}); name one of them, or the build's URL"
        )
    return traces[0]


def _is_of_a_change(span: Span) -> bool:
    """See the store's index of the same spans."""
    names_commit = c.VCS_HEAD_REVISION in span.attributes or c.VCS_HEAD_REVISION in span.resource
    return (
        c.PIPELINE_RESULT in span.attributes
        or is_playbook(span)
        or span.attributes.get(c.TASK_TYPE) == c.DEPLOY
        or (span.parent_id is None and names_commit)
    )


def _says(span: Span, texts: Iterable[str]) -> bool:
    body = encode(span.to_dict())
    return any(text in body for text in texts)


def _in_journals(home: Home) -> tuple[list[Span], set[str]]:
    """Return the spans in journals, ended or open, and the ids of those in journals that are being written.

    Of old journals no more than can be held at once.
    """
    spans: dict[tuple[str, str], Span] = {}
    live: set[str] = set()
    left = _MOST_BYTES
    for path in reversed(find_journals(home.journals)):
        try:
            left -= path.stat().st_size
            if left < 0:
                break
            reader = Reader(path)
        except OSError:
            # Delivered and gone since it was found, or another user's.
            continue
        found = [span for line in reader.lines() if (span := line.span or (line.opened and line.opened.span()))]
        spans.update(((span.trace_id, span.span_id), span) for span in found)
        if reader.written():
            live.update(span.span_id for span in found)
        reader.close()
    return list(spans.values()), live
