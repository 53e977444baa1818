"""Finds traces on this machine: in the store, and in journals that are being written or wait for delivery."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..delivery.destinations.store import Store
from ..delivery.home import Home
from ..place.ci.jenkins.identity import Build, build_on_page
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name, build_name_of, build_name_parts, is_playbook, is_run
from ..trace.span import Span, encode
from .assumed import with_stages
from .journals import Journals, rank, said_of_parts
from .twice import once_a_build

_TRACE_ID = re.compile(r"[0-9a-f]{32}")


class NotFoundError(Exception):
    """No trace on this machine has this reference. The message says what to do."""


class Lookup:
    """Searches the store and the journals of one home folder. A span that runs now is open: its ``end_ns`` is 0."""

    def __init__(self, home: Home) -> None:
        self._store = Store(home.store)
        self._journals = Journals(home.journals)

    @property
    def notice(self) -> str:
        """Return one line about what was not read, and what to do; "" if all was."""
        return said_of_parts(self._journals.parts)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def is_empty(self) -> bool:
        """Return whether there is no span here at all."""
        return self._journals.newest() is None and self._store.latest() is None

    def spans(self, reference: str) -> list[Span]:
        """Return the spans of a trace. ``reference``: a trace id, a build URL, ``JOB#N`` or ``latest``.

        Other traces are included if their spans are children or parents of spans in this trace: span ids do not depend on
        the trace, so the parent is right even if an agent did not find its trace. Raises NotFoundError.
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
            todo |= self._journals.traces_of(above) | self._journals.traces_below(ids)
            todo -= seen
        return with_stages(list(found.values()))

    def running_traces(self) -> list[str]:
        """Return the ids of the traces in which a span runs now, newest first; those that begin in the future last."""
        live = sorted(self._journals.open_spans(), key=lambda span: rank(span.start_ns), reverse=True)
        return list(dict.fromkeys(span.trace_id for span in live))

    def runs_between(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return the run spans that ended between two times (nanoseconds since the epoch), newest first, each build once."""
        return once_a_build(self._store.runs_between(from_ns, to_ns))

    def spans_of_build(self, pipeline: str, run: str, *, fine_hosts: bool = True) -> list[Span]:
        """Return the spans of a build. ``pipeline``: the full job name. ``run``: the build number.

        ``fine_hosts``: False leaves out the hosts in the store on which an Ansible task did not fail.
        """
        named = self._naming_build(pipeline, run, fine_hosts=fine_hosts)
        if all(map(is_run, named)):
            # Other tools than the poller tell only with the run which build it is.
            named = [span for one in named for span in _within(one, self._trace(one.trace_id))]
        return with_stages(named)

    def _naming_build(self, pipeline: str, run: str, *, fine_hosts: bool = True) -> list[Span]:
        name = build_name(pipeline, run)
        saying = self._journals.saying([encode(pipeline)])
        waiting = [span for span in saying if build_name_of(span) == name]
        return [*self._store.spans_of_build(pipeline, run, fine_hosts=fine_hosts), *waiting]

    def change_spans(self, texts: Sequence[str], most: int) -> list[Span]:
        """Return the newest runs, playbooks, deploys and root spans with a commit that match.

        A span matches if its JSON form contains one of ``texts``. ``most``: the highest number of spans.
        """
        waiting = filter(_is_of_a_change, self._journals.saying(texts))
        found = {(span.trace_id, span.span_id): span for span in waiting}
        found.update(((span.trace_id, span.span_id), span) for span in self._store.change_spans(texts, most))
        # Open spans are newer than all ended spans.
        newest = sorted(
            found.values(), key=lambda span: (not span.end_ns, *rank(span.end_ns or span.start_ns)), reverse=True
        )
        return newest[:most]

    def outlines(self, trace_ids: Iterable[str], most: int) -> list[Span]:
        """Return the spans of traces without plays, tasks, hosts and plain steps; about ``most`` spans.

        This includes traces with children of these spans, with their parents, and with builds that they started.
        """
        found: dict[tuple[str, str], Span] = {}
        todo, seen = list(dict.fromkeys(trace_ids)), set[str]()
        while todo and len(found) < most:
            trace_id = todo.pop(0)
            seen.add(trace_id)
            spans = [*self._journals.trace(trace_id), *self._store.outline(trace_id, most - len(found))]
            found.update(((span.trace_id, span.span_id), span) for span in spans)
            ids = {span.span_id for span in spans}
            beyond = {span.parent_id for span in spans if span.parent_id}
            links = (link for span in spans for link in span.links)
            beyond |= {link.span_id for link in links if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED}
            more = self._store.traces_with_parents(ids) | self._store.traces_with_spans(beyond - ids)
            more |= self._journals.traces_below(ids) | self._journals.traces_of(beyond)
            todo += sorted(more - seen - set(todo))
        return with_stages(list(found.values()))

    def trace_id(self, reference: str) -> str:
        """Return the trace id for a trace id, a build URL, ``JOB#N`` or ``latest``. Raises NotFoundError."""
        return self._trace_id(reference.strip())

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int, *, more: int = 0) -> list[Span]:
        """See Store.stages_between."""
        return self._store.stages_between(pipeline, from_ns, to_ns, more=more)

    def _trace(self, trace_id: str) -> list[Span]:
        found = {span.span_id: span for span in self._journals.trace(trace_id)}
        # A span in the store has ended, even if a journal still has its open line.
        found.update((span.span_id, span) for span in self._store.trace(trace_id))
        return list(found.values())

    def _trace_id(self, reference: str) -> str:
        if reference == "latest":
            return self._latest()
        if _TRACE_ID.fullmatch(reference.lower()):
            if self._trace(reference.lower()):
                return reference.lower()
            raise NotFoundError(f"there is no trace {reference} here; to see the newest, run: pipeline-trace show latest")
        build = build_on_page(reference) if "://" in reference else None
        if build:
            runs = self._naming_build(build.job, str(build.number))
            here = [span for span in runs if is_of_build(span, build)]
            return _only(here, reference, f"--jenkins-url {build.controller}")
        named = build_name_parts(reference)
        if named:
            return _only(self._naming_build(*named), reference, "--jenkins-url URL")
        raise NotFoundError(f"{reference!r} is not a trace id, build URL, JOB#N or latest; use one of these")

    def _latest(self) -> str:
        running = self.running_traces()
        if running:
            return running[0]
        newest = self._journals.newest()
        stored = self._store.latest()
        if newest and (stored is None or rank(newest[1]) > rank(stored[1])):
            return newest[0]
        if stored is None:
            raise NotFoundError(
                "there is no trace here yet; run a playbook with the callback enabled, or run: pipeline-trace poll --once"
            )
        return stored[0]


