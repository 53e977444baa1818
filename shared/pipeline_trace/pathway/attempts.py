"""Spans -> attempts: each time that a step of the way was gone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .. import conventions as c
from ..report import model
from ..span import Span
from . import environments, waits
from .tree import MAIN, VERSIONS, Runs, failed, is_playbook, is_run, parameter, run_name, said

LOCAL, CHECKS, REVIEW, MERGE = "Local", "PR checks", "review", "merge"


@dataclass(frozen=True)
class Attempt:
    """One time that a step was gone.

    ``step``: LOCAL, CHECKS, MERGE or an environment. ``state``: one of report.model.STATES; ``skip``: a stage was there
    and did not run. ``where``: the stage that failed. ``span``: the run, the stage or the playbook.
    """

    step: str
    service: str
    commit: str
    state: str
    start_ns: int
    end_ns: int
    span: Span
    run: str = ""
    where: str = ""
    message: str = ""
    waited: tuple[waits.Wait, ...] = ()
    version: str = ""

    @property
    def ran_ns(self) -> int:
        """How long it ran, without the waits within."""
        return max(self.end_ns - self.start_ns - waits.covered_ns(self.waited, self.start_ns, self.end_ns), 0)


def read(spans: Sequence[Span]) -> list[Attempt]:
    """Return the attempts that spans tell of, in order of their start."""
    runs = Runs(spans)
    found: list[Attempt] = []
    deploys = {run.span_id: place for run in runs.runs if (place := runs.environment(run))}
    for run in runs.runs:
        if _is_part_of_deploy(runs, run, deploys):
            continue
        if run.span_id in deploys:
            found += _deploy(runs, run, deploys[run.span_id])
        else:
            found += _build(runs, run, deploys)
    found += _outside(runs, [span for span in runs.spans if runs.run_above(span) is None and not is_run(span)])
    return sorted(_one_name_a_service(runs, found), key=lambda attempt: attempt.start_ns)


def _is_part_of_deploy(runs: Runs, run: Span, deploys: dict[str, str]) -> bool:
    return any(above.span_id in deploys for above in runs.above(run) if is_run(above))


def _deploy(runs: Runs, run: Span, place: str) -> Iterator[Attempt]:
    """A run that deploys to one environment, by one playbook, by several, or by anything else."""
    played = _by_service(runs.playbooks(run))
    within = runs.within(run)
    before = _inputs_before(runs, run)
    stage = _failed_around(runs, run)
    for name in list(played) if len(played) > 1 else [next(iter(played), "")]:
        whole = len(played) < 2
        span = run if whole else played[name][0]
        state, where = model.state(run), _where_failed(runs, run)
        if not whole:
            state, where = _worst([model.state(one) for one in played[name]]), ""
        elif state == c.SUCCESS and stage is not None:
            # The deploy went well, what its stage did after it not.
            state, where = model.state(stage), stage.name
        yield Attempt(
            place,
            name or runs.job_service(run),
            runs.commit(run) or _commit_of(played.get(name, ())),
            state,
            run.start_ns if whole else span.start_ns,
            run.end_ns if whole else max(one.end_ns for one in played[name]),
            span,
            run_name(run),
            where,
            _why(played.get(name, ())) or model.message(run) or (model.message(stage) if stage else ""),
            (*waits.of(within), *before),
            _version(run, played.get(name, ())),
        )


def _build(runs: Runs, run: Span, deploys: dict[str, str]) -> Iterator[Attempt]:
    """A run that builds, and its stages that deploy."""
    below = [one for one in runs.runs if one.span_id in deploys and runs.run_above(one) is run]
    stages = _deploy_stages(runs, run, below)
    reached = [stage for stage, _ in stages if model.state(stage) != c.SKIP]
    for stage, place in stages:
        if not any(runs.is_below(one, stage) for one in below):
            yield from _stage(runs, run, stage, place)
    played = [one for one in runs.playbooks(run) if not any(runs.is_below(one, stage) for stage, _ in stages)]
    for (place, name), books in _by_place(played).items():
        yield _played(runs, books, place, name or runs.job_service(run))
    if any(is_run(one) and runs.commit(one) == runs.commit(run) for one in runs.above(run)):
        return
    starts = [span.start_ns for span in (*reached, *below, *played)]
    if said(run, c.VCS_HEAD_NAME) or said(run, c.VCS_CHANGE_ID) or not starts:
        yield _before_deploys(runs, run, min(starts, default=0))


def _before_deploys(runs: Runs, run: Span, deploys_at: int) -> Attempt:
    """A build without its deploys. ``deploys_at``: when the first of them began, 0 for none."""
    end = min(deploys_at, run.end_ns) or run.end_ns
    broken = [stage for stage in runs.stages(run) if failed(stage) and stage.start_ns < end]
    # The one that holds the failed one has failed, too.
    broken = [one for one in broken if not any(runs.is_below(other, one) for other in broken)]
    if deploys_at:
        broken = [one for one in broken if one.end_ns <= deploys_at]
    state = model.state(run) if broken or not deploys_at else c.SUCCESS
    branch = said(run, c.VCS_HEAD_NAME)
    step = MERGE if branch in MAIN and not said(run, c.VCS_CHANGE_ID) else CHECKS
    lasted = [span for span in runs.within(run) if span.start_ns < end]
    message = (model.message(broken[0]) or model.message(run)) if broken else model.message(run)
    return Attempt(
        step,
        runs.job_service(run),
        runs.commit(run),
        state,
        run.start_ns,
        end,
        run,
        run_name(run),
        broken[0].name if broken else "",
        "" if state == c.SUCCESS else message,
        waits.of(lasted),
    )


def _deploy_stages(runs: Runs, run: Span, below: list[Span]) -> list[tuple[Span, str]]:
    """Return the outermost stages that deploy, and where to."""
    found: list[tuple[Span, str]] = []
    for stage in runs.stages(run):
        if any(runs.is_below(stage, one) for one, _ in found):
            continue
        deploys = any(runs.is_below(one, stage) for one in (*below, *runs.playbooks(run)))
        place = environments.of_stage(stage.name, deploys)
        if place:
            found.append((stage, place))
    return found


def _stage(runs: Runs, run: Span, stage: Span, place: str) -> Iterator[Attempt]:
    """A stage that deploys by itself."""
    inside = [span for span in runs.within(run) if runs.is_below(span, stage)]
    played = _by_place([span for span in inside if is_playbook(span)])
    if len(played) > 1:
        for (at, name), books in played.items():
            yield _played(runs, books, at, name or runs.job_service(run))
        return
    ((said_place, name), books) = next(iter(played.items()), (("", ""), []))
    yield Attempt(
        said_place or place,
        name or runs.job_service(run),
        runs.commit(run),
        model.state(stage),
        stage.start_ns,
        stage.end_ns,
        stage,
        run_name(run),
        stage.name if failed(stage) else "",
        _why(books) or model.message(stage),
        (*waits.of(inside), *_inputs_before(runs, stage)),
        _version(run, books),
    )


def _outside(runs: Runs, spans: Sequence[Span]) -> Iterator[Attempt]:
    """Playbooks of builds that were not polled yet, or of none, and what a person ran at home."""
    together: dict[str, list[Span]] = {}
    for book in filter(is_playbook, spans):
        # Several playbooks of one build or one command are one deploy.
        together.setdefault(run_name(book) or book.parent_id or book.span_id, []).append(book)
    for books in together.values():
        for (place, name), those in _by_place(books).items():
            derived = environments.service(said(books[0], c.PIPELINE_NAME)) or said(books[0], c.VCS_REPOSITORY_NAME)
            yield _played(runs, those, place, name or derived)
    for span in spans:
        commit = said(span, c.VCS_HEAD_REVISION)
        alone = span.parent_id is None and commit and not run_name(span) and not is_playbook(span)
        if alone and not any(is_playbook(one) and runs.is_below(one, span) for one in spans):
            state, service = model.state(span), said(span, c.VCS_REPOSITORY_NAME)
            yield Attempt(LOCAL, service, commit, state, span.start_ns, span.end_ns, span, "", "", model.message(span))


def _played(runs: Runs, books: Sequence[Span], place: str, service: str) -> Attempt:
    first = books[0]
    state = _worst([model.state(one) for one in books])
    end = 0 if state == model.RUNNING else max(one.end_ns for one in books)
    name, version = run_name(runs.run_above(first) or first), _version(first, books)
    commit = runs.commit(first)
    return Attempt(place, service, commit, state, first.start_ns, end, first, name, "", _why(books), (), version)


def _inputs_before(runs: Runs, span: Span) -> tuple[waits.Wait, ...]:
    """Return the waits for a person in the build around a deploy: since the deploy before it, in this build."""
    run = runs.run_above(span)
    if run is None:
        return ()
    around = {one.span_id for one in (span, *runs.above(span))}
    earlier = [one for one in runs.runs if runs.run_above(one) is run and one.start_ns < span.start_ns]
    earlier += [stage for stage, _ in _deploy_stages(runs, run, []) if stage.span_id not in around]
    since = max((one.end_ns for one in earlier if one.end_ns <= span.start_ns), default=0)
    inputs = [
        one
        for one in runs.within(run)
        if one.attributes.get(c.JENKINS_TYPE) == c.TYPE_INPUT and since <= one.start_ns and one.end_ns <= span.start_ns
    ]
    return waits.of(inputs)


def _failed_around(runs: Runs, run: Span) -> Span | None:
    """Return the stage around a deploy if it failed, and no deploy in it did."""
    stage = next(iter(runs.stages_around(run)), None)
    if stage is None or not failed(stage):
        return None
    return None if any(failed(one) and runs.is_below(one, stage) for one in runs.runs) else stage


def _where_failed(runs: Runs, run: Span) -> str:
    broken = [stage for stage in runs.stages(run) if failed(stage)]
    inner = [one for one in broken if not any(runs.is_below(other, one) for other in broken)]
    return inner[0].name if inner else ""


def _by_service(books: Sequence[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for book in books:
        found.setdefault(said(book, c.DEPLOYMENT_NAME), []).append(book)
    return found


def _by_place(books: Sequence[Span]) -> dict[tuple[str, str], list[Span]]:
    found: dict[tuple[str, str], list[Span]] = {}
    for book in books:
        place = environments.environment(said(book, c.DEPLOYMENT_ENVIRONMENT))
        found.setdefault((place, said(book, c.DEPLOYMENT_NAME)), []).append(book)
    return found


def _worst(states: Sequence[str]) -> str:
    return min(states, key=model.STATES.index)


def _why(books: Sequence[Span]) -> str:
    return next((text for book in books if failed(book) and (text := model.message(book))), "")


def _commit_of(books: Sequence[Span]) -> str:
    return next((found for book in books if (found := said(book, c.VCS_HEAD_REVISION))), "")


def _version(span: Span, books: Sequence[Span]) -> str:
    told = next((version for book in books if (version := said(book, c.ARTIFACT_VERSION))), "")
    return told or said(span, c.ARTIFACT_VERSION) or parameter(span, VERSIONS)


def _one_name_a_service(runs: Runs, attempts: list[Attempt]) -> list[Attempt]:
    """Give what a job builds and deploys the name that its playbooks say, also where they were not traced."""
    told: dict[str, set[str]] = {}
    for run in runs.runs:
        names = {name for book in runs.playbooks(run) if (name := said(book, c.DEPLOYMENT_NAME))}
        told.setdefault(runs.job_service(run), set()).update(names)
    only = {derived: next(iter(names)) for derived, names in told.items() if len(names) == 1}
    return [replace(one, service=only.get(one.service, one.service)) for one in attempts]
