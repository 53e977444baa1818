"""Reads the log of one node of a Pipeline build, from whatever answers: Stage View, Graph View or Jenkins itself.

Jenkins' own answer is there on every controller with Pipeline. The plugins' answers add something: Stage View's is short
(the last 10 KB), Graph View's ends with the exception of a failed step.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import unquote

from pipeline_trace.place.ci.jenkins.identity import Build

from . import steplog
from .api import Controller, build_path
from .errors import NotFound
from .sources import Missing, graph_view, stage_view
from .sources.choice import Sources

# Bytes. A longer log is not read: its end, which says why a step failed, costs the whole.
MOST_LOG = 32 << 20
_MOST_LINKS = 1 << 20

_STARTED = re.compile(r"Starting building: <a href=['\"]([^'\"]+/[0-9]{1,10})/['\"]")
_SCHEDULED = re.compile(r"Scheduling project: <a href=['\"]([^'\"]+)['\"]")
_BUILD_PATH = re.compile(r".*/[0-9]{1,10}/?")
_RUNNING_ON = re.compile(r"Running on (?:<a href=['\"][^'\"]*/computer/([^/'\"]+)/|(\S.*?) in (?:/|\\\\|[A-Za-z]:))")
# The controller's built-in node: "(built-in)" in URLs, "Jenkins" in plain text, "built-in" in builds.
_BUILT_IN = {"(built-in)": "built-in", "Jenkins": "built-in"}
# The message of a shell step that fails. It follows what the script printed, on the same line if that line has no end.
_STATUS = re.compile(r"script returned exit code -?\d+$")
_ANSWERED = re.compile(r"(?:Approved|Aborted|Rejected) by (?:<a [^>]*>([^<]+)</a>|([^<\n]+))")


@dataclass(frozen=True)
class FailedLog:
    """The log of a failed step. ``text``: its end, masked. ``error``: the exception's message; "" if it is not told."""

    text: str
    error: str = ""


class NodeLogs:
    """Reads logs of nodes of one controller's builds. Every method raises ApiError; a log that is not there is empty."""

    def __init__(self, controller: Controller, sources: Sources) -> None:
        self._controller = controller
        self._sources = sources

    def failed(self, build: Build, node_id: str) -> FailedLog:
        """Return the end of the log of a failed step."""
        answer = self._stage_view(build, node_id)
        if answer is not None:
            return FailedLog(steplog.node_log_text(answer))
        text = self._graph_view(build, node_id)
        if text is None:
            return FailedLog(steplog.log_tail(self._plain(build, node_id)))
        # The exception's text follows the log, and has no end of line.
        status = _STATUS.search(text)
        begin = status.start() if status else text.rfind("\n") + 1
        return FailedLog(steplog.log_tail(text[:begin]), text[begin:])

    def started(self, build: Build, node_id: str) -> StartedLog:
        """Return which builds a ``build`` step started."""
        answer = self._stage_view(build, node_id)
        text = self._own(build, node_id, "progressiveHtml", _MOST_LINKS) if answer is None else answer
        return StartedLog(
            tuple(html.unescape(path) for path in _STARTED.findall(text)),
            tuple(path_to_job(html.unescape(path)) for path in _SCHEDULED.findall(text)),
        )

    def text(self, build: Build, node_id: str) -> str:
        """Return the end of a node's log, masked, also while the node runs."""
        answer = self._stage_view(build, node_id)
        return steplog.log_tail(self._plain(build, node_id)) if answer is None else steplog.node_log_text(answer)

    def agent(self, build: Build, node_id: str) -> str:
        """Return the agent's name from the log of a ``node`` step; "" if there is none yet."""
        match = _RUNNING_ON.search(self._short(build, node_id))
        name = unquote(match[1] or match[2]) if match else ""
        return _BUILT_IN.get(name, name)

    def answered_by(self, build: Build, node_id: str) -> str:
        """Return who approved or aborted an ``input`` step; "" if the log does not say."""
        match = _ANSWERED.search(self._short(build, node_id))
        return html.unescape(match[1] or match[2]) if match else ""

    def _short(self, build: Build, node_id: str) -> str:
        answer = self._stage_view(build, node_id)
        return self._plain(build, node_id) if answer is None else answer

    def _stage_view(self, build: Build, node_id: str) -> str | None:
        """Return Stage View's HTML without a cut first line; None if the plugin is missing."""
        if not self._sources.has(stage_view.PLUGIN):
            return None
        try:
            answer = self._controller.get(f"{build_path(build)}execution/node/{node_id}/wfapi/log")
        except NotFound:
            # Perhaps the node has no log.
            return "" if stage_view.PLUGIN in self._sources.known.present else None
        if not isinstance(answer, dict):
            return ""
        text = str(answer.get("text") or "")
        return text.partition("\n")[2] if answer.get("hasMore") else text

    def _graph_view(self, build: Build, node_id: str) -> str | None:
        """Return Graph View's text; None if the plugin is missing."""
        if not self._sources.has(graph_view.PLUGIN):
            return None
        try:
            return self._sources.graph_view.log(build, node_id, MOST_LOG)
        except Missing:
            return None

    def _plain(self, build: Build, node_id: str) -> str:
        return self._own(build, node_id, "progressiveText", MOST_LOG)

    def _own(self, build: Build, node_id: str, what: str, most: int) -> str:
        try:
            path = f"{build_path(build)}execution/node/{node_id}/log/logText/{what}?start=0"
            return self._controller.text(path, most)
        except NotFound:
            return ""


@dataclass(frozen=True)
class StartedLog:
    """What the log of a ``build`` step says. ``builds``: their paths, without a slash at the end.

    ``jobs``: full names of the jobs that it scheduled. A step that does not wait logs no build number.
    """

    builds: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    def on(self, controller: str) -> list[Build]:
        """Return the started builds. ``controller``: its root URL."""
        return [build_of_path(controller, path) for path in self.builds]


def build_of_path(controller: str, path: str) -> Build:
    """Return the build of a path such as ``job/Team%20A/job/app/3``, which ends with a number."""
    job, _, number = path.strip("/").rpartition("/")
    return Build(controller, path_to_job(job), int(number))


def is_build_path(path: str) -> bool:
    """Return whether a path ends with a build's number."""
    return _BUILD_PATH.fullmatch(path) is not None


def path_to_job(path: str) -> str:
    """Return the full job name in a path such as /jenkins/job/Team%20A/job/x/."""
    names = path.strip("/").split("/")
    first = names.index("job") if "job" in names else 0
    return "/".join(unquote(name) for name in names[first + 1 :: 2])
