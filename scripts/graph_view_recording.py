"""Copy a recording of a Jenkins with the plugin Pipeline: Stage View as one of a Jenkins with Pipeline Graph View.

    python scripts/graph_view_recording.py SOURCE TARGET

Leaves out what Stage View answered. Makes what Graph View would have answered from it and from the recorded flow graphs:
stages, steps, and the logs of failed steps; and Jenkins' own logs of the steps that started builds. Every build must have
ended, and Stage View must have told the times of all its nodes.

The recordings of the demo were made so, once: what it replays can be read in the files, and nothing is made while it runs.
"""

from __future__ import annotations

import argparse
import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline_trace.place.ci.jenkins.graph import FlowNode, nodes_by_id
from pipeline_trace_demo import graph_view, logs
from pipeline_trace_demo.graphs import graph_nodes, node_times
from pipeline_trace_demo.recording import Recording

_STAGE_VIEW = "/wfapi/"
_NOTE = "made from Stage View's answers"
_BUILD_STEP = "Building "
# Declarative Pipeline runs this step itself, in a stage that it skips.
_SKIPS = "Get contextual object from internal APIs"
_AGENT = re.compile(r"Running on <a href='[^']*'[^>]*>([^<]*)</a> in ")
# The controller's own node, in plain words and as the plugins name it.
_NAMES = {"Jenkins": "built-in"}
_STARTED = re.compile(r"Starting building: <a href='(/[^']*)'[^>]*>([^<]*)</a>")


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SOURCE")
    parser.add_argument("target", type=Path, metavar="TARGET")
    arguments = parser.parse_args()
    lines = arguments.source.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _STAGE_VIEW not in json.loads(line).get("path", "")]
    made = exchanges(Recording.load(arguments.source))
    written = [*kept, *(json.dumps(exchange, ensure_ascii=False, separators=(",", ":")) for exchange in made)]
    arguments.target.write_text("\n".join(written) + "\n", encoding="utf-8")


def exchanges(recording: Recording) -> Iterator[dict[str, Any]]:
    """Yield what Graph View, and Jenkins itself about logs, answer about the builds of a recording."""
    documents, times = recording.at(), node_times(recording.exchanges)
    asked = {"method": "GET", "as": "admin", "status": 200, "at_ms": recording.exchanges[-1].at_ms, "note": _NOTE}
    for path, document in documents.objects.items():
        graph = graph_nodes(document)
        if graph:
            begins = {node_id: one.start for node_id, one in times[path].items()}
            for below, body in _Build(path, graph, begins, documents.answers).answers():
                yield {**asked, "path": quote(path) + below, "text" if isinstance(body, str) else "json": body}


class _Build:
    """What Stage View answered about one build. ``answers``: of the whole controller, by path."""

    def __init__(self, path: str, graph: list[Any], begins: Mapping[str, float], answers: Mapping[str, Any]) -> None:
        self._path = path
        self._graph = graph
        self._nodes = nodes_by_id(graph)
        self._begins = {node_id: round(begins[node_id]) for node_id in self._nodes}
        self._recorded = answers

    def answers(self) -> Iterator[tuple[str, Any]]:
        """Yield paths below the build and their answers."""
        told = self._told()
        for name, data in (("tree", graph_view.tree), ("allSteps", graph_view.all_steps)):
            yield f"/stages/{name}", {"status": "ok", "data": data(self._graph, told)}
        for node in self._steps():
            if node.name.startswith(_BUILD_STEP):
                yield f"/execution/node/{node.id}/log/logText/progressiveHtml?start=0", _with_returns(self._log(node))
            elif node.color == "red":
                yield (
                    f"/stages/log?nodeId={node.id}",
                    logs.plain_text(self._log(node)) + self._of(node, "describe")["error"]["message"],
                )

    def _told(self) -> graph_view.Told:
        steps = list(self._steps())
        texts = {node.id: self._log(node) for node in self._nodes.values()}
        agents = {
            node_id: _NAMES.get(found[1], found[1]) for node_id, text in texts.items() if (found := _AGENT.search(text))
        }
        started = {node_id: found.groups() for node_id, text in texts.items() if (found := _STARTED.search(text))}
        return graph_view.Told(
            f"{quote(self._path)}/",
            self._recorded[f"{self._path}/wfapi/describe"]["startTimeMillis"],
            self._begins,
            agents=agents,
            arguments={
                node.id: words for node in steps if (words := self._of(node, "describe").get("parameterDescription"))
            },
            builds={node_id: graph_view.started(path, html.unescape(name)) for node_id, (path, name) in started.items()},
            skipped=frozenset(node.block for node in steps if node.name == _SKIPS and node.block),
        )

    def _steps(self) -> Iterator[FlowNode]:
        return (node for node in self._nodes.values() if node.is_step)

    def _of(self, node: FlowNode, form: str) -> Mapping[str, Any]:
        # The description of a step that started a build is null.
        return self._recorded.get(f"{self._path}/execution/node/{node.id}/wfapi/{form}") or {}

    def _log(self, node: FlowNode) -> str:
        return str(self._of(node, "log").get("text", ""))


def _with_returns(text: str) -> str:
    return text.replace("\n", "\r\n")


if __name__ == "__main__":
    main()
