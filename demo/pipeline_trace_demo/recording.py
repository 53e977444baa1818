"""Reconstructs the state of a recorded Jenkins controller at any moment: one document for each object.

The answers about an object are merged in the order of their times. A later answer overrides fields such as ``building``
and ``duration``; fields that it does not show stay. Builds are known from answers about them, and from the lists of their
jobs. A build without a recorded start is left out, because Jenkins never shows such a build.

Answers that were recorded after a build (flow graph, nodes) describe its end. For an earlier moment, they are used only if
there is no better answer, and only in part: the nodes that had begun by then, and of the graph the n nodes with the lowest
ids, where n is the number of nodes that the answers of that moment show, or else the nodes that existed by the times of
stages and steps. (Jenkins numbers nodes in the order of creation.) A log is shown from the end of its step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .exchanges import Exchange, is_job, job_path, read, rebase, split_build
from .graphs import graph_nodes, node_times, with_graph, written
from .hierarchy import compose
from .logs import NodePath, derived, node_path, unfinished
from .merging import has_ids, merge
from .runs import described
from .times import TimeMap, move

_BUILD_LISTS = ("builds", "allBuilds")
_LISTED_BUILD = re.compile(r"(first|last\w*)Build")


@dataclass
class Documents:
    """A controller's answers at one moment. The keys are decoded paths.

    ``objects``: what ``PATH/api/json`` shows about each object, without the lists of jobs and builds. ``answers``: the
    bodies of other paths, as recorded or derived. ``missing``: the bodies of recorded 404s. ``hidden``: paths of builds that
    are not shown, but whose numbers are in use. ``headers``: further headers of answers. ``base``: the address in ``url``
    fields, without trailing slash.
    """

    base: str
    objects: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def compose(self) -> dict[str, Any]:
        """Return all ``api/json`` documents by path, with jobs inside folders and builds inside jobs (not copied)."""
        return compose(self.objects, self.hidden, self.base)

    def rebase(self, new: str) -> Documents:
        """Return the same documents for a controller with the address ``new`` (without trailing slash)."""
        documents = self._each(lambda document: rebase(document, self.base, new))
        documents.base = new
        return documents

    def move(self, time_map: TimeMap) -> Documents:
        """Return the same documents with the times that ``time_map`` shows."""
        return self._each(lambda document: move(document, time_map))

    def without_job(self, full_name: str) -> Documents:
        """Return the documents without a job or folder and everything in it."""
        return self._without(job_path(full_name))

    def without_build(self, full_name: str, number: int) -> Documents:
        """Return the documents without a build. The job's next build number does not change."""
        job = job_path(full_name)
        rest = self._without(f"{job}/{number}")
        before = rest.objects.get(job, {})
        rest.objects[job] = {**before, "nextBuildNumber": max(before.get("nextBuildNumber") or 0, number + 1)}
        return rest

    def _each(self, change: Callable[[Any], Any]) -> Documents:
        objects = {path: change(document) for path, document in self.objects.items()}
        answers = {path: change(answer) for path, answer in self.answers.items()}
        return replace(self, objects=objects, answers=answers, missing=dict(self.missing), hidden=set(self.hidden))

    def _without(self, root: str) -> Documents:
        def rest(found: dict[str, Any]) -> dict[str, Any]:
            return {path: value for path, value in found.items() if not f"{path}/".startswith(f"{root}/")}

        objects, answers, missing = rest(self.objects), rest(self.answers), rest(self.missing)
        return replace(self, objects=objects, answers=answers, missing=missing, hidden=set(self.hidden))


class Recording:
    """Exchanges of one controller, from one or more files.

    ``only_detailed``: leave out builds that are known only from lists. ``moments``: the times of the answers, milliseconds
    since the epoch, in ascending order. ``base``: the recorded address, without trailing slash.
    """

    def __init__(self, base: str, exchanges: Iterable[Exchange], *, only_detailed: bool = False) -> None:
        self.base = base.rstrip("/")
        self.only_detailed = only_detailed
        self.exchanges = sorted(exchanges, key=lambda exchange: exchange.at_ms)
        self.moments = sorted({exchange.at_ms for exchange in self.exchanges if not exchange.late})

    @classmethod
    def load(cls, *files: str | Path, only_detailed: bool = False) -> Recording:
        """Read recording files. Raises OSError if a file cannot be read, and ValueError if it is not a recording."""
        recordings = []
        for file in files:
            base, exchanges = read(Path(file))
            recordings.append(cls(base, exchanges, only_detailed=only_detailed))
        return cls.combine(recordings)

    @classmethod
    def combine(cls, recordings: Iterable[Recording]) -> Recording:
        """Return several recordings as one. Raises ValueError if there are none, or if their addresses differ."""
        parts = list(recordings)
        if not parts:
            raise ValueError("a recording needs at least one file")
        if len({part.base for part in parts}) > 1:
            raise ValueError("recordings of different addresses cannot be combined")
        exchanges = [exchange for part in parts for exchange in part.exchanges]
        return cls(parts[0].base, exchanges, only_detailed=any(part.only_detailed for part in parts))

    def at(self, moment_ms: int | None = None) -> Documents:
        """Return the documents at a moment of recorded time, milliseconds since the epoch; None for the last state."""
        gathered = _Gathered(self.base)
        for exchange in self.exchanges:
            if moment_ms is None or (exchange.at_ms <= moment_ms and not exchange.late):
                gathered.add(exchange)
        if moment_ms is not None:
            self._fill_in(gathered, moment_ms)
        return gathered.documents(self.only_detailed)

    def _fill_in(self, gathered: _Gathered, moment_ms: int) -> None:
        later = [exchange for exchange in self.exchanges if exchange.late or exchange.at_ms > moment_ms]
        times = node_times(self.exchanges)
        since = {build: {node_id: one.start for node_id, one in nodes.items()} for build, nodes in times.items()}
        for path, nodes in _graphs(later).items():
            build = gathered.objects.get(path)
            if build is not None:
                known = times.get(path, {})
                gathered.objects[path] = with_graph(build, nodes, known, moment_ms)
                since[path] = {**written(nodes, known, build.get("timestamp", math.inf)), **since.get(path, {})}
        shown = {(node.build, node.id) for node in map(node_path, gathered.answers) if node and node.is_log}
        for exchange in later:
            node = node_path(exchange.path)
            if node is None or exchange.status != 200 or node.build not in gathered.objects:
                continue
            # Forms of one log at different moments would contradict each other.
            is_known = exchange.path in gathered.answers or (node.is_log and (node.build, node.id) in shown)
            if not is_known and since.get(node.build, {}).get(node.id, math.inf) <= moment_ms:
                of_node = times.get(node.build, {}).get(node.id)
                answer = _while_it_runs(exchange, node) if of_node and of_node.end > moment_ms else exchange
                if answer is not None:
                    gathered.answer(answer)


