"""Answers what placing a build asks: its causes and parameters, and which step of its upstream started it."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from pipeline_trace.ci import jenkins_facts, jenkins_graph
from pipeline_trace.ci.jenkins import Build, Cause, Facts, Gone, Unanswered

from . import flow
from .api import ApiError, Controller, Forbidden, NotFound
from .build import BUILD, STEP, is_pipeline, node_log, own_document, scheduled_jobs, started_builds


class Upstreams:
    """Asks a controller; keeps the answers for one sweep, since many builds have the same upstream."""

    def __init__(self, controller: Controller, detail: str) -> None:
        self._controller = controller
        self._detail = detail
        self._documents: dict[Build, Mapping[str, Any]] = {}
        self._logs: dict[tuple[Build, str], str] = {}
        self._lock = Lock()

    def know(self, build: Build, document: Mapping[str, Any]) -> None:
        """Keep a build's own document, which was fetched for its spans."""
        with self._lock:
            self._documents[build] = document

    def facts(self, build: Build) -> Facts:
        """See Fetch.facts."""
        return jenkins_facts.read(build, self._document(build))

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """See Fetch.starter: the ``build`` step, else its stage, else the run, as far as the detail has spans of them."""
        document = self._document(upstream)
        if self._detail == BUILD or not cause.by_step or not is_pipeline(document):
            return upstream.run_span_id
        tree = flow.read(jenkins_graph.read(jenkins_facts.nodes(document)))
        step = self._step(tree, upstream, started)
        while step is not None and step.kind in (flow.STEP, flow.BRANCH) and self._detail != STEP:
            step = step.parent
        return upstream.span_id(*step.key) if step else upstream.run_span_id

    def _step(self, tree: flow.Flow, upstream: Build, started: Build) -> flow.Element | None:
        candidates = [element for element in tree.walk() if element.starts_build]
        # The likely ones first: each costs a request.
        own_name = started.job.rpartition("/")[2]
        candidates.sort(key=lambda element: own_name not in element.name)
        unnumbered = []
        for step in candidates:
            log = self._log(upstream, step.id)
            builds = started_builds(upstream.controller, log)
            if started in builds:
                return step
            # A step that does not wait names the job, and no number.
            if not builds and started.job in scheduled_jobs(log):
                unnumbered.append(step)
        return unnumbered[0] if len(unnumbered) == 1 else None

    def _log(self, build: Build, node_id: str) -> str:
        key = (build, node_id)
        if key not in self._logs:
            try:
                self._logs[key] = node_log(self._controller, build, node_id)
            except ApiError as error:
                raise Unanswered(str(error)) from None
        return self._logs[key]

    def _document(self, build: Build) -> Mapping[str, Any]:
        with self._lock:
            if build in self._documents:
                return self._documents[build]
        try:
            document = own_document(self._controller, build, self._detail)
        except NotFound as error:
            raise Gone(str(error)) from None
        except Forbidden as error:
            self._check_login()
            raise Gone(str(error)) from None
        except ApiError as error:
            raise Unanswered(str(error)) from None
        self.know(build, document)
        return document

    def _check_login(self) -> None:
        """Raise Unanswered where nothing may be read any more: then it is the login that is gone, not a build."""
        try:
            self._controller.get("api/json", "_class")
        except ApiError as error:
            raise Unanswered(str(error)) from None
