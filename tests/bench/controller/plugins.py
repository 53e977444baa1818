"""What the plugins of each kind of controller say about a recorded build, and the logs of its nodes. Pure.

Graph View's answers are made from the graph, as in the demo. Stage View's are the recorded ones.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote

from jenkins_poller.fetch import flow
from pipeline_trace.place.ci.jenkins import documents, graph
from pipeline_trace_demo import graph_view
from pipeline_trace_demo.logs import derived

from .recorded import Recorded
from .text import NUMBER

GRAPH_VIEW, STAGE_VIEW, NONE = "graph-view", "stage-view", "none"
KINDS = (GRAPH_VIEW, STAGE_VIEW, NONE)

_NODE = re.compile(
    r"execution/node/(\d+)/(wfapi/describe|wfapi/log|log/logText/progressiveText|log/logText/progressiveHtml)"
)
_AGENT = re.compile(r"Running on <a href='/computer/([^/']+)/'")
_STARTED = re.compile(r"Starting building: <a href='([^']+)'[^>]*>([^<]+)</a>")
_AGENT_START = "Allocate node : Start"


def told(recorded: Recorded, kind: str, rest: str, query: str) -> Any:
    """Return what a controller answers about a Pipeline build, as JSON or a text. Raises KeyError for a 404.

    ``rest``: the path below the build.
    """
    node = _NODE.fullmatch(rest)
    if node and (kind == STAGE_VIEW or not node[2].startswith("wfapi")):
        return _of_node(recorded, int(node[1]), node[2])
    if rest == "consoleText":
        return "\n".join(_forms(recorded, node_id)["log/logText/progressiveText"] for node_id in _logged(recorded))
    return _PLUGINS[kind][rest](recorded, parse_qs(query))


def run(recorded: Recorded, *, full: bool) -> dict[str, Any]:
    """Return a build as Stage View lists it. ``full``: with the steps of its stages."""
    found = {**(recorded.run or {}), "id": str(NUMBER), "name": f"#{NUMBER}"}
    if full:
        found["stages"] = [{**stage, **_steps(recorded, stage)} for stage in found["stages"]]
    return found


def _steps(recorded: Recorded, stage: dict[str, Any]) -> dict[str, Any]:
    described = recorded.nodes[int(stage["id"]), "describe"]
    return {name: described[name] for name in ("stageFlowNodes",) if name in described}


def _of_node(recorded: Recorded, node_id: int, what: str) -> Any:
    if what.startswith("wfapi/"):
        return recorded.nodes[node_id, what.removeprefix("wfapi/")]
    return _forms(recorded, node_id)[what]


def _forms(recorded: Recorded, node_id: int) -> dict[str, str]:
    """Return the log of a node in Jenkins' own forms, by what stands after the node in their paths."""
    before = f"{recorded.url_path}execution/node/{node_id}/"
    found = derived({f"{before}wfapi/log": recorded.nodes[node_id, "log"]})
    return {path.removeprefix(before): text for path, text in found.items()}


def _logged(recorded: Recorded) -> list[int]:
    return sorted(node_id for node_id, what in recorded.nodes if what == "log")


def _tree(recorded: Recorded, _: Any) -> Any:
    return {"status": "ok", "data": graph_view.tree(documents.graph_nodes(recorded.document), _known(recorded))}


def _all_steps(recorded: Recorded, _: Any) -> Any:
    return {"status": "ok", "data": graph_view.all_steps(documents.graph_nodes(recorded.document), _known(recorded))}


def _log(recorded: Recorded, query: dict[str, list[str]]) -> str:
    """Return the whole log of a node, and the exception of a failed step behind it."""
    node_id = int(query["nodeId"][0])
    if (node_id, "log") not in recorded.nodes:
        return "No logs found\n"
    error = (recorded.nodes[node_id, "describe"] or {}).get("error") or {}
    text = _forms(recorded, node_id).get("log/logText/progressiveText", "")
    return text.replace("\r\n", "\n") + (error.get("message") or "")


_PLUGINS: dict[str, dict[str, Any]] = {
    GRAPH_VIEW: {"stages/tree": _tree, "stages/allSteps": _all_steps, "stages/log": _log},
    STAGE_VIEW: {"wfapi/describe": lambda recorded, _: run(recorded, full=False)},
    NONE: {},
}


@lru_cache(maxsize=4)
def _known(recorded: Recorded) -> graph_view.Told:
    """Return what Graph View knows of a build apart from its graph."""
    nodes = graph.nodes_by_id(documents.graph_nodes(recorded.document))
    described = {str(node_id): answer for (node_id, what), answer in recorded.nodes.items() if what == "describe" and answer}
    # The answer about a ``build`` step is null; its stage tells it.
    listed = {step["id"]: step for answer in described.values() for step in answer.get("stageFlowNodes", ())}
    logs = {
        str(node_id): answer["text"]
        for (node_id, what), answer in recorded.nodes.items()
        if what == "log" and "text" in answer
    }
    agents = {node_id: _AGENT.search(logs.get(node_id, "")) for node_id, node in nodes.items() if node.name == _AGENT_START}
    builds = {node_id: _STARTED.search(text) for node_id, text in logs.items() if node_id in nodes}
    return graph_view.Told(
        recorded.url_path,
        (recorded.run or {})["startTimeMillis"],
        {node_id: {**listed, **described}[node_id]["startTimeMillis"] for node_id in nodes},
        complete=not recorded.document["building"],
        agents={node_id: unquote(match[1]).strip("()") for node_id, match in agents.items() if match},
        arguments={
            node_id: answer["parameterDescription"]
            for node_id, answer in described.items()
            if "parameterDescription" in answer
        },
        builds={node_id: graph_view.started(match[1], match[2]) for node_id, match in builds.items() if match},
        skipped=frozenset(stage.id for stage in flow.flow_of(nodes).stages() if stage.skipped),
    )
