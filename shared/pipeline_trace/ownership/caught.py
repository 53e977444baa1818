"""Finds the step whose error a Pipeline caught before it ended as a failure. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..trace import conventions as c
from ..trace.queries import attribute_text, is_around, is_of_pipeline, is_run, order_of, type_of
from ..trace.span import ERROR, Span

Children = Mapping[str, Sequence[Span]]


def attempt_of(span: Span) -> int:
    """Return the attempt of ``retry`` that a span is in, from 1; 0 without ``retry``."""
    return int(str(span.attributes.get(c.JENKINS_RETRY_ATTEMPT) or 0))


def way_to_caught(run: Span, children: Children) -> Sequence[Span]:
    """Return the spans from below a run down to the last step that failed, although what is around it ended well.

    There are none if no step failed, if the run itself tells why it failed, or if it is no run that Jenkins calls a failure.
    A step counts less if the same step ended well later, and not at all if a later attempt of it did.
    ``children``: spans, by their parent's id.
    """
    if not is_run(run) or _explains_itself(run):
        return ()
    above = {one.span_id: one for one in _inside(run, children)}
    failed = [one for one in above.values() if one.status_code == ERROR and type_of(one) == c.TYPE_STEP]
    well = _last_that_ended_well(above.values()) if failed else {}
    ways = [_way(one, above) for one in failed]
    left = [way for way in ways if not any(_retried(one, well.get(_same(one))) for one in way)]
    return max(left, key=lambda way: (not _repeated(way[-1], well), way[-1].end_ns, order_of(way[-1])), default=())


def _explains_itself(run: Span) -> bool:
    """Return whether a run tells why it failed (tests, an interruption, its log), or Jenkins calls it no failure."""
    results = (run.attributes.get(c.JENKINS_RESULT), run.attributes.get(c.PIPELINE_RESULT))
    told = (c.JENKINS_TESTS_FAILED, c.JENKINS_INTERRUPTIONS, c.JENKINS_LOG)
    return results != ("FAILURE", c.FAILURE) or any(run.attributes.get(name) for name in told)


def _inside(run: Span, children: Children) -> Iterator[Span]:
    """Yield the stages and steps of a run, at any depth, without those of the builds that it started."""
    todo, seen = [run], {run.span_id}
    while todo:
        for one in children.get(todo.pop().span_id, ()):
            if is_of_pipeline(one) and not is_run(one) and one.span_id not in seen:
                seen.add(one.span_id)
                todo.append(one)
                yield one


def _way(step: Span, above: Mapping[str, Span]) -> list[Span]:
    way = [step]
    while parent := above.get(way[-1].parent_id or ""):
        way.append(parent)
    return [one for one in way[::-1] if not is_around(one)]


def _same(span: Span) -> tuple[str, str, str]:
    """Return what a step or stage has in common with its other attempts."""
    return span.parent_id or "", span.name, attribute_text(span, c.JENKINS_STEP_DESCRIPTION)


def _last_that_ended_well(spans: Iterable[Span]) -> dict[tuple[str, str, str], Span]:
    return {_same(one): one for one in sorted(spans, key=order_of) if one.status_code != ERROR}


def _retried(span: Span, well: Span | None) -> bool:
    """Return whether a later attempt ended well. ``well``: the last of the same that did."""
    return well is not None and 0 < attempt_of(span) < attempt_of(well) and order_of(well) > order_of(span)


def _repeated(step: Span, well: Mapping[tuple[str, str, str], Span]) -> bool:
    """Return whether the same step ended well later. Without its command, it is not known whether it was the same."""
    found = well.get(_same(step)) if c.JENKINS_STEP_DESCRIPTION in step.attributes else None
    return found is not None and order_of(found) > order_of(step)
