"""Renders the pages: the list of traces, the login and messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..lookup import wording
from ..lookup.source import ALWAYS
from ..report import html
from ..report.pagedata import STATE_WORDS
from ..report.times import time_element_of
from .index import PAGE, Filter
from .listing import Page
from .summary import Summary

_OWN = Path(__file__).with_name("templates")
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_OWN), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_STYLES = (html.STYLE, *(_OWN / name for name in ("list.css", "compare.css", "over-time.css")))
_STYLE = "\n".join(path.read_text(encoding="utf-8") for path in _STYLES)
SCRIPT = "\n".join(path.read_text(encoding="utf-8") for path in (html.TIMES_SCRIPT, _OWN / "list.js", _OWN / "live.js"))
MARKS = {
    "success": "✓",
    "failure": "✗",
    "error": "✗",
    "timeout": "✗",
    "cancellation": "⊘",
    "skip": "-",
    "running": "▶",
    "incomplete": "◌",
    "unset": "·",
}


TRACES = "/traces"
# The pages that all others lead to.
ROOMS = {"Now": "/", "Deploys": "/deploys", "Builds": "/builds", "Platform": "/platform", "Traces": TRACES}


@dataclass(frozen=True)
class Query:
    """The query of the list's form.

    ``typed``: the fields as typed, times in UTC. ``problem``: which fields are not valid, "" for none.
    """

    typed: Mapping[str, str]
    wanted: Filter
    page: int
    problem: str


def read_query(given: Mapping[str, str]) -> Query:
    """Read the fields of the form. A field that is not valid is ignored and named in ``problem``."""
    typed = {name: given.get(name, "").strip()[:500] for name in ("q", "result", "environment", "commit", "from", "to")}
    problems = []
    times: dict[str, int] = {}
    for name in ("from", "to"):
        if not typed[name]:
            continue
        try:
            moment = _utc(typed[name])
            times[name] = min(max(int(moment.timestamp()) * 1_000_000_000, 0), ALWAYS.to_ns)
            typed[name] = moment.replace(tzinfo=None).isoformat()
        except (ValueError, OverflowError):
            problems.append(f"“{typed[name]}” is not a valid time; write it in UTC, like 2026-11-23T16:30")
            typed[name] = ""
    page = given.get("page", "")
    wanted = Filter(
        words=tuple(typed["q"].split()),
        result=typed["result"],
        environment=typed["environment"],
        commit=typed["commit"].lower(),
        since_ns=times.get("from"),
        until_ns=times.get("to"),
    )
    return Query(typed, wanted, int(page) if page.isdecimal() and 0 < int(page) < 10**6 else 1, "; ".join(problems))


def traces_page(asked: Query, found: Page, *, store: str, here: str) -> str:
    """Return the page with the list.

    ``store``: where the traces are, in words. ``here``: the URL to which spans can be sent, "" where none are taken.
    """
    filters = {name: text for name, text in asked.typed.items() if text}
    last = max(1, -(-found.total // PAGE))
    return render(
        "traces.html.j2",
        title="Traces",
        typed=asked.typed,
        problem=asked.problem,
        filtered=bool(filters),
        running=[_line(summary) for summary in found.running],
        lines=[_line(summary) for summary in found.traces],
        total=found.total,
        environments=found.environments,
        results=STATE_WORDS,
        behind=found.behind,
        notice=found.notice,
        page=asked.page,
        last=last,
        newer=f"{TRACES}?{urlencode({**filters, 'page': asked.page - 1})}" if asked.page > 1 else "",
        older=f"{TRACES}?{urlencode({**filters, 'page': asked.page + 1})}" if asked.page < last else "",
        script=Markup(SCRIPT),
        store=wording.visible(store),
        here=here,
    )


class OfSpan(Protocol):
    """A span, or what stands for one."""

    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...


def page_of_span(one: OfSpan) -> str:
    """Return the address of a span on the page of its trace."""
    return f"/trace/{one.trace_id}#span-{one.span_id}"


def login_page(*, then: str, wrong: bool) -> str:
    """Return the login page. ``then``: the path to go to after it. ``wrong``: True after a wrong token."""
    return render("login.html.j2", title="Log in", then=then, wrong=wrong)


def message_page(title: str, text: str) -> str:
    """Return a page with a message."""
    return render("message.html.j2", title=title, text=text)


def content_policy() -> str:
    """Return the Content-Security-Policy of these pages: one script, one style, and forms and events only of this server."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {html.source_hash(SCRIPT)}",
            f"style-src {html.source_hash(_STYLE)}",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def render(template: str, **values: object) -> str:
    """Return a page of a template."""
    return _ENVIRONMENT.get_template(template).render(style=Markup(_STYLE), rooms=ROOMS, **values)


def _line(summary: Summary) -> dict[str, object]:
    return {
        "id": summary.trace_id,
        "name": summary.name or "(no name)",
        "result": summary.result,
        "mark": MARKS[summary.result],
        "word": STATE_WORDS[summary.result],
        "started": time_element_of(summary.start_ns),
        "duration": wording.human_duration(summary.end_ns - summary.start_ns) if summary.end_ns else "running",
        "spans": summary.spans,
        "environments": summary.environments,
        "commits": summary.commits,
        "url": summary.url,
        "host": urlsplit(summary.url).netloc,
    }


def _utc(text: str) -> datetime:
    """Return a time from the form. Without a zone, it is in UTC. Raises ValueError, OverflowError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
