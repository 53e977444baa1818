"""Renders the lists of deploys and builds, and the board. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from ..change.board import Board, Cell, Failing
from ..change.board_terminal import said_behind
from ..change.entries import Entry
from ..change.ordered import LONGEST, OLDEST, SHORTEST
from ..lookup import wording
from ..lookup.source import ALWAYS
from ..report.pagedata import STATE_WORDS
from ..report.times import time_element, time_element_of
from ..trace import conventions as c
from .in_terminal import command_of_list
from .pages import MARKS, SCRIPT, page_of_span, render
from .period import JOB, SERVICE
from .searching import FIELDS, TEXTS, TIMES, WHEN, Asked, address_of

DEPLOYS, BUILDS = "/deploys", "/builds"
_WHAT = {DEPLOYS: "deploy", BUILDS: "build"}
_HINT = {
    DEPLOYS: "A deploy is a build or a playbook that says its environment: docs/deployments.md.",
    BUILDS: "Builds come from pipeline-trace poll, or from Jenkins' OpenTelemetry plugin.",
}
_RESULTS = {"failed": "failed", "running": "running", c.SUCCESS: "succeeded"}
# The others are folded away, unless one is set.
_FIRST_FIELDS = ("q", "service", "environment", "result")
_NO_VERSION = "version not known"
_ORDERS = {"": "newest first", OLDEST: "oldest first", LONGEST: "longest first", SHORTEST: "shortest first"}
# By the head of a column, its orders: of what is greatest first, and of what is smallest first.
_HEADS = {"started": ("", OLDEST), "duration": (LONGEST, SHORTEST)}


@dataclass(frozen=True)
class Listed:
    """A page of a list. ``older``: the address of the next page. ``loosened``: filters, each with how much is without it.

    ``notice``: what is not here. ``whole``: whether all was looked at.
    """

    lines: Sequence[Entry]
    older: str = ""
    notice: str | Markup = ""
    loosened: Mapping[str, str] | None = None
    whole: bool = True


def entries_page(path: str, asked: Asked, found: Listed, *, store: str, source: str = "") -> str:
    """Return the page of a list. ``path``: DEPLOYS or BUILDS.

    ``store``: where they are, in words. ``source``: the same, as --from takes it; "" for this machine's store.
    """
    chosen = [(name, text) for name, text in asked.typed.items() if name in FIELDS]
    return render(
        "entries.html.j2",
        title=f"{_WHAT[path].capitalize()}s",
        what=_WHAT[path],
        path=path,
        typed={name: asked.typed.get(name, "") for name in (*FIELDS, "zone")},
        texts=TEXTS,
        first_fields=_FIRST_FIELDS,
        more_open=any(name not in (*_FIRST_FIELDS, "when", "zone", "sort") for name in asked.typed),
        order=asked.order,
        orders=[(said, asked.address(path, sort=order), order == asked.order) for order, said in _ORDERS.items()],
        heads={head: _head(path, asked, *orders) for head, orders in _HEADS.items()},
        when=WHEN,
        results=STATE_WORDS,
        quick=_quick(path, asked),
        chosen=[(FIELDS[name], _said(name, text), asked.address(path, **{name: ""})) for name, text in chosen],
        loosened=[
            (FIELDS[name], _said(name, asked.typed[name]), asked.address(path, **{name: ""}), count)
            for name, count in (found.loosened or {}).items()
        ],
        command=command_of_list(asked, source) if path == DEPLOYS else "",
        problem=asked.problem,
        notice=found.notice,
        whole=found.whole,
        lines=[line_of(one) if path == DEPLOYS else _build_of(one) for one in found.lines],
        newest=asked.address(path) if asked.until_ns < ALWAYS.to_ns or asked.page > 1 else "",
        first="First page" if asked.order else "Newest",
        older=found.older,
        next="Next page" if asked.order else "Older",
        store=wording.visible(store),
        hint=_HINT[path],
        script=Markup(SCRIPT),
    )


def line_of(one: Entry) -> dict[str, object]:
    """Return what a page shows of a deploy."""
    return {
        "state": one.state,
        "mark": "\N{DOTTED CIRCLE}" if one.heard_ns else MARKS[one.state],
        "word": "Not heard of" if one.heard_ns else STATE_WORDS[one.state],
        "heard": time_element_of(one.heard_ns) if one.heard_ns else "",
        "failed": one.state in c.FAILED_RESULTS,
        "page": page_of(one),
        "name": wording.visible(one.what or one.run or _NO_VERSION),
        "built": "",
        "whole": "" if one.version in ("", one.what) else wording.visible(one.version),
        "places": [wording.visible(name) for name in one.environments],
        "service": wording.visible(one.service),
        "of_service": address_of(SERVICE, name=one.service),
        "commit": wording.visible(one.commit),
        "branch": wording.visible(one.branch),
        "started": time_element_of(one.start_ns),
        "duration": wording.human_duration(one.end_ns - one.start_ns) if one.end_ns else "" if one.heard_ns else "running",
        "who": wording.visible(one.who),
        "run": wording.visible(one.run),
        "job": wording.visible(one.job),
        "of_job": address_of(JOB, name=one.job),
        "number": wording.visible(one.run.removeprefix(one.job)),
        "url": one.url,
        "where": wording.visible(one.where),
        "message": wording.visible(one.message),
        "owner": wording.visible(one.owner),
        "kind": wording.visible(one.kind.replace("_", " ")),
    }


def _build_of(one: Entry) -> dict[str, object]:
    """Return what the list of builds shows of one."""
    name = wording.visible(one.run or one.what or _NO_VERSION)
    return {**line_of(one), "name": name, "built": wording.visible(one.version)}


def page_of(one: Entry) -> str:
    """Return the address of a deploy or a build on its trace's page; of one that failed, the top: there is the verdict."""
    return f"/trace/{one.trace_id}" if one.state in c.FAILED_RESULTS else page_of_span(one)


