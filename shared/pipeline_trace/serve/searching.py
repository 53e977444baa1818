"""Reads the filters of the lists of deploys and builds from an address, and writes such addresses. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from ..change.ordered import ORDERS
from ..change.search import Search
from ..change.told import FAILED
from ..lookup.source import ALWAYS, Window
from ..lookup.states import STATES

# The fields that are texts, in the order of the form, and what people call them.
TEXTS = {
    "q": "Search",
    "service": "Service",
    "environment": "Environment",
    "job": "Job",
    "branch": "Branch",
    "version": "Version",
    "commit": "Commit",
    "agent": "Agent",
    "host": "Host",
    "result": "Result",
    "owner": "Owner",
    "kind": "Kind",
}
WHEN = {"today": "today", "yesterday": "yesterday", "24h": "last 24 hours", "7d": "last 7 days"}
TIMES = {"from": "From", "to": "To"}
# All filters. Besides, "until" and "rest" say which page it is, "zone" how many minutes the reader's zone is east of UTC;
# "sort" names an order, and then "page" says which page it is.
FIELDS = {**TEXTS, "when": "Time", **TIMES}
# The words for how something ended.
RESULTS = (FAILED, *STATES)
_LONGEST = 500
_SECOND_NS = 10**9
_MOST_MINUTES = 24 * 60
# Of a time in nanoseconds.
_DIGITS = 20
_PAGE_DIGITS = 6


@dataclass(frozen=True)
class Asked:
    """What an address asks for.

    ``typed``: the filters that are set, as typed, times in UTC. ``problem``: which are not valid, "" for none. ``order``: of
    change.ordered.ORDERS, "" for the newest first; with one, ``page`` counts from 1. ``until_ns`` and ``rest_ns``: see
    change.search.find_deploys.
    """

    typed: Mapping[str, str]
    search: Search
    until_ns: int
    problem: str
    order: str = ""
    page: int = 1
    rest_ns: int = 0

    def address(self, path: str, **changed: str) -> str:
        """Return the address of a list with these filters, some of them changed; "" takes one away."""
        return address_of(path, **{**self.typed, **changed})


def address_of(path: str, **fields: str) -> str:
    """Return the address of a page with fields, without those that are empty."""
    given = {name: text for name, text in fields.items() if text}
    # Half a letter, which spans may have, must not cost the page. No list has anything for it.
    return f"{path}?{urlencode(given, errors='surrogatepass')}" if given else path


def read_search(given: Mapping[str, str], now_ns: int) -> Asked:
    """Read the fields of an address. One that is not valid is ignored, and named in ``problem``."""
    typed = {name: text for name in FIELDS if (text := given.get(name, "").strip()[:_LONGEST])}
    zone, problems = _zone(given.get("zone", "")), list[str]()
    began = _window(typed, zone, now_ns, problems)
    if "when" in typed and zone != timezone.utc:
        typed["zone"] = given["zone"]
    order, page = given.get("sort", ""), given.get("page", "")
    if order in ORDERS:
        typed["sort"] = order
    if (result := typed.get("result")) is not None and result not in RESULTS:
        problems.append(f"“{typed.pop('result')}” is no result; take one of {', '.join(RESULTS)}")
    texts = {name: typed.get(name, "") for name in TEXTS if name != "q"}
    # As pages show it.
    texts |= {"owner": texts["owner"].lower(), "kind": texts["kind"].lower().replace(" ", "_")}
    return Asked(
        typed,
        Search(words=tuple(typed.get("q", "").split()), began=began, **texts),
        _until(given.get("until", "")) or ALWAYS.to_ns,
        "; ".join(problems),
        typed.get("sort", ""),
        max(int(page), 1) if page.isdecimal() and len(page) < _PAGE_DIGITS else 1,
        _until(given.get("rest", "")),
    )


def _until(text: str) -> int:
    """Return a time in nanoseconds; 0 if it is none."""
    return min(int(text), ALWAYS.to_ns) if text.isdecimal() and len(text) < _DIGITS else 0


def _zone(text: str) -> timezone:
    try:
        minutes = int(text or 0)
    except ValueError:
        minutes = 0
    return timezone(timedelta(minutes=minutes)) if abs(minutes) < _MOST_MINUTES else timezone.utc


def _window(typed: dict[str, str], zone: timezone, now_ns: int, problems: list[str]) -> Window:
    """Return when what is looked for began. Takes what is not valid out of ``typed``."""
    window = ALWAYS
    if (when := typed.get("when")) is not None:
        if when in _WORDS:
            window = _WORDS[when](datetime.fromtimestamp(now_ns // 10**9, zone))
        else:
            problems.append(f"“{typed.pop('when')}” is no time; take one of {', '.join(WHEN)}")
    for name in TIMES:
        moment = _moment(typed.get(name, ""))
        if moment:
            typed[name] = moment.replace(tzinfo=None).isoformat()
            from_ns, to_ns = window
            # A time has no parts of a second: the last one is meant as a whole.
            last_ns = min(_ns(moment) + _SECOND_NS - 1, ALWAYS.to_ns)
            window = Window(max(from_ns, _ns(moment)), to_ns) if name == "from" else Window(from_ns, min(to_ns, last_ns))
        elif wrong := typed.pop(name, ""):
            problems.append(f"“{wrong}” is not a valid time; write it in UTC, like 2026-11-23T16:30")
    return window


def _moment(text: str) -> datetime | None:
    """Return a time from the form. Without a zone, it is in UTC. None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _since(**age: int) -> Callable[[datetime], Window]:
    return lambda now: Window(_ns(now - timedelta(**age)))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _ns(moment: datetime) -> int:
    return min(max(int(moment.timestamp()), 0) * 10**9, ALWAYS.to_ns)


_WORDS: Mapping[str, Callable[[datetime], Window]] = {
    "today": lambda now: Window(_ns(_midnight(now))),
    "yesterday": lambda now: Window(_ns(_midnight(now) - timedelta(days=1)), _ns(_midnight(now)) - 1),
    "24h": _since(hours=24),
    "7d": _since(days=7),
}
