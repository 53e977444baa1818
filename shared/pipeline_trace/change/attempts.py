"""Turns spans into attempts. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ..lookup import states
from ..lookup.states import has_failed
from ..lookup.twice import build_of
from ..trace import conventions as c
from ..trace.others import is_of_plugin
from ..trace.queries import attribute_text, build_name_of, is_deploy, is_dry_run, is_run
from ..trace.span import Span
from . import builds, environments, waits
from .attempt import LOCAL, Attempt, by_place, is_refused, message_of, of_playbooks, version_of, why, worst
from .runs import RunTree


def attempts_of(spans: Sequence[Span], wanted: Callable[[Span], bool] = lambda span: False) -> list[Attempt]:
    """Return the attempts in these spans, in order of their start. ``wanted``: see RunTree."""
    return attempts_in(RunTree(spans, wanted))


def attempts_in(runs: RunTree) -> list[Attempt]:
    """Return the attempts of some runs, in order of their start."""
    found: list[Attempt] = []
    deploys = {run.span_id: place for run in runs.runs if (place := runs.environment(run))}
    for run in runs.runs:
        if _is_part_of_deploy(runs, run, deploys):
            continue
        if run.span_id in deploys:
            found += _deploy(runs, run, deploys[run.span_id])
        else:
            found += builds.attempts_of_build(runs, run, deploys)
    found += _outside(runs, [span for span in runs.spans if runs.run_above(span) is None and not is_run(span)])
    return sorted(_once(runs, _one_name_a_service(runs, found)), key=lambda attempt: attempt.start_ns)


def _is_part_of_deploy(runs: RunTree, run: Span, deploys: dict[str, str]) -> bool:
    return any(above.span_id in deploys for above in runs.above(run) if is_run(above))


def _deploy(runs: RunTree, run: Span, place: str) -> Iterator[Attempt]:
    """Yield the attempts of a run that deploys to one environment, with or without playbooks."""
    played = _by_service(runs.playbooks(run))
    within = runs.within(run)
    before = builds.inputs_before(runs, run)
    stage = _failed_around(runs, run)
    for name in list(played) if len(played) > 1 else [next(iter(played), "")]:
        whole = len(played) < 2
        span = run if whole else played[name][0]
        state, broken = states.state(run), runs.broken(run)
        where = broken.name if broken else ""
        if not whole:
            state, where = worst([states.state(one) for one in played[name]]), ""
        elif state == c.SUCCESS and stage is not None:
            # The deploy succeeded, but its stage failed afterwards.
            state, where = states.state(stage), stage.name
        yield Attempt(
            place,
            name or runs.job_service(run),
            runs.commit(run) or _commit_of(played.get(name, ())),
            state,
            run.start_ns if whole else span.start_ns,
            run.end_ns if whole else max(one.end_ns for one in played[name]),
            span,
            build_name_of(run),
            where,
            why(played.get(name, ())) or message_of(run, run) or _first_message(broken, stage),
            is_refused(run, run),
            (*waits.waits_of(within), *before),
            version_of(run, played.get(name, ())),
        )


def _outside(runs: RunTree, spans: Sequence[Span]) -> Iterator[Attempt]:
    """Yield the attempts without a run in the store: playbooks of builds not polled yet, and what a person ran locally."""
    for books in _together(filter(is_deploy, spans)):
        for (place, name), those in by_place(books).items():
            derived = environments.service_of_job(attribute_text(books[0], c.PIPELINE_NAME)) or attribute_text(
                books[0], c.VCS_REPOSITORY_NAME
            )
            yield of_playbooks(runs, those, place, name or derived)
    for span in spans:
        commit = attribute_text(span, c.VCS_HEAD_REVISION)
        alone = span.parent_id is None and commit and not (build_name_of(span) or is_deploy(span) or is_dry_run(span))
        if alone and not any(is_deploy(one) and runs.is_below(one, span) for one in spans):
            done = span.attributes.get(c.PROCESS_EXIT_CODE) == 0
            state, service = c.SUCCESS if done else states.state(span), attribute_text(span, c.VCS_REPOSITORY_NAME)
            yield Attempt(LOCAL, service, commit, state, span.start_ns, span.end_ns, span, "", "", states.message(span))


def _together(books: Iterable[Span]) -> Iterable[list[Span]]:
    """Return the playbooks of each deploy: several of one build or one command make up one, in order of start.

    The name of a build says which one it is in its trace alone. A job that runs again in it, as GitLab retries one, deploys
    again.
    """
    found: dict[tuple[str, str, int], list[Span]] = {}
    tries: dict[tuple[str, str, str], list[str]] = {}
    for book in books:
        key = book.trace_id, build_name_of(book) or book.parent_id or book.span_id
        jobs = tries.setdefault((*key, attribute_text(book, c.TASK_NAME)), [])
        job = attribute_text(book, c.TASK_RUN_ID)
        if job not in jobs:
            jobs.append(job)
        found.setdefault((*key, jobs.index(job)), []).append(book)
    return found.values()


def _failed_around(runs: RunTree, run: Span) -> Span | None:
    """Return the stage around a deploy if the stage failed but no deploy in it failed."""
    stage = next(iter(runs.stages_around(run)), None)
    if stage is None or not has_failed(stage):
        return None
    return None if any(has_failed(one) and runs.is_below(one, stage) for one in runs.runs) else stage


def _first_message(*spans: Span | None) -> str:
    return next((said for span in spans if span and (said := states.message(span))), "")


def _by_service(books: Sequence[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for book in books:
        found.setdefault(attribute_text(book, c.DEPLOYMENT_NAME), []).append(book)
    return found


def _commit_of(books: Sequence[Span]) -> str:
    return next((found for book in books if (found := attribute_text(book, c.VCS_HEAD_REVISION))), "")


def _once(runs: RunTree, attempts: Sequence[Attempt]) -> Iterator[Attempt]:
    """Yield the attempts, each once: as the poller tells it where Jenkins' OpenTelemetry plugin tells the same build."""
    builds = [one.span if is_run(one.span) else runs.run_above(one.span) for one in attempts]
    keys = [(one.step, one.service, build_of(run)) if run else None for one, run in zip(attempts, builds, strict=True)]
    polled = {key for key, run in zip(keys, builds, strict=True) if run and not is_of_plugin(run)}
    for one, key, run in zip(attempts, keys, builds, strict=True):
        if not (run and is_of_plugin(run) and key in polled):
            yield one


def _one_name_a_service(runs: RunTree, attempts: list[Attempt]) -> list[Attempt]:
    """Name each attempt's service as its job's playbooks do, also for runs without traced playbooks."""
    told: dict[str, set[str]] = {}
    for run in runs.runs:
        names = {name for book in runs.playbooks(run) if (name := attribute_text(book, c.DEPLOYMENT_NAME))}
        told.setdefault(runs.job_service(run), set()).update(names)
    only = {derived: next(iter(names)) for derived, names in told.items() if len(names) == 1}
    return [replace(one, service=only.get(one.service, one.service)) for one in attempts]
