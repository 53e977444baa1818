"""Serves played builds as a Jenkins does, with the plugins that a test wants.

::

    with ModelJenkins([played("fails")], plugins={"wfapi"}) as jenkins:
        poll(jenkins.url)
        assert not [path for path in jenkins.requests if "/stages/" in path]
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from pipeline_trace_demo.faults import Answer
from pipeline_trace_demo.server import RequestLog, Server
from pipeline_trace_demo.tree import TreeError, parse, select

from . import blue, documents, graph_views, logs, wfapi
from .truth import Played

GRAPH_VIEW, WFAPI, BLUE_OCEAN = "graph-view", "wfapi", "blue-ocean"
# Older versions of Graph View: from May 2025, of April 2025, and before, when its times were words.
GRAPH_VIEW_2025, GRAPH_VIEW_SPRING, GRAPH_VIEW_2024 = "graph-view-2025", "graph-view-2025-04", "graph-view-2024"
PLUGINS = (GRAPH_VIEW, GRAPH_VIEW_2025, GRAPH_VIEW_SPRING, GRAPH_VIEW_2024, WFAPI, BLUE_OCEAN)

View = Callable[[Played], dict[str, Any]]
# The paths of each version: stages, steps, log of a node.
_PATHS = {
    GRAPH_VIEW: ("stages/tree", "stages/allSteps", "stages/log"),
    GRAPH_VIEW_2025: ("pipeline-overview/tree", "pipeline-overview/allSteps", "pipeline-overview/log"),
    GRAPH_VIEW_SPRING: ("pipeline-graph/tree", "pipeline-console/allSteps", "pipeline-console/log"),
    GRAPH_VIEW_2024: ("pipeline-graph/tree", "pipeline-console/allSteps", "pipeline-console/log"),
}
_OLDER: dict[str, tuple[View, View]] = {
    GRAPH_VIEW_2025: (graph_views.tree_2025, graph_views.all_steps_2025),
    GRAPH_VIEW_SPRING: (graph_views.tree_of_spring, graph_views.all_steps_of_spring),
    GRAPH_VIEW_2024: (graph_views.tree_2024, graph_views.all_steps_2024),
}
_BUILD = re.compile(r"((?:/job/[^/]+)+)/(\d+)/(.+)")
_JOB = re.compile(r"((?:/job/[^/]+)*)/(api/json|wfapi/runs)")
_BLUE = re.compile(r"/blue/rest/organizations/jenkins((?:/pipelines/[^/]+)+)/runs/(\d+)/(nodes|steps)/")
_NODE = re.compile(
    r"execution/node/(\d+)/(wfapi/describe|wfapi/log|log/logText/progressiveText|log/logText/progressiveHtml)"
)
_JENKINS = {"X-Jenkins": "2.555.1", "X-Jenkins-Session": "0c4b1b5a"}
_JSON, _TEXT, _HTML = "application/json;charset=utf-8", "text/plain;charset=utf-8", "text/html;charset=utf-8"


class ModelJenkins:
    """A controller with these builds, on 127.0.0.1 while it is entered. Change its fields while it runs.

    ``plugins``: those that are installed, of PLUGINS. ``moment_ms``: at this moment the clock stands, milliseconds since
    the epoch: builds may still run, and later ones do not exist. None: all builds have ended. ``wrapped``: whether the
    answers of Graph View are in a ``data`` field. ``stale``: whether it says of running builds what it knew in the first
    moment of their last node, as it does if somebody asked then. ``root``: the configured address; "": the real one.
    ``labels``: the labels of each agent, without its name; None if the agent was removed.
    """

    def __init__(
        self,
        builds: Sequence[Played],
        plugins: Collection[str] = frozenset({GRAPH_VIEW}),
        *,
        moment_ms: int | None = None,
        wrapped: bool = True,
        stale: bool = False,
        root: str = "",
    ) -> None:
        assert set(plugins) <= set(PLUGINS), plugins
        self.builds = list(builds)
        self.plugins = plugins
        self.moment_ms = moment_ms
        self.wrapped = wrapped
        self.stale = stale
        self.labels: Mapping[str, Sequence[str] | None] = {}
        self._log = RequestLog()
        self._server = Server(0, self._answer, self._log)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.root = root or self.url

    def __enter__(self) -> ModelJenkins:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()

    @property
    def requests(self) -> list[str]:
        """Return the paths asked for, with queries, as sent."""
        return [request.path for request in self._log.requests]

    @property
    def missed(self) -> list[str]:
        """Return the paths asked for that there are not."""
        return [request.path for request in self._log.requests if request.status == 404]

    def forget_requests(self) -> None:
        self._log.reset()

    def played(self, job: str | None = None) -> list[Played]:
        """Return the builds, of one job or all, as they are at the moment, newest first."""
        own = [one for one in self.builds if job in (None, one.job)]
        there = [one for one in own if self.moment_ms is None or one.start_ms <= self.moment_ms]
        return [one.at(self.moment_ms) for one in sorted(there, key=lambda one: -one.number)]

    def _build(self, job: str, number: int) -> Played | None:
        return next((one for one in self.played(job) if one.number == number), None)

    def _answer(self, method: str, target: str, login: str | None) -> Answer:
        path, _, query = target.partition("?")
        asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        try:
            answer = self._found(unquote(path), asked) if method == "GET" else None
        except TreeError as error:
            return Answer(500, f"<html>{error}</html>".encode(), {**_JENKINS, "Content-Type": _HTML})
        if answer is None:
            return Answer(404, b"<html>Not Found</html>", {**_JENKINS, "Content-Type": _HTML})
        return answer

    def _found(self, path: str, query: dict[str, str]) -> Answer | None:
        if path == "/computer/api/json":
            return _document(documents.computers(self.played(), self.root, self.labels), query)
        if path == "/queue/api/json":
            return _document(documents.queue(self.played()), query)
        if match := _BUILD.fullmatch(path):
            played = self._build("/".join(match[1].split("/job/")[1:]), int(match[2]))
            return self._of_build(played, match[3], query) if played else None
        if match := _JOB.fullmatch(path):
            return self._of_job("/".join(match[1].split("/job/")[1:]), match[2], query)
        match = _BLUE.fullmatch(path)
        if match and BLUE_OCEAN in self.plugins:
            played = self._build("/".join(match[1].split("/pipelines/")[1:]), int(match[2]))
            return _json((blue.nodes if match[3] == "nodes" else blue.steps)(played)) if played else None
        return None

    def _of_job(self, job: str, what: str, query: dict[str, str]) -> Answer | None:
        own = self.played(job)
        if what == "wfapi/runs":
            full = query.get("fullStages") == "true"
            found = wfapi.runs(own, full=full, since=query.get("since", ""))
            return _json(found) if own and WFAPI in self.plugins else None
        if own:
            return _document(documents.job(own, self.root), query)
        everything = self.played()
        if not job or any(played.job.startswith(f"{job}/") for played in everything):
            return _document(documents.controller(everything, self.root, job), query)
        return None

    def _of_build(self, played: Played, rest: str, query: dict[str, str]) -> Answer | None:
        viewed = next((name for name in _PATHS if name in self.plugins and rest in _PATHS[name]), None)
        if viewed:
            return self._view(played, viewed, _PATHS[viewed].index(rest), query)
        if match := _NODE.fullmatch(rest):
            return self._of_node(played, match[1], match[2])
        answers: dict[str, Callable[[], Answer | None]] = {
            "api/json": lambda: _document(documents.build(played, self.root), query),
            "wfapi/describe": lambda: _json(wfapi.describe(played)) if WFAPI in self.plugins else None,
            "wfapi/pendingInputActions": lambda: _json(wfapi.pending(played)) if WFAPI in self.plugins else None,
            "testReport/api/json": lambda: _document(documents.test_report(played), query),
            "consoleText": lambda: _text(logs.console(played)),
            "logText/progressiveText": lambda: _progressive(played, logs.console(played)),
        }
        return answers[rest]() if rest in answers else None

    def _view(self, played: Played, version: str, which: int, query: dict[str, str]) -> Answer:
        if which == 2:
            return _view_log(played, query.get("nodeId", ""))
        if version == GRAPH_VIEW:
            data = (graph_views.tree, graph_views.all_steps)[which](played, stale=self.stale)
        else:
            data = _OLDER[version][which](played)
        cached = "private, no-store" if played.running else "private, immutable, max-age=86400"
        answer = _json({"status": "ok", "data": data} if self.wrapped else data)
        return Answer(200, answer.body, {"Content-Type": _JSON, "Cache-Control": cached})

    def _of_node(self, played: Played, node_id: str, what: str) -> Answer | None:
        node = played.by_id.get(node_id)
        if node is None or (what.startswith("wfapi") and WFAPI not in self.plugins):
            return None
        if what == "wfapi/describe":
            return _json(wfapi.describe_node(played, node))
        if what == "wfapi/log":
            return _json(logs.wfapi(played, node))
        linked = what.endswith("Html")
        return _progressive(played, logs.text(played, node, linked=linked), _HTML if linked else _TEXT)


def _document(document: Any, query: dict[str, str]) -> Answer | None:
    """Return a document of Jenkins' own API, with what ``tree`` wants of it."""
    if document is None:
        return None
    # Without ``tree`` a build's document has no graph.
    return _json(select(document, parse(query["tree"])) if "tree" in query else _shallow(document))


def _shallow(document: Any) -> Any:
    actions = document.get("actions") if isinstance(document, dict) else None
    if actions is None:
        return document
    return {**document, "actions": [{name: value for name, value in one.items() if name != "nodes"} for one in actions]}


def _json(document: Any) -> Answer:
    return Answer(200, json.dumps(document, ensure_ascii=False).encode(), {**_JENKINS, "Content-Type": _JSON})


def _text(text: str, kind: str = _TEXT, **headers: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": kind, **headers})


def _progressive(played: Played, text: str, kind: str = _TEXT) -> Answer:
    sent = text.replace("\n", "\r\n")
    return _text(
        sent, kind, **{"X-Text-Size": str(len(sent.encode())), **({"X-More-Data": "true"} if played.running else {})}
    )


def _view_log(played: Played, node_id: str) -> Answer:
    """Return the log of a node and its exception, as Pipeline Graph View does: 200 for a node that is not there too."""
    node = played.by_id.get(node_id)
    return _text(logs.text(played, node) + logs.exception(node) if node else "No logs found")
