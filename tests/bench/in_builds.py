"""Judges labelled failures inside real builds, for owners.py.

Each case fails in a stage of a Pipeline on a modelled controller, with other builds around it as its fault has them. The
poller reads the controller, and ``why`` judges.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import corpus
from support import lab_builds

from pipeline_trace.ownership.log.rules import load_rules

# When somebody asks.
MOMENTS = {lab_builds.FIRST: "at the first failure", lab_builds.LATER: "after some more builds"}


def judged(paths: Iterable[Path], moment: str) -> list[corpus.Outcome]:
    """Return the outcomes of the cases of files. Raises OSError, ValueError and KeyError for a file without cases."""
    cases = [lab_builds.case_of(data) for path in paths for data in corpus.cases_of(path)]
    with tempfile.TemporaryDirectory() as folder:
        found = list(lab_builds.verdicts(cases, moment, Path(folder), load_rules()))
    return [corpus.Outcome(case.id, case.owner, case.kind, verdict) for case, verdict in found]
