"""Turns deploys and the board into JSON-ready data, for `deploys --format json`. docs/deploys.md lists the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lookup.wording import iso_time
from .board import Board, Cell, Failing
from .entries import Entry


def board_document(board: Board, notes: Sequence[str]) -> dict[str, Any]:
    """Return the board's document. ``notes``: what was left out."""
    services = [
        {"service": row.service or None, "environments": {name: _cell(cell) for name, cell in row.cells.items()}}
        for row in board.rows
    ]
    return {"environments": list(board.environments), "services": services, "notes": list(notes)}


def deploys_document(deploys: Sequence[Entry], notes: Sequence[str]) -> dict[str, Any]:
    """Return the document of a list of deploys, in their order. ``notes``: what was left out."""
    return {"deploys": [entry_document(one) for one in deploys], "notes": list(notes)}


def entry_document(one: Entry) -> dict[str, Any]:
    """Return the document of a deploy or a build. What is not known is None."""
    texts = {"service": one.service, "version": one.version, "commit": one.commit, "branch": one.branch, "run": one.run}
    texts |= {"url": one.url, "who": one.who, "failed_at": one.where, "message": one.message}
    texts |= {"owner": one.owner, "kind": one.kind}
    return {
        "environments": list(one.environments),
        "state": one.state,
        "started": iso_time(one.start_ns),
        "ended": iso_time(one.end_ns) if one.end_ns else None,
        **{name: text or None for name, text in texts.items()},
        "agents": list(one.agents),
        "trace_id": one.trace_id,
        "span_id": one.span_id,
    }


def _failing(failing: Failing) -> dict[str, Any]:
    return {"times": failing.times, "since": iso_time(failing.since_ns), "newest": entry_document(failing.newest)}


def _cell(cell: Cell) -> dict[str, Any]:
    behind = cell.behind
    return {
        "state": cell.newest.state,
        "there": entry_document(cell.there) if cell.there else None,
        "newest": entry_document(cell.newest),
        "failing": _failing(cell.failing) if cell.failing else None,
        "behind": {
            "environment": cell.before,
            "changes": behind.changes,
            "since": iso_time(behind.since_ns) if behind.changes else None,
        }
        if behind
        else None,
    }
