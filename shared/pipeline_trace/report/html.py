"""Spans -> one self-contained HTML page.

Names, attributes and messages come from Jenkins and Ansible and are hostile: Jinja escapes what stands in the page, the
rest is JSON that the page's script shows as text. The page may load nothing and run nothing but its own script.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from hashlib import sha256
from json import JSONEncoder, loads
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import conventions as names
from ..span import Event, Link, Span
from .model import (
    SPAN_TYPES,
    STATES,
    Node,
    build_tree,
    human_duration,
    leaf_most,
    message,
    overall_state,
    remark,
    span_type,
    state,
    visible,
    walk,
)

_TEMPLATES = Path(__file__).with_name("templates")
STYLE = _TEMPLATES / "report.css"
_SCRIPTS = ("report-model.js", "report-details.js", "report.js")
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# What would end the script element, or the line in an old parser. Only strings hold these characters.
_JSON_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_JSON = JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_MOST_LISTED = 50
_MOST_ANCESTORS = 10
STATE_WORDS = {
    names.ERROR: "Error",
    names.FAILURE: "Failed",
    names.TIMEOUT: "Timed out",
    names.CANCELLATION: "Cancelled",
    names.SUCCESS: "Succeeded",
    names.SKIP: "Skipped",
    "running": "Running",
    "unset": "No result",
}


def render(
    spans: Sequence[Span], *, title: str, generated_at: datetime | None = None, links: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the page for these spans, of one or of several traces; without any span a page that says so.

    ``generated_at`` (aware, or UTC; default: now) stands in the footer and is how far the bars of open spans reach.
    ``links``: names and addresses to show above it. The text can always be written as UTF-8.
    """
    moment = generated_at or datetime.now(timezone.utc)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    roots = build_tree(spans)
    rows = list(walk(roots))
    start_ns, end_ns = _extent(spans, moment)
    script = "\n".join(_read(name) for name in _SCRIPTS)
    style = STYLE.read_text(encoding="utf-8")
    result = overall_state(roots)
    return _ENVIRONMENT.get_template("report.html.j2").render(
        policy=_policy(script, style),
        script=Markup(script),
        style=Markup(style),
        data=Markup(_json(_PageData(rows, start_ns, end_ns).as_json())),
        title=visible(title),
        links=[(visible(name), address) for name, address in links],
        result=result,
        words=STATE_WORDS,
        duration=human_duration(end_ns - start_ns),
        running=any(span.end_ns == 0 for span in spans),
        started=_moment(start_ns) if spans else "",
        generated=moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        span_count=len(rows),
        traces=list(dict.fromkeys(visible(node.span.trace_id) for node in rows)),
        **_trouble(roots, rows),
    )


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Return the Content-Security-Policy: nothing may be loaded, only this script and this style may run."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode("ascii")


def _json(data: object) -> str:
    return _JSON.encode(data).translate(_JSON_ESCAPES)


def _extent(spans: Sequence[Span], moment: datetime) -> tuple[int, int]:
    """Return the first start and the last end, in ns; while a span is open, the end is not before ``moment``."""
    if not spans:
        return 0, 0
    times = [time for span in spans for time in (span.start_ns, span.end_ns or span.start_ns)]
    if any(span.end_ns == 0 for span in spans):
        # Never before the first span, where the clock here is behind.
        times.append(max(min(times), int(moment.timestamp() * 1_000_000) * 1000))
    return min(times), max(times)


