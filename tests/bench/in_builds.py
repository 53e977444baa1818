"""Judges labelled failures inside real builds: `python tests/bench/in_builds.py FILE...`.

Each case fails in a stage of a Pipeline on a modelled controller, with other builds around it as its fault has them. The
poller reads the controller, and ``why`` judges. A table for each moment goes to stdout: at the first failure, and later.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import corpus
from support import lab_builds

from pipeline_trace.ownership.log.rules import load_rules

_TITLES = {lab_builds.FIRST: "at the first failure", lab_builds.LATER: "after some more builds"}


def tables(paths: Sequence[Path]) -> str:
    """Return the figures and the wrong cases as text. Raises OSError, ValueError and KeyError for a file without cases."""
    cases = [lab_builds.case_of(data) for path in paths for data in corpus.cases_of(path)]
    rules = load_rules()
    said = []
    for moment in lab_builds.MOMENTS:
        with tempfile.TemporaryDirectory() as folder:
            found = list(lab_builds.verdicts(cases, moment, Path(folder), rules))
        outcomes = [corpus.Outcome(case.id, case.owner, case.kind, verdict) for case, verdict in found]
        said.append(f"In real builds, {_TITLES[moment]}:\n{corpus.summary(outcomes)}")
    return "\n\n".join(said)


if __name__ == "__main__":
    print(tables([Path(name) for name in sys.argv[1:]]))
