"""Finds the run that a reference names, and the one to compare it with: the last green one of the same kind."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from ..change import environments
from ..change.runs import RunTree
from ..lookup.lookup import Lookup, NotFoundError, is_run_of
from ..lookup.source import ALWAYS, Wanted, Window
from ..lookup.states import state
from ..lookup.tree import Node, build_tree, walk
from ..lookup.twice import once_a_build
from ..lookup.wording import visible
from ..ownership.failure import Trace
from ..ownership.judge import deciding_lines, referenced
from ..ownership.log.rules import RulesError, load_rules
from ..place.ci.jenkins.identity import build_on_page
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_key, environment_of, is_dry_run, is_playbook, is_run, run_url_of
from ..trace.span import ERROR, Span
from ..trace.traits import Trait
from ..trace.words import environment_name
from .made import comparison_of, name_of
from .record import Comparison

# Of a job's green runs so many are looked at, the newest first, and of what ended well without a job: only reading these
# tells which playbook it was.
_MOST_GREEN = 200
_MOST_ENDED_WELL = 2000
# Their stages are read so many at a time, until so many went to the same environment.
_AT_ONCE = 20
_MOST_HERE = 20
_MOST_SPANS = 20_000
_SUCCEEDED = Wanted("result", c.SUCCESS)
_BROKEN = c.FAILED_RESULTS | {c.CANCELLATION}
_OTHER_STAGES = "no green run had the same stages: this is the last green one"


class NoGreenRunError(NotFoundError):
    """There is no green run to compare with. The message says what to do."""


@dataclass(frozen=True)
class _Place:
    """Where a run deploys: ``whole`` as a whole, "" for several or none; ``parts``: all that its parts name."""

    whole: str
    parts: frozenset[str]

    def is_reached_by(self, other: _Place) -> bool:
        """Return whether another run went to all of these, or neither says where it went."""
        if self.whole or other.whole:
            return bool(self.parts) and self.parts <= other.parts
        return self.parts <= other.parts


def compare(lookup: Lookup, reference: str, other: str = "") -> Comparison:
    """Return the comparison of a run with another one.

    ``reference``: a trace id, a build URL, ``JOB#N`` or ``latest``. ``other``: the one to compare it with; "" for the last
    green one of the same job, environment and stages that began before. Raises NotFoundError, NoGreenRunError.
    """
    spans = lookup.spans(reference)
    run = _named(spans, reference)
    if other:
        base, note = _named(lookup.spans(other), other), ""
        if (base.span.trace_id, base.span.span_id) == (run.span.trace_id, run.span.span_id):
            raise NotFoundError(f"{other} is the same run; name another one to compare {reference} with")
    else:
        base, note = _last_green(lookup, run, RunTree(spans), reference)
    return comparison_of(run, base, between=_between(lookup, run.span, base.span), note=note, deciding=_deciding(run))


def _deciding(run: Node) -> dict[str, str]:
    with suppress(RulesError):
        # `why` reports the error in the rules.
        return deciding_lines((node.span for node in walk([run]) if node.span.status_code == ERROR), load_rules())
    return {}


def _named(spans: Sequence[Span], reference: str) -> Node:
    """Return the run or playbook that a reference names; of a trace, what failed last. Raises NotFoundError."""
    named = [span for span in spans if is_run_of(span, reference)]
    start = named[0] if named else referenced(Trace(spans), reference)
    node = next(node for node in walk(build_tree(spans)) if node.span is start)
    # A command may be around it.
    found = next((one for one in walk([node]) if is_run(one.span) or is_playbook(one.span)), None)
    if found is None:
        raise NotFoundError(f"there is no build and no playbook in {reference} to compare; name a build: JOB#N")
    return found


def _last_green(lookup: Lookup, run: Node, tree: RunTree, reference: str) -> tuple[Node, str]:
    """Return the last green run of the same kind before a run, and what a reader must know of the choice.

    ``tree``: of the run's trace. ``reference``: how the run was asked for. Raises NoGreenRunError.
    """
    place, here, elsewhere = _place(tree, run.span), list[Span](), False
    chosen: Span | None = None
    green = _Green(lookup, run.span)
    # A playbook has no stages: the first one is it.
    newest, at_once = iter(green), _AT_ONCE if is_run(run.span) else 1
    while chosen is None and len(here) < _MOST_HERE and (some := list(islice(newest, at_once))):
        outlines = RunTree(lookup.outlines([span.trace_id for span in some], _MOST_SPANS))
        found = [span for span in some if place.is_reached_by(_place(outlines, span))]
        chosen = next((span for span in found if _has_stages(outlines, span, tree, run.span)), None)
        here += found
        elsewhere = elsewhere or len(found) < len(some)
    if not here:
        where = place.parts if elsewhere or place.whole else ()
        named = name_of(run.span) if lookup.names_one(name_of(run.span)) else visible(reference)
        raise NoGreenRunError(_none(run.span, where, named, green.cut_at))
    note = "" if chosen else _OTHER_STAGES
    chosen = chosen or here[0]
    nodes = walk(build_tree(lookup.spans(chosen.trace_id)))
    return next(node for node in nodes if node.span.span_id == chosen.span_id), note


class _Green:
    """The green runs of the same job, or of the same playbook, that began before a run, newest first.

    ``cut_at``: how many were looked at, if there may be more; else 0.
    """

    def __init__(self, lookup: Lookup, run: Span) -> None:
        self._lookup, self._run = lookup, run
        self._within = Window(0, run.end_ns or ALWAYS.to_ns)
        self.cut_at = 0

    def __iter__(self) -> Iterator[Span]:
        return self._runs() if is_run(self._run) else self._playbooks()

    def _runs(self) -> Iterator[Span]:
        job, succeeded, place = Wanted("pipeline", build_key(self._run)[0]), _SUCCEEDED, environment_of(self._run)
        found = self._lookup.noted([[job, succeeded]], _MOST_GREEN, self._within)
        self.cut_at = _MOST_GREEN if len(found) == _MOST_GREEN else 0
        if place and self.cut_at:
            # Of a job that goes elsewhere every hour: those that say that they went here.
            found += self._lookup.noted([[job, Wanted("environment", place), succeeded]], _MOST_GREEN, self._within)
        before = {(span.trace_id, span.span_id): span for span in found if self._is_before(span)}
        for span in sorted(once_a_build(list(before.values())), key=lambda span: span.start_ns, reverse=True):
            if not place or environment_of(span) in ("", place):
                yield span

    def _playbooks(self) -> Iterator[Span]:
        told = {"service": attribute_text(self._run, c.DEPLOYMENT_NAME), "environment": environment_of(self._run)}
        traits: Sequence[Trait] = ("service", "environment")
        wanted = [*(Wanted(trait, told[trait]) for trait in traits if told[trait]), _SUCCEEDED]
        within, seen = self._within, set[tuple[str, str]]()
        while len(seen) < _MOST_ENDED_WELL:
            found = self._lookup.noted([wanted], _MOST_GREEN, within)
            new = [span for span in found if (span.trace_id, span.span_id) not in seen]
            if not new:
                return
            yield from filter(self._is_before, new)
            seen.update((span.trace_id, span.span_id) for span in new)
            # What ended in the same moment may be on the next page.
            within = Window(0, min(span.end_ns for span in new))
        self.cut_at = _MOST_ENDED_WELL

    def _is_before(self, span: Span) -> bool:
        return span.start_ns < self._run.start_ns and _is_alike(span, self._run)


def _between(lookup: Lookup, run: Span, base: Span) -> list[Span]:
    """Return the job's runs that began after the base and before a run, to the same environment."""
    if not is_run(run) or build_key(run)[0] != build_key(base)[0]:
        return []
    within = Window(base.end_ns, run.end_ns or ALWAYS.to_ns)
    found = lookup.noted([[Wanted("pipeline", build_key(run)[0])]], _MOST_GREEN, within)
    return [
        span
        for span in found
        if base.start_ns < span.start_ns < run.start_ns
        and _is_alike(span, run)
        and environment_of(span) == environment_of(run)
    ]


