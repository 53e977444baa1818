"""Derives the forms of a node's log that were not recorded from those that were. Does no I/O.

Jenkins shows one log as plain text (``progressiveText``), as HTML with links (``progressiveHtml``, and inside the page
``log/?consoleFull``), and in the answers of plugins: ``wfapi/log`` (Pipeline: REST API) has the HTML, ``stages/log``
(Pipeline Graph View) has the text and then the exception's. HTML that is derived from text has no links.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_PLAIN, _HTML, _PAGE = "log/logText/progressiveText", "log/logText/progressiveHtml", "log"
_NODE = re.compile(r"(?P<build>.*/[0-9]+)/execution/node/(?P<id>[^/]+)/(?P<form>wfapi/\w+|log(?:/logText/progressive\w+)?)")
_BY_ID = re.compile(r"(?P<build>.*/[0-9]+)/(?P<form>stages/(?:log|exceptionText))\?nodeId=(?P<id>.*)")
_LOGS = frozenset({_PLAIN, _HTML, _PAGE, "wfapi/log", "stages/log"})
_IN_PAGE = re.compile(r'<pre class="console-output">(.*?)</pre>', re.DOTALL)
_COMPLETED = re.compile(r"^Build .* completed: [A-Z_]+\r?\n", re.MULTILINE)
# With `timestamps()`, HTML has the time twice; plain text has only the second one.
_MARK = re.compile(r'<span class="timestamp">.*?</span>|<[^>]*>')
_CONSOLE, _PROGRESSIVE_CONSOLE = "/consoleText", "/logText/progressiveText"


@dataclass
class _Log:
    """A node's log as it was recorded last. ``plain``: with ``\\n``. ``linked``: the same as HTML. ``recorded``: forms."""

    plain: str = ""
    linked: str | None = None
    recorded: set[str] = field(default_factory=set)

    def take(self, form: str, plain: str, linked: str | None) -> None:
        """Add a form. If its text is another one than before, the forms before are out of date."""
        if plain != self.plain:
            self.plain, self.linked, self.recorded = plain, linked, set()
        self.linked = linked or self.linked
        self.recorded.add(form)

    def forms(self) -> Iterator[tuple[str, str]]:
        """Yield the forms that were not recorded. A node that wrote nothing has none."""
        linked = html.escape(self.plain, quote=False) if self.linked is None else self.linked
        page = f'<!DOCTYPE html><html><body><pre class="console-output">{linked}</pre></body></html>'
        for form, text in ((_PLAIN, _with_returns(self.plain)), (_HTML, _with_returns(linked)), (_PAGE, page)):
            if self.plain and form not in self.recorded:
                yield form, text


class NodePath(NamedTuple):
    """A path below a build that shows one node. ``form``: such as ``wfapi/describe`` or ``stages/log``."""

    build: str
    id: str
    form: str

    @property
    def is_log(self) -> bool:
        """Whether it shows the node's log."""
        return self.form in _LOGS


def node_path(path: str) -> NodePath | None:
    """Return the parts of ``path`` (decoded, with the query where that names the node); None if it is not of a node."""
    match = _NODE.fullmatch(path) or _BY_ID.fullmatch(path)
    return NodePath(match["build"], match["id"], match["form"]) if match else None


def unfinished(text: str) -> str | None:
    """Return what a log, in any form of Jenkins' own, said before its step ended; None if that is not known.

    It is known of a ``build`` step: its last line comes when the other build has ended.
    """
    rest, ends = _COMPLETED.subn("", text)
    return rest if ends else None


def plain_text(linked: str) -> str:
    """Return a log that is HTML as Jenkins shows it as plain text."""
    return html.unescape(_MARK.sub("", linked))


def is_html(path: str) -> bool:
    """Return whether a text at ``path`` is HTML. Other texts are plain."""
    return path.endswith((f"/{_HTML}", f"/{_PAGE}"))


def derived(answers: Mapping[str, Any]) -> dict[str, str]:
    """Return answers that follow from others, by path. ``answers``: by path, the newest at the end."""
    found: dict[str, str] = {}
    for (build, node_id), log in _logs(answers).items():
        for form, text in log.forms():
            found[f"{build}/execution/node/{node_id}/{form}"] = text
    for path, text in answers.items():
        if path.endswith(_CONSOLE):
            found[path.removesuffix(_CONSOLE) + _PROGRESSIVE_CONSOLE] = _with_returns(text)
    return found


def _logs(answers: Mapping[str, Any]) -> dict[tuple[str, str], _Log]:
    logs: dict[tuple[str, str], _Log] = {}
    for path, answer in answers.items():
        node = node_path(path)
        read = _read(node, answer, answers) if node else None
        if node and read:
            logs.setdefault((node.build, node.id), _Log()).take(node.form, *read)
    return logs


def _read(node: NodePath, answer: Any, answers: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Return a log as text and as HTML, None where it is not HTML; None if the answer does not have the whole log."""
    if node.form == _PLAIN:
        return answer.replace("\r\n", "\n"), None
    if node.form == "stages/log":
        # Of a stage, it shows the logs of its steps. A node that has no log of its own has no other form.
        is_step = node.id in _steps(answers.get(f"{node.build}/stages/allSteps"))
        exception = answers.get(f"{node.build}/stages/exceptionText?nodeId={node.id}") or ""
        return (answer.removesuffix(exception), None) if is_step and answer != "No logs found\n" else None
    linked = None
    if node.form == _HTML:
        linked = answer.replace("\r\n", "\n")
    elif node.form == _PAGE:
        in_page = _IN_PAGE.search(answer)
        linked = in_page[1] if in_page else None
    elif node.form == "wfapi/log" and isinstance(answer, dict) and not answer.get("hasMore"):
        linked = answer.get("text", "")
    return (plain_text(linked), linked) if linked is not None else None


def _steps(answer: Any) -> set[str]:
    return {step["id"] for step in answer["data"]["steps"]} if isinstance(answer, dict) else set()


def _with_returns(text: str) -> str:
    return text.replace("\n", "\r\n")
