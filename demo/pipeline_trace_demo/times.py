"""Moves recorded times, so that a replay can show builds at other times than the recorded ones.

All times are milliseconds since the epoch; all durations are milliseconds. No clock is read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

# Fields with a start, and the fields with the duration from this start.
_PAIRS = (("timestamp", "duration"), ("startTimeMillis", "durationMillis"), ("startTimeMillis", "totalDurationMillis"))
_MOMENTS = ("timestamp", "startTimeMillis", "endTimeMillis", "inQueueSince", "buildableStartMilliseconds")


class TimeMap:
    """A map from recorded to shown times: linear between anchors, shifted before the first and after the last anchor.

    ``anchors``: pairs (recorded ms, shown ms). Raises ValueError if there are none, or if one of the sides does not
    strictly ascend.
    """

    def __init__(self, anchors: Sequence[tuple[int, int]]) -> None:
        if not anchors:
            raise ValueError("a time map needs at least one anchor")
        for (recorded, shown), (next_recorded, next_shown) in pairwise(anchors):
            if next_recorded <= recorded or next_shown <= shown:
                raise ValueError(f"anchors must ascend: {(recorded, shown)}, {(next_recorded, next_shown)}")
        self._recorded = [recorded for recorded, _ in anchors]
        self._shown = [shown for _, shown in anchors]

    def map(self, ms: int) -> int:
        """Return the shown time of the recorded time ``ms``, rounded to whole milliseconds."""
        after = bisect_right(self._recorded, ms)
        if after == 0:
            return self._shown[0] + ms - self._recorded[0]
        before = after - 1
        past = ms - self._recorded[before]
        if after == len(self._recorded):
            return self._shown[before] + past
        recorded = self._recorded[after] - self._recorded[before]
        shown = self._shown[after] - self._shown[before]
        # Use integers: a float would lose milliseconds.
        return self._shown[before] + (past * shown * 2 + recorded) // (recorded * 2)


def move(document: Any, time_map: TimeMap) -> Any:
    """Return a copy of ``document`` with moved times.

    A duration d that begins at s becomes ``map(s + d) - map(s)``. A pause is scaled like its node. Durations without a
    start in the same object (TimeInQueueAction, estimates, test times) do not change.
    """
    if isinstance(document, dict):
        moved = {name: move(value, time_map) for name, value in document.items()}
        _move_fields(document, moved, time_map)
        return moved
    if isinstance(document, list):
        return [move(item, time_map) for item in document]
    return document


def _move_fields(old: dict[str, Any], new: dict[str, Any], time_map: TimeMap) -> None:
    for name in _MOMENTS:
        if _is_time(old.get(name)):
            new[name] = time_map.map(old[name])
    for start, duration in _PAIRS:
        if _is_time(old.get(start)) and _is_whole(old.get(duration)):
            new[duration] = time_map.map(old[start] + old[duration]) - time_map.map(old[start])
    whole = "durationMillis" if "durationMillis" in old else "totalDurationMillis"
    if _is_whole(old.get("pauseDurationMillis")) and old.get(whole):
        new["pauseDurationMillis"] = round(old["pauseDurationMillis"] * new[whole] / old[whole])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    # In Jenkins' answers, 0 and -1 mean "never".
    return _is_whole(value) and value > 0
