"""Renders an account as JSON. docs/ownership.md lists the keys."""

from __future__ import annotations

from typing import Any

from ...lookup.wording import iso_time
from .record import Account, Build, Others, Start, Streak


def document_of(account: Account) -> dict[str, Any]:
    """Return the account as JSON-ready data. What is not known has no key. Times are in UTC, as ISO 8601."""
    found = {
        **account.verdict.to_dict(),
        "says": account.says,
        "build": account.build and _build(account.build),
        "trace_id": account.trace_id,
        "because": account.because,
        "line": account.line,
        "phase": account.verdict.phase,
        "seen": account.seen,
        **(_streak(account.streak) if account.streak else {}),
        "started": account.start and _start(account.start),
        "agent": account.place.agent,
        "hosts": account.place.hosts,
        "environment": account.place.environment,
        "steps": account.place.steps,
        "fails_alike": [_others(one) for one in account.alike],
        "passes": [_others(one) for one in account.fine],
        "commands": account.commands,
        "page": account.page,
    }
    always = account.verdict.to_dict().keys()
    return {name: _plain(value) for name, value in found.items() if name in always or value not in ("", None, [], ())}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _streak(streak: Streak) -> dict[str, Any]:
    return {
        "job": streak.job,
        "since": _build(streak.first),
        "failed_alike": streak.alike,
        "of_last_builds": streak.builds,
        "last_green": streak.green and _build(streak.green),
        "commits_since": streak.commits,
        "authors_since": streak.authors,
        "compare": streak.compare,
        "green_again": streak.green_again and _build(streak.green_again),
    }


def _build(build: Build) -> dict[str, str]:
    known = {"name": build.name, "url": build.url, "started": iso_time(build.at_ns), "commit": build.commit}
    return {name: value for name, value in known.items() if value}


def _start(start: Start) -> dict[str, Any]:
    known = {"cause": start.kind, "by": start.by, "builds": [_build(build) for build in start.way]}
    return {name: value for name, value in known.items() if value}


def _others(others: Others) -> dict[str, Any]:
    known = {"job": others.job, "agent": others.agent, "builds": others.count, "last": _build(others.last)}
    return {name: value for name, value in known.items() if value}
