"""Turns a build of a branch into attempts: the build itself, and its stages that deploy. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ..lookup import states
from ..lookup.states import has_failed
from ..trace import conventions as c
from ..trace.queries import attribute_text, build_name_of, has_times, is_deploy, is_run, order_of, type_of
from ..trace.span import Span
from ..trace.words import MAIN_BRANCHES
from . import environments, waits
from .attempt import CHECKS, MERGE, Attempt, by_place, is_refused, message_of, of_playbooks, version_of, why
from .runs import RunTree


def attempts_of_build(runs: RunTree, run: Span, deploys: dict[str, str]) -> Iterator[Attempt]:
    """Yield a build's attempts. ``deploys``: span ids of the runs that deploy, with the environment of each."""
    below = [one for one in runs.runs_below(run) if one.span_id in deploys]
    stages = deploy_stages(runs, run, below)
    reached = [stage for stage, _ in stages if states.state(stage) != c.SKIP]
    for stage, place in stages:
        if not any(runs.is_below(one, stage) for one in below):
            yield from _stage(runs, run, stage, place)
    yield from _between(runs, run, stages, below)
    played = [one for one in runs.playbooks(run) if not any(runs.is_below(one, stage) for stage, _ in stages)]
    for (place, name), books in by_place(played).items():
        yield of_playbooks(runs, books, place, name or runs.job_service(run))
    if any(is_run(one) and runs.commit(one) == runs.commit(run) for one in runs.above(run)):
        return
    first = min((*reached, *below, *played), key=order_of, default=None)
    if attribute_text(run, c.VCS_HEAD_NAME) or attribute_text(run, c.VCS_CHANGE_ID) or first is None:
        yield _before_deploys(runs, run, first)


def _between(runs: RunTree, run: Span, stages: list[tuple[Span, str]], below: list[Span]) -> Iterator[Attempt]:
    """Yield what ended a build between two deploys: failed tests of the first, or a rejected approval of the second."""
    left_out = next((at for at, (stage, _) in enumerate(stages) if states.state(stage) == c.SKIP), 0)
    if not left_out:
        return
    (before, place), (skipped, upcoming) = stages[left_out - 1], stages[left_out]
    ended = [
        one
        for one in runs.stages(run)
        if before.end_ns <= one.start_ns <= skipped.start_ns and (has_failed(one) or states.state(one) == c.CANCELLATION)
    ]
    if not ended or has_failed(before):
        return
    stage, state = ended[0], states.state(ended[0])
    services = {runs.job_service(one) for one in below if runs.is_below(one, before)} or {runs.job_service(run)}
    for service in sorted(services):
        yield Attempt(
            place if has_failed(stage) else upcoming,
            service,
            runs.commit(run),
            state,
            stage.start_ns,
            stage.end_ns,
            stage,
            build_name_of(run),
            stage.name,
            message_of(stage, run),
            is_refused(stage, run),
            waits.waits_of(one for one in runs.within(run) if runs.is_below(one, stage)),
        )


def _before_deploys(runs: RunTree, run: Span, first: Span | None) -> Attempt:
    """Return the attempt of a build without its deploys. ``first``: what deploys first."""
    deploys_at = first.start_ns if first else 0
    end = min(deploys_at, run.end_ns) or run.end_ns
    until = order_of(first) if first else (end, 0)
    broken = [stage for stage in runs.stages(run) if has_failed(stage) and order_of(stage) < until]
    # A stage around a failed stage has failed, too: keep the inner one.
    broken = [one for one in broken if not any(runs.is_below(other, one) for other in broken)]
    if deploys_at:
        broken = [one for one in broken if one.end_ns <= deploys_at]
    state = states.state(run) if broken or not deploys_at else c.SUCCESS
    branch = attribute_text(run, c.VCS_HEAD_NAME)
    step = MERGE if branch in MAIN_BRANCHES and not attribute_text(run, c.VCS_CHANGE_ID) else CHECKS
    waited = waits.waits_of(span for span in runs.within(run) if span.start_ns < end)
    # An approval before the first deploy counts as a wait of that deploy.
    paused = tuple(wait for wait in waited if wait.on == waits.PERSON and deploys_at)
    message = (states.message(broken[0]) if broken else "") or message_of(run, run)
    return Attempt(
        step,
        runs.job_service(run),
        runs.commit(run),
        state,
        run.start_ns,
        end,
        run,
        build_name_of(run),
        broken[0].name if broken else "",
        "" if state == c.SUCCESS else message,
        is_refused(run, run),
        tuple(wait for wait in waited if wait not in paused),
        version_of(run, ()),
        paused,
        first is None or has_times(first),
    )


def deploy_stages(runs: RunTree, run: Span, below: list[Span]) -> list[tuple[Span, str]]:
    """Return the outermost stages that deploy, with the environment of each; none that says itself where it deploys."""
    found: list[tuple[Span, str]] = []
    for stage in runs.stages(run):
        if is_deploy(stage) or any(runs.is_below(stage, one) for one, _ in found):
            continue
        deploys = any(runs.is_below(one, stage) for one in (*below, *runs.playbooks(run)))
        place = environments.environment_of_stage(stage.name, deploys)
        if place and not runs.only_tries(stage):
            found.append((stage, place))
    return found


def _stage(runs: RunTree, run: Span, stage: Span, place: str) -> Iterator[Attempt]:
    """Yield the attempts of a stage that deploys without a downstream build."""
    inside = [span for span in runs.within(run) if runs.is_below(span, stage)]
    played = by_place([span for span in inside if is_deploy(span)])
    if len(played) > 1:
        for (at, name), books in played.items():
            yield of_playbooks(runs, books, at, name or runs.job_service(run))
        return
    ((said_place, name), books) = next(iter(played.items()), (("", ""), []))
    timed = has_times(stage) or not books
    yield Attempt(
        said_place or place,
        name or runs.job_service(run),
        runs.commit(run),
        states.state(stage),
        stage.start_ns if timed else books[0].start_ns,
        stage.end_ns if timed else max(one.end_ns for one in books),
        stage,
        build_name_of(run),
        stage.name if has_failed(stage) else "",
        why(books) or message_of(stage, run),
        is_refused(stage, run),
        (*waits.waits_of(inside), *inputs_before(runs, stage)),
        version_of(run, books),
        timed=has_times(stage) or bool(books),
    )


def inputs_before(runs: RunTree, span: Span) -> tuple[waits.Wait, ...]:
    """Return the waits for a person before a deploy, since the previous deploy in the same build."""
    run = runs.run_above(span)
    if run is None:
        return ()
    around = {one.span_id for one in (span, *runs.above(span))}
    earlier = [one for one in runs.runs_below(run) if one.start_ns < span.start_ns]
    earlier += [stage for stage, _ in deploy_stages(runs, run, []) if stage.span_id not in around]
    since = max((one.end_ns for one in earlier if one.end_ns <= span.start_ns), default=0)
    inputs = [
        one
        for one in runs.within(run)
        if type_of(one) == c.TYPE_INPUT and since <= one.start_ns and one.end_ns <= span.start_ns
    ]
    return waits.waits_of(inputs)
