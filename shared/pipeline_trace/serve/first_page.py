"""Renders the first page: what runs now, and what is where. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from markupsafe import Markup

from ..change.board import Board
from ..change.running import Host, Lost, Running
from ..lookup import wording
from ..report.stands import MOST_WAITS, wait_view
from ..report.times import time_element_of
from .entry_pages import line_of, rows_of
from .pages import SCRIPT, render
from .period import HOST
from .searching import address_of

# Where the parts of the page come from when they change.
LIVE = "/now/events"
_LONGEST = 300
_COARSE_NS, _STEP_NS = 120 * 10**9, 10 * 10**9


@dataclass(frozen=True)
class First:
    """What is on the page. ``notes``: what was left out."""

    running: Sequence[Running]
    board: Board
    notes: Sequence[str] = ()


def first_page(parts: Mapping[str, str], *, here: str) -> str:
    """Return the page. ``parts``: see parts_of. ``here``: the URL to which spans can be sent, "" to say nothing of it."""
    shown = {name: Markup(text) for name, text in parts.items()}
    return render("first.html.j2", title="Now", live=LIVE, here=here, script=Markup(SCRIPT), **shown)


def parts_of(found: First, now_ns: int, *, store: str) -> dict[str, str]:
    """Return the parts of the page that change, by their ids. ``store``: where the spans are, in words."""
    # Whoever comes with a deploy that hangs looks at the top.
    running = sorted(found.running, key=lambda one: not one.hangs(now_ns))
    return {
        "now": render("now.html.j2", running=[_running(one, now_ns) for one in running]),
        "where": render(
            "where.html.j2",
            environments=[wording.visible(name) for name in found.board.environments],
            rows=rows_of(found.board, now_ns),
            notice="; ".join(found.notes),
            store=wording.visible(store),
        ),
    }


def _running(one: Running, now_ns: int) -> dict[str, object]:
    ran_ns = _coarse(one.ran_ns(now_ns))
    return {
        "page": f"/trace/{one.trace_id}",
        "name": _short(one.run or one.stands[0]) or "(no name)",
        "url": one.url,
        "is_build": bool(one.run),
        "deploys": [line_of(deploy) for deploy in one.deploys],
        "stands": [_short(name) for name in one.stands],
        "started": time_element_of(one.start_ns),
        "ran": wording.human_duration(ran_ns),
        "hangs": one.hangs(now_ns),
        "late": one.is_late(now_ns),
        "host": _host(one.host, now_ns) if one.host and one.host.is_silent(now_ns) else None,
        "state": _state(one, now_ns),
        "heard": time_element_of(one.heard_ns) if one.heard_ns else "",
        "lost": _lost(one.lost) if one.lost else None,
        "usual": _usual(one, ran_ns),
        "such": "deploys" if one.deploys else "builds" if one.run else "",
        "waits": [wait_view(wait, wait.since_ns + _coarse(now_ns - wait.since_ns)) for wait in one.waits[:MOST_WAITS]],
        "more_waits": len(one.waits[MOST_WAITS:]),
        "ask": f"pipeline-trace why {quote(one.run or one.trace_id)}",
    }


def _coarse(length_ns: int) -> int:
    """Return for how long something lasts, so that a text changes seldom: who follows the page gets it again then."""
    return length_ns - length_ns % _STEP_NS if length_ns > _COARSE_NS else length_ns


def _lost(lost: Lost) -> dict[str, object]:
    return {"stands": [_short(name) for name in lost.stands], "heard": time_element_of(lost.heard_ns)}


def _short(name: str) -> str:
    return wording.visible(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}")


def _host(host: Host, now_ns: int) -> dict[str, str]:
    usual = host.usual
    return {
        "name": wording.visible(host.name),
        "page": address_of(HOST, name=host.name),
        "waited": wording.human_duration(_coarse(now_ns - host.since_ns)),
        "task": wording.visible(host.task),
        "usual": wording.human_duration(usual.p95_ns) if usual else "",
    }


def _state(one: Running, now_ns: int) -> tuple[str, str, str]:
    """Return the class, the sign and the word of a chip."""
    if one.heard_ns:
        return "silent", "\N{DOTTED CIRCLE}", "not heard of"
    if one.hangs(now_ns):
        return "s-failure", "\N{BLACK RIGHT-POINTING TRIANGLE}", "hangs"
    if one.waits:
        return "silent", "\N{DOUBLE VERTICAL LINE}", "waits"
    return "s-running", "\N{BLACK RIGHT-POINTING TRIANGLE}", "running"


def _usual(one: Running, ran_ns: int) -> dict[str, object] | None:
    if one.usual is None:
        return None
    usual = one.usual
    return {
        "ran": ran_ns // 10**6,
        "median": usual.median_ns // 10**6,
        "p95": usual.p95_ns // 10**6,
        # Beyond it the bar is full.
        "most": max(usual.most_ns, usual.p95_ns * 3 // 2) // 10**6 or 1,
        "said": f"usually {wording.human_duration(usual.median_ns)}, 95 % within {wording.human_duration(usual.p95_ns)}, "
        f"of {usual.runs} that succeeded",
        "longest": wording.human_duration(usual.most_ns),
    }
