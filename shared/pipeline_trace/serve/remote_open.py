"""What runs, by a source that many write into: the open spans that senders told last, without those that have ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from ..delivery.destinations import SetupError
from ..lookup.clickhouse.opened import OpenRecord
from ..lookup.clickhouse.queries import Key
from ..lookup.clickhouse.source import ClickHouseSource
from ..lookup.standing import Opened
from ..trace.span import SpanError
from .opened import is_silent, key_of, run_of
from .records import Heard, heard_of

# What was told longer ago is not shown. The query looks at all log records of this time.
_HOUR_NS = 3_600 * 10**9
# A page that is followed looks every two seconds; the server is not asked each time.
_SECONDS = 10.0
_SKEW_NS = 300 * 10**9
_log = logging.getLogger(__name__)


class RemoteOpen:
    """Every thread may use it. ``now_ns``: the time, in nanoseconds since the epoch."""

    def __init__(self, source: ClickHouseSource, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._source = source
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._found: list[Opened] = []
        self._read_at = float("-inf")
        self._said = ""

    def now(self) -> list[Opened]:
        """Return the open spans as they were some seconds ago. Where they cannot be read there are none, which is logged."""
        with self._lock:
            if time.monotonic() - self._read_at >= _SECONDS:
                self._found = self._read()
                self._read_at = time.monotonic()
            return self._found

    def _read(self) -> list[Opened]:
        try:
            now_ns = self._now_ns()
            # What is told in the future, by a wrong clock, would hide what is told now.
            records = (one for one in self._source.open_records(now_ns - _HOUR_NS) if one.told_ns < now_ns + _SKEW_NS)
            told = newest_of(heard(records))
            keys = {(one.span.start_ns, *key) for one in told for key in (key_of(one.span), run_of(one)) if key}
            ended = self._source.ended([Key(*key) for key in sorted(keys)])
        except SetupError as error:
            # Such as a user who may not read the logs. The rest of the page is told all the same.
            if str(error) != self._said:
                _log.warning("what runs cannot be read: %s", error)
                self._said = str(error)
            return []
        self._said = ""
        found = [one for one in told if not {key_of(one.span), run_of(one)} & ended]
        return [
            Opened(one.span, one.told_ns if is_silent((now_ns - one.told_ns) / 1e9, one.interval) else 0) for one in found
        ]


def heard(records: Iterable[OpenRecord]) -> list[Heard]:
    """Return what records tell, without those that are odd."""
    found: list[Heard] = []
    for one in records:
        try:
            found.append(heard_of(one.trace_id, one.span_id, one.told_ns, one.attributes, one.resource))
        except SpanError:
            continue
    return found


def newest_of(told: Iterable[Heard]) -> list[Heard]:
    """Return what is open by the newest records: of a run that is told whole, what was told at its last time."""
    all_told = list(told)
    last: dict[object, int] = {}
    for one in all_told:
        if run := run_of(one):
            last[run] = max(last.get(run, 0), one.told_ns)
    return [one for one in all_told if one.told_ns >= last.get(run_of(one), 0)]