def _while_it_runs(exchange: Exchange, node: NodePath) -> Exchange | None:
    """Return what an answer about a node that has ended tells about the time when it ran; None if it tells nothing."""
    if node.form.startswith("wfapi/"):
        return exchange
    text = unfinished(exchange.body) if node.is_log else None
    return replace(exchange, body=text, headers={"X-More-Data": "true"}) if text is not None else None


def _graphs(exchanges: Iterable[Exchange]) -> dict[str, list[Any]]:
    """Return the flow graphs with ids in builds' documents, by path. Later ones override."""
    graphs: dict[str, list[Any]] = {}
    for exchange in exchanges:
        nodes = graph_nodes(exchange.body) if exchange.is_document else None
        if nodes and has_ids(nodes):
            graphs[exchange.path] = nodes
    return graphs


class _Gathered:
    """The answers up to a moment, merged in their order."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.objects: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.headers: dict[str, Mapping[str, str]] = {}
        self.missing: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.detailed: set[str] = set()

    def add(self, exchange: Exchange) -> None:
        if exchange.status == 404:
            self._forget(exchange)
        elif not exchange.is_document:
            self.answer(exchange)
        elif exchange.path == "" or is_job(exchange.path):
            self._job(exchange.path, exchange.body)
        else:
            self.detailed.add(exchange.path)
            self._object(exchange.path, exchange.body)

    def answer(self, exchange: Exchange) -> None:
        """Add the answer of a path other than api/json."""
        self.missing.pop(exchange.path, None)
        if exchange.path.endswith("/wfapi/runs"):
            job = exchange.path.removesuffix("/wfapi/runs")
            for run in exchange.body:
                path = f"{job}/{run['id']}"
                if "fullStages" in exchange.query or path not in self.runs:
                    self.runs[path] = run
        self.answers.pop(exchange.path, None)  # the newest are at the end
        self.answers[exchange.path] = exchange.body
        self.headers[exchange.path] = exchange.headers

    def documents(self, only_detailed: bool) -> Documents:
        answers = dict(self.answers)
        for path, run in self.runs.items():
            for described_path, description in described(path, run).items():
                if described_path not in self.missing:
                    answers.setdefault(described_path, description)
        found = {path: text for path, text in derived(answers).items() if path not in self.missing}
        answers.update(found)
        headers = {path: lines for path, lines in self.headers.items() if lines and path not in found}
        builds = {path for path in self.objects if split_build(path)}
        hidden = {path for path in builds if "timestamp" not in self.objects[path]}
        if only_detailed:
            hidden |= builds - self.detailed
        return Documents(self.base, dict(self.objects), answers, dict(self.missing), hidden, headers)

    def _forget(self, exchange: Exchange) -> None:
        found = self.objects if exchange.is_document else self.answers
        found.pop(exchange.path, None)
        if isinstance(exchange.body, str):
            self.missing[exchange.path] = exchange.body

    def _object(self, path: str, document: Any) -> None:
        self.missing.pop(path, None)
        self.objects[path] = merge(self.objects[path], document) if path in self.objects else document

    def _job(self, path: str, document: dict[str, Any]) -> None:
        own = {}
        for name, value in document.items():
            if name == "jobs":
                for entry in value:
                    if "name" in entry or "url" in entry:
                        self._job(f"{path}/job/{_name(entry)}", entry)
            elif name in _BUILD_LISTS:
                for entry in value:
                    self._listed(path, entry)
            elif _LISTED_BUILD.fullmatch(name):
                self._listed(path, value)
            else:
                own[name] = value
        self._object(path, own)

    def _listed(self, job: str, entry: Any) -> None:
        if isinstance(entry, dict) and "number" in entry:
            self._object(f"{job}/{entry['number']}", entry)


def _name(entry: dict[str, Any]) -> str:
    name = entry.get("name")
    return name if isinstance(name, str) else unquote(entry["url"].rstrip("/").rpartition("/")[2])
