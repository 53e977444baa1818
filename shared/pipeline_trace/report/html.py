"""Writes spans as one self-contained HTML page.

Names, attributes and messages come from Jenkins and Ansible and are not trusted. Jinja escapes the texts in the page. All
other texts are JSON, which the page's script inserts as text. The page may load nothing, and may run only its own script.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import sha256
from json import JSONEncoder
from pathlib import Path
from typing import Any

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
from .headline import NOTHING, Headline, path_view, since_view, verdict_view
from .pagedata import STATE_WORDS, PageData
from .panels import flaky_view, lane_views, stage_views, time_views, without_outages
from .retries import find_retries
from .rowdata import Rows
from .stands import stands_view
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
# Of a page that follows its trace.
_LIVE_SCRIPTS = ("report-morph.js", "report-renew.js", "report-live.js")
# What the server makes of a page, and makes again when it changes. Each has an element with this id.
PARTS = ("links", "head", "stands", "story", "panels")
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


@dataclass(frozen=True)
class Known:
    """What is known of a trace besides its spans; what is not known is not shown.

    ``links``: names and addresses to show at the top. ``around``: what is around the page. ``silent``: when open spans were
    heard of last that should have been heard of since, by their ids, in nanoseconds since the epoch.
    """

    links: Sequence[tuple[str, str]] = ()
    headline: Headline = NOTHING
    history: OtherBuilds = NO_OTHER_BUILDS
    around: Around = NOTHING_AROUND
    silent: Mapping[str, int] = field(default_factory=dict)


NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class Made:
    """A page before it is written. ``values``: what the templates ask for. ``data``: the rows. ``more``: beside them."""

    values: Mapping[str, Any]
    data: PageData
    more: Mapping[str, Any]


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
    ``links``, ``headline``, ``history`` and ``around``: see Known. The result can always be encoded as UTF-8.
    """
    known = Known(links, headline, history, around)
    return written(made(spans, known, title=title, roots=roots, generated_at=generated_at))


def made(
    spans: Sequence[Span],
    known: Known = NOTHING_KNOWN,
    *,
    title: str = "",
    roots: Sequence[Node] | None = None,
    generated_at: datetime | None = None,
    rows: Rows | None = None,
) -> Made:
    """Return what is on the page of spans: see page_html. ``rows``: what keeps rows between two pages."""
    moment = generated_at or datetime.now(timezone.utc)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    roots = build_tree(spans) if roots is None else roots
    nodes = list(walk(roots))
    start_ns, end_ns = _extent(spans, moment, known.silent)
    path = critical_path(roots, end_ns)
    result, word = _result(roots, spans, known.silent)
    heading, headline = heading_of(roots), known.headline
    history = without_outages(known.history, headline.verdict, nodes)
    trace_id, is_shared = spans[0].trace_id if spans else "", heading.name in headline.shared
    about = About(heading, trace_id, result, word, start_ns, end_ns - start_ns, is_shared)
    copies = copies_of(about, headline.account, known.around, has_path=headline.path is not None)
    values = {
        "title": visible(title or heading.name),
        "heading": heading,
        "facts": facts_of(heading),
        "commands": [visible(command) for command in copies.commands],
        "around": known.around,
        "links": [(visible(name), address) for name, address in known.links],
        "result": result,
        "word": word,
        "words": STATE_WORDS,
        "duration": human_duration(end_ns - start_ns),
        "unfinished": result in (RUNNING, INCOMPLETE),
        "runs": any(not span.end_ns and span.span_id not in known.silent for span in spans),
        "started": time_element_of(start_ns) if spans else "",
        "ended": time_element_of(max((span.end_ns for span in spans), default=0)),
        "silent_since": time_element_of(max(known.silent.values())) if known.silent and result == INCOMPLETE else "",
        "generated": time_element(moment),
        "span_count": len(nodes),
        "traces": list(dict.fromkeys(visible(node.span.trace_id) for node in nodes)),
        "verdict": verdict_view(headline.verdict),
        "since": since_view(headline.account),
        "path": path_view(headline.path),
        "trouble": find_trouble(roots, nodes, headline.deciding),
        "times": time_views(path, nodes),
        "lanes": lane_views(spans, start_ns, end_ns),
        "stages": stage_views(nodes, history, end_ns),
        "retries": find_retries(nodes),
        "flaky": flaky_view(history),
        "has_grid": any(span_type(node.span) in (c.TYPE_PLAYBOOK, c.TYPE_TASK) for node in nodes),
        "stands": stands_view(nodes, known.silent, int(moment.timestamp() * 1_000_000) * 1000),
    }
    data = PageData(nodes, start_ns, end_ns, path, history, silent=known.silent, made=rows)
    more = {"copies": {"text": copies.text, "markdown": copies.markdown}, "page": known.around.page}
    return Made(values, data, more)


def written(page: Made, live: Mapping[str, Any] | None = None) -> str:
    """Return a page as HTML. ``live``: what its scripts need to follow the trace; None if they do not."""
    script = "\n".join(_read(name) for name in (*_SCRIPTS, *(_LIVE_SCRIPTS if live else ())))
    style = "\n".join(_read(name) for name in _STYLES)
    data = {**page.data.as_json(), **page.more, **({"live": live} if live else {})}
    return _ENVIRONMENT.get_template("report.html.j2").render(
        page.values,
        policy=_policy(script, style, asks=live is not None),
        script=Markup(script),
        style=Markup(style),
        data=Markup(_json(data)),
        live=live is not None,
    )


def part_of(page: Made, name: str) -> str:
    """Return a part of a page as HTML. ``name``: one of PARTS."""
    return _ENVIRONMENT.get_template(f"report-{name}.html.j2").render(page.values, live=True)


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _result(roots: Sequence[Node], spans: Sequence[Span], silent: Mapping[str, int]) -> tuple[str, str]:
    """Return the state of all, and the word for it. Of what is not heard of, nobody knows whether it runs."""
    result = overall_state(roots)
    if result == RUNNING and silent and all(span.span_id in silent for span in spans if not span.end_ns):
        return INCOMPLETE, "Not heard of"
    return result, STATE_WORDS[result]


def _policy(script: str, style: str, *, asks: bool) -> str:
    """Return the Content-Security-Policy: the page may load nothing, and may use only this script and this style.

    ``asks``: whether it may ask its own server.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {source_hash(script)}",
            f"style-src {source_hash(style)}",
            "img-src data:",
            *(["connect-src 'self'"] if asks else []),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def source_hash(text: str) -> str:
    """Return the source of a Content-Security-Policy that allows this script or style alone."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"


def _json(data: object) -> str:
    return _JSON.encode(data).translate(_JSON_ESCAPES)


def _extent(spans: Sequence[Span], moment: datetime, silent: Mapping[str, int]) -> tuple[int, int]:
    """Return the first start and the last end in ns. While a span is open, the end is at least ``moment``.

    Of a span that is not heard of, it is at least the time when it was.
    """
    if not spans:
        return 0, 0
    times = [time for span in spans for time in (span.start_ns, span.end_ns or silent.get(span.span_id, span.start_ns))]
    if any(span.end_ns == 0 and span.span_id not in silent for span in spans):
        # Not before the first span, in case this machine's clock is slow.
        times.append(max(min(times), int(moment.timestamp() * 1_000_000) * 1000))
    return min(times), max(times)