def _is_alike(span: Span, run: Span) -> bool:
    """Return whether a span is a run of the same job of the same controller, or of the same playbook and deploy."""
    if is_run(run):
        pages = [build_on_page(run_url_of(one)) for one in (span, run)]
        controllers = {page.controller for page in pages if page}
        return is_run(span) and build_key(span)[0] == build_key(run)[0] and len(controllers) < len(pages)
    # A dry run changes nothing: it is compared with another one alone.
    kinds = [(one.name, attribute_text(one, c.DEPLOYMENT_NAME), environment_of(one), is_dry_run(one)) for one in (span, run)]
    return is_playbook(span) and kinds[0] == kinds[1]


def _place(tree: RunTree, span: Span) -> _Place:
    whole = tree.environment(span) if is_run(span) else environment_of(span)
    if whole:
        return _Place(whole, frozenset((whole,)))
    ran = (stage.name for stage in tree.stages(span) if state(stage) != c.SKIP)
    played = (environment_name(attribute_text(one, c.DEPLOYMENT_ENVIRONMENT)) for one in tree.playbooks(span))
    return _Place("", frozenset({*(environments.environment_of_stage(name, False) for name in ran), *played} - {""}))


def _has_stages(outlines: RunTree, green: Span, tree: RunTree, run: Span) -> bool:
    """Return whether a green run has all stages that a run had, and none that the run left out before it failed."""
    mine = tree.stages(run)
    ran = {stage.name for stage in mine if state(stage) != c.SKIP}
    broke_ns = min((stage.end_ns for stage in mine if state(stage) in _BROKEN), default=ALWAYS.to_ns)
    left_out = {stage.name for stage in mine if state(stage) == c.SKIP and stage.start_ns < broke_ns} - ran
    its = {stage.name for stage in outlines.stages(green) if state(stage) != c.SKIP}
    return ran <= its and not left_out & its


def _none(run: Span, where: Collection[str], named: str, cut_at: int) -> str:
    """Return that there is no run to compare with, and what to do.

    ``where``: environments. ``named``: what commands name the run by. ``cut_at``: see _Green.
    """
    job, other = (build_key(run)[0], "JOB#N") if is_run(run) else (run.name, "TRACE")
    to = f" to {' and '.join(sorted(where))}" if where else ""
    what = f"there is no green run of {visible(job)}{visible(to)}"
    then = f"pipeline-trace compare {shlex.quote(named)} --with {other}"
    if not cut_at:
        return f"{what} before {name_of(run)} here; compare it with another one: {then}"
    looked_at = f"the newest {cut_at:,} green runs{' of it' if is_run(run) else ''}"
    return f"{what} among {looked_at} before {name_of(run)}; an older one must be named: {then}"
