"""The logs of played builds: of a node, as text and as HTML, and of the whole build."""

from __future__ import annotations

import html
from typing import Any

from .documents import WHY, build_path, display_name, job_path
from .programs import ABORTED
from .truth import ATOM, START, Node, Played

_TAIL = 10_240
_FUNCTIONS = {"Shell Script": "sh", "Print Message": "echo", "Sleep": "sleep", "Error signal": "error"}
# Jenkins says that it waits only after some time.
_SILENT_MS = 15_000


def text(played: Played, node: Node, *, linked: bool = False) -> str:
    """Return the log of a node. ``linked``: as HTML, with links to agents and builds."""
    if node.name == "Allocate node : Start":
        return _agent(played, node, linked)
    if node.starts:
        return _started(node, linked)
    if node.asked:
        person = "<a href='/user/jane' class='jenkins-table__link model-link'>Jane</a>" if linked else "Jane"
        buttons = "<a href='#'>Proceed</a> or <a href='#'>Abort</a>" if linked else "Proceed or Abort"
        # Who refuses is not in the step's log.
        approved = "" if node.running or node.error else f"Approved by {person}\n"
        return f"{html.escape(node.asked) if linked else node.asked}\n{buttons}\n{approved}"
    return html.escape(node.log, quote=False) if linked else node.log


def exception(node: Node) -> str:
    """Return the text of a node's exception; empty for an interruption, which has none."""
    return (node.error.message or "") if node.error else ""


def wfapi(played: Played, node: Node) -> dict[str, Any]:
    """Return the answer of ``wfapi/log``: the end of the node's log, as HTML."""
    log = text(played, node, linked=True)
    path = f"{build_path(played)}execution/node/{node.id}"
    error = node.error.color if node.error else ""
    status = {"red": "FAILED", "aborted": "FAILED"}.get(error, "SUCCESS")
    found = {"nodeId": node.id, "nodeStatus": status, "length": len(log.encode()), "hasMore": len(log.encode()) > _TAIL}
    shown = {"text": log.encode()[-_TAIL:].decode(errors="replace")} if log else {}
    return {**found, **shown, "consoleUrl": f"{path}/log"}


def _agent(played: Played, node: Node, linked: bool) -> str:
    if not node.agent:
        until = played.moment_ms or node.end_ms
        return f"Still waiting to schedule task\n{WHY.format(node.argument)}\n" if until - node.at_ms >= _SILENT_MS else ""
    where = f"/srv/workspace/{played.job}"
    name = "Jenkins" if node.agent == "built-in" else node.agent
    if not linked:
        return f"Running on {name} in {where}\n"
    path = "(built-in)" if node.agent == "built-in" else node.agent
    link = f"<a href='/computer/{path}/' class='jenkins-table__link model-link model-link--float'>{name}</a>"
    return f"Running on {link} in {where}\n"


def _started(node: Node, linked: bool) -> str:
    assert node.starts
    job, number = node.starts.job, node.starts.number

    def link(path: str, shown: str) -> str:
        opening = f"<a href='{path}' class='jenkins-table__link model-link model-link--float'>"
        return f"{opening}{html.escape(shown)}</a>" if linked else shown

    own, shown = f"{job_path(job)}{number}/", display_name(job, number)
    lines = [f"Scheduling project: {link(job_path(job), shown.rpartition(' #')[0])}"]
    if node.starts.waits:
        lines.append(f"Starting building: {link(own, shown)}")
        lines += [f"Build {link(own, shown)} completed: {node.started_result}"] if node.started_result else []
    return "".join(f"{line}\n" for line in lines)


def console(played: Played) -> str:
    """Return the log of the whole build."""
    lines = ["Started by user jane"]
    if not played.nodes and not played.running:
        lines += ["org.codehaus.groovy.control.MultipleCompilationErrorsException: startup failed:", "1 error"]
    for node in played.nodes:
        if node.kind == ATOM:
            lines += [f"[Pipeline] {_FUNCTIONS.get(node.name, 'step')}", *text(played, node).splitlines()]
        elif node.kind == START and node.name.endswith(" : Start") and " : Body" not in node.name:
            lines += [f"[Pipeline] {node.name.split()[0].lower()}", *text(played, node).splitlines()]
        elif node.kind == START:
            lines.append("[Pipeline] {" if " : " in node.name else f"[Pipeline] {{ ({node.name})")
    if not played.running:
        last = next((node.error for node in reversed(played.nodes) if node.error), None)
        failed = last is not None and played.result != ABORTED and last.message
        lines += ["[Pipeline] End of Pipeline", *([f"ERROR: {last.message}"] if failed and last else [])]
        lines.append(f"Finished: {played.result}")
    return "\n".join([*lines, ""])
