"""Asks about a build that runs now: the store has only what has ended."""

from __future__ import annotations

import os
import time
from functools import partial
from importlib.metadata import entry_points

from ..lookup.lookup import Lookup
from ..lookup.usual import Usual, usual_times
from ..ownership import Verdict

# Entry points that judge a build that runs now: ``verdict_of_running(reference, environ, usual) -> Verdict | None``.
LIVE = "pipeline_trace.live"
# The usual time of a stage comes from the runs of this period.
_DAYS_NS = 90 * 86_400 * 1_000_000_000


def verdict_of_running(lookup: Lookup, reference: str) -> Verdict | None:
    """Return the verdict on a build that runs now; None if it does not run, or its controller does not answer."""
    for point in entry_points(group=LIVE):
        verdict: Verdict | None = point.load()(reference, os.environ, partial(_usual, lookup))
        if verdict:
            return verdict
    return None


def _usual(lookup: Lookup, job: str) -> dict[str, Usual]:
    """Return the usual times of a job's stages, by stage name."""
    now = time.time_ns()
    known = usual_times(lookup.stages_between(job, now - _DAYS_NS, now))
    return {stage: usual for (name, stage), usual in known.items() if name == job}
