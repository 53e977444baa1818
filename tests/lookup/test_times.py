"""Times as people read them: local with a zone in a terminal, UTC in JSON and in what is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline_trace.lookup import wording

NS = 1_767_193_200 * 10**9  # 31 December 2025, 15:00 UTC


@pytest.fixture(autouse=True)
def new_york() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def test_each_place_has_its_form() -> None:
    assert wording.shown_time(NS) == "2025-12-31 10:00:00 EST"
    assert wording.shown_time(NS, utc=True) == "2025-12-31 15:00:00 UTC"
    assert wording.utc_time(NS) == "2025-12-31 15:00:00Z"
    assert wording.iso_time(NS) == "2025-12-31T15:00:00.000+00:00"


def test_a_text_that_was_sent_is_shown_in_local_time() -> None:
    text = f"deploy waits since {wording.utc_time(NS)} (3 min 02 s)"
    assert wording.with_shown_times(text) == "deploy waits since 2025-12-31 10:00:00 EST (3 min 02 s)"
    assert wording.with_shown_times(text, utc=True) == "deploy waits since 2025-12-31 15:00:00 UTC (3 min 02 s)"


@pytest.mark.parametrize(
    "text", ["2025-02-31 10:00:00Z", "2025-13-01 10:00:00Z", "2025-12-31 15:00:00", "x2025-12-31 15:00:00Z"]
)
def test_what_is_no_time_of_ours_stays(text: str) -> None:
    assert wording.with_shown_times(text) == text


@pytest.mark.parametrize("time_ns", [10**30, -(10**30)])
def test_an_impossible_time_is_empty(time_ns: int) -> None:
    assert (wording.shown_time(time_ns), wording.iso_time(time_ns), wording.utc_time(time_ns)) == ("", "", "")
