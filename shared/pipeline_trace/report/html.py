"""Writes spans as one self-contained HTML page.

Names, attributes and messages come from Jenkins and Ansible and are not trusted. Jinja escapes the texts in the page. All
other texts are JSON, which the page's script inserts as text. The page may load nothing, and may run only its own script.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timezone
from hashlib import sha256
from json import JSONEncoder
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..lookup.states import INCOMPLETE, RUNNING, span_type
from ..lookup.tree import Node, build_tree, overall_state, walk
from ..lookup.usual import NO_OTHER_BUILDS, OtherBuilds
from ..lookup.wording import human_duration, visible
from ..trace import conventions as c
from ..trace.span import Span
from .copying import NOTHING_AROUND, About, Around, copies_of
from .critical import critical_path
from .heading import facts_of, heading_of
from .headline import NOTHING, Headline, path_view, verdict_view
from .pagedata import STATE_WORDS, PageData
from .panels import flaky_view, lane_views, stage_views, time_views
from .retries import find_retries
from .times import time_element, time_element_of
from .trouble import find_trouble

_TEMPLATES = Path(__file__).with_name("templates")
STYLE = _TEMPLATES / "report.css"
TIMES_SCRIPT = _TEMPLATES / "report-times.js"
_SCRIPTS = (
    "report-times.js",
    "report-model.js",
    "report-copy.js",
    "report-details.js",
    "report-rows.js",
    "report.js",
    "report-matrix-plays.js",
    "report-matrix-model.js",
    "report-matrix-cells.js",
    "report-matrix-draw.js",
    "report-matrix.js",
    "report-views.js",
)
_STYLES = ("report.css", "report-first.css", "report-tools.css", "report-matrix.css", "report-media.css")
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Characters that could end the script element, or the line in an old parser. They occur only in strings.
_JSON_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_JSON = JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def page_html(
    spans: Sequence[Span],
    *,
    title: str = "",
    roots: Sequence[Node] | None = None,
    generated_at: datetime | None = None,
    links: Sequence[tuple[str, str]] = (),
    headline: Headline = NOTHING,
    history: OtherBuilds = NO_OTHER_BUILDS,
    around: Around = NOTHING_AROUND,
) -> str:
    """Return the page for the spans of one or more traces. Without spans, the page says so.

    ``title``: "" for the build, or the name of the first span. ``roots``: the tree of these spans, if the caller has it.
    ``generated_at``: the time for the footer, and the end of the bars of open spans (UTC if it has no zone; default: now).
    ``links``: names and addresses to show at the top. ``headline`` and ``history``: what they do not know is not shown.
    ``around``: what is around the page. The result can always be encoded as UTF-8.
    """
    moment = generated_at or datetime.now(timezone.utc)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    roots = build_tree(spans) if roots is None else roots
    rows = list(walk(roots))
    start_ns, end_ns = _extent(spans, moment)
    path = critical_path(roots, end_ns)
    result = overall_state(roots)
    heading = heading_of(roots)
    about = About(heading, spans[0].trace_id if spans else "", result, STATE_WORDS[result], start_ns, end_ns - start_ns)
    copies = copies_of(about, headline.account, around, has_path=headline.path is not None)
    data = {
        **PageData(rows, start_ns, end_ns, path, history).as_json(),
        "copies": {"text": copies.text, "markdown": copies.markdown},
        "page": around.page,
    }
    script = "\n".join(_read(name) for name in _SCRIPTS)
    style = "\n".join(_read(name) for name in _STYLES)
    return _ENVIRONMENT.get_template("report.html.j2").render(
        policy=_policy(script, style),
        script=Markup(script),
        style=Markup(style),
        data=Markup(_json(data)),
        title=visible(title or heading.name),
        heading=heading,
        facts=facts_of(heading),
        commands=[visible(command) for command in copies.commands],
        around=around,
        links=[(visible(name), address) for name, address in links],
        result=result,
        words=STATE_WORDS,
        duration=human_duration(end_ns - start_ns),
        unfinished=result in (RUNNING, INCOMPLETE),
        started=time_element_of(start_ns) if spans else "",
        ended=time_element_of(max((span.end_ns for span in spans), default=0)),
        generated=time_element(moment),
        span_count=len(rows),
        traces=list(dict.fromkeys(visible(node.span.trace_id) for node in rows)),
        verdict=verdict_view(headline.verdict),
        path=path_view(headline.path),
        trouble=find_trouble(roots, rows, headline.deciding),
        times=time_views(path, rows),
        lanes=lane_views(spans, start_ns, end_ns),
        stages=stage_views(rows, history, end_ns),
        retries=find_retries(rows),
        flaky=flaky_view(history),
        has_grid=any(span_type(node.span) in (c.TYPE_PLAYBOOK, c.TYPE_TASK) for node in rows),
    )


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Return the Content-Security-Policy: the page may load nothing, and may use only this script and this style."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {source_hash(script)}",
            f"style-src {source_hash(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def source_hash(text: str) -> str:
    """Return the source of a Content-Security-Policy that allows this script or style alone."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"


def _json(data: object) -> str:
    return _JSON.encode(data).translate(_JSON_ESCAPES)


def _extent(spans: Sequence[Span], moment: datetime) -> tuple[int, int]:
    """Return the first start and the last end in ns. While a span is open, the end is at least ``moment``."""
    if not spans:
        return 0, 0
    times = [time for span in spans for time in (span.start_ns, span.end_ns or span.start_ns)]
    if any(span.end_ns == 0 for span in spans):
        # Not before the first span, in case this machine's clock is slow.
        times.append(max(min(times), int(moment.timestamp() * 1_000_000) * 1000))
    return min(times), max(times)
