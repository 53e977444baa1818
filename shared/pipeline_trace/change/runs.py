"""The spans of some traces as a tree of runs: what is below what, and what is known of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..trace import conventions as c
from ..trace.queries import attribute_text, is_deploy, is_run, is_stage, parameter, revision_of
from ..trace.span import Span
from ..trace.words import environment_name
from . import environments


class RunTree:
    """Runs with what belongs to each."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
        self._by_id: dict[str, Span] = {}
        self._above: dict[str, frozenset[str]] = {}
        for span in self.spans:
            self._by_id.setdefault(span.span_id, span)
        # With a trace for each build a downstream build has no parent, but the step that started it says so.
        self._started = {
            link.span_id: span.span_id
            for span in self.spans
            for link in span.links
            if link.attributes.get(c.JENKINS_LINK) == c.LINK_STARTED
        }
        self.runs = [span for span in self.spans if is_run(span)]
        self._within: dict[str, list[Span]] = {}
        self._runs_below: dict[str, list[Span]] = {}
        for span in self.spans:
            run = self.run_above(span)
            if run:
                (self._runs_below if is_run(span) else self._within).setdefault(run.span_id, []).append(span)

    def above(self, span: Span) -> Iterator[Span]:
        """Yield the spans that a span is within, the nearest first."""
        seen = {span.span_id}
        while True:
            parent = self._by_id.get(span.parent_id or "") or self._by_id.get(self._started.get(span.span_id, ""))
            if parent is None or parent.span_id in seen:
                return
            yield parent
            seen.add(parent.span_id)
            span = parent

    def is_below(self, span: Span, above: Span) -> bool:
        """Tell whether a span is within another one."""
        if span.span_id not in self._above:
            self._above[span.span_id] = frozenset(one.span_id for one in self.above(span))
        return above.span_id in self._above[span.span_id]

    def run_above(self, span: Span) -> Span | None:
        """Return the nearest run that a span is within."""
        return next(filter(is_run, self.above(span)), None)

    def within(self, run: Span) -> list[Span]:
        """Return what is within a run and not within a run below it, in order of start."""
        return self._within.get(run.span_id, [])

    def runs_below(self, run: Span) -> list[Span]:
        """Return the runs that a run started itself, in order of start."""
        return self._runs_below.get(run.span_id, [])

    def stages(self, run: Span) -> list[Span]:
        """Return a run's stages and branches, in order of start."""
        return [s for s in self.within(run) if is_stage(s)]

    def commit(self, span: Span) -> str:
        """Return the commit that a span is about: what it says itself, else the nearest one above it that does.

        A run that has only another repository checked out is about what the run above it is about.
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
        """Return the playbooks of a run that deploy."""
        return [span for span in self.within(run) if is_deploy(span)]

    def job_service(self, run: Span) -> str:
        """Return what a run's job builds or deploys: by its parameters, the job's name or the repository."""
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
        """Return where a run as a whole deploys to; an empty string where it does not, or to several."""
        job = attribute_text(run, c.PIPELINE_NAME)
        if environments.is_check_job(job):
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
        # A build that is on a branch is more than a deploy: its stage with the playbook is the deploy.
        return named or ("" if attribute_text(run, c.VCS_HEAD_NAME) else next(iter(played), ""))

    def stages_around(self, run: Span) -> Iterator[Span]:
        """Yield the stages that a run was started in, the inmost first."""
        for span in self.above(run):
            if is_run(span):
                return
            if is_stage(span):
                yield span


def _is_branch(job: str, branch: str) -> bool:
    last = job.rpartition("/")[2]
    return bool(branch) and "/" in job and last in (branch, branch.replace("/", "%2F"))
