"""Finds traces: in a source of spans, and on this machine in journals that are being written or wait for delivery."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from ..delivery.destinations.store import Store
from ..delivery.home import Home
from ..place.ci.jenkins.identity import Build, build_on_page
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_key, build_name, build_name_of, build_name_parts, is_run, run_url_of
from ..trace.span import Span
from .assumed import with_stages
from .journals import Journals, rank, said_of_parts
from .local import LocalSource
from .source import ALWAYS, BuildKey, Counted, Figures, Newest, OnHost, Remembered, TraceSource, Wanted, Window
from .twice import once_a_build

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
# The page of a trace, on any server; its span may follow.
_PAGE = re.compile(r"https?://[^?#]*/trace/([0-9a-f]{32})(?:[?#].*)?")
# Numbers in the address of a run that may be its id.
_MOST_NUMBERS = 3


# How many builds and stages history looks at.
MOST_RUNS = 2000
_MOST_STAGES = 2500


class NotFoundError(Exception):
    """No trace has this reference. The message says what to do."""


def local_lookup(
    home: Home, told: Callable[[float], None] = lambda done: None, remembered: Remembered | None = None
) -> Lookup:
    """Return a Lookup on a home folder: its store and its journals.

    ``told``: called with the part that is done, from 0 to 1, while spans of an earlier version are read once.
    ``remembered``: see LocalSource.
    """
    return Lookup(LocalSource(Store(home.store), told, remembered), Journals(home.journals))


class Lookup:
    """Searches a source and journals. A span that runs now is open: its ``end_ns`` is 0."""

    def __init__(self, source: TraceSource, journals: Journals) -> None:
        self._source = source
        self._journals = journals

    @property
    def notice(self) -> str:
        """Return one line about what was not read, and what to do; "" if all was."""
        return "; ".join(filter(None, (said_of_parts(self._journals.parts), self._source.notice)))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def is_empty(self) -> bool:
        """Return whether there is no span here at all."""
        return self._journals.newest() is None and self._source.newest() is None

    def spans(self, reference: str) -> list[Span]:
        """Return the spans of a trace. ``reference``: a trace id, a build URL, ``JOB#N`` or ``latest``.

        Other traces are included if their spans are children or parents of spans in this trace: span ids do not depend on
        the trace, so the parent is right even if an agent did not find its trace. Raises NotFoundError.
        """
        found: dict[tuple[str, str], Span] = {}
        named = reference.strip().lower()
        # A trace that is named by its id is read once.
        todo, seen = {named if _TRACE_ID.fullmatch(named) else self._trace_id(reference.strip())}, set()
        while todo:
            trace_id = todo.pop()
            seen.add(trace_id)
            spans = self._trace(trace_id)
            found.update(((span.trace_id, span.span_id), span) for span in spans)
            ids = {span.span_id for span in spans}
            above = {span.parent_id for span in spans if span.parent_id} - ids
            todo |= self._traces_around(above, ids, spans, seen)
        if not found:
            raise _no_trace(reference.strip())
        return with_stages(sorted(found.values(), key=_order))

    def open_spans(self) -> list[Span]:
        """Return the spans that run now, in no order."""
        return self._journals.open_spans()

    def running_traces(self) -> list[str]:
        """Return the ids of the traces in which a span runs now, newest first; those that begin in the future last."""
        live = sorted(self.open_spans(), key=lambda span: rank(span.start_ns), reverse=True)
        return list(dict.fromkeys(span.trace_id for span in live))

    def runs_between(self, from_ns: int, to_ns: int) -> list[Span]:
        """Return the run spans that ended between two times (ns since the epoch), newest first, each build once.

        At most MOST_RUNS.
        """
        return once_a_build(self._source.runs(Window(from_ns, to_ns), MOST_RUNS))

    def spans_of_build(self, pipeline: str, run: str, *, around: Collection[Window] = ()) -> list[Span]:
        """Return the spans of a build. ``pipeline``: the full job name. ``run``: the build number.

        ``around``: when it ran, where that is known.
        """
        name = build_name(pipeline, run)
        waiting = [span for span in self._journals.naming(pipeline) if build_name_of(span) == name]
        return with_stages(self._whole([*self._source.builds([(pipeline, run)], around=around), *waiting]))

    def spans_of_builds(self, runs: Sequence[Span]) -> dict[BuildKey, list[Span]]:
        """Return the spans of some builds, by job and number, without hosts on which an Ansible task did not fail.

        ``runs``: their run spans.
        """
        found: dict[BuildKey, list[Span]] = {build_key(run): [] for run in runs}
        waiting = [span for pipeline in {key[0] for key in found} for span in self._journals.naming(pipeline)]
        ended = self._source.builds(list(found), fine_hosts=False, around=_windows(runs)) if runs else []
        for span in (*ended, *waiting):
            if build_key(span) in found:
                found[build_key(span)].append(span)
        return {key: with_stages(self._whole(spans)) for key, spans in found.items()}

    def _whole(self, named: list[Span]) -> list[Span]:
        """Return the spans of a build. ``named``: those that name it; of other tools than the poller, only the run does."""
        if not all(map(is_run, named)):
            return named
        return [span for run in named for span in _within(run, self._trace(run.trace_id))]

    def noted(self, wanted: Sequence[Sequence[Wanted]], most: int, within: Window = ALWAYS) -> list[Span]:
        """Return the newest runs, playbooks, deploys and root spans with a commit that have wanted traits.

        ``wanted``: groups; all traits of one of them. ``most``: the highest number of spans. ``within``: when they ended;
        what still runs ends later than all.
        """
        waiting = (span for span in self._journals.noted(wanted) if _ended_within(span, within))
        found = {(span.trace_id, span.span_id): span for span in waiting}
        found.update(((span.trace_id, span.span_id), span) for span in self._source.noted(wanted, most, within))
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
            seen.update(todo)
            spans = [span for trace_id in todo for span in self._journals.trace(trace_id)]
            spans += self._source.outline(todo, most - len(found))
            found.update(((span.trace_id, span.span_id), span) for span in spans)
            ids = {span.span_id for span in spans}
            beyond = {span.parent_id for span in spans if span.parent_id}
            links = (link for span in spans for link in span.links)
            beyond |= {link.span_id for link in links if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED}
            todo = sorted(self._traces_around(beyond - ids, ids, spans, seen))
        return with_stages(sorted(found.values(), key=_order))

    def failures(self, trace_ids: Collection[str], most: int) -> list[Span]:
        """Return the spans of these traces that a verdict on what failed needs; about ``most``. See TraceSource.outline."""
        spans = [span for trace_id in trace_ids for span in self._journals.trace(trace_id)]
        spans += self._source.outline(list(trace_ids), most, failures=True)
        found = {(span.trace_id, span.span_id): span for span in spans}
        return with_stages(sorted(found.values(), key=_order))

    def trace_id(self, reference: str) -> str:
        """Return the trace id for a trace id, a build URL, ``JOB#N`` or ``latest``. Raises NotFoundError."""
        return self._trace_id(reference.strip())

    def names_one(self, reference: str) -> bool:
        """Return whether a reference names one trace here: two controllers may have a job and a number in common."""
        try:
            return bool(self._trace_id(reference))
        except NotFoundError:
            return False

    def stages_between(self, pipeline: str, from_ns: int, to_ns: int, *, more: int = 0) -> list[Span]:
        """Return the runs, stages and branches of a job that ended between two times (ns since the epoch), newest first.

        At most _MOST_STAGES, and ``more``.
        """
        return self._source.stages(pipeline, Window(from_ns, to_ns), _MOST_STAGES + more)

    def on_host(self, host: str, within: Window, most: int) -> list[OnHost]:
        """Return the newest tasks of a host that have been delivered. See TraceSource.on_host."""
        return self._source.on_host(host, within, most)

    def ran_on(self, host: str, within: Window, most: int) -> list[Newest]:
        """Return the newest traces with tasks on a host. What still runs ends later than all. See TraceSource.ran_on."""
        found = {one.trace_id: one.end_ns for one in self._source.ran_on(host, within, most)}
        for span in self._journals.on_host(host):
            if _ended_within(span, within):
                found[span.trace_id] = max(found.get(span.trace_id, 0), span.end_ns or ALWAYS.to_ns)
        newest = (Newest(trace_id, end_ns) for trace_id, end_ns in found.items())
        return sorted(newest, key=lambda one: (one.end_ns, one.trace_id), reverse=True)[:most]

    def figures(self, counted: Counted, within: Window, wanted: Sequence[Wanted] = (), *, days: int = 1) -> list[Figures]:
        """Return figures of what has been delivered. See TraceSource.figures."""
        return self._source.figures(counted, within, wanted, days=days)

    def _traces_around(
        self, above: Collection[str], ids: Collection[str], spans: Iterable[Span], seen: Collection[str]
    ) -> set[str]:
        """Return the traces with spans of some ids (``above``), and those with children of other ones (``ids``).

        ``spans``: those with these ids. ``seen``: the ids of traces that are known.
        """
        found, around = self._journals.traces_of(above) | self._journals.traces_below(ids), _windows(spans)
        if above:
            found |= self._source.traces_with(above, around)
        if ids:
            found |= self._source.traces_below(ids, around, seen)
        return found - set(seen)

    def _trace(self, trace_id: str) -> list[Span]:
        # A span in the store has ended, even if a journal still has its open line.
        ended = {span.span_id: span for span in self._source.trace(trace_id)}
        return [*self._journals.trace(trace_id, but=ended.keys()), *ended.values()]

    def _trace_id(self, reference: str) -> str:
        if reference == "latest":
            return self._latest()
        if _TRACE_ID.fullmatch(reference.lower()):
            if self._trace(reference.lower()):
                return reference.lower()
            raise _no_trace(reference)
        page = _PAGE.fullmatch(reference)
        if page:
            return self._trace_id(page[1])
        build = build_on_page(reference) if "://" in reference else None
        if build:
            runs = self._named(build.job, str(build.number))
            here = [span for span in runs if is_of_build(span, build)]
            return _only(here, reference, f"--jenkins-url {build.controller}")
        there = self._runs_at(reference) if "://" in reference else []
        if there:
            return _only(there, reference, "--jenkins-url URL")
        named = build_name_parts(reference)
        if named:
            return _only(self._named(*named), reference, "--jenkins-url URL")
        raise NotFoundError(f"{reference!r} is not a trace id, build URL, JOB#N or latest; use one of these")

    def _named(self, pipeline: str, run: str) -> list[Span]:
        """Return the run, or the playbooks, of a build; of one that has neither, all that is here."""
        found = self.noted([[Wanted("pipeline", pipeline), Wanted("run", run)]], MOST_RUNS)
        return found or self.spans_of_build(pipeline, run)

    def _runs_at(self, address: str) -> list[Span]:
        """Return the runs whose page, or a page below it, has an address: those of other systems than Jenkins."""
        bare = address.partition("?")[0].partition("#")[0].rstrip("/")
        numbers = dict.fromkeys(part for part in bare.split("/") if part.isdecimal())
        groups = [[Wanted("run", number)] for number in list(numbers)[-_MOST_NUMBERS:]]
        pages = ((span, run_url_of(span).rstrip("/")) for span in (self.noted(groups, MOST_RUNS) if groups else ()))
        return [span for span, page in pages if page and (bare == page or bare.startswith(f"{page}/"))]

    def _latest(self) -> str:
        running = self.running_traces()
        if running:
            return running[0]
        newest = self._journals.newest()
        stored = self._source.newest()
        if newest and (stored is None or rank(newest[1]) > rank(stored.end_ns)):
            return newest[0]
        if stored is None:
            raise NotFoundError(
                "there is no trace here yet; run a playbook with the callback enabled, or run: pipeline-trace poll --once"
            )
        return stored.trace_id


def _no_trace(reference: str) -> NotFoundError:
    return NotFoundError(f"there is no trace {reference} here; to see the newest, run: pipeline-trace show latest")


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


def _order(span: Span) -> tuple[int, str, str]:
    """Return a key that sorts spans: no answer depends on the order in which a source has them."""
    return span.start_ns, span.trace_id, span.span_id


def _ended_within(span: Span, within: Window) -> bool:
    return within.from_ns <= (span.end_ns or ALWAYS.to_ns) <= within.to_ns


def _windows(spans: Iterable[Span]) -> list[Window]:
    """Return from when to when the spans of each trace ran. What still runs has no end."""
    found: dict[str, Window] = {}
    for span in spans:
        known = found.get(span.trace_id, Window(span.start_ns, 0))
        end_ns = span.end_ns or ALWAYS.to_ns
        found[span.trace_id] = Window(min(known.from_ns, span.start_ns), max(known.to_ns, end_ns))
    return list(found.values())