def is_run_of(span: Span, reference: str) -> bool:
    """Return whether a span is the run of the build that a reference names: JOB#N, or the URL of any of its pages."""
    if not is_run(span):
        return False
    named = build_name_parts(reference)
    if named:
        return build_name_of(span) == build_name(*named)
    build = build_on_page(reference) if "://" in reference else None
    return build is not None and is_of_build(span, build)


def is_of_build(span: Span, build: Build) -> bool:
    """Return whether a span belongs to a build, or to one of its cells, by the address of its run."""
    own = build_on_page(attribute_text(span, c.PIPELINE_RUN_URL))
    return own is not None and replace(own, cell=build.cell) == build


def _only(runs: Iterable[Span], reference: str, controller: str) -> str:
    """Return the trace id of a build's run span. Its playbooks may be in other traces. Raises NotFoundError.

    ``controller``: the option of `poll` that names it.
    """
    runs = list(runs)
    own = once_a_build([span for span in runs if is_run(span)]) or runs
    traces = sorted({span.trace_id for span in own})
    if not traces:
        raise NotFoundError(
            f"there is no build {reference} here; if it has ended, fetch it with: pipeline-trace poll --once {controller}; "
            f"if it runs, see what it does with: pipeline-trace poll --once --open {controller}"
        )
    # The cells of a multi-configuration build have an address each, and one trace.
    if len(traces) > 1 and len({attribute_text(span, c.PIPELINE_RUN_URL) for span in own}) > 1:
        raise NotFoundError(
            f"{reference} is in {len(traces)} traces ({', '.join(traces)}); name one of them, or the build's URL"
        )
    return traces[0]


def _within(run: Span, spans: Iterable[Span]) -> list[Span]:
    """Return a run and what is below it. Of the runs that it started, only their run spans are among them."""
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id or "", []).append(span)
    found, todo = {run.span_id: run}, [run]
    while todo:
        for span in children.get(todo.pop().span_id, ()):
            if span.span_id not in found:
                found[span.span_id] = span
                todo += [] if is_run(span) else [span]
    return list(found.values())


def _is_of_a_change(span: Span) -> bool:
    """See the store's index of the same spans."""
    names_commit = c.VCS_HEAD_REVISION in span.attributes or c.VCS_HEAD_REVISION in span.resource
    return (
        c.PIPELINE_RESULT in span.attributes
        or is_playbook(span)
        or span.attributes.get(c.TASK_TYPE) == c.DEPLOY
        or (span.parent_id is None and names_commit)
    )