def _moment(time_ns: int) -> str:
    try:
        moment = datetime.fromtimestamp(time_ns // 1_000_000_000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _trouble(roots: list[Node], rows: list[Node]) -> dict[str, Any]:
    """Return what the list above the waterfall shows: what failed, or where nothing did, what was cancelled."""
    positions = {id(node): index for index, node in enumerate(rows)}
    wanted = names.FAILED_RESULTS
    found = leaf_most(roots, wanted)
    failures = len(found)
    if not found:
        wanted = frozenset({names.CANCELLATION})
        found = leaf_most(roots, wanted)
    path: list[Node] = []
    listed = {id(node) for node in found[:_MOST_LISTED]}
    entries = []
    for node in rows:
        del path[node.depth :]
        if id(node) in listed:
            span = node.span
            entries.append(
                {
                    "row": positions[id(node)],
                    "name": visible(span.name),
                    "type": span_type(span),
                    "state": state(span),
                    "remark": remark(span),
                    "duration": human_duration(span.end_ns - span.start_ns) if span.end_ns else "",
                    "path": _path_names(path),
                    "message": visible(message(span).strip(), lines=True),
                }
            )
        path.append(node)
    return {"failures": failures, "entries": entries, "unlisted": len(found) - len(entries)}


def _path_names(path: list[Node]) -> list[str]:
    shown = [visible(node.span.name) for node in path]
    if len(shown) > _MOST_ANCESTORS:
        return [*shown[:2], "\u2026", *shown[3 - _MOST_ANCESTORS :]]
    return shown


class _PageData:
    """The rows as report-model.js reads them: short, since a page of 10,000 spans is opened in a browser.

    Texts are positions in one table, where 0 is the empty text; times are microseconds, the rows' own ones from the
    beginning of the axis. A row ends after its last value that is not empty.
    """

    def __init__(self, rows: Iterable[Node], start_ns: int, end_ns: int) -> None:
        self._start_ns = start_ns
        self._texts: dict[str, int] = {"": 0}
        self._known: dict[tuple[str, bool], int] = {}
        self._resources: dict[str, int] = {}
        self._rows = [self._row(node) for node in rows]
        self._extent_ns = end_ns - start_ns

    def as_json(self) -> dict[str, Any]:
        """Return what is embedded."""
        return {
            "origin": self._start_ns // 1000,
            "extent": self._extent_ns // 1000,
            "types": SPAN_TYPES,
            "states": STATES,
            "words": [STATE_WORDS[word].lower() for word in STATES],
            "texts": list(self._texts),
            "resources": [loads(resource) for resource in self._resources],
            "rows": self._rows,
        }

    def _row(self, node: Node) -> list[Any]:
        span = node.span
        row: list[Any] = [
            node.depth,
            self._text(span.name),
            SPAN_TYPES.index(span_type(span)),
            STATES.index(state(span)),
            self._offset(span.start_ns),
            (span.end_ns - span.start_ns) // 1000 if span.end_ns else None,
            self._text(span.span_id),
            self._text(span.trace_id),
            self._text(span.kind),
            self._text(span.status_code),
            self._resource(span.resource),
            int(node.skewed),
            # A parent that the page has is known by the row's depth.
            self._text(span.parent_id or "") if node.depth == 0 else 0,
            self._text(remark(span)),
            self._text(message(span).strip(), lines=True),
            self._attributes(span.attributes),
            [self._event(event) for event in span.events],
            [self._link(link) for link in span.links],
        ]
        while len(row) > 1 and not row[-1]:
            row.pop()
        return row

    def _text(self, raw: str, *, lines: bool = False) -> int:
        found = self._known.get((raw, lines))
        if found is None:
            found = self._texts.setdefault(visible(raw, lines=lines), len(self._texts))
            self._known[raw, lines] = found
        return found

    def _offset(self, time_ns: int) -> int:
        return (time_ns - self._start_ns) // 1000

    def _attributes(self, attributes: Mapping[str, Any]) -> list[Any]:
        flat: list[Any] = []
        for key in sorted(attributes):
            flat += [self._text(key), self._value(attributes[key])]
        return flat

    def _value(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._text(_value_text(item), lines=True) for item in value]
        return self._text(_value_text(value), lines=True)

    def _event(self, event: Event) -> list[Any]:
        return [self._text(event.name), self._offset(event.time_ns), self._attributes(event.attributes)]

    def _link(self, link: Link) -> list[Any]:
        return [self._text(link.trace_id), self._text(link.span_id), self._attributes(link.attributes)]

    def _resource(self, resource: Mapping[str, Any]) -> int:
        return self._resources.setdefault(_JSON.encode(self._attributes(resource)), len(self._resources))


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
