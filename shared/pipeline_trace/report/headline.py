"""Prepares the top of the report: the verdict and the change's path. The caller passes both. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from markupsafe import Markup

from ..lookup.states import STATES
from ..lookup.wording import human_ms, visible
from ..ownership import Verdict
from ..ownership.account import Account
from ..ownership.account.sentence import no_team_of, reason_of
from ..ownership.account.wording import Name, Part, rows
from .times import time_element

_OWNERS = {"dev": "Dev should look first", "ops": "Ops should look first"}
_UNDECIDED = "It is unknown who should look first"
_LOOK = "Look at what failed first, and compare it with the last run that passed."
_ANSWERS = {"yes": "success", "no": "failure"}
# Every build waits for some milliseconds: a shorter wait is not shown.
_SHORTEST_WAIT_MS = 1000
# Rows of an account that the page shows beside the verdict.
_SINCE = ("Since", "Last green")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:Z| UTC)")
_WAITS = {"queue": "in the queue", "agent": "for an agent", "input": "for a person"}


@dataclass(frozen=True)
class Headline:
    """What is known about a trace besides its spans. ``path``: the document of `pipeline-trace path`. None is not shown.

    ``deciding``: the line of a failed span's log that decides the verdict on it, by span id. ``account``: what is known
    around the verdict. ``shared``: names of its builds, JOB#N, that builds in other traces have, too.
    """

    verdict: Verdict | None = None
    path: Mapping[str, Any] | None = None
    deciding: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    shared: Collection[str] = ()


NOTHING = Headline()


def verdict_view(verdict: Verdict | None) -> dict[str, Any] | None:
    """Return a verdict in the form that the template needs; None for none."""
    if verdict is None:
        return None
    known, nothing = verdict.owner in _OWNERS, no_team_of(verdict)
    why = verdict.kind.replace("_", " ") if known else "" if nothing else reason_of(verdict)
    return {
        "owner": verdict.owner if known else "unknown",
        "says": nothing.rstrip(".") or _OWNERS.get(verdict.owner, _UNDECIDED),
        "kind": visible(why),
        "sure": f"{round(100 * verdict.confidence)} % sure" if known else "",
        "evidence": [visible(line, lines=True) for line in verdict.evidence],
        "next": visible(verdict.next or ("" if known or nothing else _LOOK)),
    }


def since_view(account: Account | None) -> list[dict[str, Any]]:
    """Return since when and how often it fails, and what was green last, in the form that the template needs."""
    found = [row for row in rows(account) if row.label in _SINCE] if account else []
    return [{"label": row.label, "lines": [list(map(_part, line)) for line in row.lines]} for row in found]


def _part(part: Part) -> dict[str, Any]:
    """Return a part of a line. A time in plain words becomes an element: the reader has another zone."""
    if not isinstance(part, str):
        url = part.url if isinstance(part, Name) and part.url.startswith(("http://", "https://")) else ""
        return {"text": visible(part.text), "url": url}
    return {"text": Markup("").join(_with_times(part)), "url": ""}


def _with_times(text: str) -> Iterator[str]:
    end = 0
    for match in _TIME.finditer(text):
        yield visible(text[end : match.start()])
        yield time_element(datetime.fromisoformat(match[1]))
        end = match.end()
    yield visible(text[end:])


def path_view(path: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a path in the form that the template needs; None for none. Missing fields are left out."""
    if path is None:
        return None
    services = _mappings(path.get("services"))
    return {
        "answer": _answer(path.get("answer")),
        "services": [
            {
                "name": _text(one.get("service")) if len(services) > 1 else "",
                "answer": _answer(one.get("answer")) if len(services) > 1 else None,
                "steps": [_step(step) for step in _mappings(one.get("steps"))],
            }
            for one in services
        ],
        "notes": [visible(str(note)) for note in path.get("notes") or ()],
    }


def _answer(answer: Any) -> dict[str, str] | None:
    if not isinstance(answer, Mapping):
        return None
    word = _text(answer.get("answer"))
    return {
        "state": _ANSWERS.get(word, "unset"),
        "word": word,
        "reason": _text(answer.get("reason")),
        "next": _text(answer.get("next")),
    }


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    said = step.get("state")
    last = step.get("last")
    last = last if isinstance(last, Mapping) else {}
    url = _text(last.get("url"))
    return {
        "name": _text(step.get("step")),
        "state": said if said in STATES else "unset",
        "word": "" if said in STATES else _text(said),
        "run": _text(last.get("run")),
        "url": url if url.lower().startswith(("https://", "http://")) else "",
        "started": _moment(_text(last.get("started"))),
        "ran": _milliseconds(last.get("ran_ms")),
        "waits": list(_waits(last.get("waited"))),
        "failures": step.get("failures") if isinstance(step.get("failures"), int) else 0,
    }


def _waits(waits: Any) -> Iterator[str]:
    for wait in _mappings(waits):
        lasted = wait.get("ms")
        if not isinstance(lasted, (int, float)) or lasted < _SHORTEST_WAIT_MS:
            continue
        what, who = _text(wait.get("what")), _text(wait.get("who"))
        said = ["waited", _milliseconds(lasted), _WAITS.get(what, what), who and f"({who})"]
        yield " ".join(filter(None, said))


def _moment(text: str) -> str:
    """Return a time as an element; a text that is no time as it is."""
    try:
        return time_element(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


def _milliseconds(value: Any) -> str:
    return human_ms(value) if isinstance(value, (int, float)) else ""


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str:
    return "" if value is None else visible(str(value))
