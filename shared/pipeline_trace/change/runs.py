"""Arranges the spans of traces as a tree of runs, and answers questions about each run. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..lookup.states import has_failed
from ..lookup.tree import parents_of
from ..trace import conventions as c
from ..trace.queries import (
    attribute_text,
    build_name_of,
    is_deploy,
    is_dry_run,
    is_playbook,
    is_run,
    is_stage,
    order_of,
    parameter,
    revision_of,
)
from ..trace.span import Span
from ..trace.words import environment_name
from . import environments


class RunTree:
    """The runs in some spans, each with the spans in it.

    Several builds may have started one run: the queue joins them. It counts below the one that is wanted, else below its
    parent.
    """

    def __init__(self, spans: Sequence[Span], wanted: Callable[[Span], bool] = lambda span: False) -> None:
        """``wanted``: whether a span is of the build or the commit that was asked for."""
        self._wanted = wanted
        self.spans = sorted(spans, key=lambda span: (order_of(span), span.span_id))
        self._by_id: dict[str, Span] = {}
        self._above: dict[str, frozenset[str]] = {}
        # Without the cycles that broken ids make: there is a parent for each span but the roots.
        self._parents: dict[str, Span] = {}
        for span, parent in zip(self.spans, parents_of(self.spans), strict=True):
            if self._by_id.setdefault(span.span_id, span) is span and parent is not None:
                self._parents[span.span_id] = self.spans[parent]
        # A downstream build that has a trace of its own has no parent span, and a shared one has only one. The links of the
        # steps that started it name it.
        self._started: dict[str, list[str]] = {}
        for span in self.spans:
            for link in span.links:
                if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED:
                    self._started.setdefault(link.span_id, []).append(span.span_id)
        self.runs = [span for span in self.spans if is_run(span)]
        self._put_below_builds()
        self._nearest: dict[str, Span | None] = {}
        self._within: dict[str, list[Span]] = {}
        self._runs_below: dict[str, list[Span]] = {}
        for span in self.spans:
            run = self.run_above(span)
            if run:
                (self._runs_below if is_run(span) else self._within).setdefault(run.span_id, []).append(span)

    def _put_below_builds(self) -> None:
        """Put what names a build below its run, where its own parent is not here: an outline has no plain steps."""
        named: dict[tuple[str, str], Span] = {}
        for run in self.runs:
            named.setdefault((run.trace_id, build_name_of(run)), run)
        for span in self.spans:
            own = named.get((span.trace_id, build_name_of(span)))
            if own and span.parent_id and span.span_id not in self._parents and not is_run(span):
                self._parents[span.span_id] = own

    def above(self, span: Span) -> Iterator[Span]:
        """Yield the ancestors of a span, nearest first."""
        return self._chain(span, self._chosen)

    def _chain(self, span: Span, choose: Callable[[Sequence[Span]], Span]) -> Iterator[Span]:
        """Yield the ancestors of a span. ``choose``: which of the steps that started a run is its parent."""
        seen = {span.span_id}
        while True:
            parent = self._parents.get(span.span_id)
            if span.span_id in self._started:
                parent = choose(self._starters(span))
            if parent is None or parent.span_id in seen:
                return
            yield parent
            seen.add(parent.span_id)
            span = parent

    def _chosen(self, starters: Sequence[Span]) -> Span:
        return next((one for one in starters if self._is_wanted(one)), starters[0])

    def _is_wanted(self, span: Span) -> bool:
        return any(map(self._wanted, (span, *self._chain(span, lambda starters: starters[0]))))

    def _starters(self, span: Span) -> list[Span]:
        """Return the parent of a span that steps link to, if it is here, then those steps."""
        ids = dict.fromkeys([span.parent_id or "", *self._started[span.span_id]])
        return [self._by_id[one] for one in ids if one in self._by_id]

    def is_below(self, span: Span, above: Span) -> bool:
        """Return whether ``above`` is an ancestor of ``span``."""
        if span.span_id not in self._above:
            self._above[span.span_id] = frozenset(one.span_id for one in self.above(span))
        return above.span_id in self._above[span.span_id]

    def run_above(self, span: Span) -> Span | None:
        """Return the nearest run that is an ancestor of a span; None if there is none."""
        if span.span_id not in self._nearest:
            # What is passed on the way up has the same one: a chain may be thousands of spans deep.
            passed, found = [span], None
            for one in self.above(span):
                if is_run(one) or one.span_id in self._nearest:
                    found = one if is_run(one) else self._nearest[one.span_id]
                    break
                passed.append(one)
            self._nearest.update((one.span_id, found) for one in passed)
        return self._nearest[span.span_id]

    def within(self, run: Span) -> list[Span]:
        """Return the spans in a run, without those of the runs that it started, in order of start."""
        return self._within.get(run.span_id, [])

    def runs_below(self, run: Span) -> list[Span]:
        """Return the runs that a run started directly, in order of start."""
        return self._runs_below.get(run.span_id, [])

    def stages(self, run: Span) -> list[Span]:
        """Return a run's stages and branches, in order of start."""
        return [s for s in self.within(run) if is_stage(s)]

    def broken(self, run: Span) -> Span | None:
        """Return the innermost stage of a run that failed first; None if none failed."""
        broken = [stage for stage in self.stages(run) if has_failed(stage)]
        inner = [one for one in broken if not any(self.is_below(other, one) for other in broken)]
        return inner[0] if inner else None

    def commit(self, span: Span) -> str:
        """Return the commit of a span: its own attribute, else that of the nearest ancestor with one; "" if none has one.

        A run that checks out only another repository takes the commit of its ancestor.
        """
        found, repository = revision_of(span), attribute_text(span, c.VCS_REPOSITORY_URL)
        elsewhere = is_run(span) and repository and not parameter(span, c.VCS_HEAD_REVISION)
        if found and not elsewhere:
            return found
        for one in self.above(span):
            above = revision_of(one)
            if above and (not found or attribute_text(one, c.VCS_REPOSITORY_URL) not in ("", repository)):
                return above
        return found

    def playbooks(self, run: Span) -> list[Span]:
        """Return the playbooks in a run that deploy."""
        return [span for span in self.within(run) if is_deploy(span)]

    def only_tries(self, span: Span) -> bool:
        """Return whether the playbooks in a run or a stage are dry runs, all of them."""
        run = span if is_run(span) else self.run_above(span)
        inside = self.within(run) if run else ()
        books = [one for one in inside if is_playbook(one) and (span is run or self.is_below(one, span))]
        return bool(books) and all(map(is_dry_run, books))

    def job_service(self, run: Span) -> str:
        """Return the service that a run's job builds or deploys: from its parameters, the job's name or the repository."""
        job = attribute_text(run, c.PIPELINE_NAME)
        if attribute_text(run, c.VCS_CHANGE_ID) or _is_branch(job, attribute_text(run, c.VCS_HEAD_NAME)):
            job = job.rpartition("/")[0]
        repository = attribute_text(run, c.VCS_REPOSITORY_NAME)
        return (
            parameter(run, c.DEPLOYMENT_NAME)
            or environments.service_of_job(job)
            or repository
            or attribute_text(run, c.PIPELINE_NAME)
        )

    def environment(self, run: Span) -> str:
        """Return the environment that a run as a whole deploys to; "" for none or for several."""
        job = attribute_text(run, c.PIPELINE_NAME)
        if environments.is_check_job(job) or self.only_tries(run):
            return ""
        if len({place for stage in self.stages(run) if (place := environments.environment_of_stage(stage.name, False))}) > 1:
            return ""
        given = parameter(run, c.DEPLOYMENT_ENVIRONMENT)
        if given:
            return environment_name(given)
        played = {environment_name(attribute_text(one, c.DEPLOYMENT_ENVIRONMENT)) for one in self.playbooks(run)}
        if len(played) > 1:
            return ""
        around = (environments.environment_of_stage(stage.name, True) for stage in self.stages_around(run))
        named = next(filter(None, around), "") or environments.environment_of_stage(job.rpartition("/")[2], False)
        # The build of a branch does more than deploy: only its stage with the playbook is the deploy.
        return named or ("" if attribute_text(run, c.VCS_HEAD_NAME) else next(iter(played), ""))

    def stages_around(self, run: Span) -> Iterator[Span]:
        """Yield the stages around the step that started a run, innermost first."""
        for span in self.above(run):
            if is_run(span):
                return
            if is_stage(span):
                yield span


def _is_branch(job: str, branch: str) -> bool:
    last = job.rpartition("/")[2]
    return bool(branch) and "/" in job and last in (branch, branch.replace("/", "%2F"))
