"""Makes the comparison of two runs from their spans. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..lookup.cause import cause, is_general
from ..lookup.states import EXEC, has_failed, span_type, state
from ..lookup.tree import Node, leaf_most, walk
from ..ownership.account.shown import clean
from ..trace import conventions as c
from ..trace.queries import build_name_of, has_times, is_playbook, is_run, is_stage, revision_of, run_url_of
from ..trace.span import Span
from . import facts
from .match import Matched, Place, matched, part_of, places, reached
from .record import Compared, Comparison, Failed, Pair, Slower

# A part is slower if it took so much longer, and that is so much of its time.
_LEAST_MORE_NS = 1_000_000_000
_LEAST_SHARE = 0.2
_STAGES = frozenset({c.TYPE_STAGE, c.TYPE_BRANCH})
_STEPS = frozenset({c.TYPE_STEP, EXEC, c.TYPE_COMMAND, c.TYPE_PLAYBOOK})
_TASKS = frozenset({c.TYPE_TASK})
_WAITS = frozenset({c.TYPE_QUEUE, c.TYPE_AGENT, c.TYPE_INPUT})
_BROKEN = c.FAILED_RESULTS | {c.CANCELLATION}


def comparison_of(
    run: Node, base: Node, *, between: Iterable[Span] = (), note: str = "", deciding: Mapping[str, str] | None = None
) -> Comparison:
    """Return what is not alike in two runs.

    ``between``: the job's runs after the base, up to the run. ``note``: of the choice of the base. ``deciding``: the line of
    a failed span's log that decides the verdict on it, by span id.
    """
    found = matched(run, base)
    gone, not_reached = reached(found, run)
    commits = facts.commits(run, base)
    return Comparison(
        run=_compared(run.span),
        base=_compared(base.span),
        failed=_failed(run, found, deciding or {}),
        new=[part_of(place) for place in found.new],
        gone=[part_of(place) for place in gone],
        not_reached=[part_of(place) for place in not_reached],
        slower=_slower(found),
        commits=commits,
        same_commit=facts.same_commit(run, base),
        built=_built(between, run.span, base.span),
        parameters=facts.parameters(found, commits),
        others=facts.others(run, base, found),
        note=note,
    )


def name_of(span: Span) -> str:
    """Return how people call a run: JOB#N, or the playbook's name."""
    return clean((build_name_of(span) if is_run(span) else "") or span.name)


def _compared(span: Span) -> Compared:
    took = span.end_ns - span.start_ns if span.end_ns and has_times(span) else None
    return Compared(name_of(span), clean(run_url_of(span)), span.trace_id, span.span_id, state(span), span.start_ns, took)


def _failed(run: Node, found: Matched, deciding: Mapping[str, str]) -> list[Failed]:
    """Return where failures began: of hosts, the tasks that failed on them."""
    above = {id(child): node for node in walk([run]) for child in node.children}
    begun: dict[int, list[Node]] = {}
    for node in leaf_most([run], c.FAILED_RESULTS):
        is_host = span_type(node.span) == c.TYPE_HOST and node is not run
        begun.setdefault(id(above[id(node)] if is_host else node), []).append(node)
    bases = {id(one.node): other for one, other in found.pairs}
    return [
        Failed(
            part_of(place),
            part_of(bases[id(place.node)]) if id(place.node) in bases else None,
            sorted(clean(node.span.name) for node in begun[id(place.node)] if node is not place.node),
            clean(_cause(begun[id(place.node)][0], above, deciding)),
        )
        for place in (Place(run), *places(run))
        if id(place.node) in begun and not _is_told_by_playbook(place.node, above)
    ]


def _is_told_by_playbook(step: Node, above: Mapping[int, Node]) -> bool:
    """Return whether a step failed because its playbook did, which stands beside it: below the step's stage or its run."""
    at = above.get(id(step)) if span_type(step.span) == c.TYPE_STEP else None
    while at is not None:
        for one in at.children:
            during = step.span.start_ns <= one.span.start_ns <= step.span.end_ns
            if during and is_playbook(one.span) and has_failed(one.span):
                return True
        at = None if is_run(at.span) else above.get(id(at))
    return False


def _cause(node: Node, above: Mapping[int, Node], deciding: Mapping[str, str]) -> str:
    """Return the line that tells most of why a part failed: its own, else the one of its log that decides, else the last."""
    told = cause(node.span)
    if told and not is_general(told):
        return told
    at: Node | None = node
    while at is not None and c.JENKINS_LOG not in at.span.attributes:
        at = above.get(id(at))
    if at is None:
        return told
    lines = str(at.span.attributes[c.JENKINS_LOG]).splitlines()
    last = next((line for line in reversed(lines) if line.strip() and not is_general(line)), told)
    return deciding.get(at.span.span_id, last)


def _slower(found: Matched) -> Slower:
    # The first pair is the runs themselves.
    pairs = [
        Pair(part_of(one), part_of(other))
        for one, other in found.pairs[1:]
        if _is_slower(one.node.span, other.node.span) and not _starts_build(one.node)
    ]
    pairs.sort(key=lambda pair: -pair.more_ns)
    stages, steps, tasks, waits = (
        [pair for pair in pairs if pair.run.kind in kinds] for kinds in (_STAGES, _STEPS, _TASKS, _WAITS)
    )
    return Slower(stages, steps, tasks, waits)


def _starts_build(node: Node) -> bool:
    """Return whether a part only waits for the build that it started: the parts of that build tell the time."""
    return any(is_run(child.span) for child in node.children) and not is_stage(node.span)


def _is_slower(run: Span, base: Span) -> bool:
    """Return whether a part took longer than in the base. How long a failed one takes tells of the failure."""
    if not (run.end_ns and base.end_ns and has_times(run) and has_times(base)) or {state(run), state(base)} & _BROKEN:
        return False
    took, before = run.end_ns - run.start_ns, base.end_ns - base.start_ns
    return took - before >= max(_LEAST_MORE_NS, _LEAST_SHARE * before)


def _built(between: Iterable[Span], run: Span, base: Span) -> list[str]:
    """Return the commits that were built since the base, oldest first."""
    runs = sorted((*between, run), key=lambda span: span.start_ns)
    commits = dict.fromkeys(clean(revision_of(span)) for span in runs)
    return [commit for commit in commits if commit and commit != clean(revision_of(base))]
