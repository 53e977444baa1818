"""Recorded times shown as others."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import support

from pipeline_trace_demo.recording import Recording
from pipeline_trace_demo.times import TimeMap, move

RECORDING = support.RECORDINGS / "40-input.jsonl"


def test_one_anchor_shifts() -> None:
    shift = TimeMap([(1_000, 5_000)])
    assert [shift.map(ms) for ms in (0, 1_000, 3_000)] == [4_000, 5_000, 7_000]


def test_straight_lines_between_anchors_and_shifts_outside() -> None:
    times = TimeMap([(1_000, 10_000), (2_000, 40_000), (3_000, 41_000)])
    assert [times.map(ms) for ms in (900, 1_000, 1_500, 2_000, 2_500, 3_000, 3_100)] == [
        9_900,
        10_000,
        25_000,
        40_000,
        40_500,
        41_000,
        41_100,
    ]


def test_stretched_times_never_fall_back() -> None:
    times = TimeMap([(1_795_445_329_000, 1_000), (1_795_445_330_000, 1_337), (1_795_445_331_000, 900_001)])
    shown = [times.map(ms) for ms in range(1_795_445_328_900, 1_795_445_331_100)]
    assert all(before <= after for before, after in pairwise(shown))


@pytest.mark.parametrize("anchors", [[], [(1, 1), (1, 2)], [(1, 1), (2, 1)], [(2, 1), (1, 2)], [(1, 2), (2, 1)]])
def test_anchors_must_rise(anchors: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="anchor"):
        TimeMap(anchors)


DOUBLE = TimeMap([(1_000, 1_000), (2_000, 3_000), (3_000, 4_000)])


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"timestamp": 1_500, "duration": 1_000}, {"timestamp": 2_000, "duration": 1_500}),
        ({"timestamp": 1_500, "duration": 0}, {"timestamp": 2_000, "duration": 0}),
        ({"startTimeMillis": 1_000, "durationMillis": 500}, {"startTimeMillis": 1_000, "durationMillis": 1_000}),
        (
            {"startTimeMillis": 1_000, "durationMillis": 1_000, "endTimeMillis": 2_000, "pauseDurationMillis": 400},
            {"startTimeMillis": 1_000, "durationMillis": 2_000, "endTimeMillis": 3_000, "pauseDurationMillis": 800},
        ),
        ({"startTimeMillis": 1_500, "durationMillis": -500}, {"startTimeMillis": 2_000, "durationMillis": -1_000}),
        ({"inQueueSince": 1_500}, {"inQueueSince": 2_000}),
        ({"buildableStartMilliseconds": 1_500}, {"buildableStartMilliseconds": 2_000}),
        ({"offlineCause": {"timestamp": 1_500}}, {"offlineCause": {"timestamp": 2_000}}),
        (
            {"waitingDurationMillis": 5, "buildingDurationMillis": 7},
            {"waitingDurationMillis": 5, "buildingDurationMillis": 7},
        ),
        ({"duration": 0.5, "number": 1_500}, {"duration": 0.5, "number": 1_500}),
        ({"timestamp": -1, "duration": 5}, {"timestamp": -1, "duration": 5}),
        ({"timestamp": True}, {"timestamp": True}),
    ],
)
def test_starts_and_durations_move_together(recorded: dict[str, Any], shown: dict[str, Any]) -> None:
    assert move([{"nested": recorded}], DOUBLE) == [{"nested": shown}]


def test_moving_changes_nothing() -> None:
    document = {"timestamp": 1_500, "duration": 1_000}
    move(document, DOUBLE)
    assert document == {"timestamp": 1_500, "duration": 1_000}


def test_ends_stay_in_step_in_a_recorded_build() -> None:
    documents = Recording.load(RECORDING).at()
    before = documents.answers["/job/approve-me/1/wfapi/describe"]
    halfway = before["startTimeMillis"] + before["durationMillis"] // 2
    times = TimeMap([(before["startTimeMillis"], 0), (halfway, 1_000_000), (halfway + 1_000, 5_000_000)])
    after = documents.move(times).answers["/job/approve-me/1/wfapi/describe"]
    assert after["startTimeMillis"] == 0
    for old, new in zip([before, *before["stages"]], [after, *after["stages"]], strict=True):
        end = times.map(old["startTimeMillis"] + old["durationMillis"])
        assert new["startTimeMillis"] + new["durationMillis"] == end
