"""Past builds, and what history tells of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from pipeline_trace.ownership import UNKNOWN, Verdict, history
from pipeline_trace.ownership.past import FAILURE, PastBuild

NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
LINE = "Error: connect ECONNREFUSED db.corp.internal:5432"
TEXT = Verdict(UNKNOWN, "service_unavailable", 0.5, ["the line"], "look")


def run(
    minutes: int, job: str, commit: str, agent: str, result: str = FAILURE, *, branch: str = "main", line: str = LINE
) -> PastBuild:
    """Return a run so many minutes after noon."""
    return PastBuild(
        job, commit, branch, agent, NOON + timedelta(minutes=minutes), result, line if result == FAILURE else ""
    )


def judge(*runs: PastBuild, said: Verdict = TEXT) -> Verdict:
    """Judge the last run by the others."""
    return history.verdict_with_history(runs[:-1], runs[-1], said)
