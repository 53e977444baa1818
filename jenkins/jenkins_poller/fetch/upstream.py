"""Fetches what a build's place in a trace depends on: causes, parameters, and the upstream step that started the build."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Generic, TypeVar

from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace.place.ci.jenkins.chain import Cause, Facts, Gone, Unanswered
from pipeline_trace.place.ci.jenkins.identity import Build

from . import flow
from .build import Reader
from .document import BUILD, STEP, is_pipeline, own_document
from .errors import ApiError, Forbidden, NotFound
from .nodelog import StartedLog, build_of_path, is_build_path
from .sources import Missing, graph_view

# The size of the caches: flow nodes of documents (about a kilobyte each), and logs.
_MOST_NODES = 5_000
_MOST_LOGS = 2000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Upstreams:
    """Implements chain.Fetch. Keeps the last answers of a poll, because many builds have the same upstream build."""

    def __init__(self, reader: Reader) -> None:
        self._controller = reader.controller
        self._detail = reader.detail
        self._logs = reader.logs
        self._sources = reader.sources
        self._present = reader.present
        self._documents = _Last[Build, Mapping[str, Any]](_MOST_NODES)
        self._started = _Last[tuple[Build, str], StartedLog](_MOST_LOGS)
        self._starts = _Last[Build, Mapping[str, Sequence[Build]]](_MOST_LOGS)

    def know(self, build: Build, document: Mapping[str, Any]) -> None:
        """Keep a build's document, which was fetched for its spans."""
        self._documents.keep(build, document, 1 + len(documents.graph_nodes(document)))

    def know_started(self, build: Build, started: Mapping[str, Sequence[Build]]) -> None:
        """Keep which builds the steps of a build started, by node id, which was fetched for its spans."""
        self._starts.keep(build, started, 1 + len(started))

    def facts(self, build: Build) -> Facts:
        """Return a build's causes and parameters. See chain.Fetch.facts."""
        facts = documents.facts_of(build, self._document(build))
        causes = [replace(cause, build=self._present(cause.build)) if cause.build else cause for cause in facts.causes]
        return replace(facts, causes=causes, repeats=self._present(facts.repeats) if facts.repeats else None)

    def starter(self, upstream: Build, started: Build, cause: Cause) -> str:
        """Return the span id of what started a build: the ``build`` step, else its stage, else the run.

        Depends on which of them have spans at this detail. See chain.Fetch.starter.
        """
        document = self._document(upstream)
        if self._detail == BUILD or not cause.by_step or not is_pipeline(document):
            return upstream.run_span_id
        tree = flow.flow_of(graph.nodes_by_id(documents.graph_nodes(document)))
        step = self._step(tree, upstream, started)
        while step is not None and step.kind in (flow.STEP, flow.BRANCH) and self._detail != STEP:
            step = step.parent
        return upstream.span_id(*step.key) if step else upstream.run_span_id

    def _step(self, tree: flow.Flow, upstream: Build, started: Build) -> flow.Element | None:
        candidates = [element for element in tree.walk() if element.starts_build]
        own_name = flow.BUILD_STEP + started.job.replace("/", " » ")
        named = [element for element in candidates if element.name == own_name]
        if len(named) == 1:
            # The only step that starts builds of this job.
            return named[0]
        # Each candidate costs a request, so the likely ones come first.
        candidates.sort(key=lambda element: element.name != own_name)
        # Neither plugins nor logs name a generation.
        wanted, told = replace(started, generation=0), self._told(upstream)
        for step in candidates:
            if wanted in told.get(step.id, ()):
                return step
        unnumbered = []
        for step in candidates:
            log = self._log(upstream, step.id)
            if wanted in log.on(upstream.controller):
                return step
            # A step that does not wait logs the job, but no build number.
            if not log.builds and started.job in log.jobs:
                unnumbered.append(step)
        return unnumbered[0] if len(unnumbered) == 1 else None

    def _told(self, build: Build) -> Mapping[str, Sequence[Build]]:
        """Return the builds that steps of a build started, by node id, as far as Graph View tells them in one request."""
        found = self._starts.get(build)
        if found is None and graph_view.PLUGIN not in self._sources.known.present:
            return {}
        if found is None:
            try:
                steps = self._sources.graph_view.steps(build)
            except (ApiError, Missing):
                steps = []
            paths = {step.id: step.started.path for step in steps if step.started.path}
            found = {node: [build_of_path(build.controller, path)] for node, path in paths.items() if is_build_path(path)}
            self._starts.keep(build, found, 1 + len(found))
        return found

    def _log(self, build: Build, node_id: str) -> StartedLog:
        key = (build, node_id)
        log = self._started.get(key)
        if log is None:
            try:
                log = self._logs.started(build, node_id)
            except ApiError as error:
                raise Unanswered(str(error)) from None
            self._started.keep(key, log, 1)
        return log

    def _document(self, build: Build) -> Mapping[str, Any]:
        known = self._documents.get(build)
        if known is not None:
            return known
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
        """Raise Unanswered if nothing is readable any more: then the login is the problem, not the build."""
        try:
            self._controller.get("api/json", "_class")
        except ApiError as error:
            raise Unanswered(str(error)) from None


class _Last(Generic[Key, Value]):
    """A least-recently-used cache with a maximum total weight. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Key, value: Value, weight: int) -> None:
        with self._lock:
            self._weight += weight - self._kept.pop(key, (value, 0))[1]
            self._kept[key] = value, weight
            while self._weight > self._most:
                self._weight -= self._kept.popitem(last=False)[1][1]