def rows_of(board: Board, now_ns: int) -> list[dict[str, object]]:
    """Return what the board shows: for each service a cell for each environment, None where nothing was deployed."""
    return [
        {
            "service": wording.visible(row.service) or "(no service named)",
            "of_service": address_of(SERVICE, name=row.service) if row.service else DEPLOYS,
            "cells": [_cell(row.service, name, row.cells.get(name), now_ns) for name in board.environments],
        }
        for row in board.rows
    ]


def _cell(service: str, environment: str, cell: Cell | None, now_ns: int) -> dict[str, object] | None:
    if cell is None:
        return None
    newest, there, behind = cell.newest, cell.there, cell.behind
    return {
        "deploys": _list_of(service, environment),
        "there": line_of(there) if there else None,
        "newest": line_of(newest) if newest is not there else None,
        "behind": said_behind(behind, cell.before, now_ns) if behind and behind.changes else "",
        "failing": _failing(cell, cell.failing, now_ns) if cell.failing else None,
    }


def _failing(cell: Cell, failing: Failing, now_ns: int) -> dict[str, object]:
    return {
        "newest": line_of(failing.newest),
        # Else it is said already.
        "before": failing.newest is not cell.newest,
        "times": "" if failing.times == 1 else f", {failing.times} times",
        "since": time_element_of(failing.since_ns),
        "ago": wording.human_duration(max(now_ns - failing.since_ns, 0)),
    }


def _list_of(service: str, environment: str) -> str:
    return address_of(DEPLOYS, service=service, environment=environment)


def _quick(path: str, asked: Asked) -> list[list[tuple[str, str, bool]]]:
    """Return the filters that are one click away, in groups: what they are called, their address, whether they are set."""
    groups = [("result", _RESULTS), ("when", WHEN)]
    return [
        [
            (
                said,
                asked.address(path, **{name: "" if asked.typed.get(name) == word else word}),
                asked.typed.get(name) == word,
            )
            for word, said in words.items()
        ]
        for name, words in groups
    ]


def _head(path: str, asked: Asked, falling: str, rising: str) -> dict[str, str]:
    """Return the head of a column by which a list is sorted: the other order's address, and which order it has now."""
    now = {falling: "descending", rising: "ascending"}.get(asked.order, "")
    other = rising if now == "descending" else falling
    return {"address": asked.address(path, sort=other), "title": f"Sort: {_ORDERS[other]}", "now": now}


def _said(name: str, text: str) -> str:
    if name in TIMES:
        return time_element(datetime.fromisoformat(text))
    words: Mapping[str, Mapping[str, str]] = {"result": {**STATE_WORDS, **_RESULTS}, "when": WHEN}
    return wording.visible(words.get(name, {}).get(text, text))


def counted(entries: Iterable[Entry], more: bool) -> str:
    """Return how many there are, in words. ``more``: whether there may be others."""
    count = len(list(entries))
    return f"{count} or more" if more else str(count)
